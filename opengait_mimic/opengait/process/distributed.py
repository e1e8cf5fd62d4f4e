"""The processes of a run: their group, what they gather from each other, and how they end."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

import torch
import torch.distributed as dist

from opengait_mimic.opengait.process.device import device

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def world_size() -> int:
    """The number of processes of this run."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process's number in its run."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def ensure_group() -> None:
    """Join the process group of this run, unless this process already has one.

    RANK and WORLD_SIZE in the environment (torchrun, our launcher) name the group; without them it is a
    group of one that needs no network.
    """
    if dist.is_initialized():
        return
    own = device()
    if own.type == "cuda":
        torch.cuda.set_device(own)
    backend = "nccl" if own.type == "cuda" else "gloo"
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        dist.init_process_group(backend, init_method="env://")
    else:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)


def gather(x: torch.Tensor) -> torch.Tensor:
    """All processes' tensors, concatenated in rank order; only the own slice keeps its gradient.

    A loss over the gathered batch, times the number of processes, gives after DDP's averaging the gradient of that
    loss in one process.

    Args:
        x: [n, ...]; every process must hold the same n.
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


def from_first_process(value):
    """The first process's value on all of them: what it finds on a disk may change meanwhile."""
    shared = [value]
    if world_size() > 1:
        dist.broadcast_object_list(shared)
    return shared[0]


def die_with_parent() -> None:
    """On Linux, be killed when the parent process is gone; elsewhere nothing.

    A loader's worker that stays behind keeps its dead parent's connections open, and the other processes of the run
    wait for an answer on them for ever.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def children_die_with_this() -> None:
    """The same for whatever this process forks from now on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=die_with_parent)
