"""Pictures of clips and of what occlusions make of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from opengait_mimic.occlusion import KINDS, mixture, paint


def occlusion_grid(sils: np.ndarray, target: str | Path, frames: int = 8, seed: int = 0) -> None:
    """Draw one clip whole and under every kind of occlusion, painted in place and refitted (Figure 1).

    Args:
        sils: [s, h, w] one clip. target: the PNG to write. frames: how many to show. seed: of the occlusions.
    """
    # The canvas of a file, whatever backend the process has chosen for itself.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = np.linspace(0, len(sils) - 1, min(frames, len(sils))).round().astype(int)
    rows = [("whole", None)]
    rows += [(kind.replace("_", " "), {"kind": kind}) for kind in KINDS]
    rows += [(f"{kind}, refitted", {"kind": kind, "refit": True}) for kind in ("top", "bottom", "left", "right")]
    figure = Figure(figsize=(1.0 * len(shown) + 1.6, 1.0 * len(rows)), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    for number, (title, entry) in enumerate(rows):
        clip = torch.from_numpy(np.ascontiguousarray(sils))
        if entry is not None:
            rng = np.random.default_rng([seed, number])
            plan = mixture([entry]).plan([rng], [np.arange(len(sils))], *sils.shape[-2:])
            clip = paint(clip, plan)
            title = f"{title}\n{100 * plan.amount[0]:.0f} % hidden"
        for column, frame in enumerate(shown):
            axes = figure.add_subplot(len(rows), len(shown), number * len(shown) + column + 1)
            axes.imshow(clip[frame].numpy(), cmap="gray", vmin=0, vmax=max(1, sils.max()))
            axes.set_xticks([])
            axes.set_yticks([])
            if entry is not None and not entry.get("refit"):
                _outline(axes, plan.boxes[frame])
            if column == 0:
                axes.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9)
    figure.subplots_adjust(left=0.15, right=0.99, top=0.99, bottom=0.01, wspace=0.04, hspace=0.06)
    figure.savefig(target)


def _outline(axes, box: np.ndarray) -> None:
    """The occluder's boundary in red, as in the paper's Figure 1; for the eye only."""
    from matplotlib.patches import Rectangle

    top, bottom, left, right = box
    if bottom > top and right > left:
        axes.add_patch(Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, ec="red", lw=0.8))
