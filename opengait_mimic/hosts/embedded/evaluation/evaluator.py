"""The protocols a YAML names under evaluator_cfg.eval_func.

Each takes `data`, a dict with embeddings [n, c, p] and the lists labels, types and views of n names, and the
data set's name, and returns 'scalar/test_accuracy/…' entries in percent.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from utils import get_msg_mgr

from evaluation import metric as metrics
from opengait_mimic.errors import ConfigError, DataError, nearest

# Which walking types are gallery and which are probe, by data set and condition.
GALLERY = {"CASIA-B": ["nm-01", "nm-02", "nm-03", "nm-04"], "OUMVLP": ["01"]}
PROBES = {
    "CASIA-B": {"NM": ["nm-05", "nm-06"], "BG": ["bg-01", "bg-02"], "CL": ["cl-01", "cl-02"]},
    "OUMVLP": {"NM": ["00"]},
}
GREW_GALLERY, GREW_PROBE = "01", "02"
GAIT3D_PARTITION = Path("datasets", "Gait3D", "Gait3D.json")


def _columns(data: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return data["embeddings"], *(np.asarray(data[key]) for key in ("labels", "types", "views"))


def evaluate_indoor_dataset(
    data: dict, dataset: str, metric: str = "euc", cross_view_gallery: bool = False
) -> dict[str, float]:
    """Rank-1 by walking condition, the mean over all pairs of different probe and gallery views.

    Args:
        data, dataset: see above; dataset is CASIA-B or OUMVLP.
        metric: see `metric.distance`.
        cross_view_gallery: must be false; a gallery of all views at once is not offered.
    Returns:
        'scalar/test_accuracy/<condition>@R1' for every condition in the data. Where the data have one
        view only, it is compared with itself.
    Raises:
        ConfigError: another data set, or cross_view_gallery.
        DataError: no gallery, or no probe.
    """
    if dataset not in GALLERY:
        raise ConfigError(f"evaluate_indoor_dataset: unknown data set {dataset!r}; {nearest(dataset, GALLERY)}")
    if cross_view_gallery:
        raise ConfigError("evaluator_cfg.cross_view_gallery: only false is offered by the embedded host")
    embeddings, labels, types, views = _columns(data)
    in_gallery = np.isin(types, GALLERY[dataset])
    probes = {condition: np.isin(types, names) for condition, names in PROBES[dataset].items()}
    probes = {condition: chosen for condition, chosen in probes.items() if chosen.any()}
    if not in_gallery.any() or not probes:
        raise DataError(f"{dataset}: the test set has no {'probe' if in_gallery.any() else 'gallery'} sequence")
    view_set = np.unique(views)
    result = {}
    for condition, is_probe in probes.items():
        table = np.full((len(view_set), len(view_set)), np.nan)
        for i, probe_view in enumerate(view_set):
            for j, gallery_view in enumerate(view_set):
                p, g = is_probe & (views == probe_view), in_gallery & (views == gallery_view)
                if p.any() and g.any() and (i != j or len(view_set) == 1):
                    distances = metrics.distance(embeddings[p], embeddings[g], metric)
                    table[i, j] = np.round(metrics.rank_hits(distances, labels[p], labels[g], 1)[0], 2)
        per_view = [np.nanmean(row) for row in table if not np.isnan(row).all()]
        if not per_view:
            raise DataError(f"{dataset}: no {condition} probe has a gallery sequence of another view")
        get_msg_mgr().log_info(f"{condition}@R1 by probe view: {' '.join(f'{rank1:.2f}' for rank1 in per_view)}")
        result[f"scalar/test_accuracy/{condition}@R1"] = float(np.mean(per_view))
    _log(dataset, result)
    return result


def evaluate_real_scene(data: dict, dataset: str, metric: str = "euc") -> dict[str, float]:
    """GREW's local protocol: every type-02 sequence against all of type 01.

    Returns:
        'scalar/test_accuracy/Rank-1' and 'Rank-5'; Rank-10 and Rank-20 are logged.
    Raises:
        DataError: no gallery, or no probe.
    """
    embeddings, labels, types, _ = _columns(data)
    p, g = types == GREW_PROBE, types == GREW_GALLERY
    if not p.any() or not g.any():
        raise DataError(f"{dataset}: the test set lacks type {GREW_GALLERY} (gallery) or {GREW_PROBE} (probe)")
    curve = metrics.rank_hits(metrics.distance(embeddings[p], embeddings[g], metric), labels[p], labels[g], 20)
    scores = _at_ranks(curve, (1, 5, 10, 20))
    _log(dataset, scores)
    return {key: round(scores[key], 2) for key in list(scores)[:2]}


def evaluate_Gait3D(data: dict, dataset: str, metric: str = "euc") -> dict[str, float]:
    """Gait3D's protocol: the sequences its partition lists as PROBE_SET against all others.

    Returns:
        'scalar/test_accuracy/' Rank-1, Rank-5, Rank-10, mAP and mINP.
    Raises:
        DataError: no partition file datasets/Gait3D/Gait3D.json in the working directory,
            or it lists no PROBE_SET, or no probe or gallery sequence is in the data.
    """
    if not GAIT3D_PARTITION.is_file():
        raise DataError(f"evaluate_Gait3D: no file ./{GAIT3D_PARTITION.as_posix()}, which names the probes")
    listed = json.loads(GAIT3D_PARTITION.read_text(encoding="utf-8")).get("PROBE_SET")
    if not listed:
        raise DataError(f"./{GAIT3D_PARTITION.as_posix()}: expected a list PROBE_SET")
    embeddings, labels, types, views = _columns(data)
    names = ["-".join(parts) for parts in zip(labels, types, views, strict=True)]
    p = np.isin(names, listed)
    if not p.any() or p.all():
        raise DataError(f"{dataset}: the test set has no {'gallery' if p.any() else 'probe'} sequence")
    distances = metrics.distance(embeddings[p], embeddings[~p], metric)
    curve, mean_precision, mean_penalty = metrics.retrieval(distances, labels[p], labels[~p])
    result = _at_ranks(curve, (1, 5, 10))
    result["scalar/test_accuracy/mAP"] = mean_precision
    result["scalar/test_accuracy/mINP"] = mean_penalty
    _log(dataset, result)
    return result


def _at_ranks(curve: np.ndarray, ranks: tuple[int, ...]) -> dict[str, float]:
    """Entries of a cumulative match curve; beyond the gallery's size, the last."""
    return {f"scalar/test_accuracy/Rank-{k}": float(curve[min(k, len(curve)) - 1]) for k in ranks}


def _log(dataset: str, scores: dict[str, float]) -> None:
    text = ", ".join(f"{key.rpartition('/')[2]} {value:.2f} %" for key, value in scores.items())
    get_msg_mgr().log_info(f"{dataset}: {text}")
