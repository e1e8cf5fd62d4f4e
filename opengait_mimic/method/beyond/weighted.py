"""Visibility-weighted matching: parts count by how visible they are on both sides.

D(x, y) = Σ_p w_p d_p / Σ_p w_p with w_p = u_p v_p + ε, where u_p and v_p are the visibilities of part p in the two
clips and d_p is the distance of that part, Euclidean or 1 - cosine: the host's distance is the case of equal weights.
ε keeps D near the plain mean over parts where hardly any part is visible on both sides, and makes it that where none
is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from opengait_mimic.errors import ConfigError, DataError
from opengait_mimic.method.ven import Visibility

EPSILON = 0.05
PYRAMID = (16, 8, 4, 2, 1)


@dataclass(frozen=True)
class Weighting:
    """`evaluator_cfg.weighted`.

    Attributes:
        epsilon: ε, above 0.
        bins: the horizontal pyramid of the embedding's parts; None takes the backbone's.
    """

    epsilon: float = EPSILON
    bins: tuple[int, ...] | None = None


class Weights(NamedTuple):
    """How visible the parts of clips are.

    Attributes:
        probe: [n, p], 0–1.
        gallery: [m, p], 0–1.
        epsilon: ε.
    """

    probe: np.ndarray
    gallery: np.ndarray
    epsilon: float = EPSILON

    def rows(self, probes, gallery) -> Weights:
        """Those of some rows on either side."""
        return Weights(self.probe[probes], self.gallery[gallery], self.epsilon)

    def check(self, probe: np.ndarray, gallery: np.ndarray) -> None:
        """Refuse weights that are not those of embeddings [n, c, p] and [m, c, p].

        Raises:
            DataError: another number of clips or parts, or values beyond 0–1.
        """
        for visible, embeddings in ((self.probe, probe), (self.gallery, gallery)):
            wanted = (embeddings.shape[0], embeddings.shape[2])
            if visible.shape != wanted:
                raise DataError(f"visibility {list(visible.shape)} is not that of {list(wanted)} clips, parts")
            if not ((visible >= 0) & (visible <= 1)).all():
                raise DataError("visibility of parts is a number from 0 to 1")


def part_bins(model_cfg: dict, parts: int, bins: Sequence[int] | None = None) -> tuple[int, ...]:
    """The horizontal pyramid of a backbone: into how many equally high parts each of its levels cuts the frame.

    Args:
        model_cfg: the backbone's; `bin_num` in it is taken, once or for several maps one after another (GaitSet).
        parts: p, those of its embeddings.
        bins: what the user gives; must add up to p.

    Returns:
        Numbers of parts by level, which follow each other in an embedding.

    Raises:
        ConfigError: they do not add up, or cannot be derived.
    """
    if bins is not None:
        if sum(bins) != parts:
            raise ConfigError(f"evaluator_cfg: weighted: bins: {list(bins)} are {sum(bins)} parts, not {parts}")
        return tuple(bins)
    if model_cfg.get("model") == "GaitGL" and parts == 64:
        return (32, 32)  # the global map's rows, then the local one's
    named = model_cfg.get("bin_num")
    for pyramid in ([tuple(named)] if isinstance(named, list) else []) + [PYRAMID]:
        if sum(pyramid) and parts % sum(pyramid) == 0:
            return pyramid * (parts // sum(pyramid))
    if parts & (parts - 1) == 0:  # one level
        return (parts,)
    raise ConfigError(
        f"evaluator_cfg: weighted: which rows are the {parts} parts of {model_cfg.get('model')}? "
        "give bins, such as {bins: [16, 8, 4, 2, 1]}"
    )


def strips_to_parts(bins: Sequence[int], strips: int) -> torch.Tensor:
    """[p, t] the mean over the VEN's t parts that gives each embedding part's visibility, by the rows they share."""
    lows, highs = (
        torch.cat([(torch.arange(count) + end) / count for count in bins])[:, None] * strips for end in (0.0, 1.0)
    )
    strip = torch.arange(strips)
    shared = (torch.minimum(highs, strip + 1.0) - torch.maximum(lows, strip)).clamp(min=0)
    return shared / shared.sum(1, keepdim=True)


def parts_visibility(seen: Visibility, strips: torch.Tensor) -> torch.Tensor:
    """The visible shares of the parts of n clips' embeddings.

    Args:
        seen: what a VEN with the task "parts" predicted.
        strips: [p, t], of `strips_to_parts`.

    Returns:
        [n, p] float32, 0–1.
    """
    assert seen.part_logits is not None
    return (seen.part_logits.float().sigmoid() @ strips.T).clamp(0, 1)
