"""Read a partition file: which subjects are for training and which for the test."""

from __future__ import annotations

import json
import os

from opengait_mimic.data.opening import content
from opengait_mimic.errors import DataError

LARGEST = 2**27  # bytes
GENERATED = "GENERATED_SET"  # those of the training set who were generated, where recorded people learn beside them


def read_partition(path: str | os.PathLike, part: str) -> list[str]:
    """The subjects of one part, in the file's order.

    Args:
        part: "TRAIN_SET", "TEST_SET" or Gait3D's "PROBE_SET", which lists sequences.
    Raises:
        DataError: the file cannot be read, is no JSON, or has no list of names for this part.
    """
    subjects = _mapping(path).get(part)
    if not isinstance(subjects, list):
        raise DataError(f"{path}: no JSON with {part}, a list of subjects")
    for subject in subjects:
        if not isinstance(subject, (str, int)) or isinstance(subject, bool):
            raise DataError(f"{path}: {part}: expected names of subjects, found {str(subject)[:80]!r}")
    return [str(subject) for subject in subjects]


def has_part(path: str | os.PathLike, part: str) -> bool:
    """Whether a partition file has this part, whatever is in it.

    Raises:
        DataError: the file cannot be read, or is no JSON mapping.
    """
    return bool(_mapping(path).get(part))


def _mapping(path: str | os.PathLike) -> dict:
    try:
        found = json.loads(content(path, LARGEST))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: no JSON with TRAIN_SET and TEST_SET: {error}") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: no JSON with TRAIN_SET and TEST_SET, found {type(found).__name__}")
    return found
