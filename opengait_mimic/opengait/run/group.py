"""Process groups: of one process in memory, or of several from torchrun's environment."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist

from opengait_mimic.opengait.run.device import device


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
