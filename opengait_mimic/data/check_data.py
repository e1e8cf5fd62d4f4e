"""Look over a data set on disk: every file read, everything odd named, and what there is counted."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from opengait_mimic.data import progress
from opengait_mimic.data.files import is_folder
from opengait_mimic.data.partition import composed, read_partition
from opengait_mimic.data.read import Look, difference, look, read_array, read_frames, size
from opengait_mimic.errors import DataError

SIZES = ((64, 64), (64, 44), (128, 128), (128, 88))  # that OpenGait's backbones are made for
LEVELS = ("subjects", "walking types", "views")
CHUNK = 32  # sequences handed to a process at once
ERROR, WARNING = "error", "warning"


class Finding(NamedTuple):
    """Something about a file, a folder or the partition.

    Attributes:
        level: "error" where a training refuses it, else "warning".
        path: what it is about.
        problem: in words.
    """

    level: str
    path: str
    problem: str


class Sequence(NamedTuple):
    """What was found of one sequence.

    Attributes:
        labels: subject, type and view.
        paths: its files, the silhouettes first.
        frames: their number, 0 where they cannot be read.
        look: of the silhouettes, None where they cannot be read.
        findings: what is wrong with its files by themselves.
    """

    labels: tuple[str, ...]
    paths: tuple[str, ...]
    frames: int
    look: Look | None
    findings: tuple[Finding, ...]


@dataclass
class Report:
    """What there is, and what is odd about it.

    Attributes:
        root: the data set's folder.
        findings: in the order of their paths.
        subjects, sequences, files, frames: how many.
        per_subject: sequences of each subject.
        types, views: sequences of each.
        lengths: shortest, median and longest sequence, in frames.
        sizes: sequences by the shape of a frame.
    """

    root: str
    findings: list[Finding]
    subjects: int
    sequences: int
    files: int
    frames: int
    per_subject: dict[str, int]
    types: dict[str, int]
    views: dict[str, int]
    lengths: tuple[int, float, int] | None
    sizes: dict[str, int]


def check_data(root: str | Path, partition: str | Path | None = None, jobs: int | None = None) -> Report:
    """Read a whole data set, with a progress bar on a terminal.

    Args:
        root: <root>/<subject>/<type>/<view>/*.pkl.
        partition: its JSON file, compared with the folders.
        jobs: processes; all cores by default.

    Raises:
        DataError: there is no such folder.
    """
    root = Path(root)
    if not is_folder(root):
        raise DataError(f"{root}: no such folder")
    findings: list[Finding] = []
    places = list(_places(root, findings))
    sequences = []
    with progress.bar(len(places), "check-data", "seq", leave=False) as bar:
        for sequence in _inspected(places, jobs):
            sequences.append(sequence)
            bar.update()
    _judge_together(sequences, findings)
    if not sequences:
        findings.append(Finding(ERROR, str(root), "holds no silhouettes (<subject>/<type>/<view>/*.pkl)"))
    per_subject, types, views = (dict(sorted(Counter(s.labels[i] for s in sequences).items())) for i in range(3))
    if partition is not None:
        there = {entry.name for entry in os.scandir(root) if is_folder(entry.path)}
        findings += compare_partition(Path(partition), there | set(per_subject))
    lengths = [s.frames for s in sequences if s.frames]
    return Report(
        str(root), sorted(findings, key=lambda finding: finding.path), len(per_subject), len(sequences),
        sum(len(s.paths) for s in sequences), sum(lengths), per_subject, types, views,
        (min(lengths), float(median(lengths)), max(lengths)) if lengths else None,
        dict(Counter(size(s.look.frame) for s in sequences if s.look is not None).most_common()),
    )  # fmt: skip


def _places(folder: Path, findings: list[Finding], labels: tuple[str, ...] = ()) -> Iterator[tuple]:
    """Labels and .pkl files of every <subject>/<type>/<view>; what else lies about goes to the findings."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        findings.append(Finding(ERROR, str(folder), f"cannot be read: {error.strerror}"))
        return
    if len(labels) == len(LEVELS):
        paths = tuple(entry.path for entry in entries if entry.name.endswith(".pkl"))
        others = (entry.path for entry in entries if not entry.name.endswith(".pkl"))
        findings += [Finding(WARNING, path, "is no .pkl; OpenGait stops at it") for path in others]
        if paths:
            yield labels, paths
        else:
            findings.append(Finding(WARNING, str(folder), "holds no .pkl"))
        return
    above = (folder.resolve(), *folder.resolve().parents)
    for entry in entries:
        if not is_folder(entry.path):
            findings.append(Finding(WARNING, entry.path, f"is no folder, where the {LEVELS[len(labels)]} are"))
        elif entry.is_symlink() and Path(entry.path).resolve() in above:
            findings.append(Finding(WARNING, entry.path, "is a link to a folder it lies in"))
        else:
            yield from _places(Path(entry.path), findings, (*labels, entry.name))


def _inspected(places: list[tuple], jobs: int | None) -> Iterator[Sequence]:
    """Every place's sequence, in order, read by several processes."""
    jobs = min(jobs or os.cpu_count() or 1, -(-len(places) // CHUNK))
    if jobs <= 1:
        yield from map(_inspect, places)
        return
    with multiprocessing.Pool(jobs, _leave_interrupts_to_the_first) as pool:  # ends its processes when it is left
        yield from pool.imap(_inspect, places, CHUNK)


def _leave_interrupts_to_the_first() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _inspect(place: tuple[tuple[str, ...], tuple[str, ...]]) -> Sequence:
    labels, paths = place
    findings, lengths, own = [], {}, None
    for path in paths:
        try:
            array = read_frames(path) if path == paths[0] else read_array(path)
        except DataError as error:
            findings.append(Finding(ERROR, path, _without(str(error), path)))
            continue
        lengths[path] = len(array)
        if path == paths[0]:
            own = look(array)
            findings += [Finding(WARNING, path, problem) for problem in _oddities(array)]
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{Path(path).name} {length}" for path, length in lengths.items())
        findings.append(Finding(ERROR, str(Path(paths[0]).parent), f"streams of different lengths: {told}"))
    return Sequence(labels, paths, lengths.get(paths[0], 0), own, tuple(findings))


def _without(message: str, path: str) -> str:
    return message.removeprefix(f"{path}: ").partition("; opengait-mimic")[0]


def _oddities(frames: np.ndarray) -> Iterator[str]:
    """What is unusual about silhouettes that can be read."""
    low, high = frames.min(), frames.max()
    if high == low:
        yield "all black" if low == 0 else f"every pixel is {low}"
    elif frames.ndim == 3 and (frames[:, [0, 0, -1, -1], [0, -1, 0, -1]] > (low + high) / 2).mean() > 0.5:
        yield "bright corners: are black and white exchanged?"
    if low < 0 or high > 255:
        yield f"values from {low:g} to {high:g}; expected 0 to 255"
    if frames.dtype != np.uint8:
        yield f"{frames.dtype} values; expected uint8"
    if len(frames) == 1:
        yield "one frame"


def _judge_together(sequences: list[Sequence], findings: list[Finding]) -> None:
    """Add each sequence's findings, and those that only the rest of the data set shows."""
    frames = Counter(s.look.frame for s in sequences if s.look is not None)
    usual = frames.most_common(1)[0][0] if frames else ()
    for sequence in sequences:
        findings += sequence.findings
        path, own = sequence.paths[0], sequence.look
        if own is None:
            continue
        if unlike := difference(own, Look(usual, 0)):
            findings.append(Finding(ERROR, path, f"{unlike} as in most others"))
        elif len(own.frame) == 2 and own.frame not in SIZES:
            allowed = ", ".join(map(size, SIZES))
            findings.append(Finding(WARNING, path, f"frames of {size(own.frame)}; OpenGait's networks take {allowed}"))
        if own.top == 1:
            findings.append(Finding(ERROR, path, "values from 0 to 1; expected 0 to 255 (or divsor: 1 in the YAML)"))


def compare_partition(partition: Path, there: set[str]) -> list[Finding]:
    """What is odd about a partition, beside the subjects whose folders are there."""
    try:
        listed = {part: read_partition(partition, part) for part in ("TRAIN_SET", "TEST_SET")}
    except DataError as error:
        return [Finding(ERROR, str(partition), _without(str(error), str(partition)))]
    sets = {part: [composed(subject) for subject in subjects] for part, subjects in listed.items()}
    train, test = (set(subjects) for subjects in sets.values())
    otherwise = [s for subjects in listed.values() for s in subjects if s not in there]
    there = {composed(subject) for subject in there}
    otherwise = [s for s in otherwise if composed(s) in there]
    found = [(WARNING, "their accents are encoded otherwise in the folder, OpenGait does not find them", otherwise)]
    for part, subjects in sets.items():
        found.append((WARNING, f"{part}: not in the folder", [s for s in subjects if s not in there]))
        found.append((WARNING, f"{part}: stand twice", [s for s, n in Counter(subjects).items() if n > 1]))
        if not there.intersection(subjects):
            found.append((ERROR, f"{part}: none of its {len(subjects)} subjects is there", [""]))
    found.append((ERROR, "in TRAIN_SET and in TEST_SET", sorted(train & test)))
    found.append((WARNING, "in the folder, but in neither set", sorted(there - train - test)))
    return [Finding(level, str(partition), _naming(problem, names)) for level, problem, names in found if names]


def _naming(problem: str, names: list[str]) -> str:
    """A problem with the first of its subjects."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{problem}: {', '.join(names[:5])}{more}".removesuffix(": ")


def report_content(report: Report) -> dict:
    """A report as it goes into JSON: its attributes, findings as mappings with level, path and problem."""
    return {**asdict(report), "findings": [f._asdict() for f in report.findings]}


def report_text(report: Report) -> str:
    """A report for reading: a line for each finding, then what there is."""
    lines = [f"{f.level}: {f.path}: {f.problem}" for f in report.findings]
    lines += [""] if lines else []
    holds = ("subject", "sequence", "file", "frame")
    lines.append(", ".join(progress.number_of(getattr(report, f"{noun}s"), noun) for noun in holds))
    if report.per_subject:
        counts = report.per_subject.values()
        lines.append(f"sequences per subject: {min(counts)} to {max(counts)}, median {median(counts):g}")
    for title, found in (("types", report.types), ("views", report.views), ("frame sizes", report.sizes)):
        if found:
            shown = ", ".join(f"{key} ({count})" for key, count in list(found.items())[:12])
            lines.append(f"{title}: {shown}" + (f" and {len(found) - 12} more" if len(found) > 12 else ""))
    if report.lengths:
        low, middle, high = report.lengths
        lines.append(f"frames per sequence: {low} to {high}, median {middle:g}")
    errors = sum(f.level == ERROR for f in report.findings)
    warnings = progress.number_of(len(report.findings) - errors, "warning")
    told = f"{progress.number_of(errors, 'error')} (a training refuses them), {warnings}"
    lines.append(told if report.findings else "nothing odd")
    return "\n".join(lines)
