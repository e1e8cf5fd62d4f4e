"""Read pickled silhouettes: numeric arrays and nothing else, refused with the file's path where something is wrong."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from opengait_mimic.data.files import read_file
from opengait_mimic.data.pickles import LARGEST, NotAnArray, array_from
from opengait_mimic.data.video import sources
from opengait_mimic.data.video.crop import silhouette
from opengait_mimic.errors import DataError, one_line

SMALLEST = 3  # rows and columns of a frame
ADVICE = "opengait-mimic check-data lists all such files"


class Look(NamedTuple):
    """What all sequences of a data set have in common.

    Attributes:
        frame: the shape of one frame, (h, w) or (c, h, w).
        top: the value that stands for white, 1 or 255; 0 where that cannot be told (a black clip, classes of a map).
    """

    frame: tuple[int, ...]
    top: int


def read_array(path: str | os.PathLike) -> np.ndarray:
    """Read one pickled array whose first axis is time.

    Returns:
        A new array in the machine's byte order.

    Raises:
        DataError: the file cannot be opened, is no pickle of a numeric array, or the array has no frame.
    """
    try:
        array = array_from(read_file(path, LARGEST))
    except (OSError, NotAnArray) as error:
        told = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(f"{path}: cannot be read: {one_line(str(told))}") from None
    if array.ndim == 0:
        raise DataError(f"{path}: expected an array of numbers, found one number")
    if len(array) == 0:
        raise DataError(f"{path}: holds no frame")
    return array


def read_frames(path: str | os.PathLike) -> np.ndarray:
    """Read the frames of one sequence, [s, h, w] (or [s, c, h, w]).

    Raises:
        DataError: what `read_array` refuses, another shape, frames too small for a body, values that are not finite.
    """
    frames = read_array(path)
    shape = list(frames.shape)
    if frames.ndim not in (3, 4):
        raise DataError(f"{path}: expected frames [s, h, w], found the shape {shape}; {ADVICE}")
    if frames.size == 0 or min(shape[-2:]) < SMALLEST:
        raise DataError(f"{path}: its frames have no pixels or too few, found the shape {shape}; {ADVICE}")
    if frames.dtype.kind == "f" and not np.isfinite(frames).all():
        raise DataError(f"{path}: holds NaN or infinite values; {ADVICE}")
    return frames


def look(frames: np.ndarray) -> Look:
    """What `frames` [s, h, w] or [s, c, h, w] must have in common with the rest of their data set."""
    highest = float(frames.max())
    if frames.dtype.kind == "f":
        top = 1 if 0 < highest <= 1 else 255 if highest > 1 else 0
    else:
        top = 1 if highest == 1 else 255 if highest > 100 else 0
    return Look(frames.shape[1:], top)


def size(frame: tuple[int, ...]) -> str:
    """A frame's shape in words, as in 64×44."""
    return "×".join(map(str, frame))


def difference(own: Look, first: Look) -> str:
    """In which way frames do not belong with those that look like `first`; "" where they do."""
    if own.frame != first.frame:
        return f"frames of {size(own.frame)}, not {size(first.frame)}"
    if own.top and first.top and own.top != first.top:
        return f"values from 0 to {own.top}, not to {first.top}"
    return ""


def read_sequence(paths: Sequence[str | os.PathLike], like: str | os.PathLike | None = None) -> list[np.ndarray]:
    """Read every stream of one sequence; the first one holds its silhouettes.

    Args:
        paths: one file per stream.
        like: the silhouettes of the data set's first sequence, which these must look like.

    Returns:
        One array per stream, of the same number of frames.

    Raises:
        DataError: a file that `read_frames` (for further streams, `read_array`) refuses, streams of different lengths,
            or silhouettes unlike the first sequence's.
    """
    streams = [read_frames(paths[0]), *map(read_array, paths[1:])]
    lengths = sorted({len(stream) for stream in streams})
    if len(lengths) > 1:
        raise DataError(f"{Path(paths[0]).parent}: streams of different lengths {lengths}; {ADVICE}")
    if like is not None and paths[0] != like:
        changed = os.stat(like).st_mtime_ns  # noqa: PTH116 (for every clip, and a Path takes as long as reading it)
        unlike = difference(look(streams[0]), _look_of(str(like), changed))
        if unlike:
            raise DataError(f"{paths[0]}: {unlike} as in {like}; {ADVICE}")
    return streams


@functools.lru_cache(maxsize=64)
def _look_of(path: str, changed: int) -> Look:  # noqa: ARG001 (a file that has changed is another one)
    return look(read_frames(path))


def read_clip(path: Path) -> np.ndarray:
    """A clip to draw: a silhouettes .pkl, a folder of masks, or a folder with .pkl files below it (the first).

    Args:
        path: of it.

    Returns:
        uint8 [s, h, w], 0…255; masks are cropped to 64×64, frames without anybody left out.

    Raises:
        DataError: there is none, or it is no clip.
    """
    if path.is_dir() and sources.picture_files(path):
        source = sources.Source(path, path.name)
        if not sources.holds_masks(source):
            raise DataError(f"{path}: its pictures are no masks (black and white); make some with silhouettes")
        sources.refuse_inverted(source)
        sils = [silhouette(mask) for mask in sources.mask_frames(source) if mask.any()]
        if not sils:
            raise DataError(f"{path}: all masks are empty")
        return np.stack(sils)
    file = min(path.rglob("*.pkl"), default=None) if path.is_dir() else path
    if file is None:
        raise DataError(f"{path}: no .pkl file in it, and no masks")
    clip = read_frames(file)
    if clip.ndim != 3:
        raise DataError(f"{file}: expected silhouettes [frames, height, width], found {list(clip.shape)}")
    if clip.dtype != np.uint8 or clip.max() == 1:
        clip = (255 * np.clip(clip / max(1.0, float(clip.max())), 0, 1)).astype(np.uint8)
    return clip
