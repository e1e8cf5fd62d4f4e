"""Distances between embeddings and the metrics of a ranking."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F
from utils import device

from opengait_mimic.errors import ConfigError, DataError

METRICS = ("euc", "cos")
CELLS_AT_ONCE = 2**24


def distance(probe: np.ndarray, gallery: np.ndarray, metric: str = "euc") -> np.ndarray:
    """Distances between clips, the mean over parts of the distance per part.

    Args:
        probe: [n, c, p].
        gallery: [m, c, p].
        metric: "euc", Euclidean, or "cos", 1 - cosine similarity.
    Returns:
        [n, m] float32; computed on this process's device, a bounded number of rows at a time.
    Raises:
        ConfigError: another metric.
    """
    if metric not in METRICS:
        raise ConfigError(f"evaluator_cfg.metric: unknown metric {metric!r}; allowed: {', '.join(METRICS)}")
    gallery_parts = _parts(gallery, metric)
    rows = max(1, CELLS_AT_ONCE // max(1, len(gallery)))
    blocks = [_block(_parts(probe[i : i + rows], metric), gallery_parts, metric) for i in range(0, len(probe), rows)]
    return np.concatenate(blocks) if blocks else np.zeros((0, len(gallery)), np.float32)


def _parts(embeddings: np.ndarray, metric: str) -> torch.Tensor:
    """[n, c, p] -> [p, n, c] on the device, of unit length for the cosine."""
    parts = torch.from_numpy(np.asarray(embeddings, dtype=np.float32)).to(device()).permute(2, 0, 1).contiguous()
    return F.normalize(parts, dim=2) if metric == "cos" else parts


def _block(probe: torch.Tensor, gallery: torch.Tensor, metric: str) -> np.ndarray:
    total = torch.zeros(probe.shape[1], gallery.shape[1], device=probe.device)
    for ours, theirs in zip(probe, gallery, strict=True):
        total += torch.cdist(ours, theirs) if metric == "euc" else 1 - ours @ theirs.T
    return (total / len(probe)).cpu().numpy()


def rank_hits(distances: np.ndarray, probe_labels: np.ndarray, gallery_labels: np.ndarray, ranks: int) -> np.ndarray:
    """Rank-1, Rank-2, … up to `ranks` (at most the gallery's size), in percent.

    Args:
        distances: [n, m], n and m at least 1; probe_labels: [n]; gallery_labels: [m].
    """
    order = np.argsort(distances, axis=1, kind="stable")[:, :ranks]
    hits = gallery_labels[order] == probe_labels[:, None]
    return 100 * np.maximum.accumulate(hits, axis=1).mean(0)


def retrieval(
    distances: np.ndarray, probe_labels: np.ndarray, gallery_labels: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """The ranking metrics of person retrieval, in percent.

    Probes without a match in the gallery are left out.

    Returns:
        (cmc [m], mAP, mINP): the cumulative match curve, mean average precision, mean inverse negative
        penalty.
    Raises:
        DataError: no probe has a match.
    """
    order = np.argsort(distances, axis=1, kind="stable")
    hits = gallery_labels[order] == probe_labels[:, None]
    hits = hits[hits.any(1)]
    if not len(hits):
        raise DataError("no probe has a sequence of the same subject in the gallery")
    found = hits.cumsum(1)
    matches = found[:, -1]
    places = np.arange(1, hits.shape[1] + 1)
    precision = (found / places * hits).sum(1) / matches
    last = hits.shape[1] - hits[:, ::-1].argmax(1)
    return 100 * (found > 0).mean(0), float(100 * precision.mean()), float(100 * (matches / last).mean())
