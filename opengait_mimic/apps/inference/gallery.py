"""Embedded clips in a file, with who is in them and which model embedded them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from opengait_mimic.apps.inference.model import Model
from opengait_mimic.data.files import have, read_arrays, whole
from opengait_mimic.data.read import read_frames
from opengait_mimic.errors import DataError
from opengait_mimic.evaluation.plda_model import TrainedPLDA
from opengait_mimic.evaluation.ranking import distance_blocks
from opengait_mimic.method.beyond.plda import PLDAMatching
from opengait_mimic.method.beyond.weighted import Weights

if TYPE_CHECKING:
    import torch

FORMAT = 1
PAIRED = 5000  # clips of a gallery that are compared with each other for a threshold


class Clip(NamedTuple):
    """A sequence on disk.

    Attributes:
        subject: who is in it, "" where that is not known.
        name: of the sequence.
        path: of its pickled silhouettes.
    """

    subject: str
    name: str
    path: Path


@dataclass(frozen=True)
class Gallery:
    """m embedded clips.

    Attributes:
        fingerprint: of the model that embedded them.
        metric: how it compares embeddings.
        embeddings: [m, c, p] float32.
        subjects: [m] str, who is in each clip.
        names: [m] str, which sequence it is.
        kind: [m] str, what the VEN takes the occlusion for; "" where the model does not say.
        amount: [m] float32, the hidden fraction; NaN where the model does not say.
        visibility: [m, p] float32, how visible each horizontal part is; [m, 0] (or None) where parts are not weighted.
        weighted: ε of visibility-weighted matching; 0 where parts are not weighted.
    """

    fingerprint: str
    metric: str
    embeddings: np.ndarray
    subjects: np.ndarray
    names: np.ndarray
    kind: np.ndarray
    amount: np.ndarray
    visibility: np.ndarray | None = None
    weighted: float = 0.0

    def __post_init__(self):
        if self.visibility is None:
            object.__setattr__(self, "visibility", np.zeros((len(self.names), 0), np.float32))

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, rows) -> Gallery:
        return replace(self, **{name: getattr(self, name)[rows] for name in _COLUMNS})

    def weights(self, probe: Gallery) -> Weights | None:
        """How visible the parts of some probes are, and those of this gallery; None where parts are not weighted."""
        if not self.weighted:
            return None
        assert probe.visibility is not None and self.visibility is not None
        return Weights(probe.visibility, self.visibility, self.weighted)


_COLUMNS = ("embeddings", "subjects", "names", "kind", "amount", "visibility")
_ARRAYS = {"format": ("iu", 0), "fingerprint": ("U", 0), "metric": ("U", 0), "embeddings": ("f", 3),
           "subjects": ("U", 1), "names": ("U", 1), "kind": ("U", 1), "amount": ("f", 1), "visibility": ("f", 2),
           "weighted": ("f", 0)}  # fmt: skip


def find_clips(path: str | Path, types: Sequence[str] = ()) -> list[Clip]:
    """Sequences on disk, in the order of their names.

    Args:
        path: a data set in OpenGait's layout, <subject>/<type>/<view>/*.pkl, of whose views the first file counts;
            another folder with *.pkl somewhere below; or one such file.
        types: those wanted of a data set; by default all.

    Returns:
        The sequences.

    Raises:
        DataError: there is none.
    """
    path = Path(path)
    if path.is_file():
        return [Clip("", str(path), path)]
    if not path.is_dir():
        raise DataError(f"no such file or folder: {path}")
    files: dict[Path, Path] = {}  # by view: the first stream holds the silhouettes, as in training
    for file in sorted(path.glob("*/*/*/*.pkl")):
        files.setdefault(file.parent, file)
    clips = [
        Clip(view.parts[-3], "/".join(view.parts[-3:]), file)
        for view, file in files.items()
        if not types or view.parts[-2] in types
    ]
    if files and not clips:
        raise DataError(f"{path}: no sequence of type {', '.join(types)}")
    clips = clips or [Clip("", str(file), file) for file in sorted(path.rglob("*.pkl"))]
    if not clips:
        raise DataError(f"{path}: no silhouettes (*.pkl) in it")
    return clips


def embed_clips(model: Model, clips: Sequence[Clip], progress: Callable[[], object] = lambda: None) -> Gallery:
    """Read and embed sequences, one at a time.

    Args:
        model: what embeds them.
        clips: at least one.
        progress: called after each.

    Returns:
        The embedded clips, in the same order.

    Raises:
        DataError: a file that cannot be read or embedded.
    """
    found = []
    for clip in clips:
        sils = read_frames(clip.path)
        if sils.ndim != 3:
            raise DataError(f"{clip.path}: expected silhouettes [s, h, w], found {list(sils.shape)}")
        found.append(model.embed(sils, [str(clip.path)]))
        progress()
    return Gallery(
        model.fingerprint,
        model.metric,
        np.concatenate([one.embeddings for one in found]),
        np.array([clip.subject for clip in clips], dtype=str),
        np.array([clip.name for clip in clips], dtype=str),
        np.array([one.kind[0] if one.kind else "" for one in found], dtype=str),
        np.array([np.nan if one.amount is None else one.amount[0] for one in found], np.float32),
        np.concatenate([np.zeros((1, 0), np.float32) if one.visibility is None else one.visibility for one in found]),
        model.weighted or 0.0,
    )


def joined(gallery: Gallery, added: Gallery) -> Gallery:
    """Both; a sequence of the same name is replaced.

    Raises:
        DataError: they were embedded by different models.
    """
    refuse_another_model(added.fingerprint, gallery, "the gallery")
    old = gallery[~np.isin(gallery.names, added.names)]
    columns: dict[str, Any] = {name: np.concatenate([getattr(old, name), getattr(added, name)]) for name in _COLUMNS}
    return replace(gallery, **columns)


def refuse_another_model(fingerprint: str, gallery: Gallery, where: str | Path) -> None:
    """Refuse to compare embeddings of two models.

    Raises:
        DataError: the gallery was embedded by another one.
    """
    if fingerprint != gallery.fingerprint:
        raise DataError(
            f"{where} was embedded by another model ({gallery.fingerprint[:12]}…, not {fingerprint[:12]}…); "
            "embed both with one"
        )


def write_gallery(path: str | Path, gallery: Gallery) -> None:
    """Write a gallery file: an .npz of plain arrays, which appears whole or not at all."""
    with whole(Path(path)) as stream:
        np.savez(stream, format=FORMAT, **{field.name: getattr(gallery, field.name) for field in fields(Gallery)})


def read_gallery(path: str | Path) -> Gallery:
    """A gallery file as `write_gallery` wrote it; nothing in it is unpickled.

    Raises:
        DataError: it cannot be read, or is something else.
    """
    arrays = read_arrays(path, "gallery")
    if "names" in arrays and "weighted" not in arrays:  # written before there was weighted matching
        arrays |= {"visibility": np.zeros((arrays["names"].size, 0), np.float32), "weighted": np.zeros(())}
    if not have(arrays, _ARRAYS):
        raise DataError(f"{path}: not a gallery file")
    if int(arrays.pop("format")) != FORMAT:
        raise DataError(f"{path}: a gallery file of another version")
    columns = {name: arrays[name] for name in _COLUMNS}
    if len({len(column) for column in columns.values()}) > 1:
        raise DataError(f"{path}: not a gallery file")
    return Gallery(str(arrays["fingerprint"]), str(arrays["metric"]), **columns, weighted=float(arrays["weighted"]))


def compared(
    probe: Gallery, gallery: Gallery, plda: TrainedPLDA | None = None, subject_level: bool = False
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Distances of some clips to a gallery's: by log-likelihood ratio with a PLDA model, else as their model compares.

    Args:
        probe: n clips.
        gallery: m clips.
        plda: the PLDA model; None for the plain distance.
        subject_level: whether all clips of a subject count, see `method.beyond.plda.PLDAMatching`.

    Yields:
        Rows of `probe`, and their distances [b, m].

    Raises:
        DataError: the PLDA model is of another network.
    """
    if plda is None:
        weights = gallery.weights(probe)
        yield from distance_blocks(probe.embeddings, gallery.embeddings, gallery.metric, weights=weights)
        return
    if plda.fingerprint != gallery.fingerprint:
        raise DataError("the model of identities was learned from embeddings of another model")
    ours, theirs = (plda.statistics(side.embeddings, side.kind) for side in (probe, gallery))
    who = np.unique(gallery.subjects, return_inverse=True)[1]
    yield from PLDAMatching(ours, theirs, subject_level).blocks(np.arange(len(probe)), np.arange(len(gallery)), who)


def nearest_by_likelihood(
    probe: Gallery, gallery: Gallery, plda: TrainedPLDA, count: int
) -> list[list[tuple[float, int]]]:
    """The nearest subjects of a gallery to each clip by subject-level matching with PLDA.

    Args:
        probe: n clips.
        gallery: m clips, whose subjects are sought.
        plda: the PLDA model.
        count: k, how many subjects.

    Returns:
        As `search.nearest_subjects` gives them.
    """
    ranked = []
    for _, block in compared(probe, gallery, plda, subject_level=True):
        for row in block.numpy():
            nearest = np.argsort(row, kind="stable")
            first = np.sort(np.unique(gallery.subjects[nearest], return_index=True)[1])[:count]
            ranked.append([(float(row[place]), int(place)) for place in nearest[first]])
    return ranked


class Threshold(NamedTuple):
    """Where to draw the line between same and different.

    Attributes:
        value: two clips are of the same subject where their distance is smaller.
        far: the share of impostor pairs that this accepts, at most the one asked for.
        pairs: how many there are.
    """

    value: float
    far: float
    pairs: int


def threshold(gallery: Gallery, far: float, plda: TrainedPLDA | None = None) -> Threshold:
    """The largest threshold at which at most a share `far` of a gallery's impostor pairs is accepted.

    Impostor pairs are two clips of different subjects. Of a gallery of more than PAIRED clips, that many at even
    distances are compared.

    Args:
        gallery: m clips of several subjects.
        far: false accept rate, 0–1.
        plda: the PLDA model that compares clips; None for the plain distance.

    Returns:
        The threshold, what it accepts and the number of pairs.

    Raises:
        DataError: too few pairs to tell this rate.
    """
    if len(gallery) > PAIRED:
        gallery = gallery[np.linspace(0, len(gallery) - 1, PAIRED).round().astype(int)]
    people, impostors = np.unique(gallery.subjects, return_inverse=True)[1], []
    for rows, block in compared(gallery, gallery, plda):
        later = np.arange(rows.start, rows.stop)[:, None] < np.arange(len(gallery))
        impostors.append(block.numpy()[later & (people[rows, None] != people)])
    impostors = np.sort(np.concatenate(impostors)) if impostors else np.zeros(0, np.float32)
    pairs = len(impostors)
    allowed = int(np.floor(far * pairs + 1e-6))
    if not pairs or (far > 0 and not allowed):
        raise DataError(f"a gallery with {pairs} impostor pairs cannot tell a FAR of {far:g}; enroll more subjects")
    if allowed >= pairs:
        return Threshold(float("inf"), 1.0, pairs)
    value = impostors[allowed]
    return Threshold(float(value), float(np.searchsorted(impostors, value) / pairs), pairs)
