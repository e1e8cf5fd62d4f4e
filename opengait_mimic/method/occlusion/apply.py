"""Brush: paint a plan onto silhouettes, clip by clip, on any device."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from opengait_mimic.method.occlusion.masks import outlined, seen_boxes
from opengait_mimic.method.occlusion.sampling import Plan
from opengait_mimic.method.pages import room

AT_ONCE = 240  # frames that are stretched at a time on a CPU: what its cache holds


def paint(sils: torch.Tensor, plan: Plan, classes: bool = False) -> torch.Tensor:
    """The occluded copy of `sils`.

    Args:
        sils: [..., h, w] silhouettes of any dtype; all leading axes together are the plan's f frames,
            clip after clip ([n, s, h, w] or [1, sum of s, h, w]). With five axes, [n, s, c, h, w], the third
            are channels: all of a frame's channels are hidden alike.
        plan: what to hide.
        classes: the values name classes (parsing maps), so a refitted frame takes the nearest one, not a mean.
    Returns:
        A new tensor of the same shape, dtype and device.
    Raises:
        ValueError: the plan is for another number of frames.
    """
    height, width = sils.shape[-2:]
    channels = sils.shape[2:3] if sils.dim() == 5 else ()
    frames = sils.reshape(-1, *channels, height, width)
    if len(frames) != len(plan.boxes):
        raise ValueError(f"the plan has {len(plan.boxes)} frames, the silhouettes have {len(frames)}")
    seen = seen_boxes(plan, height, width)
    cropped = (seen != [0, height, 0, width]).any(1)
    painted = room(frames.shape, frames.dtype, frames.device)
    for part in _parts(~cropped, sils.device):
        if isinstance(part, slice) and not sils.requires_grad:
            outlined(frames[part], part, plan, classes, into=painted[part])
        else:
            painted[part] = outlined(frames[part], part, plan, classes)
    hide(painted, np.where(cropped[:, None], 0, plan.boxes))
    if cropped.any():
        taps = [
            _taps(torch.from_numpy(seen[:, axes]), size, sils, classes)
            for axes, size in ((slice(2), height), (slice(2, 4), width))
        ]
        for part in _parts(cropped, sils.device):
            rows, columns = (t and t.of(part, math.prod(channels)) for t in taps)
            some = outlined(frames[part], part, plan, classes)
            stretched = stretch(some.reshape(-1, height, width), rows, columns)
            painted[part] = stretched.view(-1, *channels, height, width)
    return painted.reshape(sils.shape)


def hide(frames: torch.Tensor, boxes: np.ndarray) -> None:
    """Put 0 into a box of each of `frames` [f, (c,) h, w], in place.

    Args:
        boxes: [f, 4] hidden (top, bottom, left, right), within the frame.
    """
    if frames.device.type == "cpu":  # one write for a run of frames with the same box
        # NumPy writes faster, but knows neither gradients nor this dtype.
        pixels = frames if frames.requires_grad or frames.dtype == torch.bfloat16 else frames.numpy()
        sides = boxes.tolist()
        for first, last in _runs(boxes):
            top, bottom, left, right = sides[first]
            pixels[first:last, ..., top:bottom, left:right] = 0
        return
    # One masked write; a run at a time would keep the device waiting.
    ends = torch.from_numpy(boxes).to(frames.device)
    rows, columns = (torch.arange(size, device=frames.device) for size in frames.shape[-2:])
    hidden = _within(rows, ends[:, :2])[:, :, None] & _within(columns, ends[:, 2:])[:, None, :]
    frames.masked_fill_(hidden if frames.dim() == 3 else hidden[:, None], 0)


def _within(places: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """[f, k] which of k places lie within [start, end), for each of `ends` [f, 2]."""
    return (places >= ends[:, :1]) & (places < ends[:, 1:])


def _parts(mask: np.ndarray, device: torch.device) -> list:
    """Indices that together select where `mask` [f] is True.

    On a CPU slices, of no more frames than its cache holds; a device takes all at once.
    """
    if device.type != "cpu":
        return [torch.from_numpy(mask.nonzero()[0]).to(device)] if mask.any() else []
    runs = [run for run in _runs(mask[:, None]) if mask[run[0]]]
    return [slice(i, min(i + AT_ONCE, last)) for first, last in runs for i in range(first, last, AT_ONCE)]


def _runs(values: np.ndarray) -> list[tuple[int, int]]:
    """(first, last + 1) of the runs of equal rows in `values` [f, k]."""
    starts = np.flatnonzero((values[1:] != values[:-1]).any(1)) + 1
    return list(pairwise([0, *starts.tolist(), len(values)])) if len(values) else []


class Taps(NamedTuple):
    """What each of the `size` rows (or columns) of f frames is made of.

    Attributes:
        pair: [f, size, 2] int64, two rows of the same frame. shares: [f, size, 2] theirs, adding up to 1.
    """

    pair: torch.Tensor
    shares: torch.Tensor

    def of(self, part, channels: int) -> Taps:
        """Those of some of the frames, once for each channel."""
        return Taps(*(t[part].repeat_interleave(channels, dim=0) if channels > 1 else t[part] for t in self))


def stretch(frames: torch.Tensor, rows: Taps | None, columns: Taps | None) -> torch.Tensor:
    """Make frames [f, h, w] anew from their rows, then from their columns; None leaves these as they are."""
    count, height, width = frames.shape
    values = frames if frames.dtype == torch.float64 else frames.float()
    if rows is not None:
        pair = rows.pair + torch.arange(count, device=frames.device)[:, None, None] * height
        values = F.embedding_bag(pair.view(-1, 2), values.reshape(-1, width), mode="sum",
                                 per_sample_weights=rows.shares.reshape(-1, 2)).view(frames.shape)  # fmt: skip
    if columns is not None:
        low, high = (values.gather(2, columns.pair[:, None, :, i].expand(-1, height, -1)) for i in (0, 1))
        values = torch.lerp(low, high, columns.shares[:, None, :, 1])
    return values.to(frames.dtype) if frames.is_floating_point() else values.round().to(frames.dtype)


def _taps(ends: torch.Tensor, size: int, sils: torch.Tensor, classes: bool) -> Taps | None:
    """The taps that stretch [start, end) over `size` pixels, linearly; None where all is there already.

    Pixel centres are mapped as in OpenCV's and PyTorch's resizing (align_corners=False).

    Args:
        ends: [f, 2] int64, on the CPU. classes: the nearest pixel instead of a mean.
    """
    if (ends == torch.tensor([0, size])).all():
        return None
    dtype = torch.float64 if sils.dtype == torch.float64 else torch.float32
    runs = np.array(_runs(ends.numpy()))  # frames of a clip share their box more often than not
    start, end = ends[runs[:, 0]].split(1, dim=1)
    place = (torch.arange(size, dtype=dtype) + 0.5) * ((end - start).to(dtype) / size) - 0.5
    place = place.clamp(min=0) + start
    low = place.floor().long().minimum(end - 1)
    share = (place - low).round() if classes else place - low
    pair, shares = torch.stack((low, (low + 1).minimum(end - 1)), dim=2), torch.stack((1 - share, share), dim=2)
    which = torch.from_numpy(np.repeat(np.arange(len(runs)), runs[:, 1] - runs[:, 0])).to(sils.device)
    return Taps(pair.to(sils.device)[which], shares.to(sils.device)[which])
