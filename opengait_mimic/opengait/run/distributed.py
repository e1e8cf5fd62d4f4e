"""Gather features across processes so that a loss over pairs sees the global batch."""

from __future__ import annotations

import torch
import torch.distributed as dist


def world_size() -> int:
    """The number of processes of this run."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process's number in its run."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def gather(x: torch.Tensor) -> torch.Tensor:
    """All processes' `x` [n, ...], concatenated in rank order; only the own slice keeps its gradient.

    Every process must hold the same n. A loss over the gathered batch, times the number of processes, gives
    after DDP's averaging the gradient of that loss in one process.
    """
    if world_size() == 1:
        return x
    slices = [x.new_empty(x.shape) for _ in range(world_size())]
    dist.all_gather([sendable(slice) for slice in slices], sendable(x.detach().contiguous()))
    slices[rank()] = x
    return torch.cat(slices)


def sendable(x: torch.Tensor) -> torch.Tensor:
    """The same memory in a type that every backend sends: older gloos know no bfloat16."""
    return x.view(torch.uint8) if x.dtype == torch.bfloat16 else x
