"""Progress, remarks and warnings, all on standard error."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass

from tqdm import tqdm


@dataclass(frozen=True)
class Verbosity:
    """How much a command prints.

    Attributes:
        quiet: the outcome, warnings and errors only.
        as_json: the outcome as JSON.
    """

    quiet: bool = False
    as_json: bool = False


_verbosity = Verbosity()


def verbosity() -> Verbosity:
    """How much this process prints."""
    return _verbosity


def set_verbosity(how: Verbosity) -> None:
    """Set how much this process prints from now on."""
    global _verbosity
    _verbosity = how


def remark(text: str) -> None:
    """Say how it goes, on standard error: nothing that a script waits for."""
    if not _verbosity.quiet:
        tqdm.write(text, file=sys.stderr)


def warn(text: str) -> None:
    """Say what should not be overlooked, on standard error, however quiet."""
    tqdm.write(f"warning: {text}", file=sys.stderr)


def bar(total: float | None, title: str, unit: str, first: bool = True, **options) -> tqdm:
    """A progress bar with the time left, on a terminal's standard error; elsewhere, or when quiet, it shows nothing.

    Args:
        total: None where it is not known.
        title: what is done.
        unit: of what.
        first: whether this is the process of a run that speaks.
        options: further ones of tqdm.
    """
    hidden = True if _verbosity.quiet or not first else None
    columns, rows = shutil.get_terminal_size()  # where a terminal tells no size, tqdm would show nothing
    return tqdm(total=total, desc=title, unit=unit, disable=hidden, ncols=columns - 1, nrows=rows, **options)


def number_of(count: int, noun: str) -> str:
    """As it is read: "1 error", "2 errors"."""
    return f"{count} {noun}{'s' * (count != 1)}"
