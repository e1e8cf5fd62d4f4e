"""A partition file: which subjects are for training and which for the test, and whose layout that is."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

from opengait_mimic.data.files import read_file
from opengait_mimic.errors import DataError

LARGEST = 2**27  # bytes
# Types that tell a data set, the more particular first; Gait3D is told by the PROBE_SET of its partition.
TYPES = {
    "SUSTech1K": {"00-nm"},
    "CCPG": {"U0_D0", "U1_D1"},
    "CASIA-B": {"nm-01", "nm-05"},
    "GREW": {"01", "02"},
    "OUMVLP": {"00", "01"},
}
GENERATED = "GENERATED_SET"  # those of the training set who were generated, where recorded people learn beside them


def read_partition(path: str | os.PathLike, part: str) -> list[str]:
    """The subjects of one part, in the file's order.

    Args:
        path: of the file.
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


def subjects_in(root: Path, partition: str | os.PathLike, part: str) -> list[str]:
    """The folders of a data set whose names a part of its partition lists, however their accents are encoded.

    Raises:
        DataError: what `read_partition` refuses, or the folder cannot be read.
    """
    listed = set(map(composed, read_partition(partition, part)))
    try:
        return sorted(entry.name for entry in os.scandir(root) if composed(entry.name) in listed and entry.is_dir())
    except OSError as error:
        raise DataError(f"{root}: cannot be read: {error.strerror}") from None


def composed(name: str) -> str:
    """A name with each accent in one character with its letter (NFC): files from a Mac have two (NFD)."""
    return unicodedata.normalize("NFC", name)


def has_part(path: str | os.PathLike, part: str) -> bool:
    """Whether a partition file has this part, whatever is in it.

    Raises:
        DataError: the file cannot be read, or is no JSON mapping.
    """
    return bool(_mapping(path).get(part))


def dataset_of(root: Path, partition: Path) -> str:
    """The data set of the field whose evaluation a tree of silhouettes is made for, told by the types of its test set.

    Args:
        root: <root>/<subject>/<type>/<view>/*.pkl.
        partition: JSON with TRAIN_SET and TEST_SET.

    Raises:
        DataError: no such partition, or types of none of the data sets known here.
    """
    subjects = subjects_in(root, partition, "TEST_SET")
    if has_part(partition, "PROBE_SET"):
        return "Gait3D"
    types = {folder.name for subject in subjects for folder in (root / subject).glob("*") if folder.is_dir()}
    for dataset, telling in TYPES.items():
        if telling <= types:
            return dataset
    raise DataError(
        f"{root}: cannot tell gallery from probe by the types {sorted(types)[:8]}; known are GREW's local protocol "
        "(gallery 01, probe 02), CASIA-B (nm-01 …), OUMVLP (01, 00), CCPG (U0_D0 …), SUSTech1K (00-nm …) and Gait3D "
        "(PROBE_SET in the partition); name them with --gallery and --probe"
    )


def _mapping(path: str | os.PathLike) -> dict:
    try:
        found = json.loads(read_file(path, LARGEST))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: no JSON with TRAIN_SET and TEST_SET: {error}") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: no JSON with TRAIN_SET and TEST_SET, found {type(found).__name__}")
    return found
