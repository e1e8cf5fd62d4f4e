"""Distances between embeddings, and what a ranking by them is worth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from opengait_mimic.errors import ConfigError, DataError
from opengait_mimic.method.beyond.weighted import Weights

METRICS = ("euc", "cos")
CELLS_AT_ONCE = 2**22
NOWHERE = np.iinfo(np.int64).max


def distance(
    probe: np.ndarray, gallery: np.ndarray, metric: str = "euc", device="cpu", weights: Weights | None = None
) -> np.ndarray:
    """Distances between clips, the mean over parts of the distance per part.

    Args:
        probe: [n, c, p].
        gallery: [m, c, p].
        metric: "euc", Euclidean, or "cos", 1 - cosine similarity.
        device: to compute on.
        weights: how visible the parts are, see `method.beyond.weighted`; None: all count alike.

    Returns:
        [n, m] float32, never negative. They are computed in double precision, so that the number of threads and
        the kind of device hardly ever change a digit.

    Raises:
        ConfigError: another metric.
        DataError: an embedding is not finite, or the weights are not theirs.
    """
    blocks = [block.cpu().numpy() for _, block in distance_blocks(probe, gallery, metric, device, weights)]
    return np.concatenate(blocks) if blocks else np.zeros((0, len(gallery)), np.float32)


def distance_blocks(
    probe: np.ndarray, gallery: np.ndarray, metric: str = "euc", device="cpu", weights: Weights | None = None
) -> Iterator[tuple[slice, torch.Tensor]]:
    """`distance` in bounded memory: some probes at a time.

    Yields:
        The rows of `probe`, and their distances [b, m] on the device.
    """
    if metric not in METRICS:
        raise ConfigError(f"evaluator_cfg.metric: unknown metric {metric!r}; allowed: {', '.join(METRICS)}")
    if weights is not None:
        weights.check(probe, gallery)
    gallery_parts = _parts(gallery, device)
    rows = max(1, CELLS_AT_ONCE // max(1, len(gallery)))
    for start in range(0, len(probe), rows):
        chosen = slice(start, min(start + rows, len(probe)))
        yield (
            chosen,
            _block(_parts(probe[chosen], device), gallery_parts, metric, weights and weights.rows(chosen, ...)),
        )


def _parts(embeddings: np.ndarray, device) -> torch.Tensor:
    """[n, c, p] -> [p, n, c] float32 on the device."""
    parts = torch.from_numpy(np.asarray(embeddings, dtype=np.float32)).to(device).permute(2, 0, 1).contiguous()
    if not torch.isfinite(parts).all():
        raise DataError("embeddings that are not finite numbers cannot be compared; the network has diverged")
    return parts


def _block(probe: torch.Tensor, gallery: torch.Tensor, metric: str, weights: Weights | None) -> torch.Tensor:
    total = torch.zeros(probe.shape[1], gallery.shape[1], dtype=torch.float64, device=probe.device)
    divisor: torch.Tensor | int = len(probe)
    if weights is not None:
        u, v = (torch.from_numpy(np.asarray(side, dtype=np.float64)).to(probe.device).T.contiguous()  # [p, n]
                for side in (weights.probe, weights.gallery))  # fmt: skip
        divisor = u.T @ v + len(probe) * weights.epsilon
    for part, (x, y) in enumerate(zip(probe.double(), gallery.double(), strict=True)):
        if metric == "euc":
            apart = torch.cdist(x, y, compute_mode="use_mm_for_euclid_dist")
        else:
            apart = 1 - F.normalize(x, dim=1) @ F.normalize(y, dim=1).T
        if weights is not None:
            apart *= torch.outer(u[part], v[part]).add_(weights.epsilon)
        total += apart
    return (total / divisor).clamp_(min=0).float()


class Ranking(NamedTuple):
    """What each of b probes finds in a gallery sorted by distance; equal distances keep the gallery's order.

    Attributes:
        matches: [b] int64, sequences of its identity.
        first: [b] int64 place of the nearest of them, from 0; NOWHERE where there is none.
        precision: [b] float64 average precision, the mean over its matches of the share of matches up to there.
        penalty: [b] float64 inverse negative penalty, the share of matches up to the last one.

    The last two are NaN where there is no match.
    """

    matches: np.ndarray
    first: np.ndarray
    precision: np.ndarray
    penalty: np.ndarray


def rank(distances: torch.Tensor, matches: torch.Tensor, removed: torch.Tensor | None = None) -> Ranking:
    """Rank a gallery for each probe.

    Args:
        distances: [b, m], m at least 1.
        matches: [b, m] bool, of the same identity and not removed.
        removed: [b, m] bool, not in that probe's gallery; None where everything is.

    Returns:
        The ranking of b probes.
    """
    if removed is not None:
        distances = distances.masked_fill(removed, torch.inf)
    hits = matches.gather(1, distances.argsort(dim=1, stable=True))
    rows, places = (indices.cpu().numpy() for indices in hits.nonzero(as_tuple=True))
    count = np.bincount(rows, minlength=len(distances))
    found, ends = count > 0, count.cumsum()
    first = np.full(len(count), NOWHERE)
    first[found] = places[(ends - count)[found]]
    precision, penalty = np.full((2, len(count)), np.nan)
    nth = np.arange(1, len(rows) + 1) - (ends - count)[rows]
    precision[found] = np.bincount(rows, nth / (places + 1), len(count))[found] / count[found]
    penalty[found] = count[found] / (places[ends[found] - 1] + 1)
    return Ranking(count, first, precision, penalty)


def hits_at(first: np.ndarray, ranks: int) -> np.ndarray:
    """[b, ranks] bool, whether the first match is within rank 1, 2, …

    Args:
        first: [b] places from 0, see `Ranking`.
    """
    return first[:, None] < np.arange(1, ranks + 1)
