"""Which frames of a track are good silhouettes, and which stretches of it make a sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter
from scipy.stats import siegelslopes

from opengait_mimic.data.video.tracking import Track
from opengait_mimic.walkers.render import SIZE

AROUND = 21  # frames that a frame is compared with
HIDDEN_HEIGHT, HIDDEN_AREA = 0.88, 0.65  # shares of the usual below which a body is partly hidden
JOINED_HEIGHT, JOINED_AREA = 1.15, 1.45  # and above which something is joined to it
WIDEST = 0.85  # width per height, above which it is no walking person
TORSO = slice(SIZE // 4, SIZE // 2)  # rows of a silhouette where two people side by side are wide, and one is not
WIDEST_TORSO = 0.42  # its width per height
STANDS_OUT = 0.15  # how far a height may be off what the place in the picture makes of this person's height
WALKED = 0.5  # body heights that a track has to get ahead
GAP = 3  # frames that may be missing within a sequence


@dataclass(frozen=True)
class Rules:
    """What a good frame and sequence are: height in pixels, least number of frames; whether frames that touch the
    border, crowds and things that stand still are left out (not where the masks were given with their labels)."""

    min_height: int = 40
    min_frames: int = 15
    strict: bool = True


def ground(tracks: list[Track]) -> tuple[float, float] | None:
    """How tall people look where their feet are: (slope, intercept) of height over bottom edge, in pixels.

    Fitted robustly over all tracks; None where there is too little to fit, or people look as tall everywhere.
    """
    blobs = [blob for track in tracks for blob in track.blobs if not blob.border]
    blobs = blobs[:: max(1, len(blobs) // 500)]
    bottoms = [blob.box.bottom for blob in blobs]
    tallest = max((blob.box.height for blob in blobs), default=0)
    if len(blobs) < 50 or np.ptp(bottoms) < tallest / 4:
        return None
    slope, intercept = siegelslopes([blob.box.height for blob in blobs], bottoms)
    farthest = slope * min(bottoms) + intercept
    return (float(slope), float(intercept)) if slope > 0 and farthest > 0.1 * tallest else None


def faults(track: Track, rules: Rules, plane: tuple[float, float] | None = None) -> list[str]:
    """For each frame of a track what is wrong with it, empty where nothing is; plane: see `ground`."""
    heights = np.array([blob.box.height for blob in track.blobs], float)
    widths = np.array([blob.box.width for blob in track.blobs], float)
    areas = np.array([blob.area for blob in track.blobs], float)
    usual_height, usual_area = (median_filter(values, AROUND, mode="nearest") for values in (heights, areas))
    found = [""] * len(heights)
    marks = [("too small", heights < rules.min_height)]
    if rules.strict:
        if plane:
            expected = plane[0] * np.array([blob.box.bottom for blob in track.blobs]) + plane[1]
            share = heights / expected
            share = share / np.median(share)
        else:
            share = np.ones(len(heights))
        torso = median_filter([_torso(blob.sil) for blob in track.blobs], AROUND, mode="nearest")
        parted = np.array([frame in track.group for frame in track.frames])
        marks += [
            ("at the border", np.array([blob.border for blob in track.blobs])),
            ("a group", parted | (torso > WIDEST_TORSO)),
            ("too wide", widths > WIDEST * heights),
            ("of another height than before", abs(share - 1) > STANDS_OUT),
            ("partly hidden", (heights < HIDDEN_HEIGHT * usual_height) | (areas < HIDDEN_AREA * usual_area)),
            ("joined to something", (heights > JOINED_HEIGHT * usual_height) | (areas > JOINED_AREA * usual_area)),
        ]
    for name, wrong in reversed(marks):
        for i in wrong.nonzero()[0]:
            found[i] = name
    return found


def walks(track: Track) -> bool:
    """Whether a track gets ahead, or comes nearer, as a person on foot does."""
    boxes = np.array([blob.box for blob in track.blobs], float)
    height = np.median(boxes[:, 1] - boxes[:, 0])
    way = np.ptp(boxes[:, 1]), np.ptp((boxes[:, 2] + boxes[:, 3]) / 2)
    return float(np.hypot(*way)) > WALKED * height


def stretches(frames: list[int], shortest: int) -> list[list[int]]:
    """Cut ascending frame numbers where more than `GAP` are missing; stretches shorter than `shortest` are left
    out. Returns positions in `frames`."""
    if not frames:
        return []
    cuts = (np.diff(frames) > GAP + 1).nonzero()[0] + 1
    return [part.tolist() for part in np.split(np.arange(len(frames)), cuts) if len(part) >= shortest]


def _torso(sil: np.ndarray) -> float:
    """Width of the torso, from its left to its right end, per height."""
    columns = sil[TORSO] > 127
    left, right = columns.argmax(axis=1), SIZE - columns[:, ::-1].argmax(axis=1)
    return float(np.median(np.where(columns.any(axis=1), right - left, 0))) / SIZE
