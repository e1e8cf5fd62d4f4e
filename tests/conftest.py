"""What all tests share: one thread per process, so that timings and results do not depend on the cores; commands."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch

from opengait_mimic.cli import main
from opengait_mimic.data import progress

torch.set_num_threads(1)


class Ended(NamedTuple):
    """How a command ended: its exit status, and what it printed on standard output and standard error."""

    status: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def as_a_process_begins():
    """Commands called in this process speak as one that was just started, whatever the test before asked for."""
    progress.set_verbosity(progress.Verbosity())
    logging.getLogger("opengait_mimic.embedded").propagate = True  # a training's messages go to its own handlers only


@pytest.fixture
def call(capfd) -> Callable[..., Ended]:
    """Calls a command in this process with its arguments, of any type; what came before is not in what it printed."""

    def called(*arguments: object) -> Ended:
        capfd.readouterr()
        status = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code or 0
        return Ended(status, *capfd.readouterr())

    return called
