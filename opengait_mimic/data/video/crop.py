"""From a mask in a picture to a silhouette the way the field crops it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from opengait_mimic.walkers.render import SIZE


class Box(NamedTuple):
    """Pixels of a picture, ends exclusive."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left


def extent(mask: np.ndarray) -> Box:
    """The smallest box around what is not 0 in a mask [h, w].

    Raises:
        ValueError: all of it is 0.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise ValueError("the mask is empty")
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def silhouette(mask: np.ndarray) -> np.ndarray:
    """Crop a mask to the body's vertical extent, scale that to 64 rows and centre it on the median of its mass.

    The aspect is kept. The column where half of the mass is reached becomes column 32 of 64; what then lies
    outside is lost.

    Args:
        mask: [h, w], one body in bool or uint8 0…255.

    Returns:
        uint8 [64, 64], grey where an edge runs through a pixel.

    Raises:
        ValueError: the mask is all 0.
    """
    box = extent(mask)
    body = mask[box.top : box.bottom, box.left : box.right]
    body = body.astype(np.uint8) * 255 if body.dtype == bool else body
    width = max(1, round(box.width * SIZE / box.height))
    scaled = np.asarray(Image.fromarray(body).resize((width, SIZE), Image.Resampling.BICUBIC))
    mass = scaled.sum(axis=0, dtype=np.int64).cumsum()
    median = int((mass * 2 < mass[-1]).sum())
    wide = np.pad(scaled, ((0, 0), (SIZE // 2, SIZE)))
    return np.ascontiguousarray(wide[:, median : median + SIZE])
