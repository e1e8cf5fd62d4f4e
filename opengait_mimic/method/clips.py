"""Frames and the clips they belong to, in OpenGait's two layouts.

Silhouettes, and parsing maps, come as [n, s, h, w]; what has channels (heat maps, depth images) as [n, s, c, h, w].
"""

from __future__ import annotations

import torch


def clip_lengths(sils: torch.Tensor, seqL: torch.Tensor | None) -> list[int]:
    """The number of frames of each clip of `sils`: [n, s, ...], or [1, sum of s, ...] with seqL [1, n]."""
    return [sils.shape[1]] * len(sils) if seqL is None else seqL[0].tolist()


def silhouettes(clips: torch.Tensor) -> torch.Tensor:
    """What a clip looks like as silhouettes: where there are channels, the largest of them, and at most 1.

    So a heat map shows where any joint is, and a parsing map, whose values are the numbers of body parts, where the
    body is.

    Args:
        clips: [n, s, h, w] or [n, s, c, h, w] floats from 0.
    Returns:
        [n, s, h, w] floats 0–1.
    """
    return (clips.amax(2) if clips.dim() == 5 else clips).clamp(max=1)


def split_clips(sils: torch.Tensor, seqL: torch.Tensor | None) -> list[torch.Tensor]:
    """The clips of `sils` one by one, each [1, s_i, ...]."""
    return list(sils.split(1)) if seqL is None else list(sils.split(seqL[0].tolist(), dim=1))


def clip_means(frames: torch.Tensor, seqL: torch.Tensor | None) -> torch.Tensor:
    """[n, d] mean over each clip's frames of `frames` [n, s, d], or [1, sum of s, d] with seqL [1, n]."""
    frames = frames if frames.dtype == torch.float64 else frames.float()
    if seqL is None:
        return frames.mean(1)
    lengths = seqL[0].to(frames.device).long()
    clip = torch.repeat_interleave(torch.arange(len(lengths), device=frames.device), lengths)
    sums = frames.new_zeros(len(lengths), frames.shape[-1]).index_add_(0, clip, frames[0])
    return sums / lengths[:, None]
