"""Progress of long iterations."""

from __future__ import annotations

from collections.abc import Iterator

from opengait_mimic.data import progress


def bar(title: str, frames: Iterator, length: int) -> Iterator:
    """Pass frames on with a bar on a terminal, with the time left where the length is known (not 0)."""
    with progress.bar(length or None, title, "frame") as shown:
        for frame in frames:
            yield frame
            shown.update()
