"""Tell in one line what ended a run, where Python would print its traceback."""

from __future__ import annotations

import ctypes
import functools
import os
import traceback
from collections.abc import Callable
from pathlib import Path

from opengait_mimic.errors import MimicError, RunFailed, one_line

TRACEBACK_VARIABLE = "OPENGAIT_MIMIC_TRACEBACK"

# What a host's own code raises on what it was not made for. OpenGait's losses raise ArgumentError for all of them.
FAILURES = (
    ctypes.ArgumentError, ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, MemoryError,
    NameError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
_BENEATH = ("torch", "numpy", "kornia", "importlib")  # packages whose own lines tell a user nothing


def failures_in_one_line(main: Callable) -> Callable:
    """Let `main` raise RunFailed with one line instead of any other error of its own.

    OPENGAIT_MIMIC_TRACEBACK=1 in the environment leaves errors as they are.
    """

    @functools.wraps(main)
    def reported(*arguments, **options):
        try:
            return main(*arguments, **options)
        except MimicError as error:
            raise type(error)(_of_worker(str(error))) from None
        except FloatingPointError:  # NaN, said in its own words
            raise
        except FAILURES as error:
            if os.environ.get(TRACEBACK_VARIABLE):
                raise
            raise RunFailed(explained(error)) from error

    return reported


def explained(error: BaseException) -> str:
    """One line: the kind of an error, what it says, and the line of code that it comes from."""
    while not str(error) and error.__context__ is not None:  # raised in place of another
        error = error.__context__
    message = _of_worker(str(error))
    kind = "" if message.startswith(type(error).__name__) else f"{type(error).__name__}: "
    return f"{one_line(kind + message, 400)}{_place(error)}; {TRACEBACK_VARIABLE}=1 shows the traceback"


def _of_worker(message: str) -> str:
    """What an error of a loader's worker says: the last line of the traceback that torch makes its message."""
    if "in DataLoader worker process" not in message.partition("\n")[0]:
        return message
    last = message.strip().splitlines()[-1]
    name, _, said = last.partition(": ")
    return said if name.startswith("opengait_mimic.errors.") else last


def _place(error: BaseException) -> str:
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if not set(_BENEATH) & set(path.parts) and path.suffix == ".py":
            return f" (in {frame.name}, {'/'.join(path.parts[-3:])}, line {frame.lineno})"
    return ""
