"""Where an outline stands in a frame: scaled, shifted, sampled pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from opengait_mimic.walkers.walkers import walker_sequence

_WALKERS = 12  # in the library of people
_STEPS = 24  # sizes tried when an outline is fitted, and again between the two around it


def placed(outlines: np.ndarray, scale: np.ndarray, top: np.ndarray, left: np.ndarray, height: int, width: int):
    """Outlines as they lie in frames.

    A pixel of the frame is hidden where its centre falls on a pixel of the outline.

    Args:
        outlines: bool [s, H, W], or [1, H, W] for all.
        scale: [s] frame pixels per outline pixel. top, left: [s] where the outline's first row and column begin.
    Returns:
        bool [s, height, width].
    """
    rows = np.floor((np.arange(height) + 0.5 - top[:, None]) / scale[:, None]).astype(np.int64)  # [s, h]
    columns = np.floor((np.arange(width) + 0.5 - left[:, None]) / scale[:, None]).astype(np.int64)  # [s, w]
    tall, broad = outlines.shape[1:]
    in_rows, in_columns = (rows >= 0) & (rows < tall), (columns >= 0) & (columns < broad)
    which = np.arange(len(scale)) if len(outlines) > 1 else np.zeros(len(scale), dtype=np.int64)
    rows, columns = rows.clip(0, tall - 1)[:, :, None], columns.clip(0, broad - 1)[:, None, :]
    return outlines[which[:, None, None], rows, columns] & in_rows[:, :, None] & in_columns[:, None, :]


def standing(outline: np.ndarray, scale: np.ndarray, centre: np.ndarray, height: int, width: int) -> np.ndarray:
    """An outline [H, W] that stands on the frame's lower edge, its middle at column `centre`: bool [s, h, w]."""
    tall, broad = outline.shape
    return placed(outline[None], scale, height - tall * scale, centre - broad * scale / 2, height, width)


def scale_for(outline: np.ndarray, share: float, centre: float, height: int, width: int) -> float:
    """The smallest scale at which a standing outline hides this share of the frame's area, or else the most it can."""
    low, high = 1 / max(outline.shape), 8 * max(height, width) / min(outline.shape)
    for _ in range(2):
        scales = np.geomspace(low, high, _STEPS)
        hidden = standing(outline, scales, np.full(_STEPS, centre), height, width).mean((1, 2))
        if hidden.max() < share:
            return float(scales[hidden.argmax()])
        first = int((hidden >= share).argmax())
        low, high = scales[max(0, first - 1)], scales[first]
    return float(high)


@lru_cache(maxsize=1)
def generated_walkers() -> tuple[np.ndarray, ...]:
    """Twelve generated walkers seen from as many sides, bool [40, 64, 64]; the same in every process."""
    return tuple(
        walker_sequence(seed=0, subject=number, sequence=0, frames=40, view=30.0 * number) > 0
        for number in range(_WALKERS)
    )


def crossing_clip(rng: np.random.Generator, clips: Sequence[np.ndarray]) -> np.ndarray:
    """One clip of a person, sampled from `clips`, or where there are none from the generated walkers.

    Args:
        clips: [s, h, w] (or with channels [s, c, h, w]) of any dtype; what is brighter than half is body.
    Returns:
        bool [s, H, W], cropped to the rows that the body takes; frames without a body are left out.
    """
    if clips:
        clip = clips[int(rng.integers(len(clips)))]
        clip = clip > clip.max() / 2
        clip = clip.any(1) if clip.ndim == 4 else clip
        clip = clip[clip.any((1, 2))]
        if len(clip):
            return _cropped(clip)
    people = generated_walkers()
    return _cropped(people[int(rng.integers(len(people)))])


def _cropped(clip: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(clip.any((0, 2)))
    return clip[:, rows[0] : rows[-1] + 1]
