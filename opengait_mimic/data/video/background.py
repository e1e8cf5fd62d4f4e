"""Who moves in front of a static camera: background subtraction with OpenCV.

The background is the median over time, block by block, so that it follows the daylight. A pixel belongs to a
person where any of its colours differs enough; a change of the whole picture's brightness is taken out first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from opengait_mimic.data.video.sources import cv2_module

SAMPLES = 50
BLOCK = 3000
THRESHOLD = 30
EDGE = 0.4
# A cast shadow darkens to this share of the light at most, and all three colours nearly alike.
DARKEST_SHADOW, SHADOW_TINT = 0.5, 0.08
_SPARSE = 8  # every eighth pixel is enough for the brightness of a picture


class Background(NamedTuple):
    """What a camera sees when nobody is there: per block of frames, a picture uint8 [h, w, 3]."""

    pictures: list[np.ndarray]
    block: int

    def at(self, frame: int) -> np.ndarray:
        return self.pictures[min(frame // self.block, len(self.pictures) - 1)]


def learn(pictures: Iterable[np.ndarray], count: int) -> Background:
    """The background of a recording.

    Args:
        pictures: uint8 [h, w, 3], all frames in order.
        count: about how many these are.
    """
    blocks = max(1, round(count / BLOCK))
    block = max(1, -(-count // blocks))
    step = max(1, block // SAMPLES)
    samples: list[np.ndarray] = []
    learned: list[np.ndarray] = []
    for number, picture in enumerate(pictures):
        if number == block * (len(learned) + 1) and len(learned) < blocks - 1:  # only its median is kept
            learned.append(_median(samples))
            samples = []
        if number % step == 0 and len(samples) < 2 * SAMPLES:
            samples.append(picture)
    return Background([*learned, _median(samples)] if samples else learned, block)


def foreground(
    picture: np.ndarray, background: np.ndarray, threshold: int = THRESHOLD, shadows: bool = False
) -> np.ndarray:
    """What is not background in a picture, cleaned of specks and cracks.

    Args:
        picture: uint8 [h, w, 3].
        background: likewise.
        threshold: difference of a colour, 1…255.
        shadows: the scene has cast shadows to be taken out, at the price of clothes a little darker than the ground.

    Returns:
        bool [h, w].
    """
    cv2 = cv2_module()
    sparse = (slice(None, None, _SPARSE), slice(None, None, _SPARSE))
    change = np.median(picture[sparse].astype(np.int16) - background[sparse], axis=(0, 1))
    levelled = cv2.add(background, (*np.rint(change).tolist(), 0.0))
    red, green, blue = cv2.split(cv2.absdiff(picture, levelled))
    difference = cv2.GaussianBlur(cv2.max(cv2.max(red, green), blue), (0, 0), 0.8)
    # Beside a strong edge its own blur exceeds the threshold too: half of the edge's height is where it runs.
    around = cv2.dilate(difference, np.ones((5, 5), np.uint8)).astype(np.float32)
    moved = ((difference > threshold) & (difference > EDGE * around)).astype(np.uint8)
    if shadows:
        moved[_shadow(cv2.GaussianBlur(picture, (0, 0), 1.0), levelled)] = 0
        moved = cv2.morphologyEx(moved, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    # Bodies are taller than wide: a crack across a belt is closed, the gap between two people is not.
    upright = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 7))
    return cv2.morphologyEx(moved, cv2.MORPH_CLOSE, upright).astype(bool)


def _shadow(picture: np.ndarray, background: np.ndarray) -> np.ndarray:
    share = (picture.astype(np.float32) + 4) / (background.astype(np.float32) + 4)
    low, high = share.min(axis=2), share.max(axis=2)
    return (high < 0.97) & (low > DARKEST_SHADOW) & (high - low < SHADOW_TINT)


def _median(samples: list[np.ndarray]) -> np.ndarray:
    rows = [np.median([s[row : row + 64] for s in samples], axis=0) for row in range(0, len(samples[0]), 64)]
    return np.concatenate(rows).astype(np.uint8)
