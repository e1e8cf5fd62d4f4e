"""What an interrupted look over a data set has found already, in the user's cache."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 5.0  # seconds after which what was found is worth writing down, and again


def cached(name: str) -> Path:
    """A file of this name in the user's cache ($XDG_CACHE_HOME, else ~/.cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "opengait-mimic", name)


def notes_of(root: Path) -> Path:
    """Where the notes about a data set's folder are."""
    digest = hashlib.blake2b(os.fsencode(root.resolve()), digest_size=8).hexdigest()
    return cached(f"check-data-{digest}.jsonl")


class Notes:
    """A line for each sequence that was read: the state of its files, and what was found.

    A sequence of which a file changed since is not known. Where the notes cannot be written there are none. They are
    removed by leaving the `with` block, unless it is left by an interruption.

    Args:
        path: of the notes; None: nothing is noted.
    """

    def __init__(self, path: Path | None):
        self.path, self.lines = path, []
        self.known: dict[tuple[str, ...], tuple[list, list]] = {}
        self.since = time.monotonic()
        if path is not None and path.is_file():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                self._learn(line)

    def _learn(self, line: str) -> None:
        try:
            states, found = json.loads(line)
            self.known[tuple(path for path, *_ in states)] = states, found
        except (ValueError, TypeError):  # the end of a line that was being written
            return

    def found(self, paths: tuple[str, ...]) -> list | None:
        """What was found of a sequence with these files, if they are as they were."""
        states, found = self.known.get(paths, (None, None))
        return found if states is not None and states == _states(paths) else None

    def add(self, paths: tuple[str, ...], found: list) -> None:
        """Note what was found of a sequence (JSON-ready)."""
        if self.path is None:
            return
        self.lines.append(json.dumps([_states(paths), found]) + "\n")
        if time.monotonic() - self.since > PATIENCE:
            self._write()

    def __enter__(self) -> Notes:
        return self

    def __exit__(self, error: type[BaseException] | None, *_) -> None:
        if self.path is None:
            return
        if error is None:
            self._try(lambda: self.path.unlink(missing_ok=True))
        else:
            self._write()

    def _write(self) -> None:
        self._try(self._append)
        self.lines, self.since = [], time.monotonic()

    def _append(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.writelines(["\n", *self.lines])  # after a line that may have been cut short

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError:  # a cache that is full or may not be written: the work itself goes on
            self.path = None


def _states(paths: tuple[str, ...]) -> list | None:
    """Path, size and time of change of each file; None where one is not there any more."""
    try:
        return [[path, (about := os.stat(path)).st_size, about.st_mtime_ns] for path in paths]
    except OSError:
        return None
