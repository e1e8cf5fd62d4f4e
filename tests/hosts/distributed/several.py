"""Groups of processes (gloo) that are started once and then work on many cases."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import tempfile
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from forked import CONTEXT

SECONDS = 120


class Group:
    """Some processes of one process group.

    Args:
        count: how many.
        host: "embedded" or the path of a checkout; its modules are importable in the processes.
    """

    def __init__(self, count: int, host: str = "embedded"):
        self.count = count
        self.folder = tempfile.TemporaryDirectory()
        self.pipes, self.processes = [], []
        for rank in range(count):
            pipe, theirs = multiprocessing.Pipe()
            place = (rank, count, host, f"{self.folder.name}/store", theirs)
            process = CONTEXT.Process(target=_serve, args=place, daemon=True)
            process.start()
            self.pipes.append(pipe)
            self.processes.append(process)

    def __call__(self, function: Callable, *arguments) -> list:
        """What `function`, of a module that can be imported, returns in each process, in the order of their ranks."""
        task = pickle.dumps((function, arguments))
        for pipe in self.pipes:
            pipe.send_bytes(task)
        found = []
        for rank, pipe in enumerate(self.pipes):
            assert pipe.poll(SECONDS), f"process {rank} does not answer"
            good, answer = pickle.loads(pipe.recv_bytes())
            assert good, answer
            found.append(answer)
        return found

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.join()
        self.folder.cleanup()


def _serve(rank: int, count: int, host: str, store: str, pipe) -> None:
    os.environ["OPENGAIT_MIMIC_DEVICE"] = "cpu"
    os.environ.pop("OPENGAIT_ROOT", None)
    import torch
    import torch.distributed as dist

    from opengait_mimic.hosts import activate

    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=count, timeout=timedelta(seconds=SECONDS)
    )
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("configs").mkdir()
        try:
            activate(host)
        except Exception:
            pipe.send_bytes(pickle.dumps((False, traceback.format_exc())))
            return
        while True:
            function, arguments = pickle.loads(pipe.recv_bytes())
            try:
                answer = True, function(*arguments)
            except Exception:
                answer = False, traceback.format_exc()
            pipe.send_bytes(pickle.dumps(answer))
