"""What is too large is told, not killed."""

from __future__ import annotations

import pytest
import torch
from forked import CONTEXT
from torch import nn

from opengait_mimic.errors import ConfigError
from opengait_mimic.opengait.process import memory
from opengait_mimic.opengait.process.memory import GIB, limit_memory, machine_memory, refuse_beyond_memory, weights_of


def test_there_is_some():
    assert GIB < machine_memory() < 2**16 * GIB


def test_what_does_not_fit_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda: 8 * GIB)
    refuse_beyond_memory(8 * GIB, "16 clips")
    with pytest.raises(ConfigError, match="^16 clips take 9 GiB of memory; this machine has 8$"):
        refuse_beyond_memory(9 * GIB, "16 clips")


def test_a_networks_weights_are_counted_without_making_them():
    state = torch.random.get_rng_state()
    assert weights_of(lambda: nn.Linear(10**6, 10**6)) == 4 * (10**12 + 10**6)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_an_allocation_beyond_the_machines_memory_fails():
    process = CONTEXT.Process(target=allocate, args=(2 * GIB,))
    process.start()
    process.join(60)
    assert process.exitcode == 0


def allocate(limit: int) -> None:
    memory.machine_memory = lambda: limit
    limit_memory()
    torch.zeros(limit // 8)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        torch.zeros(limit)
