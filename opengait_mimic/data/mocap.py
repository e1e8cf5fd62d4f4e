"""Recorded motion: skeletons from motion capture, dressed and rendered like the procedural walkers.

A recording is one `.npz` per subject: `fps`; `joints`, 18 names; `trials` and `lengths`, per trial its id and
number of frames; `pos`, int16 millimetres [sum(lengths), 18, 3] with y up, trials one after another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from opengait_mimic.data.files import read_arrays
from opengait_mimic.errors import DataError
from opengait_mimic.walkers.render import CLEAN, JOINTS, RADII, Build, Noise, flesh, silhouettes

KEYS = ("fps", "joints", "trials", "lengths", "pos")
_LEG_OF_STATURE = 0.49  # thigh and shank together
_BUILD_STATURE = 1.7
_LEAST_WALK = 0.3  # metres; below this the hips tell the direction better than the way covered


@dataclass(frozen=True, eq=False)
class Recording:
    """All trials of one subject: id -> positions of `render.JOINTS`, metres, float32 [s, 18, 3], y up."""

    subject: str
    fps: float
    trials: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Clip:
    """A rendered piece of a trial: uint8 silhouettes [frames, 64, width] from frame `start` on."""

    subject: str
    trial: str
    start: int
    view: float
    sils: np.ndarray


def load(path: str | Path) -> Recording:
    """Read one subject's recording; the file's name without `.npz` is the subject.

    Raises:
        DataError: no such file, or not such a recording.
    """
    path = Path(path)
    arrays = read_arrays(path, "recording")
    missing = [key for key in KEYS if key not in arrays]
    if missing:
        raise DataError(f"{path}: lacks {', '.join(missing)}")
    fps, joints, trials, lengths, pos = (arrays[key] for key in KEYS)
    names, ids = joints.astype(str).tolist(), trials.astype(str).tolist()
    absent = [name for name in JOINTS if name not in names]
    if absent:
        raise DataError(f"{path}: joints lacks {', '.join(absent)}")
    total = int(lengths.sum())
    if len(trials) != len(lengths) or pos.shape != (total, len(names), 3):
        raise DataError(f"{path}: {len(trials)} trials, {total} frames do not fit pos {list(pos.shape)}")
    if len(set(ids)) != len(ids):
        raise DataError(f"{path}: trials repeats an id")
    metres = pos[:, [names.index(name) for name in JOINTS]].astype(np.float32) / 1000
    pieces = np.split(metres, np.cumsum(lengths)[:-1])
    return Recording(path.stem, float(fps), dict(zip(ids, pieces, strict=True)))


def build(recording: Recording) -> Build:
    """Radii of the common build, in proportion to the subject's stature (told by the length of the legs)."""
    positions = np.concatenate(list(recording.trials.values()))
    leg = 0.0
    for side in "lr":
        hip, knee, ankle = (positions[:, JOINTS.index(f"{side}_{name}")] for name in ("hip", "knee", "ankle"))
        segments = np.linalg.norm(hip - knee, axis=1) + np.linalg.norm(knee - ankle, axis=1)
        leg += float(np.median(segments)) / 2
    factor = leg / _LEG_OF_STATURE / _BUILD_STATURE
    return Build(**{name: factor * getattr(Build, name) for name in RADII})


def face_forward(positions: np.ndarray) -> np.ndarray:
    """Turn a walk about the vertical so that it goes along +z and the walker's left is +x.

    The direction is that of the pelvis from first to last frame; below 0.3 m of way the hips tell it.

    Args:
        positions: metres [s, 18, 3], y up.
    """
    pelvis = positions[:, JOINTS.index("pelvis")]
    forward = (pelvis[-1] - pelvis[0])[[0, 2]]
    if np.hypot(*forward) < _LEAST_WALK:
        left = (positions[:, JOINTS.index("l_hip")] - positions[:, JOINTS.index("r_hip")]).mean(axis=0)
        forward = np.array([-left[2], left[0]])
    forward_x, forward_z = forward / np.hypot(*forward)
    turned = positions.copy()
    turned[..., 0] = forward_z * positions[..., 0] - forward_x * positions[..., 2]
    turned[..., 2] = forward_x * positions[..., 0] + forward_z * positions[..., 2]
    return turned


def clips(
    path: str | Path, view: float, frames: int, stride: int | None = None, width: int = 64, noise: Noise = CLEAN,
    seed: int = 0,
) -> Iterator[Clip]:  # fmt: skip
    """Cut every trial of a recording into clips and render them.

    Each clip is turned by its own walking direction. Trials shorter than a clip give none. The noise of a
    clip depends on the seed and on which clip it is, not on what was rendered before.

    Args:
        path: one subject's `.npz`.
        view: camera angle in degrees, see `render`.
        frames: length of a clip.
        stride: from the start of one clip to that of the next; a clip's length unless given.
        width: 64 or 44.
        noise: what segmentation adds.
        seed: of the noise.

    Raises:
        ValueError: frames or stride below 1, or what `load` raises.
    """
    stride = frames if stride is None else stride
    if frames < 1 or stride < 1:
        raise ValueError(f"frames and stride must be >= 1, found {frames} and {stride}")
    recording = load(path)
    body = build(recording)
    for trial, positions in recording.trials.items():
        for start in range(0, len(positions) - frames + 1, stride):
            key = [seed, crc32(f"{recording.subject}/{trial}".encode()), start, round(1000 * (view % 360))]
            skeleton = face_forward(positions[start : start + frames])
            sils = silhouettes(flesh(skeleton, body), view, width, noise, np.random.default_rng(key))
            yield Clip(recording.subject, trial, start, view, sils)
