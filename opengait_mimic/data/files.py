"""Files that appear whole or not at all, whatever ends the process meanwhile, and arrays read as nothing but arrays."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib.npyio import NpzFile

from opengait_mimic.errors import DataError

UNFINISHED = ".tmp"
# What NumPy raises on a file that is no .npz, or a damaged one.
UNREADABLE = (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error)


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
def whole(path: Path) -> Iterator[BinaryIO]:
    """A binary stream whose content takes the place of `path` once it is on the disk; the folder is made.

    Raises:
        OSError: it could not be written (naming the file); what was at `path` stands.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(unfinished, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, path)
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


def read_arrays(path: str | Path, what: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz by name; nothing in it is unpickled.

    Args:
        what: it is, for messages.
    Raises:
        DataError: it is not there, cannot be read, or holds anything but arrays.
    """
    try:
        stored = np.load(path, allow_pickle=False)
        if not isinstance(stored, NpzFile):  # a single array
            raise ValueError("not an .npz")
        with stored:
            arrays = dict(stored)
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):  # another zip's members are bytes
            raise ValueError("not an .npz of arrays alone")
        return arrays
    except FileNotFoundError:
        raise DataError(f"no such {what}: {path}") from None
    except UNREADABLE as error:
        raise DataError(f"{path}: cannot be read: {str(error).splitlines()[0] if str(error) else 'empty'}") from None


def have(arrays: dict[str, np.ndarray], expected: dict[str, tuple[str, int]]) -> bool:
    """Whether arrays are those expected: {name: (the letters of `dtype.kind` that it may have, its axes)}."""
    return arrays.keys() == expected.keys() and all(
        arrays[name].dtype.kind in kinds and arrays[name].ndim == axes for name, (kinds, axes) in expected.items()
    )


def _sync_folder(folder: Path) -> None:
    """Let a renamed file keep its new name through a power failure, where the system can do so."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
