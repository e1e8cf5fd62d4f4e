"""Start a run in as many processes as asked for, and end it cleanly."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys

import torch
import torch.multiprocessing as mp

from opengait_mimic.errors import HostError, MimicError, RunFailed
from opengait_mimic.hosts.worker import Run, limit_threads, run_main

GRACE = 10.0  # seconds a process has to end by itself


def launch(run: Run, processes: int = 1) -> None:
    """Run the host's main program in `processes` processes of this machine and wait for them.

    Under torchrun, which starts the processes itself, this one is simply run.

    Raises:
        MimicError: a mistake of the user's, found by any of the processes.
        RunFailed: any other error in one of several processes.
    """
    if "RANK" in os.environ or processes == 1:
        limit_threads(int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
        run_main(run)
        return
    environment = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
    }
    messages = mp.get_context("spawn").SimpleQueue()
    arguments = (run, environment, messages, mp.get_start_method())
    running = mp.start_processes(_work, arguments, processes, join=False, start_method="spawn")
    try:
        while not running.join():
            pass
    except mp.ProcessRaisedException as error:
        raise RunFailed(str(error)) from None
    except mp.ProcessExitedException as error:
        if not messages.empty():
            kind, message = messages.get()
            raise kind(message) from None
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


def _work(rank: int, run: Run, environment: dict[str, str], messages, start_method: str) -> None:
    # A spawned process would also spawn the loader's workers, which then rerun the host's main program.
    mp.set_start_method(start_method, force=True)
    # Ctrl-C is for the launching process, which then ends this one and its group.
    os.setpgrp()
    os.environ.update(environment, RANK=str(rank), LOCAL_RANK=str(rank))
    limit_threads(int(environment["WORLD_SIZE"]))
    try:
        run_main(run)
    except MimicError as error:
        messages.put((MimicError, str(error)))
        sys.exit(2)
    except RunFailed as error:
        messages.put((RunFailed, str(error)))
        sys.exit(1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def check_device(device: str | None, processes: int) -> None:
    """Refuse a device that is not there.

    Raises:
        HostError: CUDA was asked for and there is none, or fewer GPUs than processes.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise HostError("--device cuda: this machine has no CUDA device that PyTorch can use")
    if device != "cpu" and torch.cuda.is_available() and processes > torch.cuda.device_count():
        raise HostError(f"--nproc {processes}: this machine has {torch.cuda.device_count()} GPUs")
