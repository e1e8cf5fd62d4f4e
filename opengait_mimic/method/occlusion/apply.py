"""Apply sampled occlusion parameters to silhouettes: a pure tensor operation, on any device."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from opengait_mimic.method.occlusion.masks import hidden_pixels, visible_boxes
from opengait_mimic.method.occlusion.sampling import OcclusionParameters


def apply_occlusion(sils: torch.Tensor, parameters: OcclusionParameters, classes: bool = False) -> torch.Tensor:
    """The occluded copy of clips.

    Args:
        sils: [..., h, w] silhouettes of any dtype, on any device. All leading axes together are the f frames of
            `parameters`, clip after clip: [n, s, h, w] or [1, sum of s, h, w]. With five axes, [n, s, c, h, w], the
            third is channels, which are all occluded alike.
        parameters: what `Mixture.sample` gave for these clips.
        classes: whether the values name classes of pixels (parsing maps). Then a refitted frame takes the nearest
            pixel, not a mean, and an occluder is always black.

    Returns:
        A new tensor of the same shape, dtype and device.

    Raises:
        ValueError: the parameters are for another number of frames.
    """
    height, width = sils.shape[-2:]
    channels = sils.shape[2:3] if sils.dim() == 5 else ()
    frames = sils.reshape(-1, *channels, height, width)
    if len(frames) != len(parameters.boxes):
        raise ValueError(f"the parameters are for {len(parameters.boxes)} frames, the silhouettes have {len(frames)}")
    per_frame = (-1, *[1] * (frames.dim() - 1))
    hidden = hidden_pixels(parameters, height, width, sils.device)
    brightness = frames.new_zeros(())
    if parameters.merged.any() and not classes:
        merged = torch.zeros(len(frames), dtype=torch.bool)
        merged[torch.from_numpy(parameters.masked)] = torch.from_numpy(parameters.merged)
        brightness = frames.amax((-2, -1), keepdim=True) * merged.to(sils.device).view(per_frame)
    occluded = torch.where(hidden.view(-1, *[1] * len(channels), height, width), brightness, frames)

    boxes = torch.from_numpy(visible_boxes(parameters, height, width))
    refitted = (boxes != torch.tensor([0, height, 0, width])).any(1).nonzero()[:, 0]
    if len(refitted):
        boxes = boxes[refitted].repeat_interleave(math.prod(channels), dim=0)
        refitted = refitted.to(sils.device)
        cropped = occluded[refitted]
        stretched = _stretch(cropped.reshape(-1, height, width), boxes, classes)
        occluded[refitted] = stretched.view_as(cropped)
    return occluded.reshape(sils.shape)


def _stretch(frames: torch.Tensor, boxes: torch.Tensor, classes: bool) -> torch.Tensor:
    """Frames [f, h, w] whose boxes [f, 4] (on the CPU) are stretched over the whole frame, linearly."""
    count, height, width = frames.shape
    values = frames if frames.dtype == torch.float64 else frames.float()
    pairs, shares = _taps(boxes[:, :2], height, values, classes)
    pairs = pairs + torch.arange(count, device=frames.device)[:, None, None] * height
    values = F.embedding_bag(
        pairs.view(-1, 2), values.reshape(-1, width), mode="sum", per_sample_weights=shares.view(-1, 2)
    ).view(frames.shape)
    if (boxes[:, 2:] != torch.tensor([0, width])).any():
        pairs, shares = _taps(boxes[:, 2:], width, values, classes)
        low, high = (values.gather(2, pairs[:, None, :, i].expand(-1, height, -1)) for i in (0, 1))
        values = torch.lerp(low, high, shares[:, None, :, 1])
    return values.to(frames.dtype) if frames.is_floating_point() else values.round().to(frames.dtype)


def _taps(ends: torch.Tensor, size: int, like: torch.Tensor, classes: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Which two of the old lines make each new one, and their shares: [f, size, 2] each, on the device of `like`.

    Lines [start, end) of `ends` [f, 2] are stretched over `size`. Pixel centres are mapped as by OpenCV and PyTorch
    (align_corners=False).
    """
    start, end = ends.split(1, dim=1)
    place = (torch.arange(size, dtype=like.dtype) + 0.5) * ((end - start).to(like.dtype) / size) - 0.5
    place = place.clamp(min=0) + start
    low = place.floor().long().minimum(end - 1)
    share = (place - low).round() if classes else place - low
    pairs, shares = torch.stack((low, (low + 1).minimum(end - 1)), dim=2), torch.stack((1 - share, share), dim=2)
    return pairs.to(like.device), shares.to(like.device)
