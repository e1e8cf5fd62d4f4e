"""Which device a process of a run uses, and how much of the machine."""

from __future__ import annotations

import os

import torch

from opengait_mimic.errors import ConfigError, HostError
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


def check_device(wanted: str | None, processes: int) -> None:
    """Refuse a device that is not there.

    Args:
        wanted: "cpu", "cuda", or None for what there is.
        processes: on this machine.

    Raises:
        HostError: CUDA was asked for and there is none, or fewer GPUs than processes.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise HostError("--device cuda: this machine has no CUDA device that PyTorch can use")
    if wanted != "cpu" and torch.cuda.is_available() and processes > torch.cuda.device_count():
        raise HostError(f"--nproc {processes}: this machine has {torch.cuda.device_count()} GPUs")


def peak_memory() -> int | None:
    """The most bytes that PyTorch held at once on this process's GPU so far; None on a CPU."""
    return torch.cuda.max_memory_allocated() if device().type == "cuda" else None


def limit_threads(processes: int) -> None:
    """Share the machine's cores among the processes of a run, unless OMP_NUM_THREADS says how many to use."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // processes))
