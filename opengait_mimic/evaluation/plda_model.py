"""The PLDA model in a file, with the network that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from opengait_mimic.data.files import have, read_arrays, whole
from opengait_mimic.errors import DataError
from opengait_mimic.evaluation.ranking import METRICS
from opengait_mimic.method.beyond.plda import PLDA, IdentityStatistics, Vectors

FORMAT = 1
_NUMBERS = {"directions": ("f", 3), "mean": ("f", 2), "projection": ("f", 3), "precision": ("f", 3)}
_ARRAYS = {"format": ("iu", 0), "metric": ("U", 0), **_NUMBERS, "known": ("b", 1), "kinds": ("U", 1),
           "fingerprint": ("U", 0)}  # fmt: skip


class TrainedPLDA(NamedTuple):
    """A PLDA model with what it belongs to, as a file keeps it.

    Attributes:
        plda: the model.
        kinds: [k] names of its classes.
        fingerprint: of the network whose embeddings it models (`inference.Model.fingerprint`); "" where that is not
            known.
    """

    plda: PLDA
    kinds: tuple[str, ...]
    fingerprint: str

    def statistics(self, embeddings: np.ndarray, kinds: Iterable[str]) -> IdentityStatistics:
        """The statistics of clips for their identities.

        Args:
            embeddings: [n, c, p].
            kinds: n names of the occlusion types that the VEN predicts.

        Returns:
            Those of n clips.

        Raises:
            DataError: a type that the model does not know, or embeddings of another size.
        """
        kinds = [str(kind) for kind in kinds]
        unknown = [kind for kind in kinds if kind not in self.kinds]
        if unknown:
            raise DataError(f"likelihood: kind {unknown[0]!r} is not one of {', '.join(self.kinds)}")
        classes = np.array([self.kinds.index(kind) for kind in kinds], dtype=np.int64)
        channels, parts = embeddings.shape[1:]
        directions = self.plda.vectors.directions
        known = self.plda.mean.shape[1:] if directions is None else directions.shape[:2]
        if known != ((channels * parts,) if directions is None else (parts, channels)):
            raise DataError(f"likelihood: the model is not one of embeddings {[channels, parts]}")
        return self.plda.statistics(embeddings, classes)


def write_plda(path: str | Path, trained: TrainedPLDA) -> None:
    """Write a PLDA model: an .npz of plain arrays, written completely or not at all."""
    arrays = {**trained.plda.vectors._asdict(), **trained.plda._asdict(), "fingerprint": trained.fingerprint}
    del arrays["vectors"]
    if arrays["directions"] is None:
        arrays["directions"] = np.zeros((0, 0, 0))
    with whole(Path(path)) as stream:
        np.savez(stream, format=FORMAT, kinds=np.array(trained.kinds, dtype=str), **arrays)


def read_plda(path: str | Path) -> TrainedPLDA:
    """A PLDA model as `write_plda` wrote it; nothing in it is unpickled.

    Raises:
        DataError: it cannot be read, or is something else.
    """
    found = read_arrays(path, "model of identities")
    if not have(found, _ARRAYS):
        raise DataError(f"{path}: not a model of identities")
    if int(found["format"]) != FORMAT:
        raise DataError(f"{path}: a model of identities of another version")
    directions, mean, projection, precision = (found[name] for name in _NUMBERS)
    metric, known, (models, size), q = str(found["metric"]), found["known"], mean.shape, precision.shape[-1]
    shapes = (len(found["kinds"]), *known.shape, projection.shape, precision.shape)
    right = shapes == (models - 1, models - 1, (models, size, q), (models, q, q)) and metric in METRICS
    if not right or (directions.size and directions.shape[0] * directions.shape[2] != size):
        raise DataError(f"{path}: not a model of identities")
    if not all(np.isfinite(found[name]).all() for name in _NUMBERS):
        raise DataError(f"{path}: numbers that are not finite")
    vectors = Vectors(metric, directions if directions.size else None)
    model = PLDA(vectors, mean, projection, precision, known)
    return TrainedPLDA(model, tuple(found["kinds"].tolist()), str(found["fingerprint"]))
