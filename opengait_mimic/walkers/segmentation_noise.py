"""Segmentation noise, measured on silhouettes: walkers get as much, so that their edges do not tell them apart.

Segmentation leaves outlines that flicker from row to row or hardly any trace, detection boxes that jitter or bodies
that fill every frame. Both are measured on a data set's silhouettes and on walkers with more and more `Noise`, whose
level is then read off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from opengait_mimic.walkers.render import NOISY, Noise
from opengait_mimic.walkers.walkers import walker_sequence

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)  # of `NOISY`
HIGHEST = LEVELS[-1]
PEOPLE, FRAMES = 24, 20  # of the walkers to compare with


class Measured(NamedTuple):
    """Traces of segmentation noise.

    Attributes:
        edge: share of an outline's rows, 0 to 1, at which it goes one way and back.
        crop: share of a frame's first and last rows, 0 to 1, that are blank.
    """

    edge: float
    crop: float


def measured(clips: Iterable[np.ndarray]) -> Measured:
    """Of silhouettes [s, h, w], white from half of a clip's highest value on; frames without white do not count."""
    turns, rows, blank, ends = 0, 0, 0, 0
    for clip in clips:
        white = clip > clip.max() / 2
        white = white[white.any(axis=(1, 2))]
        filled = white.any(axis=2)
        inner = filled[:, :-2] & filled[:, 1:-1] & filled[:, 2:]
        for side in (white, white[:, :, ::-1]):
            step = np.sign(np.diff(side.argmax(axis=2), axis=1))
            turns += int((inner & (step[:, :-1] * step[:, 1:] < 0)).sum())
            rows += int(inner.sum())
        blank += int((~filled[:, [0, -1]]).sum())
        ends += 2 * len(white)
    return Measured(turns / max(1, rows), blank / max(1, ends))


def noise_like(clips: Iterable[np.ndarray], views: Sequence[float], width: int) -> Noise:
    """The noise of walkers that have as much of it as these silhouettes, up to twice the usual.

    Args:
        clips: [s, h, w] each.
        views: camera angles in degrees, of the walkers to compare with.
        width: theirs, 64 or 44.

    Returns:
        Edges and holes by how the outlines flicker, crops by the blank rows; rounded to hundredths.
    """
    found = measured(clips)
    steps = []
    for level in LEVELS:
        noise = Noise(level * NOISY.edge, level * NOISY.holes, level * NOISY.crop)
        others = (walker_sequence(0, n, 0, FRAMES, width, views[n % len(views)], noise) for n in range(PEOPLE))
        steps.append(measured(others))
    # More noise leaves more traces, but for chance; of levels that are alike it is the lowest.
    edge, crop = (
        float(np.interp(value, np.maximum.accumulate(known) + 1e-9 * np.arange(len(LEVELS)), LEVELS))
        for value, known in zip(found, np.array(steps).T, strict=True)
    )
    return Noise(round(edge * NOISY.edge, 2), round(edge * NOISY.holes, 2), round(crop * NOISY.crop, 2))
