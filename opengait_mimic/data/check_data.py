"""Look over a data set on disk: every file read, everything odd named, and what there is counted."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from opengait_mimic.data import progress
from opengait_mimic.data.files import is_folder
from opengait_mimic.data.partition import read_partition
from opengait_mimic.data.read import Look, difference, look, read_array, read_frames, size
from opengait_mimic.errors import DataError

SIZES = ((64, 64), (64, 44), (128, 128), (128, 88))  # that OpenGait's backbones are made for
CHUNK = 32  # sequences handed to a process at once
ERROR, WARNING = "error", "warning"


class Finding(NamedTuple):
    """Something about a file, a folder or the partition.

    Attributes:
        level: "error" where a training refuses it, else "warning". path: what it is about. problem: in words.
    """

    level: str
    path: str
    problem: str


class Sequence(NamedTuple):
    """What was found of one sequence.

    Attributes:
        subject, type, view: its place. paths: its files, the silhouettes first. frames: their number, 0 where they
            cannot be read. look: of the silhouettes, None where they cannot be read. dtype: theirs.
        findings: what is wrong with its files by themselves.
    """

    subject: str
    type: str
    view: str
    paths: tuple[str, ...]
    frames: int
    look: Look | None
    dtype: str
    findings: tuple[Finding, ...]


@dataclass
class Report:
    """What there is, and what is odd about it.

    Attributes:
        root: the data set's folder. findings: in the order of their paths.
        subjects, sequences, files, frames: how many.
        per_subject: sequences of each subject. types, views: sequences of each.
        lengths: shortest, median and longest sequence, in frames. sizes: sequences by the shape of a frame.
    """

    root: str
    findings: list[Finding] = field(default_factory=list)
    subjects: int = 0
    sequences: int = 0
    files: int = 0
    frames: int = 0
    per_subject: dict[str, int] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    views: dict[str, int] = field(default_factory=dict)
    lengths: tuple[int, float, int] | None = None
    sizes: dict[str, int] = field(default_factory=dict)


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
    report = Report(str(root))
    places = list(_places(root, report.findings))
    sequences = []
    with progress.bar(len(places), "check-data", "seq", leave=False) as bar:
        for sequence in _inspected(places, jobs):
            sequences.append(sequence)
            bar.update()
    _judge_together(sequences, report.findings)
    _count(sequences, report)
    if not sequences:
        report.findings.append(Finding(ERROR, str(root), "holds no silhouettes (<subject>/<type>/<view>/*.pkl)"))
    if partition is not None:
        report.findings += compare_partition(Path(partition), set(report.per_subject) | _folders(root))
    report.findings.sort(key=lambda f: f.path)
    return report


def _folders(folder: Path) -> set[str]:
    return {entry.name for entry in os.scandir(folder) if _leads_to_folder(entry)}


def _leads_to_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle
        return False


def _places(root: Path, findings: list[Finding]) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Every <subject>/<type>/<view> with its .pkl files; what else lies about goes to the findings."""
    for subject in _inside(root, findings, "subjects"):
        for kind in _inside(subject, findings, "walking types"):
            for view in _inside(kind, findings, "views"):
                paths = []
                for entry in _entries(view, findings):
                    if entry.name.endswith(".pkl"):
                        paths.append(entry.path)
                    else:
                        findings.append(Finding(WARNING, entry.path, "is no .pkl; OpenGait stops at it"))
                if paths:
                    yield subject.name, kind.name, view.name, tuple(sorted(paths))
                else:
                    findings.append(Finding(WARNING, str(view), "holds no .pkl"))


def _inside(folder: Path, findings: list[Finding], what: str) -> list[Path]:
    """The folders in a folder; files among them go to the findings."""
    folders = []
    for entry in _entries(folder, findings):
        path = Path(entry.path)
        if not _leads_to_folder(entry):
            findings.append(Finding(WARNING, entry.path, f"is no folder, where the {what} are"))
        elif entry.is_symlink() and path.resolve() in (path.parent.resolve(), *path.parent.resolve().parents):
            findings.append(Finding(WARNING, entry.path, "is a link to a folder it lies in"))
        else:
            folders.append(path)
    return folders


def _entries(folder: Path, findings: list[Finding]) -> list[os.DirEntry]:
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        findings.append(Finding(ERROR, str(folder), f"cannot be read: {error.strerror}"))
        return []


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


def _inspect(place: tuple[str, str, str, tuple[str, ...]]) -> Sequence:
    subject, kind, view, paths = place
    findings, lengths = [], {}
    frames, own, dtype = 0, None, ""
    for path in paths:
        try:
            array = read_frames(path) if path == paths[0] else read_array(path)
        except DataError as error:
            findings.append(Finding(ERROR, path, _without(str(error), path)))
            continue
        lengths[path] = len(array)
        if path == paths[0]:
            frames, own, dtype = len(array), look(array), str(array.dtype)
            findings += [Finding(level, path, problem) for level, problem in _oddities(array)]
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{Path(path).name} {length}" for path, length in lengths.items())
        findings.append(Finding(ERROR, str(Path(paths[0]).parent), f"streams of different lengths: {told}"))
    return Sequence(subject, kind, view, paths, frames, own, dtype, tuple(findings))


def _without(message: str, path: str) -> str:
    return message.removeprefix(f"{path}: ").partition("; opengait-mimic")[0]


def _oddities(frames: np.ndarray) -> Iterator[tuple[str, str]]:
    """What is unusual about silhouettes that can be read: level and problem."""
    low, high = frames.min(), frames.max()
    if high == low == 0:
        yield WARNING, "all black"
    elif low == high:
        yield WARNING, f"every pixel is {low}"
    if low < 0 or high > 255:
        yield WARNING, f"values from {low:g} to {high:g}; expected 0 to 255"
    if frames.dtype != np.uint8:
        yield WARNING, f"{frames.dtype} values; expected uint8"
    if len(frames) == 1:
        yield WARNING, "one frame"


def _judge_together(sequences: list[Sequence], findings: list[Finding]) -> None:
    """Add each sequence's findings, and those that only the rest of the data set shows."""
    readable = [s.look for s in sequences if s.look is not None]
    frames = Counter(own.frame for own in readable)
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


def _count(sequences: list[Sequence], report: Report) -> None:
    report.sequences, report.files = len(sequences), sum(len(s.paths) for s in sequences)
    for name, key in (("per_subject", "subject"), ("types", "type"), ("views", "view")):
        setattr(report, name, dict(sorted(Counter(getattr(s, key) for s in sequences).items())))
    report.subjects = len(report.per_subject)
    lengths = [s.frames for s in sequences if s.frames]
    report.frames = sum(lengths)
    if lengths:
        report.lengths = min(lengths), float(median(lengths)), max(lengths)
    sizes: dict[str, int] = defaultdict(int)
    for sequence in sequences:
        if sequence.look is not None:
            sizes[size(sequence.look.frame)] += 1
    report.sizes = dict(sorted(sizes.items(), key=lambda item: -item[1]))


def compare_partition(partition: Path, there: set[str]) -> list[Finding]:
    """What is odd about a partition, beside the subjects whose folders are there."""
    findings, sets = [], {}
    for part in ("TRAIN_SET", "TEST_SET"):
        try:
            sets[part] = read_partition(partition, part)
        except DataError as error:
            return [Finding(ERROR, str(partition), _without(str(error), str(partition)))]
    for part, subjects in sets.items():
        findings += _about(partition, f"{part}: not in the folder", [s for s in subjects if s not in there])
        findings += _about(partition, f"{part}: stand twice", [s for s, n in Counter(subjects).items() if n > 1])
        if not there.intersection(subjects):
            findings.append(Finding(ERROR, str(partition), f"{part}: none of its {len(subjects)} subjects is there"))
    both = sorted(set(sets["TRAIN_SET"]) & set(sets["TEST_SET"]))
    findings += _about(partition, "in TRAIN_SET and in TEST_SET", both, ERROR)
    unused = sorted(there - set(sets["TRAIN_SET"]) - set(sets["TEST_SET"]))
    return findings + _about(partition, "in the folder, but in neither set", unused)


def _about(partition: Path, problem: str, subjects: list[str], level: str = WARNING) -> list[Finding]:
    """One finding about several subjects; none where there are none."""
    if not subjects:
        return []
    names = ", ".join(subjects[:5]) + (f" and {len(subjects) - 5} more" if len(subjects) > 5 else "")
    return [Finding(level, str(partition), f"{problem}: {names}")]


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
        counts = sorted(report.per_subject.values())
        lines.append(f"sequences per subject: {counts[0]} to {counts[-1]}, median {median(counts):g}")
    for name in ("types", "views", "sizes"):
        found = getattr(report, name)
        if found:
            shown = [f"{key} ({count})" for key, count in list(found.items())[:12]]
            more = f" and {len(found) - 12} more" if len(found) > 12 else ""
            title = {"sizes": "frame sizes"}.get(name, name)
            lines.append(f"{title}: {', '.join(shown)}{more}")
    if report.lengths:
        low, middle, high = report.lengths
        lines.append(f"frames per sequence: {low} to {high}, median {middle:g}")
    errors = sum(f.level == ERROR for f in report.findings)
    warnings = len(report.findings) - errors
    told = f"{progress.number_of(errors, 'error')} (a training refuses them), {progress.number_of(warnings, 'warning')}"
    lines.append(told if report.findings else "nothing odd")
    return "\n".join(lines)
