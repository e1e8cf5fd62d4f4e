"""Evaluate embeddings: every probe's ranks, precision and verification, and the scores they add up to.

Verification asks of each admissible pair of probe and gallery clip (those the ranking compares) whether it is
accepted as one identity. At a false accept rate f, a pair is accepted where no more than the share f of the
condition's impostor pairs are at its distance or nearer: the threshold is as large as f allows, and a pair as far
as the first impostor too many is refused. Distances whose float32 numbers agree in sign, exponent and the first 16
binary digits (they differ by less than 1 part in 65,536) count as equal here, so that any number of pairs can be
counted in one pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch

from opengait_mimic.errors import DataError
from opengait_mimic.evaluation.protocols import Comparison, Protocol
from opengait_mimic.evaluation.ranking import Ranking, distance_blocks, hits_at, rank
from opengait_mimic.method.beyond.plda import PLDAMatching
from opengait_mimic.method.beyond.weighted import Weights

FARS = (0.1, 0.01, 0.001)
RANKS = (1, 5, 10, 20)
MOST_RANKS = 50
ROC_FARS = np.logspace(-4, 0, 197)  # 49 steps per decade, so that FARS are among them
_UNUSED_BITS = 7  # of a float32's 23 binary digits


class Roc(NamedTuple):
    """Both are empty where there is no genuine or no impostor pair.

    Attributes:
        far: [q] false accept rates, log-spaced from 1e-4 to 1.
        tar: [q] true accept rates, 0–1, formed like TAR@FAR.
    """

    far: np.ndarray
    tar: np.ndarray


NO_ROC = Roc(np.zeros(0), np.zeros(0))


@dataclass(frozen=True)
class Condition:
    """The probes of one condition, or of several together, and their ranks, precision and verification.

    A score is weights @ column; `per_probe` has every score's column and weights. Where a probe takes part in several
    comparisons (cells of two views), its values are their means.

    Attributes:
        probes: [k] int64 rows of the test set that are scored, ascending within a condition.
        weights: [k] float64, sum 1: each probe's part in Rank-k.
        match_weights: [k] float64, sum 1 (or all 0): each probe's part in mAP, mINP and TAR; 0 for probes
            without a match.
        hits: [k, r] float32, whether its identity is within rank 1…r, r = min(50, gallery size).
        precision: [k] float64 average precision; NaN without a match.
        penalty: [k] float64 inverse negative penalty; NaN without a match.
        accepted: [k, f] float64 share of the probe's genuine pairs accepted at each of FARS. NaN without a match
            or without any impostor.
        roc: of the whole condition; empty for a part of one.
    """

    probes: np.ndarray
    weights: np.ndarray
    match_weights: np.ndarray
    hits: np.ndarray
    precision: np.ndarray
    penalty: np.ndarray
    accepted: np.ndarray
    roc: Roc

    def part(self, chosen: np.ndarray) -> Condition:
        """Some of the probes, their weights in the same proportions.

        Args:
            chosen: [k] bool, or the positions in `probes`; at least one.

        Returns:
            Their condition, without a ROC.
        """
        columns = {name: getattr(self, name)[chosen] for name in _COLUMNS}
        return replace(self, **_weights_sum_to_one(columns), roc=NO_ROC)


_COLUMNS = tuple(field.name for field in fields(Condition) if field.name != "roc")


@dataclass(frozen=True)
class Recognition:
    """The scores of a test set.

    Attributes:
        conditions: {name: condition}; the name is "" where the protocol has one without a name.
        headline: the mean of the protocol's headline conditions, as one condition.
    """

    conditions: dict[str, Condition]
    headline: Condition


def evaluate_embeddings(
    probe: np.ndarray,
    gallery: np.ndarray,
    labels,
    types,
    views,
    protocol: Protocol,
    metric: str = "euc",
    device="cpu",
    weights: Weights | PLDAMatching | None = None,
) -> Recognition:
    """Compare probes with galleries as a protocol says.

    Args:
        probe: [n, c, p] embeddings of the whole test set; those of probes are used.
        gallery: [n, c, p] embeddings of the same clips in the same order; those of galleries are used. May be the
            same array.
        labels: n identities, as strings.
        types: n walking types, as strings.
        views: n views, as strings.
        protocol: what is compared with what, see `evaluation.protocols.protocol`.
        metric: "euc" or "cos", see `ranking.distance`.
        device: to compute on.
        weights: how visible the parts of all n clips are, on either side; or the `PLDAMatching` of all n clips on
            either side, in place of a distance; None is the plain distance.

    Returns:
        What `scores` makes scores of, by condition and for the headline.

    Raises:
        ConfigError: another metric.
        DataError: the test set lacks what the protocol compares, an embedding is not finite, or no probe that counts
            is left.

    Example:
        Two subjects with a clip each in the gallery (type 01) and one among the probes (02), one part of one channel:

        >>> from opengait_mimic.evaluation.protocols import protocol
        >>> embeddings = np.array([0.0, 5.0, 1.0, 2.0]).reshape(4, 1, 1)
        >>> names = ["a", "b", "a", "b"], ["01", "01", "02", "02"], ["000"] * 4
        >>> found = evaluate_embeddings(embeddings, embeddings, *names, protocol("GREW"))
        >>> scores(found.headline)["Rank-1"], scores(found.headline)["mAP"]
        (50.0, 75.0)
    """
    clips = Clips(probe, gallery, codes(labels), codes(protocol.view_names(views)), metric, device, weights)
    conditions = {}
    for name, group in groupby(protocol.comparisons(labels, types, views), key=lambda c: c.condition):
        condition = _condition(list(group), clips)
        if condition is not None:
            conditions[name] = condition
    headline = [conditions[name] for name in protocol.headline if name in conditions]
    if not headline:
        raise DataError(f"{protocol.dataset}: no probe has a sequence of the same subject in the gallery")
    return Recognition(conditions, headline[0] if len(headline) == 1 else _together(headline))


class Clips(NamedTuple):
    """The n clips of a test set as they are compared, see `evaluate_embeddings`; labels and views as `codes`."""

    probe: np.ndarray
    gallery: np.ndarray
    labels: np.ndarray
    views: np.ndarray
    metric: str = "euc"
    device: torch.device | str = "cpu"
    weights: Weights | PLDAMatching | None = None


def rank_comparison(comparison: Comparison, clips: Clips, pairs: Pairs | None = None) -> Ranking:
    """Rank the gallery of one comparison for each of its k probes.

    Args:
        comparison: of the protocol.
        clips: of the test set.
        pairs: counts the pairs compared, for verification.

    Returns:
        The ranking of k probes.
    """
    probes, others = comparison.probes, comparison.gallery
    _, _, labels, views, _, device, _ = clips
    gallery_labels, gallery_views = (torch.from_numpy(names[others]).to(device) for names in (labels, views))
    if isinstance(clips.weights, PLDAMatching):
        blocks = clips.weights.blocks(probes, others, labels, views if comparison.same_view_removed else None, device)
    else:
        weights = clips.weights and clips.weights.rows(probes, others)
        blocks = distance_blocks(clips.probe[probes], clips.gallery[others], clips.metric, device, weights)
    rankings = []
    for rows, distances in blocks:
        chosen = probes[rows]
        same = torch.from_numpy(labels[chosen, None]).to(device) == gallery_labels
        genuine, removed = same, None
        if comparison.same_view_removed:
            removed = same & (torch.from_numpy(views[chosen, None]).to(device) == gallery_views)
            genuine = same & ~removed
        rankings.append(rank(distances, genuine, removed))
        if pairs is not None:
            pairs.add(chosen, distances, genuine, ~same)
    return Ranking(*(np.concatenate(columns) for columns in zip(*rankings, strict=True)))


def codes(names) -> np.ndarray:
    """[n] int64 in place of n names, equal where the names are."""
    return np.unique([str(name) for name in names], return_inverse=True)[1]


def per_probe(condition: Condition) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Each score's values, 0–1, and weights by probe: {"Rank-1": ([k], [k]), …}; for `statistics`.

    Values that are not defined are 0 and have weight 0. A score of which no value is defined is left out.
    """
    columns = {f"Rank-{r}": (at_ranks(condition.hits, (r,))[:, 0], condition.weights) for r in RANKS}
    columns["mAP"] = (condition.precision, condition.match_weights)
    columns["mINP"] = (condition.penalty, condition.match_weights)
    for far, accepted in zip(FARS, condition.accepted.T, strict=True):
        columns[f"TAR@{far:g}"] = (accepted, condition.match_weights)
    known = {}
    for name, (values, weights) in columns.items():
        weights = _sum_to_one(np.where(np.isnan(values), 0.0, weights))
        if weights.any():
            known[name] = (np.nan_to_num(values, nan=0.0).astype(np.float64), weights)
    return known


def scores(condition: Condition) -> dict[str, float]:
    """Rank-1, -5, -10 and -20, mAP, mINP and TAR at each of FARS, in percent.

    mAP, mINP and TAR are left out where no probe has a match, TAR also where there is no impostor.
    """
    return {name: float(100 * (weights @ values)) for name, (values, weights) in per_probe(condition).items()}


def at_ranks(hits: np.ndarray, ranks: Iterable[int] = RANKS) -> np.ndarray:
    """Columns of `Condition.hits`: [k, r] -> [k, number of ranks]; beyond the gallery's size, the last."""
    return hits[:, [min(r, hits.shape[1]) - 1 for r in ranks]]


def recognition_table(recognition: Recognition) -> str:
    """The scores as text: a row for each condition, and one for the headline."""
    rows = {name or "all": scores(c) for name, c in recognition.conditions.items()}
    if len(rows) > 1:
        rows["headline"] = scores(recognition.headline)
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    width = max(map(len, rows)) + 2
    lines = [" " * width + "".join(f"{name:>11}" for name in names)]
    for title, row in rows.items():
        lines.append(f"{title:<{width}}" + "".join(f"{row[n]:11.2f}" if n in row else f"{'-':>11}" for n in names))
    return "\n".join(lines)


def cmc(condition: Condition) -> np.ndarray:
    """[r] cumulative match characteristic, in percent."""
    return 100 * (condition.weights @ condition.hits)


def _condition(comparisons: list[Comparison], clips: Clips) -> Condition | None:
    """One condition; None where no probe that counts is left."""
    size = len(clips.probe)
    pairs = Pairs(size)
    rankings = [rank_comparison(comparison, clips, pairs) for comparison in comparisons]
    matched = [ranking.matches > 0 for ranking in rankings]
    counted = [
        has if c.unmatched == "left out" else np.ones_like(has) for c, has in zip(comparisons, matched, strict=True)
    ]
    weights, match_weights = (_NestedMean(size, comparisons, chosen) for chosen in (counted, matched))
    probes = np.flatnonzero(weights.total)
    if not len(probes):
        return None
    ranks = min(MOST_RANKS, max(len(c.gallery) for c in comparisons))
    accepted, roc = pairs.verification(match_weights.total)
    return Condition(
        probes=probes,
        weights=weights.total[probes],
        match_weights=match_weights.total[probes],
        hits=weights.of([hits_at(r.first, ranks) for r in rankings])[probes].astype(np.float32),
        precision=match_weights.of([r.precision for r in rankings])[probes],
        penalty=match_weights.of([r.penalty for r in rankings])[probes],
        accepted=accepted[probes],
        roc=roc,
    )


class _NestedMean:
    """The mean over probe views of means over comparisons of means over probes, as weights of the probes.

    Comparisons in which no probe counts are left out.

    Args:
        size: n rows of the test set.
        comparisons: of one condition.
        counted: for each comparison, which of its probes count, [k] bool.
    """

    def __init__(self, size: int, comparisons: list[Comparison], counted: list[np.ndarray]):
        self.counted, self.rows = counted, [c.probes[k] for c, k in zip(comparisons, counted, strict=True)]
        views = [c.probe_view for c, rows in zip(comparisons, self.rows, strict=True) if len(rows)]
        self.each = [
            1 / (len(set(views)) * views.count(c.probe_view) * len(rows)) if len(rows) else 0.0
            for c, rows in zip(comparisons, self.rows, strict=True)
        ]
        self.total = np.zeros(size)
        for rows, weight in zip(self.rows, self.each, strict=True):
            self.total[rows] += weight

    def of(self, columns: list[np.ndarray]) -> np.ndarray:
        """[n, …] weighted means of each comparison's values [k, …]; NaN for rows without a weight."""
        total = np.full((len(self.total), *columns[0].shape[1:]), np.nan)
        total[self.total > 0] = 0
        for rows, chosen, weight, values in zip(self.rows, self.counted, self.each, columns, strict=True):
            total[rows] += weight * values[chosen]
        return total / np.where(self.total > 0, self.total, 1).reshape(-1, *[1] * (total.ndim - 1))


class Pairs:
    """Counts a condition's impostor pairs by distance, and keeps its genuine ones."""

    def __init__(self, size: int):
        self.size = size
        # Occurring distances in ascending order, and how many impostor pairs have each.
        self.bins, self.counts = np.zeros(0, np.int32), np.zeros(0, np.int64)
        self.genuine_rows: list[np.ndarray] = []
        self.genuine_bins: list[np.ndarray] = []

    def add(self, rows: np.ndarray, distances: torch.Tensor, genuine: torch.Tensor, impostor: torch.Tensor) -> None:
        """Pairs of the probes `rows` [b]; distances, genuine and impostor: [b, m]."""
        # The bits of a float that is not negative, read as an integer, are in the order of the floats.
        bins = distances.view(torch.int32) >> _UNUSED_BITS
        probes, others = genuine.nonzero(as_tuple=True)
        self.genuine_rows.append(rows[probes.cpu().numpy()])
        self.genuine_bins.append(bins[probes, others].cpu().numpy())
        new_bins, new_counts = (x.cpu().numpy() for x in bins[impostor].unique(return_counts=True))
        self.bins, places = np.unique(np.concatenate([self.bins, new_bins]), return_inverse=True)
        counts = np.concatenate([self.counts, new_counts])
        self.counts = np.zeros(len(self.bins), np.int64)
        np.add.at(self.counts, places, counts)

    def verification(self, weights: np.ndarray) -> tuple[np.ndarray, Roc]:
        """[n, f] share of each row's genuine pairs that are accepted at FARS, and the ROC with rows weighted [n]."""
        rows, bins = np.concatenate(self.genuine_rows), np.concatenate(self.genuine_bins)
        genuine = np.bincount(rows, minlength=self.size)
        accepted = np.full((self.size, len(FARS)), np.nan)
        if not len(rows) or not len(self.bins):
            return accepted, NO_ROC
        nearer = self.counts.cumsum()
        has = genuine > 0
        for column, far in enumerate(FARS):
            taken = np.bincount(rows[self._accepted(bins, nearer, far)], minlength=self.size)
            accepted[has, column] = taken[has] / genuine[has]
        part = weights[rows] / genuine[rows]
        tar = [part[self._accepted(bins, nearer, far)].sum() for far in ROC_FARS]
        return accepted, Roc(ROC_FARS, np.minimum(tar, 1.0))

    def _accepted(self, bins: np.ndarray, nearer: np.ndarray, far: float) -> np.ndarray:
        """Which genuine pairs are accepted, where nearer[i] impostor pairs are in self.bins[i] or nearer."""
        allowed = np.floor(far * nearer[-1] + 1e-6)  # the product may be a rounding below a whole number
        refused = np.searchsorted(nearer, allowed, side="right")
        return bins < self.bins[refused] if refused < len(nearer) else np.ones(len(bins), dtype=bool)


def _together(conditions: list[Condition]) -> Condition:
    """The mean of several conditions, as one."""
    ranks = max(c.hits.shape[1] for c in conditions)
    conditions = [replace(c, hits=at_ranks(c.hits, range(1, ranks + 1))) for c in conditions]
    columns = {name: np.concatenate([getattr(c, name) for c in conditions]) for name in _COLUMNS}
    curves = [c.roc.tar for c in conditions if len(c.roc.tar)]
    roc = Roc(ROC_FARS, np.mean(curves, axis=0)) if curves else NO_ROC
    return Condition(**_weights_sum_to_one(columns), roc=roc)


def _weights_sum_to_one(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return columns | {name: _sum_to_one(columns[name]) for name in ("weights", "match_weights")}


def _sum_to_one(weights: np.ndarray) -> np.ndarray:
    total = weights.sum()
    return weights / total if total > 0 else weights
