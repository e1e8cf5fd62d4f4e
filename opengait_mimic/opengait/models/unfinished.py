"""What a test has seen so far, kept on the disk: an interrupted test goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import nn
from torch.utils.data import DataLoader

from opengait_mimic.data.files import read_arrays, whole
from opengait_mimic.errors import DataError
from opengait_mimic.evaluation.results import versions
from opengait_mimic.opengait.process.distributed import rank, world_size
from opengait_mimic.opengait.process.loading import WatchedLoader

SAVED_EVERY = 30.0  # seconds
SUFFIX = ".unfinished"


class Unfinished(NamedTuple):
    """Where a test keeps what it has seen.

    Attributes:
        folder: beside its result. key: of all that decides what is seen.
    """

    folder: Path
    key: str

    def remove(self) -> None:
        """The result is safe: nothing is kept any more."""
        shutil.rmtree(self.folder, ignore_errors=True)


def unfinished(result: Path, save_name: str, asked: dict, networks: Iterable[nn.Module | None]) -> Unfinished:
    """Where the test with this result file keeps what it has seen; what other tests of its run left is removed.

    Args:
        result: path of the result file. asked: the run's configuration. networks: all whose features are taken.
    """
    digest = _digest([asked, versions(), world_size()])
    for network in networks:
        for name, value in network.state_dict().items() if network is not None else ():
            digest.update(name.encode())
            digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    folder = result.with_suffix(SUFFIX)
    if rank() == 0:
        for other in result.parent.glob(f"{save_name}-*{SUFFIX}"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    return Unfinished(folder, digest.hexdigest())


class _Length(NamedTuple):
    """How many names a pass has seen, in how many pieces of features."""

    names: int
    pieces: int


class Kept:
    """What this process has seen of a data set by some passes: in memory, and now and then on the disk.

    Args:
        where: None keeps it in memory only. what: is done, in a word. files: `seqs_info` of the data set.
        passes: what decides what each of them sees, in words.
    Attributes:
        batches: how many were taken through all passes. names: [(label, type, view)] of each pass.
        features: by name for each pass, lists of arrays in the order of the names.
    """

    def __init__(self, where: Unfinished | None, what: str, files: Iterable, passes: Sequence[str]):
        self.where, self.what = where, f"{what}-{rank()}"
        self.batches, self.written = 0, 0
        self.names: list[list[tuple[str, str, str]]] = [[] for _ in passes]
        self.features: list[dict[str, list[np.ndarray]]] = [defaultdict(list) for _ in passes]
        if where is not None:
            self.key = _digest([where.key, *passes, *_states(files)]).hexdigest()
            self._read()
        self._known = self._complete = self._lengths()  # what is on the disk, and what all passes have seen
        self.saved = time.monotonic()

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, error: type[BaseException] | None, *_) -> None:
        # What took long, and what was interrupted, is kept whole; what failed does not fail again here.
        if error is KeyboardInterrupt or (error is None and self.written):
            self.write()

    def took(self) -> None:
        """A batch went through all passes."""
        self.batches += 1
        self._complete = self._lengths()
        if self.where is not None and time.monotonic() - self.saved > SAVED_EVERY:
            self.write()

    def write(self) -> None:
        """Keep what came since the last time."""
        if self.where is None or self.batches == self.written:
            return
        content = {"key": np.array(self.key), "batches": np.array(self.batches)}
        every = zip(self.names, self.features, self._known, self._complete, strict=True)
        for i, (names, features, known, complete) in enumerate(every):
            if complete.names > known.names:
                content[f"{i}/"] = np.array(names[known.names : complete.names], dtype=str)
                for name, pieces in features.items():
                    content[f"{i}/{name}"] = np.concatenate(pieces[known.pieces : complete.pieces])
        with whole(self._path(self.written)) as stream:
            np.savez(stream, **content)
        self.written, self._known, self.saved = self.batches, self._complete, time.monotonic()

    def _lengths(self) -> list[_Length]:
        return [
            _Length(len(names), max(map(len, features.values()), default=0))
            for names, features in zip(self.names, self.features, strict=True)
        ]

    def _path(self, first: int) -> Path:
        return self.where.folder / f"{self.what}-{first}.npz"

    def _read(self) -> None:
        while self._path(self.batches).is_file():
            try:
                content = read_arrays(self._path(self.batches), "part of a test")
            except DataError:
                return
            if str(content.get("key")) != self.key:
                return
            self.batches = self.written = int(content["batches"])
            for name, value in content.items():
                number, slash, feature = name.partition("/")
                if slash and feature:
                    self.features[int(number)][feature].append(value)
                elif slash:
                    self.names[int(number)] += [tuple(row) for row in value.tolist()]


def left(loader: DataLoader, batches: int) -> WatchedLoader:
    """A loader's batches but for the first ones, which are not loaded."""
    return WatchedLoader.like(loader, loader.dataset, list(loader.batch_sampler)[batches:])


def _digest(content: list) -> hashlib.blake2b:
    return hashlib.blake2b(json.dumps(content, default=str).encode(), digest_size=16)


def _states(files: Iterable) -> Iterator[tuple[str, int, int]]:
    """Path, size and time of change of every file of a data set."""
    for *_, paths in files:
        for path in paths:
            about = os.stat(path)
            yield path, about.st_size, about.st_mtime_ns
