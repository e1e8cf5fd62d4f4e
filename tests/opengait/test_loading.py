"""A loader's process that is killed is noticed, whatever the main one does just then."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from opengait_mimic.opengait.process.loading import WatchedLoader

CLIP = np.zeros((1000, 1000), np.uint8)  # far more than a pipe holds


class Clips:
    def __len__(self):
        return 100

    def __getitem__(self, index):
        return index, CLIP


class KillsAsItLogs(logging.Handler):
    """Kills the loader's process while it holds back every exception, as the handlers of `logging` do."""

    def emit(self, record):
        try:
            (worker,) = multiprocessing.active_children()
            os.kill(worker.pid, signal.SIGKILL)
            for _ in range(100):  # long enough for the signal of its end
                time.sleep(0.01)
        except Exception as error:
            print("held back:", error, flush=True)


def train() -> None:
    logger = logging.getLogger("test")
    logger.propagate = False
    logger.addHandler(KillsAsItLogs())
    taken = 0
    try:
        for _ in WatchedLoader(Clips(), batch_size=2, num_workers=1, collate_fn=list):
            taken += 1
            if taken == 3:
                time.sleep(0.5)  # the next batch is in the pipe, in part
                logger.error("now")
    except RuntimeError as error:
        print(f"after {taken}: {error}")


if __name__ == "__main__":
    train()


def test_one_that_is_killed_while_an_exception_would_be_held_back():
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, timeout=60)
    assert "held back: DataLoader worker (pid" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1].startswith("after 3: DataLoader worker (pid")
    assert "ended with status -9" in done.stdout


@pytest.mark.parametrize("workers", [0, 2])
def test_it_gives_what_the_loader_gives(workers):
    batches = WatchedLoader(Clips(), batch_size=30, num_workers=workers, collate_fn=list)
    seen = [[index for index, _ in batch] for batch in batches]
    assert seen == [list(range(first, min(first + 30, 100))) for first in range(0, 100, 30)]
