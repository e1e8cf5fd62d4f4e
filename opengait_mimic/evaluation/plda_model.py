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


class TrainedPLDA(NamedTuple):
    """A model of identities with what it belongs to, as a file keeps it.

    Attributes:
        identities: the model. kinds: [k] names of its classes.
        fingerprint: of the network whose embeddings it models (`inference.Model.fingerprint`); "" where that is not
            known.
    """

    plda: PLDA
    kinds: tuple[str, ...]
    fingerprint: str

    def statistics(self, embeddings: np.ndarray, kinds: Iterable[str]) -> IdentityStatistics:
        """What clips tell of identities: embeddings [n, c, p], and the name of each clip's kind.

        Raises:
            DataError: a kind that the model does not know, or embeddings of another size.
        """
        kinds = [str(kind) for kind in kinds]
        unknown = [kind for kind in dict.fromkeys(kinds) if kind not in self.kinds]
        if unknown:
            raise DataError(f"likelihood: kind {unknown[0]!r} is not one of {', '.join(self.kinds)}")
        classes = np.array([self.kinds.index(kind) for kind in kinds], dtype=np.int64)
        directions = self.plda.vectors.directions
        fits = (
            self.plda.mean.shape[1] == embeddings.shape[1] * embeddings.shape[2]
            if directions is None
            else directions.shape[:2] == (embeddings.shape[2], embeddings.shape[1])
        )
        if not fits:
            raise DataError(f"likelihood: the model is not one of embeddings {list(embeddings.shape[1:])}")
        return self.plda.statistics(embeddings, classes)


_ARRAYS = {"format": ("iu", 0), "metric": ("U", 0), "directions": ("f", 3), "mean": ("f", 2), "projection": ("f", 3),
           "precision": ("f", 3), "known": ("b", 1), "kinds": ("U", 1), "fingerprint": ("U", 0)}  # fmt: skip


def write_plda(path: str | Path, learned: TrainedPLDA) -> None:
    """Write a model of identities: an .npz of plain arrays, which appears whole or not at all."""
    vectors, mean, projection, precision, known = learned.plda
    directions = np.zeros((0, 0, 0)) if vectors.directions is None else vectors.directions
    with whole(Path(path)) as stream:
        np.savez(
            stream, format=FORMAT, metric=vectors.metric, directions=directions, mean=mean, projection=projection,
            precision=precision, known=known, kinds=np.array(learned.kinds, dtype=str),
            fingerprint=learned.fingerprint,
        )  # type: ignore[arg-type]  # fmt: skip


def read_plda(path: str | Path) -> TrainedPLDA:
    """A model of identities as `write_learned` wrote it; nothing in it is unpickled.

    Raises:
        DataError: it cannot be read, or is something else.
    """
    found = read_arrays(path, "model of identities")
    if not have(found, _ARRAYS):
        raise DataError(f"{path}: not a model of identities")
    if int(found["format"]) != FORMAT:
        raise DataError(f"{path}: a model of identities of another version")
    mean, projection, precision, directions = (found[n] for n in ("mean", "projection", "precision", "directions"))
    models, q, known = len(found["kinds"]) + 1, precision.shape[-1], found["known"]
    shapes = (len(mean), projection.shape, precision.shape, known.shape)
    right = shapes == (models, (*mean.shape, q), (models, q, q), (models - 1,))
    parts, _, kept = directions.shape
    if not right or str(found["metric"]) not in METRICS or (directions.size and parts * kept != mean.shape[1]):
        raise DataError(f"{path}: not a model of identities")
    if not all(np.isfinite(found[name]).all() for name in ("mean", "projection", "precision", "directions")):
        raise DataError(f"{path}: numbers that are not finite")
    vectors = Vectors(str(found["metric"]), directions if directions.size else None)
    identities = PLDA(vectors, mean, projection, precision, known)
    return TrainedPLDA(identities, tuple(found["kinds"].tolist()), str(found["fingerprint"]))
