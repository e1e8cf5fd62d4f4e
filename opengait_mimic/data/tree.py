"""Silhouettes on disk the way OpenGait reads them.

`<root>/<subject>/<type>/<view>/<view>.pkl`, each a plain pickle of a uint8 array [frames, 64, width], and a
partition file, JSON with `TRAIN_SET` and `TEST_SET`. Training sequences have type `00`; test sequences follow
GREW's local protocol, gallery type `01` and probe type `02`. The view folder tells a type's sequences apart.

A tree appears under its name only when it is complete. The partition file also keeps the `RECIPE` it was made
with (readers of the two sets ignore it), so that the same call again has nothing to do and a different one is
refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from glob import escape
from itertools import pairwise
from pathlib import Path

import numpy as np

from opengait_mimic.data import mocap, progress
from opengait_mimic.data.files import read_json, whole, write_json
from opengait_mimic.data.partition import GENERATED, has_part, read_partition, subjects_in
from opengait_mimic.data.read import Look, difference, look, read_frames, size
from opengait_mimic.errors import DataError
from opengait_mimic.walkers.render import CLEAN, SIZE, WIDTHS, Noise
from opengait_mimic.walkers.segmentation_noise import noise_like
from opengait_mimic.walkers.walkers import walker_sequence

TRAIN, GALLERY, PROBE = "00", "01", "02"
CLIPS = 200  # at most, of a data set that is measured


def write_sequence(root: str | Path, subject: str, type_: str, view: str, sils: np.ndarray) -> Path:
    """Write one sequence; the file appears complete or not at all.

    Args:
        root: of the data set.
        subject, type_, view: where in it.
        sils: uint8 [frames, 64, 64 or 44], one frame at least.

    Returns:
        Its path.

    Raises:
        ValueError: other silhouettes.
    """
    sils = np.asarray(sils)
    fits = sils.ndim == 3 and len(sils) and sils.shape[1] == SIZE and sils.shape[2] in WIDTHS
    if sils.dtype != np.uint8 or not fits:
        raise ValueError(f"sils must be uint8 [frames, 64, 64 or 44], found {sils.dtype} {list(sils.shape)}")
    target = Path(root, subject, type_, view, f"{view}.pkl")
    with whole(target, durable=False) as stream:
        pickle.dump(np.ascontiguousarray(sils), stream, protocol=4)
    return target


def generate_walkers(  # noqa: PLR0913 (each is a number of the recipe)
    root: str | Path, partition: str | Path, train_subjects: int, test_subjects: int, sequences: int = 8,
    frames: int = 20, seed: int = 0, width: int = 64, gallery: int = 2, probe: int = 4, test_frames: int = 10,
    views: Sequence[float] = (90.0,),
) -> dict[str, list[str]]:  # fmt: skip
    """Write a data set of procedural walkers; an identical one already there is kept.

    Subjects are numbered from 0, the training ones first; a folder's name is that number with five digits.

    Args:
        root: folder to make.
        partition: JSON file to write.
        train_subjects: how many to learn from.
        test_subjects: how many others for the test.
        sequences: per training subject.
        frames: of each of these.
        seed: the same call gives the same bytes.
        width: 64 or 44.
        gallery: sequences per test subject.
        probe: likewise.
        test_frames: of each of these.
        views: camera angles in degrees; a subject's sequences take them in turn.

    Returns:
        The partition, {"TRAIN_SET": [...], "TEST_SET": [...]}.

    Raises:
        FileExistsError: root or partition holds something else.
        ValueError: a number is out of range, or partition lies inside of root.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> generate_walkers(folder / "sils", folder / "sils.json", 1, 1, sequences=2, frames=5)
    {'TRAIN_SET': ['00000'], 'TEST_SET': ['00001']}
    >>> len(list((folder / "sils").glob("*/*/*/*.pkl")))
    8
    """
    counts = {"sequences": sequences, "frames": frames, "gallery": gallery, "probe": probe}
    counts["test_frames"] = test_frames
    _refuse_wrong(width, **counts, views=len(views))
    if train_subjects < 0 or test_subjects < 0 or train_subjects + test_subjects < 1:
        raise ValueError(f"no subjects: train_subjects {train_subjects}, test_subjects {test_subjects}")
    names = [f"{number:05d}" for number in range(train_subjects + test_subjects)]
    sets = {"TRAIN_SET": names[:train_subjects], "TEST_SET": names[train_subjects:]}
    recipe = {
        "source": "walkers", "train_subjects": train_subjects, "test_subjects": test_subjects, **counts,
        "seed": seed, "width": width, "views": [float(view) for view in views],
    }  # fmt: skip
    learn = [(TRAIN, i, i, frames) for i in range(sequences)]
    test = [(GALLERY, i, i, test_frames) for i in range(gallery)]
    test += [(PROBE, i, gallery + i, test_frames) for i in range(probe)]

    def fill(folder: Path) -> None:
        for number, name in enumerate(_told(names)):
            for type_, place, sequence, length in learn if number < train_subjects else test:
                sils = walker_sequence(seed, number, sequence, length, width, views[sequence % len(views)])
                write_sequence(folder, name, type_, f"{place:02d}", sils)

    return _complete_or_absent(Path(root), Path(partition), recipe, sets, fill)


def join_walkers(
    root: str | Path, partition: str | Path, own: str | Path, own_partition: str | Path, people: int,
    sequences: int = 8, frames: int = 30, seed: int = 0, views: Sequence[float] = (90.0,),
) -> dict[str, list[str]]:  # fmt: skip
    """Write a data set of one's own with walkers among the subjects to learn from; an identical one is kept.

    A few subjects teach little about how people differ; walkers add to that. Who is tested stays as it was. The files
    of one's own data are linked, or copied where the two folders lie on different disks; a walker's folder is
    `walker-` and its number. Walkers are as wide as the data, as white, and have as much segmentation noise as those
    to learn from in it.

    Args:
        root: folder to make.
        partition: JSON file to write.
        own: a data set in OpenGait's layout, of silhouettes alone.
        own_partition: its JSON file.
        people: how many walkers.
        sequences: of each.
        frames: of each sequence.
        seed: of the walkers.
        views: camera angles in degrees, those of one's own data at best; a walker's sequences take them in turn.

    Returns:
        The partition, {"TRAIN_SET": [...], "TEST_SET": [...], "GENERATED_SET": the walkers}; PROBE_SET is kept.

    Raises:
        DataError: the data cannot be read, are no silhouettes of 64×64 or 64×44 and nothing besides, or have a
            subject with a walker's name.
        FileExistsError: root or partition holds something else.
        ValueError: a number is out of range, or partition lies inside of root.
    """
    root, partition, own = Path(root), Path(partition), Path(own)
    _refuse_wrong(people=people, sequences=sequences, frames=frames, views=len(views))
    sets = {part: read_partition(own_partition, part) for part in ("TRAIN_SET", "TEST_SET")}
    # A partition from others may name what lies outside: only its names of folders count.
    there = {part: subjects_in(own, own_partition, part) for part in sets}
    if has_part(own_partition, "PROBE_SET"):
        sets["PROBE_SET"] = read_partition(own_partition, "PROBE_SET")
    paths = [
        path
        for subject in sorted({*there["TRAIN_SET"], *there["TEST_SET"]})
        for path in sorted((own / subject).glob("*/*/*.pkl"))
    ]
    first = _of_silhouettes_alone(own, paths)
    names = [f"walker-{number:05d}" for number in range(people)]
    if taken := set(names).intersection([*sets["TRAIN_SET"], *sets["TEST_SET"]]):
        raise DataError(f"{own} has a subject {min(taken)}, as the walkers are called")
    sets["TRAIN_SET"] = [*sets["TRAIN_SET"], *names]
    sets[GENERATED] = names
    about = [(str(path.relative_to(own)), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    learned = [path for path in paths if path.relative_to(own).parts[0] in there["TRAIN_SET"]] or paths
    noise = noise_like(_some_clips(learned, first), views, first.frame[1])
    recipe = {
        "source": "own data and walkers", "own": hashlib.sha256(json.dumps(about).encode()).hexdigest(),
        "people": people, "sequences": sequences, "frames": frames, "seed": seed, "views": [float(v) for v in views],
        "noise": asdict(noise),
    }  # fmt: skip

    def fill(folder: Path) -> None:
        for path in paths:
            target = folder / path.relative_to(own)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.hardlink_to(path.resolve())
            except OSError:  # another disk, or one without links
                shutil.copy2(path, target)
        for number, name in enumerate(_told(names)):
            for i in range(sequences):
                sils = walker_sequence(seed, number, i, frames, first.frame[1], views[i % len(views)], noise)
                write_sequence(folder, name, TRAIN, f"{i:02d}", sils // 255 if first.top == 1 else sils)

    return _complete_or_absent(root, partition, recipe, sets, fill)


def _of_silhouettes_alone(own: Path, paths: list[Path]) -> Look:
    """How the first silhouettes among a data set's files look; refused where no such walkers can be made."""
    if not paths:
        raise DataError(f"{own} holds no sequence of the subjects in its partition")
    for before, path in pairwise(paths):
        if path.parent == before.parent:
            raise DataError(f"{path.parent} holds more than silhouettes, which is all that walkers have")
    found = look(read_frames(paths[0]))
    if found.frame not in [(SIZE, width) for width in WIDTHS]:
        raise DataError(f"{paths[0]} has frames of {size(found.frame)}, walkers have 64×64 or 64×44")
    return found


def _some_clips(paths: list[Path], first: Look) -> Iterator[np.ndarray]:
    """Up to `CLIPS` of them, evenly spaced, that look like the first."""
    for path in paths[:: -(-len(paths) // CLIPS)]:
        frames = read_frames(path)
        if why := difference(look(frames), first):
            raise DataError(f"{path} has {why}")
        yield frames


def _told(subjects: list) -> Iterator:
    """Passes subjects on with a progress bar on a terminal."""
    with progress.bar(len(subjects), "silhouettes", "subject") as bar:
        for subject in subjects:
            yield subject
            bar.update()


def _refuse_wrong(width: int = SIZE, **counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} is {count}, must be at least 1")
    if width not in WIDTHS:
        raise ValueError(f"width is {width}, allowed are 64 and 44")


def render_recordings(
    root: str | Path, partition: str | Path, folder: str | Path, views: Sequence[float], frames: int, width: int = 64,
    holdout: int | None = None, seed: int = 0, noise: Noise = CLEAN,
) -> dict[str, list[str]]:  # fmt: skip
    """Write a data set of recorded motion; an identical one already there is kept.

    Trials are cut into clips without overlap, each rendered from every view. Test subjects are drawn among
    those with two or more trials long enough; their trials go in turn to the gallery and to the probes, never
    to both. The view folder is `<trial>-<first frame>-<view>`.

    Args:
        root: folder to make.
        partition: JSON file to write.
        folder: where the subjects' `.npz` files are, see `mocap`.
        views: camera angles in degrees.
        frames: length of a clip.
        width: 64 or 44.
        holdout: number of test subjects; half of those that can be, unless given.
        seed: of the draw of test subjects and of the noise.
        noise: what segmentation adds.

    Returns:
        The partition, {"TRAIN_SET": [...], "TEST_SET": [...]}.

    Raises:
        FileExistsError: root or partition holds something else.
        FileNotFoundError: no recordings in folder.
        ValueError: more test subjects asked for than have two trials, no views, partition inside of root, or
            what `mocap` raises.
    """
    paths = sorted(Path(folder).glob("*.npz"))
    if not paths:
        raise FileNotFoundError(f"{folder}: no .npz recordings")
    _refuse_wrong(width, views=len(views), frames=frames)
    trials = {}
    for path in paths:
        usable = [trial for trial, positions in mocap.load(path).trials.items() if len(positions) >= frames]
        if usable:
            trials[path.stem] = sorted(usable)
    able = [subject for subject, usable in trials.items() if len(usable) >= 2]
    holdout = len(able) // 2 if holdout is None else holdout
    if not 0 <= holdout <= len(able):
        raise ValueError(
            f"holdout is {holdout}, but {len(able)} subjects of {folder} have two trials of {frames} frames"
        )
    drawn = set(np.random.default_rng(seed).permutation(able)[:holdout].tolist())
    sets = {
        "TRAIN_SET": [subject for subject in trials if subject not in drawn],
        "TEST_SET": [subject for subject in trials if subject in drawn],
    }
    recipe = {
        "source": "recordings", "subjects": trials, "views": [float(view) for view in views],
        "frames": frames, "width": width, "holdout": holdout, "seed": seed, "noise": asdict(noise),
    }  # fmt: skip

    def fill(folder: Path) -> None:
        for path in _told([path for path in paths if path.stem in trials]):
            for view in views:
                for clip in mocap.clips(path, view, frames, width=width, noise=noise, seed=seed):
                    in_turn = (GALLERY, PROBE)[trials[path.stem].index(clip.trial) % 2]
                    name = f"{clip.trial}-{clip.start:04d}-{view:03g}"
                    write_sequence(folder, path.stem, in_turn if path.stem in drawn else TRAIN, name, clip.sils)

    return _complete_or_absent(Path(root), Path(partition), recipe, sets, fill)


def _complete_or_absent(
    root: Path, partition: Path, recipe: dict, sets: dict[str, list[str]], fill: Callable[[Path], None]
) -> dict[str, list[str]]:
    """Fill a folder that becomes root at the end, unless this very tree is there already; returns the sets."""
    if root.resolve() in partition.resolve().parents:
        raise ValueError(f"partition {partition} lies inside of root, where only subjects may be")
    content = {**sets, "RECIPE": recipe}
    if partition.exists() and read_json(partition) != content:
        raise FileExistsError(f"{partition} belongs to other data: remove it or choose another name")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        if not partition.exists():
            raise FileExistsError(f"{root} holds something else: remove it or choose another folder")
        return sets
    root.parent.mkdir(parents=True, exist_ok=True)
    for left in root.parent.glob(f"{escape(root.name)}.unfinished-*"):  # by a call that was killed
        if Path("/proc/self").exists() and not Path("/proc", left.name.rpartition("-")[2]).exists():
            shutil.rmtree(left)
    unfinished = root.with_name(f"{root.name}.unfinished-{os.getpid()}")
    unfinished.mkdir()
    try:
        fill(unfinished)
        write_json(partition, content)
        if root.exists():
            root.rmdir()
        unfinished.rename(root)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return sets
