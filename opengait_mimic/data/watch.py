"""Progress of long iterations."""

from __future__ import annotations

from collections.abc import Iterator

from tqdm import tqdm


def bar(title: str, frames: Iterator, length: int) -> Iterator:
    """Pass frames on with a bar on a terminal, with the time left where the length is known (not 0)."""
    return iter(tqdm(frames, desc=title, total=length or None, unit="frame", disable=None))
