"""Visibility-weighted matching: parts count by how visible they are on both sides.

D(x, y) = Σ_p w_p d_p / Σ_p w_p with w_p = u_p v_p + ε, where u_p and v_p are the visibilities of part p in the two
clips and d_p is the distance of that part, Euclidean or 1 - cosine: the host's distance is the case of equal weights.
ε keeps D near the plain mean over parts where hardly any part is visible on both sides, and makes it that where none
is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from opengait_mimic.errors import ConfigError, DataError, shown
from opengait_mimic.method.beyond.matching import switched

EPSILON = 0.05


@dataclass(frozen=True)
class Weighting:
    """`evaluator_cfg.weighted`.

    Attributes:
        epsilon: ε, above 0. bins: the horizontal pyramid of the embedding's parts; None where the backbone tells.
    """

    epsilon: float = EPSILON
    bins: tuple[int, ...] | None = None


class Weights(NamedTuple):
    """How visible the parts of clips are.

    Attributes:
        probe: [n, p], 0–1. gallery: [m, p], 0–1. epsilon: ε.
    """

    probe: np.ndarray
    gallery: np.ndarray
    epsilon: float = EPSILON

    def of(self, probes, gallery) -> Weights:
        """Those of some rows on either side."""
        return Weights(self.probe[probes], self.gallery[gallery], self.epsilon)

    def check(self, probe: np.ndarray, gallery: np.ndarray) -> None:
        """Refuse weights that are not those of embeddings [n, c, p] and [m, c, p].

        Raises:
            DataError: another number of clips or parts, or values beyond 0–1.
        """
        for seen, embeddings in ((self.probe, probe), (self.gallery, gallery)):
            wanted = (embeddings.shape[0], embeddings.shape[2])
            if seen.shape != wanted:
                raise DataError(f"visibility {list(seen.shape)} does not fit embeddings of {list(wanted)} clips, parts")
            if not ((seen >= 0) & (seen <= 1)).all():
                raise DataError("visibility of parts is a number from 0 to 1")


def weighting(value: object, where: str = "evaluator_cfg: weighted") -> Weighting | None:
    """Check and read `evaluator_cfg.weighted`: true, false, or a mapping with epsilon and bins.

    Raises:
        ConfigError: anything else.
    """
    asked = switched(value, Weighting.__dataclass_fields__, where)
    if asked is None:
        return None
    epsilon, bins = asked.get("epsilon", EPSILON), asked.get("bins")
    if isinstance(epsilon, bool) or not isinstance(epsilon, (int, float)) or not 0 < epsilon <= 1:
        raise ConfigError(f"{where}: epsilon: {shown(epsilon)} is not a number above 0 and at most 1")
    if bins is not None and not (isinstance(bins, list) and bins and all(_is_count(b) for b in bins)):
        raise ConfigError(f"{where}: bins: {shown(bins)} is not a list of whole numbers from 1")
    return Weighting(float(epsilon), None if bins is None else tuple(bins))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1024
