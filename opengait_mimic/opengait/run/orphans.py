"""Let no process outlive the one that started it, however that one ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def die_with_parent() -> None:
    """On Linux, be killed when the parent process is gone; elsewhere nothing.

    A loader's worker that stays behind keeps its dead parent's connections open, and the other processes of the run
    wait for an answer on them for ever.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def children_die_with_this() -> None:
    """The same for whatever this process forks from now on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=die_with_parent)
