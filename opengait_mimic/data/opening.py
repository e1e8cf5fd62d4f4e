"""Open files that others wrote."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def content(path: str | os.PathLike, most: int) -> bytes:
    """The bytes of a file.

    Args:
        most: a longer file is refused unread.
    Raises:
        OSError: it cannot be opened, is too long, or is no file but something (a pipe, a device) that could keep its
            reader waiting for ever; `strerror` says so.
    """
    if "\0" in os.fspath(path):
        raise OSError(errno.EINVAL, "no file has such a name", str(path))
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no file", str(path))
        if found.st_size > most:
            raise OSError(errno.EFBIG, f"it has {found.st_size} bytes, more than {most}", str(path))
        return stream.read(most)


def is_file(path: str | os.PathLike) -> bool:
    """Whether there is a file; no name, however odd, is an error."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: str | os.PathLike) -> bool:
    """Whether there is a folder; no name, however odd, is an error."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False
