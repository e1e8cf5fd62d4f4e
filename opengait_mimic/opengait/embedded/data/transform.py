"""Augmentations of silhouette clips, [s, h, w] numpy arrays in and out; one decision for a whole clip."""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy as np
import torch
import utils
from kornia.geometry import transform as warps

from opengait_mimic.errors import ConfigError


def _keep(clip: np.ndarray) -> np.ndarray:
    return clip


def get_transform(trf_cfg: dict | list | None = None) -> Any:
    """Build what a YAML names under `transform`.

    Args:
        trf_cfg: {type, …its arguments}, a list of such (one for each input stream), or None.
    Returns:
        The transform, a list of them, or one that changes nothing.
    Raises:
        ConfigError: an unknown type, or arguments that do not fit it.
    """
    if trf_cfg is None:
        return _keep
    if isinstance(trf_cfg, list):
        return [get_transform(entry) for entry in trf_cfg]
    name = trf_cfg["type"]
    transform_class = utils.get_attr_from([sys.modules[__name__]], name, "transform")
    try:
        return transform_class(**{key: value for key, value in trf_cfg.items() if key != "type"})
    except TypeError as error:
        raise ConfigError(f"transform {name}: {error}") from None


class Compose:
    """One transform after the other.

    Args:
        trf_cfg: the list of their configurations.
    """

    def __init__(self, trf_cfg: list[dict]):
        self.transforms = get_transform(trf_cfg)

    def __call__(self, clip: np.ndarray) -> np.ndarray:
        for transform in self.transforms:
            clip = transform(clip)
        return clip


class BaseSilTransform:
    """Bring grey values to 0–1 as float32.

    Args:
        divsor: the value that becomes 1.
        img_shape: reshape each frame to this.
    """

    def __init__(self, divsor: float = 255.0, img_shape: list[int] | None = None):
        self.divsor = divsor
        self.img_shape = img_shape

    def __call__(self, clip: np.ndarray) -> np.ndarray:
        if self.img_shape is not None:
            clip = clip.reshape(len(clip), *self.img_shape)
        return clip.astype(np.float32) / np.float32(self.divsor)


class BaseSilCuttingTransform:
    """Cut columns off both sides and bring grey values to 0–1 as float32.

    Args:
        divsor: the value that becomes 1.
        cutting: columns off each side; None: 10 for every full 64 of the width.
    """

    def __init__(self, divsor: float = 255.0, cutting: int | None = None):
        self.divsor = divsor
        self.cutting = cutting

    def __call__(self, clip: np.ndarray) -> np.ndarray:
        width = clip.shape[-1]
        off = width // 64 * 10 if self.cutting is None else self.cutting
        return clip[..., off : width - off].astype(np.float32) / np.float32(self.divsor)


class RandomHorizontalFlip:
    """Mirror left and right with probability `prob`."""

    def __init__(self, prob: float = 0.5):
        self.prob = prob

    def __call__(self, clip: np.ndarray) -> np.ndarray:
        return clip[..., ::-1].copy() if random.random() < self.prob else clip


class RandomRotate:
    """Rotate about the centre with probability `prob` by an angle uniform within ±`degree`.

    A rotated clip is float32: bilinear values, 0 where nothing was.
    """

    def __init__(self, prob: float = 0.5, degree: float = 10):
        self.prob = prob
        self.degree = degree

    def __call__(self, clip: np.ndarray) -> np.ndarray:
        if random.random() >= self.prob:
            return clip
        return rotate(clip, random.uniform(-self.degree, self.degree))


class RandomPerspective:
    """See the clip from a little above or beside, with probability `prob`.

    The ends of the top and of the bottom edge move inwards by up to 10 columns per full 44 of the width;
    what they enclose is stretched to the frame. A warped clip is float32.
    """

    def __init__(self, prob: float = 0.5):
        self.prob = prob

    def __call__(self, clip: np.ndarray) -> np.ndarray:
        if random.random() >= self.prob:
            return clip
        inwards = clip.shape[-1] // 44 * 10
        return stretch(clip, [random.uniform(0, inwards) for _ in range(4)])


class RandomErasing:
    """Black out one rectangle of all frames alike, with probability `prob`.

    Args:
        prob: of erasing.
        sl, sh: range of the rectangle's share of the frame's area, drawn uniformly.
        r1: smallest ratio of its height to its width; the largest is 1 / r1. What reaches beyond the frame's
            size is left off.
    """

    def __init__(self, prob: float = 0.5, sl: float = 0.05, sh: float = 0.2, r1: float = 0.3):
        self.prob = prob
        self.share = sl, sh
        self.ratio = r1, 1 / r1

    def __call__(self, clip: np.ndarray) -> np.ndarray:
        if random.random() >= self.prob:
            return clip
        height, width = clip.shape[-2:]
        area, ratio = random.uniform(*self.share) * height * width, random.uniform(*self.ratio)
        rows, columns = min(height, round((area * ratio) ** 0.5)), min(width, round((area / ratio) ** 0.5))
        top, left = random.randint(0, height - rows), random.randint(0, width - columns)
        clip = clip.copy()
        clip[..., top : top + rows, left : left + columns] = 0
        return clip


def rotate(clip: np.ndarray, angle: float) -> np.ndarray:
    """Rotate every frame of [s, h, w] by `angle` degrees about the centre (positive: anticlockwise)."""
    frames, (height, width) = _as_channels(clip), clip.shape[-2:]
    centre = torch.tensor([[(width - 1) / 2, (height - 1) / 2]])
    matrix = warps.get_rotation_matrix2d(centre, torch.tensor([float(angle)]), torch.ones(1, 2))
    return warps.warp_affine(frames, matrix, (height, width), align_corners=True)[0].numpy()


def stretch(clip: np.ndarray, inwards: list[float]) -> np.ndarray:
    """Map a quadrilateral of [s, h, w] to the full frame.

    Args:
        inwards: how many columns its corners lie inside the frame's: top left, top right, bottom right,
            bottom left.
    """
    frames, (height, width) = _as_channels(clip), clip.shape[-2:]
    right, bottom = width - 1.0, height - 1.0
    frame = torch.tensor([[[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]]])
    shifts = torch.tensor(inwards) * torch.tensor([1.0, -1.0, -1.0, 1.0])
    corners = frame + torch.stack([shifts, torch.zeros(4)], dim=-1)
    matrix = warps.get_perspective_transform(corners, frame)
    return warps.warp_perspective(frames, matrix, (height, width), align_corners=True)[0].numpy()


def _as_channels(clip: np.ndarray) -> torch.Tensor:
    """[s, h, w] -> [1, s, h, w]: frames as channels, since all share one geometry."""
    return torch.from_numpy(np.ascontiguousarray(clip, dtype=np.float32))[None]
