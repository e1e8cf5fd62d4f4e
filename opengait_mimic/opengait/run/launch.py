"""Start a run in as many processes as asked for, and end it cleanly."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys

import torch.multiprocessing as mp

from opengait_mimic.errors import MimicError, RunFailed, plain
from opengait_mimic.opengait.process.device import limit_threads
from opengait_mimic.opengait.process.distributed import die_with_parent
from opengait_mimic.opengait.run.worker import Outcome, Run, run_main

GRACE = 10.0  # seconds a process has to end by itself


def launch(run: Run, processes: int = 1) -> Outcome | None:
    """Run the host's main program in `processes` processes of this machine and wait for them.

    Under torchrun, which starts the processes itself, this one is simply run.

    Args:
        run: what is to be done.
        processes: on this machine.

    Returns:
        What the run gave; None in all but the first of torchrun's processes.

    Raises:
        MimicError: a mistake of the user's, found by any of the processes.
        RunFailed: any other error in one of several processes; one line where it is the disk's or the loss's.
    """
    if "RANK" in os.environ or processes == 1:
        limit_threads(int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
        return run_main(run)
    environment = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
    }
    messages = mp.get_context("spawn").SimpleQueue()
    arguments = (run, environment, messages)
    running = mp.start_processes(_work, arguments, processes, join=False, start_method="spawn")
    try:
        while not running.join():
            pass
        return _received(messages)[0]
    except (mp.ProcessRaisedException, mp.ProcessExitedException) as error:
        # A process that lost the others may be the first to be seen; what it lost them by says more.
        for reason in _received(messages):
            if isinstance(reason, Exception):
                raise reason from None
        if isinstance(error, mp.ProcessRaisedException):
            raise RunFailed(str(error)) from None
        raise RunFailed(f"a process of the run ended with exit code {error.exit_code}") from None
    finally:
        end(running.processes)


def end(processes: list) -> None:
    """End processes that still run, and whatever any of them left behind, such as its loader's workers."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(GRACE)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _work(rank: int, run: Run, environment: dict[str, str], messages) -> None:
    # Ctrl-C is for the launching process, which then ends this one and its group.
    os.setpgrp()
    die_with_parent()
    os.environ.update(environment, RANK=str(rank), LOCAL_RANK=str(rank))
    limit_threads(int(environment["WORLD_SIZE"]))
    try:
        outcome = run_main(run)
        if rank == 0:
            messages.put(outcome)
    except MimicError as error:
        messages.put(MimicError(str(error)))
        sys.exit(2)
    except (OSError, FloatingPointError, RunFailed) as error:
        messages.put(RunFailed(plain(error)))
        sys.exit(1)


def _received(messages) -> list:
    found = []
    while not messages.empty():
        found.append(messages.get())
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
