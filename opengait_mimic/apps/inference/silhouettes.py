"""Clips as a program has them, prepared for a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from opengait_mimic.errors import DataError
from opengait_mimic.opengait.description import CUTTING_PER_64, Description


def as_clips(sils: object) -> list[np.ndarray]:
    """One clip [s, h, w], several of one length [n, s, h, w], or a sequence of clips, as a list of clips [s, h, w].

    Raises:
        DataError: another shape.
    """
    if isinstance(sils, (np.ndarray, torch.Tensor)):
        array = _array(sils)
        if array.ndim not in (3, 4):
            raise DataError(f"sils: expected [s, h, w], [n, s, h, w] or a list of clips, found {list(array.shape)}")
        return [array] if array.ndim == 3 else list(array)
    if not isinstance(sils, Sequence) or isinstance(sils, (str, bytes)):
        raise DataError(f"sils: expected an array, a tensor or a list of clips, found {type(sils).__name__}")
    clips = [_array(clip) for clip in sils]
    for place, clip in enumerate(clips):
        if clip.ndim != 3:
            raise DataError(f"sils: clip {place}: expected [s, h, w], found {list(clip.shape)}")
    return clips


def prepare(clip: np.ndarray, description: Description, name: str = "clip") -> torch.Tensor:
    """A clip as the network saw clips in training: grey values 0–1, cut to its width.

    Args:
        clip: [s, h, w]. Whole numbers are 0–255 and are divided by the description's divisor; floats and bools are
            0–1 and are taken as they are. name: of the clip, for messages.
    Returns:
        [s, h, w] float32.
    Raises:
        DataError: no frame, another height, a value outside of its dtype's range, or not a number.
    """
    if not len(clip) or not clip.shape[2]:
        raise DataError(f"{name}: holds no frame")
    if clip.shape[1] != description.height:
        raise DataError(f"{name}: frames are {clip.shape[1]} rows high, this network takes {description.height}")
    clip = clip[: description.frames_limit]
    off = columns_cut(description, clip.shape[2])
    clip = clip[:, :, off : clip.shape[2] - off]
    if not clip.shape[2]:
        raise DataError(f"{name}: cutting {off} columns off each side leaves nothing")
    return torch.from_numpy(np.ascontiguousarray(_grey(clip, description.divisor, name)))


def columns_cut(description: Description, width: int) -> int:
    """How many columns are cut off each side of clips of a width."""
    return width // 64 * CUTTING_PER_64 if description.cutting is None else description.cutting


def _grey(clip: np.ndarray, divisor: float, name: str) -> np.ndarray:
    if clip.dtype.kind not in "biuf":
        raise DataError(f"{name}: expected numbers, found {clip.dtype}")
    if clip.dtype.kind == "b":
        return clip.astype(np.float32)
    lowest, highest = clip.min(), clip.max()
    if clip.dtype.kind in "iu":
        if lowest < 0 or highest > 255:
            raise DataError(f"{name}: whole numbers are grey values 0–255, found {lowest} to {highest}")
        if highest == 1:
            raise DataError(f"{name}: whole numbers are grey values 0–255, found 0 and 1; make it bool or float")
        return clip.astype(np.float32) / np.float32(divisor)
    if not lowest >= 0 or not highest <= 1:  # also where one is not a number
        raise DataError(f"{name}: floats are 0–1, found {lowest:g} to {highest:g}")
    return clip.astype(np.float32)


def _array(clip: object) -> np.ndarray:
    return clip.detach().cpu().numpy() if isinstance(clip, torch.Tensor) else np.asarray(clip)
