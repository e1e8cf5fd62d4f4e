"""Commands in processes forked from one that has imported everything: a fraction of a second each."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["opengait_mimic.cli", "opengait_mimic.opengait.run.launch",
                                "opengait_mimic.opengait.run.worker",
                                "torch.utils.tensorboard", "torch._dynamo"])  # fmt: skip


def command(folder: Path, *arguments: str, crash_at: int = 0, largest: int | None = None) -> multiprocessing.Process:
    """Start a command in a folder; it prints into log.txt there.

    Args:
        crash_at: kill -9 the command's processes right before their n-th step of writing a file, each of which
            takes four: open, sync, rename, sync the folder.
        largest: bytes a file may have; the system refuses to write more, as it does on a full disk.
    """
    process = CONTEXT.Process(target=_run, args=(str(folder), arguments, crash_at, largest))
    process.start()
    return process


def finished(process: multiprocessing.Process, seconds: float = 120) -> int:
    """Wait for a command, make sure that nothing of it is left, and return its exit status."""
    status = ended(process, seconds)
    assert status is not None, "it hangs"
    return status


def ended(process: multiprocessing.Process, seconds: float) -> int | None:
    """Wait for the process of a session; its exit status, None where it hangs. Nothing of it is left either way."""
    try:
        process.join(seconds)
        status = process.exitcode
    finally:
        kill(process)  # else python would wait for it at its own end
    return status


def kill(process: multiprocessing.Process) -> None:
    """kill -9 for a command and every process of its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()  # it may not have its session yet
    process.join()


def wait_for(what: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def processes(session: int) -> list[int]:
    """Those of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, its_session = stat.read_text().rsplit(")", 1)[1].split()[:4]
            if int(its_session) == session and state != "Z":
                found.append(int(stat.parent.name))
    return sorted(found)


def _run(folder: str, arguments: tuple[str, ...], crash_at: int, largest: int | None) -> None:
    os.setsid()
    os.chdir(folder)
    for name in ("OPENGAIT_ROOT", "RANK", "WORLD_SIZE"):
        os.environ.pop(name, None)
    os.environ["OMP_NUM_THREADS"] = "1"
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    import torch

    torch.set_num_threads(1)
    if crash_at:
        _crash(crash_at)
    from opengait_mimic.cli import main

    main(list(arguments))


def _crash(at: int) -> None:
    """Let the at-th step of writing kill the process's group instead."""
    from opengait_mimic.data import files

    left = [at]

    def counted(do):
        def step(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                os.killpg(os.getpgid(0), signal.SIGKILL)
            return do(*args, **kwargs)

        return step

    files.os = _Steps({name: counted(getattr(os, name)) for name in ("fsync", "replace")})
    writing = counted(open)
    files.open = lambda path, mode="r", *more, **how: (writing if "w" in mode else open)(path, mode, *more, **how)


class _Steps:
    def __init__(self, changed: dict):
        self.__dict__.update(changed)

    def __getattr__(self, name):
        return getattr(os, name)
