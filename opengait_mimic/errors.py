"""The errors a user can cause, each one line that names the cause."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable


class MimicError(Exception):
    """A mistake in a configuration, a file or a command, worded for the person who made it."""


class ConfigError(MimicError, ValueError):
    """A value in a YAML file or an argument that is not allowed."""


class RunFailed(Exception):
    """A process of a run ended with an error that is nobody's mistake: its traceback, or one line."""


class CheckpointError(MimicError, ValueError):
    """A checkpoint that is missing, unreadable or of another network."""


class DataError(MimicError, ValueError):
    """A data set that is missing, empty or not in OpenGait's layout."""


class HostError(MimicError):
    """An OpenGait checkout that cannot be found or used."""


def nearest(name: object, allowed: Iterable[str]) -> str:
    """The end of a message about an unknown `name`: the nearest allowed names, or all of them."""
    allowed = [str(a) for a in allowed]
    close = difflib.get_close_matches(str(name)[:80], allowed, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(allowed)}"


def plain(error: Exception) -> str:
    """An error in one line; the system's errors with their file, without their number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


def shown(value: object) -> str:
    """A value as Python writes it, shortened where it is long."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 80
    return short.repr(value)


def one_line(message: str, most: int = 600) -> str:
    """A message without line ends or control characters, cut where it is longer than anybody reads."""
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    return line if len(line) <= most else f"{line[:most]} ..."
