"""A clip to draw, from whatever it lies in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from opengait_mimic.data.read import read_array
from opengait_mimic.data.video import sources
from opengait_mimic.data.video.crop import silhouette
from opengait_mimic.errors import DataError


def read_clip(path: Path) -> np.ndarray:
    """A clip to draw: a silhouettes .pkl, a folder of masks, or a folder with .pkl files below it (the first).

    Returns:
        uint8 [s, h, w], 0…255; masks are cropped to 64 x 64, frames without anybody left out.
    Raises:
        DataError: there is none, or it is no clip.
    """
    if path.is_dir() and sources.picture_files(path):
        source = sources.Source(path, path.name)
        if not sources.holds_masks(source):
            raise DataError(f"{path}: its pictures are no masks (black and white); make some with silhouettes")
        sils = [silhouette(mask) for mask in sources.mask_frames(source) if mask.any()]
        if not sils:
            raise DataError(f"{path}: all masks are empty")
        return np.stack(sils)
    file = path
    if path.is_dir():
        file = min(path.rglob("*.pkl"), default=None)
        if file is None:
            raise DataError(f"{path}: no .pkl file in it, and no masks")
    sils = read_array(file)
    if sils.ndim != 3 or 0 in sils.shape:
        raise DataError(f"{file}: expected silhouettes [frames, height, width], found {list(sils.shape)}")
    if sils.dtype != np.uint8 or sils.max() == 1:
        sils = (255 * np.clip(sils / max(1.0, float(sils.max())), 0, 1)).astype(np.uint8)
    return sils
