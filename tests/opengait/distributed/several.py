"""Groups of processes (gloo) that are started once and then work on many cases."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path

from forked import CONTEXT

SECONDS = 120


class Group:
    """Some processes of one process group, each a pool of its own; what goes wrong in one is raised here.

    Args:
        count: how many.
        host: "embedded" or the path of a checkout; its modules are importable in the processes.
    """

    def __init__(self, count: int, host: str = "embedded"):
        self.count = count
        self.folder = tempfile.TemporaryDirectory()
        self.processes = [
            ProcessPoolExecutor(1, CONTEXT, _join, (rank, count, host, Path(self.folder.name))) for rank in range(count)
        ]

    def __call__(self, function: Callable, *arguments) -> list:
        """What `function`, of a module that can be imported, returns in each process, in the order of their ranks."""
        answers = [process.submit(function, *arguments) for process in self.processes]
        return [answer.result(SECONDS) for answer in answers]

    def end(self) -> None:
        for process in self.processes:
            process.shutdown()
        self.folder.cleanup()


def _join(rank: int, count: int, host: str, folder: Path) -> None:
    os.environ["OPENGAIT_MIMIC_DEVICE"] = "cpu"
    os.environ.pop("OPENGAIT_ROOT", None)
    import torch
    import torch.distributed as dist

    from opengait_mimic.opengait.activation import activate

    torch.set_num_threads(1)
    (folder / f"{rank}" / "configs").mkdir(parents=True)
    os.chdir(folder / f"{rank}")
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=count, timeout=timedelta(seconds=SECONDS)
    )
    activate(host)
