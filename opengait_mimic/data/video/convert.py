"""From recordings to a data set: silhouettes in OpenGait's layout, a partition, contact sheets and a summary.

Beside the folder `OUT` with the subjects stand `OUT.json` (the partition), `OUT.png` (the contact sheet, further
pages `OUT-2.png` …) and `OUT-summary.json`. Until all is done the work lies in `OUT.unfinished`, recording by
recording, so that the same call again goes on with the next one.
"""

from __future__ import annotations

import pickle
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from opengait_mimic.data import progress
from opengait_mimic.data.files import named, read_json, write_json
from opengait_mimic.data.read import read_array
from opengait_mimic.data.tree import GALLERY, PROBE, TRAIN, write_sequence
from opengait_mimic.data.video import background, segmenters, sources
from opengait_mimic.data.video import contact_sheet as sheet
from opengait_mimic.data.video.quality import Rules, faults, ground, stretches, walks
from opengait_mimic.data.video.sources import Source
from opengait_mimic.data.video.tracking import Blob, Track, Tracker, blobs, instance
from opengait_mimic.errors import DataError

SEGMENTS = ("auto", "background", "masks", *segmenters.SEGMENTERS)
_NOISE = 32  # grey values of a mask below this are compression's


@dataclass(frozen=True)
class Settings:
    """How silhouettes are made.

    Attributes:
        segment: one of `SEGMENTS`.
        weights: a file for a segmentation package.
        rules: what a good frame and sequence are.
        clip: frames of the sequences that a tracked person's walk is cut into, about.
        test_share: share of the subjects with two sequences or more that go to the test set, 0…1.
        threshold: see `background.foreground`.
        shadows: likewise.
    """

    segment: str = "auto"
    weights: Path | None = None
    rules: Rules = field(default_factory=Rules)
    clip: int = 30
    test_share: float = 0.5
    threshold: int = background.THRESHOLD
    shadows: bool = False


def make_silhouettes(inputs: Sequence[str | Path], out: str | Path, settings: Settings) -> dict:
    """Make a data set of recordings; one that this very call has made is kept.

    Args:
        inputs: see `sources.find_sources`.
        out: the folder to make.
        settings: how.

    Returns:
        The summary, as it stands in `OUT-summary.json`.

    Raises:
        DataError: unusable inputs, nobody found, or `out` belongs to something else.
    """
    out = named(out)
    recordings = sources.find_sources(inputs)
    recipe = _recipe(recordings, settings)
    sets, summary = out.with_name(f"{out.name}.json"), out.with_name(f"{out.name}-summary.json")
    ours = read_json(sets).get("RECIPE") == recipe
    if ours and out.is_dir() and summary.is_file():
        return read_json(summary)
    if out.exists() or (sets.exists() and not ours):
        raise DataError(f"{out} or {sets.name} is there already: remove both or choose another folder")
    work = out.with_name(f"{out.name}.unfinished")
    if work.exists() and read_json(work / "recipe.json") != recipe:
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)
    write_json(work / "recipe.json", recipe)

    records = []
    for number, source in enumerate(recordings):
        record = work / f"{number:05d}.json"
        if not record.is_file():
            folder = work / f"{number:05d}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            write_json(record, _recording(source, settings, folder))
        records.append(read_json(record))
    if not any(record["people"] for record in records):
        shutil.rmtree(work)
        told = "; ".join(f"{count} tracks: {why}" for why, count in _dropped(records).items()) or "nothing moved"
        raise DataError(f"nobody was found in {progress.number_of(len(records), 'recording')} ({told})")
    return _assemble(out, work, records, recipe, settings)


def _recipe(recordings: list[Source], settings: Settings) -> dict:
    made = asdict(settings)
    made["weights"] = None if settings.weights is None else settings.weights.name
    files_of = {}
    for source in recordings:
        files = [source.path] if source.path.is_file() else sources.picture_files(source.path)
        files_of[source.name] = [len(files), sum(file.stat().st_size for file in files)]
    return {"source": "recordings of one's own", **made, "recordings": files_of}


# One recording ------------------------------------------------------------------------------------------------


class _Person(NamedTuple):
    """Somebody in a recording: the track, the positions in it of each sequence's frames, what is said of it."""

    track: Track
    parts: list[list[int]]
    about: dict


def _recording(source: Source, settings: Settings, folder: Path) -> dict:
    """Cut one recording into silhouettes under `folder` and say what came out."""
    segment = settings.segment
    if segment == "auto":
        segment = "masks" if sources.holds_masks(source) else "background"
    labels, rules = source.labels, settings.rules
    if segment == "masks":
        if source.path.is_file():
            raise DataError(f"{source.path}: masks come as folders of pictures, this is a video")
        sources.refuse_inverted(source)
        if labels or _is_cropped(source):
            labels, rules = source.cropped, replace(rules, strict=False)
    tracks, count = _tracked(source, segment, settings) if rules.strict else _given(source)
    found, dropped = _people(tracks, rules)
    if labels and len(found) > 1:  # the tree says that there is one person
        found.sort(key=lambda one: sum(map(len, one.parts)), reverse=True)
        dropped += [{**one.about, "why": "not the main person"} for one in found[1:]]
        found = found[:1]
    cuttings = [[] for _ in found] if segment == "masks" else _cuttings(source, found)
    recorded = []
    for number, (track, parts, about) in enumerate(found, start=1):
        subject, type_, view = labels or (f"{source.name}-{number:03d}", "", "")
        parts = [list(chain(*parts))] if labels else [piece for part in parts for piece in _pieces(part, settings)]
        sequences = []
        for part in parts:
            frames = [track.frames[i] for i in part]
            file = f"{number:03d}-{frames[0]:06d}.pkl"
            sils = np.stack([track.blobs[i].sil for i in part])
            (folder / file).write_bytes(pickle.dumps(sils, protocol=4))
            sequences.append({"file": file, "view": view or f"{frames[0]:06d}", "frames": frames})
        shown = f"{number:03d}.png"
        sheet.person(subject, track, parts, cuttings[number - 1]).save(folder / shown)
        recorded.append({"subject": subject, "type": type_, **about, "sequences": sequences, "strip": shown})
    record = {"name": source.name, "segment": segment, "frames": count}
    if (announced := sources.frame_count(source)) > count:
        progress.warn(
            f"{source.path}: {count} of the {announced} frames in its header can be decoded; is it cut short?"
        )
        record["announced"] = announced
    return {**record, "people": recorded, "dropped": dropped}


def _people(tracks: list[Track], rules: Rules) -> tuple[list[_Person], list[dict]]:
    """Tracks that are people with good frames enough, and what is said of the others."""
    found, dropped = [], []
    plane = ground(tracks) if rules.strict else None
    for track in tracks:
        wrong = faults(track, rules, plane)
        good = [i for i, fault in enumerate(wrong) if not fault]
        parts = stretches([track.frames[i] for i in good], rules.min_frames)
        if not rules.strict and len(good) >= rules.min_frames:
            parts = [list(range(len(good)))]
        left_out = dict(Counter(fault for fault in wrong if fault))
        if track.merged:
            left_out["merged with another person"] = len(track.merged)
        about = {"first": track.frames[0], "last": track.frames[-1], "frames": len(wrong), "left_out": left_out}
        if rules.strict and not walks(track):
            dropped.append({**about, "why": "does not get ahead"})
        elif not parts:
            dropped.append({**about, "why": f"fewer than {rules.min_frames} good frames in a row"})
        else:
            found.append(_Person(track, [[good[i] for i in part] for part in parts], about))
    return found, dropped


def _given(source: Source) -> tuple[list[Track], int]:
    """One track of all a folder's masks."""
    track, count = Track(), 0
    for frame, mask in enumerate(_watched(source, "masks")):
        count += 1
        blob = instance(np.where(mask < _NOISE, np.uint8(0), mask))
        if blob is not None:
            track.frames.append(frame)
            track.blobs.append(blob)
    return [track] if track.frames else [], count


def _is_cropped(source: Source) -> bool:
    """Whether a folder's masks are cut to one person already: of several sizes, or filled from top to bottom."""
    sizes, filled = set(), []
    for mask in sources.mask_frames(source):
        sizes.add(mask.shape)
        filled.append((mask[[0, -1]] >= _NOISE).any(axis=1).all())
    return len(sizes) > 1 or bool(np.mean(filled) > 0.5)


def _tracked(source: Source, segment: str, settings: Settings) -> tuple[list[Track], int]:
    """The people of a recording, and its number of frames."""
    tracker, count = Tracker(), 0
    for frame, found in enumerate(_blobs(source, segment, settings)):
        tracker.step(frame, found)
        count += 1
    least = settings.rules.min_frames
    return [track for track in tracker.tracks() if len(track.frames) >= least], count


def _blobs(source: Source, segment: str, settings: Settings) -> Iterator[list[Blob]]:
    """What stands out in each frame of a recording."""
    smallest = max(4, settings.rules.min_height // 2)
    if segment == "masks":
        for mask in _watched(source, "masks"):
            yield blobs(mask > 127, smallest)
    elif segment == "background":
        learned = background.learn(_watched(source, "background"), sources.frame_count(source))
        for frame, picture in enumerate(_watched(source, "people")):
            mask = background.foreground(picture, learned.at(frame), settings.threshold, settings.shadows)
            yield blobs(mask, smallest, picture)
    else:
        cut_out = segmenters.SEGMENTERS[segment](settings.weights)
        for picture in _watched(source, "people"):
            found = [instance(mask, picture) for mask in cut_out(picture)]
            yield [blob for blob in found if blob is not None and blob.box.height >= smallest]


def _watched(source: Source, what: str) -> Iterator[np.ndarray]:
    """The frames of a recording, or its masks, with a progress bar on a terminal."""
    frames = sources.mask_frames(source) if what == "masks" else sources.colour_frames(source)
    with progress.bar(sources.frame_count(source) or None, f"{source.name}: {what}", "frame") as bar:
        for frame in frames:
            yield frame
            bar.update()


def _pieces(part: list[int], settings: Settings) -> list[list[int]]:
    """A walk cut into sequences of about `clip` frames, none shorter than allowed."""
    count = max(1, min(round(len(part) / settings.clip), len(part) // settings.rules.min_frames))
    return [piece.tolist() for piece in np.array_split(part, count)]


def _cuttings(source: Source, found: list[_Person]) -> list[list[np.ndarray]]:
    """For each person the pictures that the contact sheet shows, uint8 [64, 64, 3]."""
    wanted = [
        (track.frames[i], person, i) for person, (track, parts, _) in enumerate(found) for i in sheet.shown(parts)
    ]
    cut: list[list[np.ndarray]] = [[] for _ in found]
    for frame, picture in enumerate(_watched(source, "contact sheet") if wanted else []):
        for _, person, i in (one for one in wanted if one[0] == frame):
            cut[person].append(sheet.cutting(picture, found[person].track.blobs[i].box))
    return cut


# All of them --------------------------------------------------------------------------------------------------


def _dropped(records: list[dict]) -> dict[str, int]:
    """Tracks that are nobody's, by the reason."""
    return dict(Counter(dropped["why"] for record in records for dropped in record["dropped"]))


def _assemble(out: Path, work: Path, records: list[dict], recipe: dict, settings: Settings) -> dict:
    """Put the subjects in their places and write what stands beside."""
    sequences: dict[str, list] = {}
    shown = []
    for number, record in enumerate(records):
        folder = work / f"{number:05d}"
        for person in record["people"]:
            shown.append(Image.open(folder / person.pop("strip")).convert("RGB"))
            for sequence in person["sequences"]:
                file = folder / sequence.pop("file")
                sequences.setdefault(person["subject"], []).append((file, person["type"], sequence))
    sets = partition(sequences, settings.test_share)
    tree = work / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for subject, given in sequences.items():
        for place, (file, type_, sequence) in enumerate(given):
            if not type_ and subject in sets["TEST_SET"]:
                type_ = GALLERY if 2 * place < len(given) else PROBE
            sequence["type"] = type_ or TRAIN
            write_sequence(tree, subject, sequence["type"], sequence["view"], read_array(file))
    summary = {
        "subjects": len(sequences),
        "sequences": sum(map(len, sequences.values())),
        "frames": sum(len(s["frames"]) for given in sequences.values() for _, _, s in given),
        **{name: len(names) for name, names in sets.items()},
        "left_out": dict(sum((Counter(p["left_out"]) for r in records for p in r["people"]), Counter())),
        "dropped": _dropped(records),
        "recordings": records,
    }
    for number, image in enumerate(sheet.pages(shown), start=1):
        target = out.with_name(out.name + (f"-{number}.png" if number > 1 else ".png"))
        image.save(work / target.name)
        (work / target.name).replace(target)
    write_json(out.with_name(f"{out.name}-summary.json"), summary)
    write_json(out.with_name(f"{out.name}.json"), {**sets, "RECIPE": recipe})
    tree.rename(out)
    shutil.rmtree(work)
    return summary


def partition(sequences: dict[str, list], test_share: float) -> dict[str, list[str]]:
    """Who is for training and who for the test; only those with two sequences or more can be for the test."""
    able = [subject for subject in sorted(sequences) if len(sequences[subject]) >= 2]
    count = round(test_share * len(able))
    chosen = {able[int((i + 0.5) * len(able) / count)] for i in range(count)}
    return {
        "TRAIN_SET": [subject for subject in sorted(sequences) if subject not in chosen],
        "TEST_SET": sorted(chosen),
    }


def report_lines(summary: dict, out: Path) -> list[str]:
    """What a summary says, for a person."""
    lines = [
        f"{summary['subjects']} people, {summary['sequences']} sequences, {summary['frames']} frames in {out}: "
        f"{summary['TRAIN_SET']} for training, {summary['TEST_SET']} for the test"
    ]
    if summary["left_out"]:
        told = ", ".join(f"{count} {why}" for why, count in sorted(summary["left_out"].items()))
        lines.append(f"frames left out: {told}")
    for why, count in sorted(summary["dropped"].items()):
        lines.append(f"tracks left out: {count}, {why}")
    lines.append(f"look at {out}.png before you use it; the partition is {out}.json, details in {out}-summary.json")
    return lines
