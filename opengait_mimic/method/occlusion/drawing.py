"""Pictures of what occlusions make of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from opengait_mimic.method.occlusion.apply import apply_occlusion
from opengait_mimic.method.occlusion.masks import hidden_mask
from opengait_mimic.method.occlusion.sampling import OcclusionParameters, mixture
from opengait_mimic.method.occlusion.types import TYPES

_CELL, _GAP, _LINE, _SIDE = 128, 6, 14, 60
_ROWS = 6  # frames of a still grid
_INK, _PAPER, _RED = (30, 30, 30), (255, 255, 255), (220, 30, 30)


def occlude_clip(
    sils: np.ndarray, kinds: Sequence[dict], target: Path, seeds: Sequence[int] = (0,), fps: float = 25.0
) -> None:
    """Draw a clip beside what each kind of occlusion makes of it: a column per kind, the whole clip on the left.

    Args:
        sils: uint8 [s, h, w]. kinds: entries as in a YAML's list. target: an animation (.gif, a row per seed), or
            a still picture (.png, six rows of frames per seed).
        seeds: of the draws. fps: frames per second of the animation.
    """
    draws = []
    for seed in seeds:
        occluded = [_occluded(sils, entry, [seed, number]) for number, entry in enumerate(kinds)]
        draws.append((seed, occluded))
    names = ["whole"] + [entry["kind"].replace("_", " ") for entry in kinds]
    count = len(sils)
    if target.suffix.lower() == ".gif":
        pages = [_page(sils, names, [(seed, occluded, frame) for seed, occluded in draws]) for frame in range(count)]
        pause = max(20, round(1000 / fps))
        pages[0].save(target, save_all=True, append_images=pages[1:], duration=pause, loop=0)
    else:
        chosen = np.linspace(0, count - 1, min(_ROWS, count)).round().astype(int).tolist()
        _page(sils, names, [(seed, occluded, frame) for seed, occluded in draws for frame in chosen]).save(target)


def _occluded(sils: np.ndarray, entry: dict, seed: Sequence[int]) -> tuple[np.ndarray, OcclusionParameters]:
    parameters = mixture([entry]).sample([np.random.default_rng(seed)], [np.arange(len(sils))], *sils.shape[-2:])
    return apply_occlusion(torch.from_numpy(np.ascontiguousarray(sils)), parameters).numpy(), parameters


def _page(sils: np.ndarray, names: list[str], rows: list[tuple[int, list, int]]) -> Image.Image:
    """A grid: per row the whole frame and each occluded one, under the kinds' names."""
    height, width = sils.shape[1:]
    scale = _CELL / height
    across = round(width * scale)
    size = _SIDE + len(names) * (across + _GAP), _LINE + _GAP + len(rows) * (_CELL + _LINE + _GAP)
    page = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(page)
    for column, name in enumerate(names):
        draw.text((_SIDE + column * (across + _GAP) + across // 2, 3), name, fill=_INK, anchor="ma")
    for row, (seed, occluded, frame) in enumerate(rows):
        top = _LINE + _GAP + row * (_CELL + _LINE + _GAP)
        draw.text((_GAP, top + 4), f"seed {seed}\nframe {frame}", fill=_INK)
        for column, (clip, parameters) in enumerate([(sils, None), *occluded]):
            left = _SIDE + column * (across + _GAP)
            cell = Image.fromarray(clip[frame]).resize((across, _CELL), Image.Resampling.NEAREST)
            page.paste(cell, (left, top))
            if parameters is None:
                continue
            above, below, begin, end = (parameters.boxes[frame] * scale).round().astype(int).tolist()
            if not parameters.refit[frame] and below > above and end > begin:
                draw.rectangle((left + begin, top + above, left + end - 1, top + below - 1), outline=_RED)
            if frame in parameters.masked and not parameters.refit[frame]:
                hidden = Image.fromarray(parameters.masks[np.searchsorted(parameters.masked, frame)])
                edge = _edge(np.asarray(hidden.resize((across, _CELL), Image.Resampling.NEAREST)))
                page.paste(_RED, (left, top), Image.fromarray(edge))
            hidden = f"{100 * parameters.amount[0]:.0f} % hidden"
            draw.text((left + across // 2, top + _CELL + 1), hidden, fill=_INK, anchor="ma")
    return page


def _edge(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask [h, w] that touch one outside of it; beyond the picture is inside."""
    wide = np.pad(mask, 1, mode="edge")
    inner = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return mask & ~inner


def occlusion_grid(sils: np.ndarray, target: str | Path, frames: int = 8, seed: int = 0) -> None:
    """Draw one clip whole and under every kind of occlusion, occluded in place and refitted (Figure 1).

    Args:
        sils: [s, h, w] one clip. target: the PNG to write. frames: how many to show. seed: of the occlusions.
    """
    # The canvas of a file, whatever backend the process has chosen for itself.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = np.linspace(0, len(sils) - 1, min(frames, len(sils))).round().astype(int)
    rows: list[tuple[str, dict | None]] = [("whole", None)]
    rows += [(kind.replace("_", " "), {"kind": kind}) for kind in TYPES]
    refitted = ("top", "bottom", "left", "right", "detector_cut")
    rows += [(f"{kind.replace('_', ' ')}, refitted", {"kind": kind, "refit": True}) for kind in refitted]
    merged = ("crossing_person", "outline")
    rows += [(f"{kind.replace('_', ' ')}, merged", {"kind": kind, "merged": True}) for kind in merged]
    figure = Figure(figsize=(1.0 * len(shown) + 2.2, 1.0 * len(rows)), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    for number, (title, entry) in enumerate(rows):
        clip = sils
        if entry is not None:
            clip, parameters = _occluded(sils, entry, [seed, number])
            title = f"{title}\n{100 * parameters.amount[0]:.0f} % hidden"
        for column, frame in enumerate(shown):
            axes = figure.add_subplot(len(rows), len(shown), number * len(shown) + column + 1)
            axes.imshow(clip[frame], cmap="gray", vmin=0, vmax=max(1, sils.max()))
            axes.set_xticks([])
            axes.set_yticks([])
            if entry is not None and not entry.get("refit"):
                _outline(axes, hidden_mask(parameters, *sils.shape[-2:])[frame])
            if column == 0:
                axes.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9)
    figure.subplots_adjust(left=0.2, right=0.99, top=0.99, bottom=0.01, wspace=0.04, hspace=0.06)
    figure.savefig(target)


def _outline(axes, hidden: np.ndarray) -> None:
    """The occluder's boundary in red, as in the paper's Figure 1; for the eye only."""
    height, width = hidden.shape
    if hidden.any():
        places = np.arange(-1, width + 1), np.arange(-1, height + 1)
        axes.contour(*places, np.pad(hidden, 1), levels=[0.5], colors="red", linewidths=0.8)
        axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
