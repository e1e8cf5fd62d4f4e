"""Frames and the clips they belong to, in OpenGait's two layouts."""

from __future__ import annotations

import torch


def clip_lengths(sils: torch.Tensor, seqL: torch.Tensor | None) -> list[int]:
    """The number of frames of each clip of `sils`: [n, s, ...], or [1, sum of s, ...] with seqL [1, n]."""
    return [sils.shape[1]] * len(sils) if seqL is None else seqL[0].tolist()


def split_clips(sils: torch.Tensor, seqL: torch.Tensor | None) -> list[torch.Tensor]:
    """The clips of `sils` one by one, each [1, s_i, ...]."""
    return list(sils.split(1)) if seqL is None else list(sils.split(seqL[0].tolist(), dim=1))


def clip_means(frames: torch.Tensor, seqL: torch.Tensor | None) -> torch.Tensor:
    """[n, d] mean over each clip's frames of `frames` [n, s, d], or [1, sum of s, d] with seqL [1, n]."""
    frames = frames.float()
    if seqL is None:
        return frames.mean(1)
    lengths = seqL[0].to(frames.device).long()
    clip = torch.repeat_interleave(torch.arange(len(lengths), device=frames.device), lengths)
    sums = frames.new_zeros(len(lengths), frames.shape[-1]).index_add_(0, clip, frames[0])
    return sums / lengths[:, None]
