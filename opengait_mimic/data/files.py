"""Files: those of others opened with care, arrays read as nothing but arrays, own ones written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib.npyio import NpzFile

from opengait_mimic.errors import DataError, one_line

UNFINISHED = ".tmp"


def read_file(path: str | os.PathLike, most: int) -> bytes:
    """The bytes of a file that somebody else wrote.

    Args:
        path: of a file.
        most: bytes; a longer file is refused unread.

    Raises:
        OSError: it cannot be opened, is too long, or is no file but something (a pipe, a device) that could keep its
            reader waiting for ever; `strerror` says so.
    """
    if "\0" in os.fspath(path):
        raise OSError(errno.EINVAL, "no file has such a name", str(path))
    without_waiting = getattr(os, "O_NONBLOCK", 0)
    with open(path, "rb", 0, opener=lambda name, flags: os.open(name, flags | without_waiting)) as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no file", str(path))
        if found.st_size > most:
            raise OSError(errno.EFBIG, f"it has {found.st_size} bytes, more than {most}", str(path))
        return stream.read()


def is_file(path: str | os.PathLike) -> bool:
    """Whether there is a file; no name, however odd, is an error."""
    return os.path.isfile(path)  # noqa: PTH113 (Path.is_file raises for a name that is too long)


def is_folder(path: str | os.PathLike) -> bool:
    """Whether there is a folder; no name, however odd, is an error."""
    return os.path.isdir(path)  # noqa: PTH112 (likewise)


def read_arrays(path: str | Path, what: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz by name; nothing in it is unpickled.

    Args:
        path: of the .npz.
        what: it is, for messages.

    Raises:
        DataError: it is not there, cannot be read, or holds anything but arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored) if isinstance(stored, NpzFile) else {}
    except FileNotFoundError:
        raise DataError(f"no such {what}: {path}") from None
    except Exception as error:  # whatever zip, zlib, lzma and NumPy's header raise for a damaged or forged file
        raise DataError(f"{path}: cannot be read: {one_line(str(error)) or 'empty'}") from None
    if not arrays or not all(isinstance(array, np.ndarray) for array in arrays.values()):  # another zip's are bytes
        raise DataError(f"{path}: cannot be read: not an .npz of arrays alone")
    return arrays


def have(arrays: dict[str, np.ndarray], expected: dict[str, tuple[str, int]]) -> bool:
    """Whether arrays are those expected: {name: (the letters of `dtype.kind` that it may have, its axes)}."""
    return arrays.keys() == expected.keys() and all(
        arrays[name].dtype.kind in kinds and arrays[name].ndim == axes for name, (kinds, axes) in expected.items()
    )


def named(folder: str | Path) -> Path:
    """A folder's path with its name at the end, so that files can stand beside it: `.` and `..` are written out.

    Raises:
        DataError: it is a root.
    """
    folder = Path(folder)
    found = folder if folder.name not in ("", "..") else folder.resolve()
    if not found.name:
        raise DataError(f"{folder}: no files can stand beside it")
    return found


@contextmanager
def whole(path: Path, durable: bool = True) -> Iterator[BinaryIO]:
    """A binary stream whose content takes the place of `path` once it is complete; the folder is made.

    Args:
        path: of the file.
        durable: whether it is to be on the disk, and not only on its way there, when this returns.

    Raises:
        OSError: it could not be written (naming the file); what was at `path` stands.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(unfinished, "wb") as stream:  # noqa: PTH123 (likewise)
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        os.replace(unfinished, path)  # noqa: PTH105 (tests end a process at each of these steps)
        if durable:
            _sync_folder(path.parent)
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Put a text at `path`, in place of what is there."""
    with whole(path) as stream:
        stream.write(text.encode())


def read_json(path: Path) -> dict:
    """The mapping in a JSON file of ours; an empty one where there is no such file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, content: dict) -> None:
    """Put a mapping at `path`, in place of what is there."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def _sync_folder(folder: Path) -> None:
    """Let a renamed file keep its new name through a power failure, where the system can do so."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
