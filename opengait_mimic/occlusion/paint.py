"""Brush: paint a plan onto silhouettes, as one batched tensor operation on any device."""

from __future__ import annotations

import torch

from opengait_mimic.occlusion.masks import paint_masks
from opengait_mimic.occlusion.plan import Plan


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
    boxes = torch.from_numpy(plan.boxes).to(sils.device)
    rows = torch.arange(height, device=sils.device)
    columns = torch.arange(width, device=sils.device)
    in_rows = (rows >= boxes[:, 0:1]) & (rows < boxes[:, 1:2])  # [f, h]
    in_columns = (columns >= boxes[:, 2:3]) & (columns < boxes[:, 3:4])  # [f, w]
    hidden = in_rows[:, :, None] & in_columns[:, None, :]
    painted = frames.masked_fill(hidden[:, None] if channels else hidden, 0)
    if plan.refit.any():
        chosen = torch.from_numpy(plan.refit.nonzero()[0]).to(sils.device)
        seen = visible(boxes[chosen], height, width)
        if channels:
            seen = seen.repeat_interleave(channels[0], dim=0)
        refitted = stretch(painted[chosen].reshape(-1, height, width), seen, classes)
        painted[chosen] = refitted.reshape(-1, *channels, height, width)
    if len(plan.masked):
        paint_masks(painted, plan, classes)
    return painted.reshape(sils.shape)


def visible(boxes: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The smallest box around what `boxes` leave to be seen of a frame.

    A hidden box shortens it only where it spans the frame from edge to edge; a band across the middle or a
    patch inside leaves the whole frame, and so does a box that hides everything.

    Args:
        boxes: [f, 4] hidden (top, bottom, left, right), within the frame.
    Returns:
        [f, 4] boxes of at least one pixel.
    """
    top, bottom, left, right = boxes.unbind(-1)
    whole_rows = (left == 0) & (right == width) & (bottom - top < height)
    whole_columns = (top == 0) & (bottom == height) & (right - left < width)
    first_row = torch.where(whole_rows & (top == 0), bottom, 0)
    last_row = torch.where(whole_rows & (bottom == height), top, height)
    first_column = torch.where(whole_columns & (left == 0), right, 0)
    last_column = torch.where(whole_columns & (right == width), left, width)
    return torch.stack((first_row, last_row, first_column, last_column), dim=-1)


def stretch(frames: torch.Tensor, boxes: torch.Tensor, classes: bool = False) -> torch.Tensor:
    """Crop each frame to its box and stretch that over the whole frame, bilinearly.

    Pixel centres are mapped linearly, as in OpenCV's and PyTorch's resizing (align_corners=False).

    Args:
        frames: [f, h, w].
        boxes: [f, 4] (top, bottom, left, right) of at least one pixel each.
        classes: take the nearest pixel instead.
    """
    height, width = frames.shape[-2:]
    values = frames if frames.dtype == torch.float64 else frames.float()
    low, high, share = _sources(boxes[:, 0], boxes[:, 1], height, values.dtype)
    share = share.round() if classes else share
    rows = torch.lerp(_take_rows(values, low), _take_rows(values, high), share[:, :, None])
    low, high, share = _sources(boxes[:, 2], boxes[:, 3], width, values.dtype)
    share = share.round() if classes else share
    columns = rows.transpose(1, 2)
    columns = torch.lerp(_take_rows(columns, low), _take_rows(columns, high), share[:, :, None])
    out = columns.transpose(1, 2)
    return out.to(frames.dtype) if frames.is_floating_point() else out.round().to(frames.dtype)


def _sources(start: torch.Tensor, end: torch.Tensor, size: int, dtype: torch.dtype):
    """For each of `size` output pixels the two source pixels within [start, end) and the second one's share."""
    scale = ((end - start).to(dtype) / size)[:, None]
    place = (torch.arange(size, device=start.device, dtype=dtype) + 0.5) * scale - 0.5
    place = place.clamp(min=0) + start[:, None]
    last = end[:, None] - 1
    low = place.floor().long().minimum(last)
    return low, (low + 1).minimum(last), (place - low).to(dtype)


def _take_rows(frames: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return frames.gather(1, index[:, :, None].expand(-1, -1, frames.shape[2]))
