"""Which device a process of a run uses."""

from __future__ import annotations

import os

import torch

from opengait_mimic.errors import ConfigError
from opengait_mimic.opengait.host import DEVICE_VARIABLE


def device() -> torch.device:
    """The device of this process: the CPU, or the GPU that belongs to its LOCAL_RANK.

    Raises:
        ConfigError: the environment asks for an unknown device, or for a GPU where there is none.
    """
    wanted = os.environ.get(DEVICE_VARIABLE) or ("cuda" if torch.cuda.is_available() else "cpu")
    if wanted not in ("cpu", "cuda"):
        raise ConfigError(f"{DEVICE_VARIABLE} is {wanted!r}; allowed: cpu, cuda")
    if wanted == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count()
    if count == 0:
        raise ConfigError(f"{DEVICE_VARIABLE} is 'cuda', but PyTorch finds no CUDA device")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % count)


def peak_memory() -> int | None:
    """The most bytes that PyTorch held at once on this process's GPU so far; None on a CPU."""
    return torch.cuda.max_memory_allocated() if device().type == "cuda" else None
