"""How much memory there is, and what a run may take of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

from opengait_mimic.errors import ConfigError

GIB = 2**30


def machine_memory() -> int:
    """Bytes of memory that this process may use: the machine's, or less where its control group allows less.

    Where the system does not tell, it is the largest number there is.
    """
    if not hasattr(os, "sysconf"):
        return sys.maxsize
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return min(found, int(text)) if text.isdigit() else found


def limit_memory() -> None:
    """Let an allocation beyond the machine's memory fail in this process, instead of the system killing it later."""
    if sys.platform != "linux" or resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [machine_memory(), *(x for x in (soft, hard) if x != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))


def refuse_beyond_memory(size: int, what: str) -> None:
    """Refuse what takes more bytes than there are.

    Raises:
        ConfigError: with `what` it is.
    """
    there = machine_memory()
    if size > there:
        raise ConfigError(f"{what} take {size / GIB:.0f} GiB of memory; this machine has {there / GIB:.0f}")


def weights_of(build: Callable[[], nn.Module]) -> int:
    """Bytes of the weights of a network, found without taking any memory for them."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return sum(p.numel() * p.element_size() for p in build().parameters())
