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
    sils: np.ndarray, kinds: Sequence[dict], target: str | Path, seeds: Sequence[int] = (0,), fps: float = 25.0
) -> None:
    """Draw a clip beside its occluded copies: a column per occlusion type, the holistic clip on the left.

    Args:
        sils: uint8 [s, h, w].
        kinds: entries as in a YAML's list.
        target: an animation (.gif, a row per seed), or a still picture (.png, six rows of frames per seed).
        seeds: of the occlusions.
        fps: frames per second of the animation.
    """
    draws = [(seed, [_occluded(sils, entry, [seed, n]) for n, entry in enumerate(kinds)]) for seed in seeds]
    names = ["holistic", *map(_title, kinds)]
    count = len(sils)
    if Path(target).suffix.lower() == ".gif":
        pages = [_page(sils, names, [(seed, occluded, frame) for seed, occluded in draws]) for frame in range(count)]
        pause = max(20, round(1000 / fps))
        pages[0].save(target, save_all=True, append_images=pages[1:], duration=pause, loop=0)
    else:
        chosen = np.linspace(0, count - 1, min(_ROWS, count)).round().astype(int).tolist()
        _page(sils, names, [(seed, occluded, frame) for seed, occluded in draws for frame in chosen]).save(target)


def occlusion_grid(sils: np.ndarray, target: str | Path) -> None:
    """Draw one clip [s, h, w] under every occlusion type, in place and where it makes sense refitted or merged."""
    kinds: list[dict] = [{"kind": name} for name in TYPES]
    kinds += [{"kind": name, "refit": True} for name in ("top", "bottom", "left", "right", "detector_cut")]
    kinds += [{"kind": name, "merged": True} for name in ("crossing_person", "outline")]
    occlude_clip(sils, kinds, target)


def _title(entry: dict) -> str:
    marks = [mark for mark in ("refit", "merged") if entry.get(mark)]
    return "\n".join([entry["kind"].replace("_", " "), *marks])


def _occluded(sils: np.ndarray, entry: dict, seed: Sequence[int]) -> tuple[np.ndarray, OcclusionParameters]:
    parameters = mixture([entry]).sample([np.random.default_rng(seed)], [np.arange(len(sils))], *sils.shape[-2:])
    return apply_occlusion(torch.from_numpy(np.ascontiguousarray(sils)), parameters).numpy(), parameters


def _page(sils: np.ndarray, names: list[str], rows: list[tuple[int, list, int]]) -> Image.Image:
    """A grid: per row the holistic frame and each occluded one, under the names; what hides is outlined in red."""
    height, width = sils.shape[1:]
    across = round(width * _CELL / height)
    head = _LINE * (1 + max(name.count("\n") for name in names)) + _GAP
    size = _SIDE + len(names) * (across + _GAP), head + len(rows) * (_CELL + _LINE + _GAP)
    page = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(page)
    for column, name in enumerate(names):
        draw.text((_SIDE + column * (across + _GAP) + across // 2, 3), name, fill=_INK, anchor="ma")
    for row, (seed, occluded, frame) in enumerate(rows):
        top = head + row * (_CELL + _LINE + _GAP)
        draw.text((_GAP, top + 4), f"seed {seed}\nframe {frame}", fill=_INK)
        for column, (clip, parameters) in enumerate([(sils, None), *occluded]):
            left = _SIDE + column * (across + _GAP)
            cell = Image.fromarray(clip[frame]).resize((across, _CELL), Image.Resampling.NEAREST)
            page.paste(cell, (left, top))
            if parameters is None:
                continue
            if not parameters.refit[frame]:
                hidden = Image.fromarray(hidden_mask(parameters, height, width)[frame])
                edge = _edge(np.asarray(hidden.resize((across, _CELL), Image.Resampling.NEAREST)))
                page.paste(_RED, (left, top), Image.fromarray(edge))
            amount = f"{100 * parameters.amount[0]:.0f} % hidden"
            draw.text((left + across // 2, top + _CELL + 1), amount, fill=_INK, anchor="ma")
    return page


def _edge(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask [h, w] that touch one outside of it, or lie on the picture's edge."""
    around = np.pad(mask, 1)
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return mask & ~inner
