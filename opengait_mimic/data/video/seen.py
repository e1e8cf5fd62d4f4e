"""What a recording has shown so far, kept on the disk: interrupted, a long video goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from opengait_mimic.data.files import read_arrays, whole
from opengait_mimic.data.video.background import Background
from opengait_mimic.data.video.crop import Box
from opengait_mimic.data.video.tracking import Blob
from opengait_mimic.errors import DataError

SAVED_EVERY = 30.0  # seconds


def kept_blobs(folder: Path, rest: Callable[[int], Iterator[list[Blob]]]) -> Generator[list[Blob], None, None]:
    """The blobs of every frame: those that an earlier run kept, then the rest, which are kept as they come.

    Args:
        folder: of this recording under these settings alone. rest: the blobs of each frame from a number on.
    """
    count = 0
    while found := _read(folder / f"{count}.npz"):
        yield from found
        count += len(found)
    fresh: list[list[Blob]] = []
    saved = time.monotonic()
    try:
        for blobs in rest(count):
            fresh.append(blobs)
            if time.monotonic() - saved > SAVED_EVERY:
                _write(folder / f"{count}.npz", fresh)
                count, fresh, saved = count + len(fresh), [], time.monotonic()
            yield blobs
    finally:
        if fresh:
            _write(folder / f"{count}.npz", fresh)


def kept_background(folder: Path, learn: Callable[[], Background]) -> Background:
    """The background that an earlier run kept; without one, what `learn` gives, which is kept."""
    path = folder / "background.npz"
    try:
        kept = read_arrays(path, "background")
        return Background(list(kept["pictures"]), int(kept["block"]))
    except (DataError, KeyError):
        learned = learn()
    with whole(path) as stream:
        np.savez(stream, pictures=np.stack(learned.pictures), block=np.array(learned.block))
    return learned


def _write(path: Path, frames: list[list[Blob]]) -> None:
    found = [blob for blobs in frames for blob in blobs]
    content: dict[str, Any] = {"blobs": np.array([len(blobs) for blobs in frames])}
    if found:
        content["boxes"] = np.array([blob.box for blob in found])
        content["sils"] = np.stack([blob.sil for blob in found])
        content["areas"] = np.array([blob.area for blob in found])
        content["borders"] = np.array([blob.border for blob in found])
        if found[0].colours is not None:
            content["colours"] = np.stack([blob.colours for blob in found])  # type: ignore[misc]
    with whole(path) as stream:
        np.savez_compressed(stream, **content)


def _read(path: Path) -> list[list[Blob]]:
    """Nothing where there is none, or none that can be read."""
    try:
        content = read_arrays(path, "part of a recording")
        counts = content["blobs"].tolist()
        if not sum(counts):
            return [[] for _ in counts]
        boxes, areas, borders = (content[name].tolist() for name in ("boxes", "areas", "borders"))
        colours = content.get("colours", [None] * len(boxes))
        every = zip(boxes, content["sils"], areas, colours, borders, strict=True)
    except (DataError, KeyError):
        return []
    found = iter([Blob(Box(*box), sil, area, seen, border) for box, sil, area, seen, border in every])
    return [[next(found) for _ in range(count)] for count in counts]
