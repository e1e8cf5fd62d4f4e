"""Draws the pictures of docs/occlusions.md: `python docs/pictures.py`."""

from __future__ import annotations

from pathlib import Path

from opengait_mimic.method.occlusion import TYPES
from opengait_mimic.method.occlusion.drawing import occlude_clip
from opengait_mimic.walkers.walkers import walker_sequence

FOLDER = Path(__file__).parent / "pictures"
FRAMES = 24


def draw(folder: Path = FOLDER) -> list[Path]:
    """Draw one generated walker under every kind of occlusion, in place and refitted, and all kinds side by side.

    Returns:
        What was written: an animation per kind, and `all.png`.
    """
    sils = walker_sequence(seed=3, subject=1, sequence=0, frames=FRAMES, width=64)
    written = []
    for kind in TYPES:
        target = folder / f"{kind}.gif"
        occlude_clip(sils, [{"kind": kind}, {"kind": kind, "refit": True}], target, fps=15)
        written.append(target)
    occlude_clip(sils[::8], [{"kind": kind} for kind in TYPES], folder / "all.png")
    return [*written, folder / "all.png"]


if __name__ == "__main__":
    for path in draw():
        print(path.name, f"{path.stat().st_size / 1024:.0f} kB")
