"""Exact nearest neighbours in a gallery of any size, by the distances of the evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.nn import functional as F

from opengait_mimic.errors import ConfigError, DataError, nearest
from opengait_mimic.evaluation.ranking import METRICS, distance
from opengait_mimic.method.beyond.weighted import EPSILON, Weights

CELLS_AT_ONCE = 2**22
PROBES_AT_ONCE = 64
SPARE = 32  # candidates beyond those asked for
SAFETY = 4  # times the largest rounding error seen


class Index:
    """A gallery laid out for search.

    A search goes over the whole gallery in single precision, keeps a few more candidates than asked for, and
    compares those in double precision as the evaluation does. Where rounding could have lost one, it keeps more.

    Args:
        embeddings: [m, c, p]; a memory map will do. They are copied: m · c · p · 4 bytes.
        metric: "euc", the mean over parts of the Euclidean distance, or "cos", of 1 - cosine similarity.
        device: to search on.
        visibility: [m, p] of the parts, 0–1, for visibility-weighted matching (see `method.beyond.weighted`); probes
            then need theirs. None: all parts count alike.
        epsilon: of visibility-weighted matching.

    Raises:
        ConfigError: another metric.
        DataError: an embedding is not finite, or the visibility is not theirs.
    """

    def __init__(
        self,
        embeddings: np.ndarray,
        metric: str = "euc",
        device: torch.device | str = "cpu",
        visibility: np.ndarray | None = None,
        epsilon: float = EPSILON,
    ):
        if metric not in METRICS:
            raise ConfigError(f"metric: {metric!r}; {nearest(metric, METRICS)}")
        self.metric, self.device = metric, device
        size, channels, parts = embeddings.shape
        self.parts = torch.empty(parts, size, channels, device=device)
        for rows in _blocks(size, CELLS_AT_ONCE // (channels * parts)):
            block = self._tensor(embeddings[rows]).permute(2, 0, 1)
            if not torch.isfinite(block).all():
                raise DataError("embeddings that are not finite numbers cannot be compared")
            self.parts[:, rows] = block
        self.visibility, self.epsilon = visibility, epsilon
        self.shares = None
        if visibility is not None:
            Weights(visibility, visibility, epsilon).check(embeddings, embeddings)
            self.shares = self._tensor(visibility).T.contiguous()  # [p, m]
        self.squares = torch.stack([torch.einsum("mc,mc->m", part, part) for part in self.parts])[..., None]

    def __len__(self) -> int:
        return self.parts.shape[1]

    def nearest(
        self, probe: np.ndarray, count: int, visibility: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest embeddings of the gallery.

        Args:
            probe: [n, c, p].
            count: k; a smaller gallery gives all it has.
            visibility: [n, p] of the probes' parts, where the gallery has it.

        Returns:
            Distances [n, k] float32 in ascending order, and places in the gallery [n, k] int64; equal distances keep
            the gallery's order.

        Raises:
            DataError: one side has visibilities, the other has none.
        """
        if (visibility is None) != (self.visibility is None):
            raise DataError("weighted matching needs the visibility of the parts of both, probes and gallery")
        count = min(count, len(self))
        distances, places = np.empty((len(probe), count), np.float32), np.empty((len(probe), count), np.int64)
        left, keep = np.arange(len(probe) if count else 0), min(len(self), count + SPARE)
        while len(left):  # where rounding could have lost one, again with more candidates
            unsure = []
            for row, near, chosen in self._candidates(probe, visibility, left, keep):
                one = slice(row, row + 1)
                weights = None
                if visibility is not None and self.visibility is not None:
                    weights = Weights(visibility[one], self.visibility[chosen], self.epsilon)
                exact = distance(probe[one], self._rows(chosen), self.metric, weights=weights)[0]
                order = np.lexsort((chosen, exact))[:count]
                margin = SAFETY * np.abs(exact - near).max()
                if keep < len(self) and exact[order[-1]] + margin >= near.max():
                    unsure.append(row)
                distances[row], places[row] = exact[order], chosen[order]
            left, keep = np.array(unsure, int), min(len(self), 4 * keep)
        return distances, places

    def _candidates(self, probe: np.ndarray, visibility: np.ndarray | None, left: np.ndarray, keep: int) -> Iterator:
        """Of some probes the row, and rough distances and places of the nearest `keep` [keep], in no order."""
        for first in range(0, len(left), PROBES_AT_ONCE):
            some = left[first : first + PROBES_AT_ONCE]
            ours = self._tensor(probe[some]).permute(2, 0, 1)
            ours = F.normalize(ours, dim=2) if self.metric == "cos" else ours.contiguous()  # [p, n, c]
            shares = None if visibility is None else self._tensor(visibility[some]).T  # [p, n]
            best, where = torch.zeros(len(some), 0), torch.zeros(len(some), 0, dtype=torch.long)
            best, where = best.to(ours.device), where.to(ours.device)
            for rows in _blocks(len(self), CELLS_AT_ONCE // (ours.shape[0] * ours.shape[1])):
                rough = self._rough(ours, shares, rows)
                found, places = rough.topk(min(keep, rough.shape[1]), largest=False, sorted=False)
                best, where = torch.cat([best, found], 1), torch.cat([where, places + rows.start], 1)
                best, chosen = best.topk(min(keep, best.shape[1]), largest=False, sorted=False)
                where = where.gather(1, chosen)
            yield from zip(some, best.cpu().numpy(), where.cpu().numpy(), strict=True)

    def _rough(self, ours: torch.Tensor, shares: torch.Tensor | None, rows: slice) -> torch.Tensor:
        """Distances [n, b] of probes [p, n, c] to some rows, in single precision."""
        block, ours = self.parts[:, rows], ours.transpose(1, 2)  # [p, b, c], [p, c, n]
        if self.metric == "cos":
            apart = 1 - torch.bmm(block, ours) * self.squares[:, rows].rsqrt().clamp(max=1e12)
        else:
            squares = self.squares[:, rows] + ours.square().sum(1, keepdim=True)
            apart = torch.baddbmm(squares, block, ours, alpha=-2).clamp_(min=0).sqrt_()
        if shares is None or self.shares is None:
            return apart.mean(0).T
        weights = self.shares[:, rows, None] * shares[:, None] + self.epsilon
        return ((apart * weights).sum(0) / weights.sum(0)).T

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(self.device)

    def _rows(self, places: np.ndarray) -> np.ndarray:
        """Embeddings [b, c, p] at some places."""
        chosen = torch.from_numpy(places).to(self.parts.device)
        return self.parts[:, chosen].permute(1, 2, 0).cpu().numpy()


def _blocks(size: int, rows: int):
    rows = max(1, rows)
    return (slice(start, min(start + rows, size)) for start in range(0, size, rows))


def nearest_subjects(
    index: Index, subjects: np.ndarray, probe: np.ndarray, count: int, visibility: np.ndarray | None = None
) -> list[list[tuple[float, int]]]:
    """The nearest subjects of a gallery to each probe.

    Args:
        index: the gallery.
        subjects: [m], who is in each of its clips.
        probe: [n, c, p].
        count: k.
        visibility: [n, p] of the probes' parts, where the gallery has it.

    Returns:
        For each probe up to k pairs, in ascending order: the distance to the subject's nearest clip, and that clip's
        place.
    """
    most = int(np.unique(subjects, return_counts=True)[1].max())
    ranked = []
    # So many nearest clips cannot be of fewer than k subjects, where there are k.
    for distances, places in zip(*index.nearest(probe, (count - 1) * most + 1, visibility), strict=True):
        first = np.sort(np.unique(subjects[places], return_index=True)[1])[:count]
        ranked.append([(float(distances[i]), int(places[i])) for i in first])
    return ranked
