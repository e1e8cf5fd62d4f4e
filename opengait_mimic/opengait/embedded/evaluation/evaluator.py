"""The protocols a YAML names under evaluator_cfg.eval_func, with OpenGait's names, keys and rounding.

Each takes `data`, a dict with embeddings [n, c, p] and the lists labels, types and views of n names, and the
data set's name, and returns 'scalar/test_accuracy/…' entries in percent. What is compared with what, and how a
ranking is judged, is `opengait_mimic.evaluation`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from utils import device, get_msg_mgr

from opengait_mimic.errors import ConfigError, DataError, nearest
from opengait_mimic.evaluation.protocols import Comparison, Protocol, protocol
from opengait_mimic.evaluation.ranking import Ranking, hits_at
from opengait_mimic.evaluation.recognition import Clips, codes, rank_comparison

INDOOR = ("CASIA-B", "OUMVLP", "SUSTech1K")
MOST_RANKS = 5


def evaluate_indoor_dataset(
    data: dict, dataset: str, metric: str = "euc", cross_view_gallery: bool = False
) -> dict[str, float]:
    """Rank-1 by walking condition, the mean over all pairs of different probe and gallery views.

    Args:
        data, dataset: see above; dataset is CASIA-B, OUMVLP or SUSTech1K.
        metric: see `ranking.distance`.
        cross_view_gallery: instead, one gallery of all views, without each probe's own view of the same subject
            (CASIA-B and OUMVLP).
    Returns:
        'scalar/test_accuracy/<condition>@R1' for every condition in the data; with cross_view_gallery
        '<condition>-Rank@1' and '<condition>-mAP'. Where the data have one view only, it is compared with itself.
    Raises:
        ConfigError: another data set, or a cross_view_gallery that is not offered.
        DataError: no gallery, or no probe.
    """
    if dataset not in INDOOR:
        raise ConfigError(f"evaluate_indoor_dataset: unknown data set {dataset!r}; {nearest(dataset, INDOOR)}")
    if cross_view_gallery and dataset == "SUSTech1K":
        raise ConfigError("evaluator_cfg.cross_view_gallery: not offered for SUSTech1K")
    asked = protocol(dataset, cross_view="include" if cross_view_gallery else None)
    compared = list(_compared(data, asked, metric))
    if cross_view_gallery:
        result = _cross_view(compared)
    else:
        result = _cells(compared, MOST_RANKS if dataset == "SUSTech1K" else 1)
    _log(dataset, result)
    return result


def _compared(data: dict, asked: Protocol, metric: str) -> Iterator[tuple[Comparison, Ranking]]:
    embeddings, labels, types, views = (data[key] for key in ("embeddings", "labels", "types", "views"))
    clips = Clips(embeddings, embeddings, codes(labels), codes(asked.view_names(views)), metric, device())
    for comparison in asked.comparisons(labels, types, views):
        yield comparison, rank_comparison(comparison, clips)


def _cells(compared: list[tuple[Comparison, Ranking]], ranks: int) -> dict[str, float]:
    """Each condition's Rank-1; all ranks are logged. Cells are rounded to two decimals, as in OpenGait."""
    result = {}
    for condition, by_view in _by_condition(compared).items():
        curves = [[np.round(_curve(ranking, ranks), 2) for ranking in rankings] for rankings in by_view.values()]
        per_view = np.array([np.mean(cells, axis=0) for cells in curves])
        name = condition.replace("Umbrella", "Umberalla")  # as OpenGait spells its key
        log = get_msg_mgr().log_info
        log(f"{name}@R1 by probe view: {' '.join(f'{rank1:.2f}' for rank1 in per_view[:, 0])}")
        if ranks > 1:
            log(f"{name} " + " ".join(f"@R{r} {value:.2f} %" for r, value in enumerate(per_view.mean(0), start=1)))
        result[f"scalar/test_accuracy/{name}@R1"] = float(np.mean(per_view[:, 0]))
    return result


def _by_condition(compared: list[tuple[Comparison, Ranking]]) -> dict[str, dict[str, list[Ranking]]]:
    """{condition: {probe view: rankings}}."""
    found: dict[str, dict] = {}
    for comparison, ranking in compared:
        found.setdefault(comparison.condition, {}).setdefault(comparison.probe_view, []).append(ranking)
    return found


def _curve(ranking: Ranking, ranks: int) -> np.ndarray:
    """[ranks] share of all probes with a match within rank 1, 2, …, in percent."""
    return 100 * hits_at(ranking.first, ranks).mean(0)


def _cross_view(compared: list[tuple[Comparison, Ranking]]) -> dict[str, float]:
    result = {}
    for condition, by_view in _by_condition(compared).items():
        views = [ranking for rankings in by_view.values() for ranking in rankings]
        rank1 = [np.round(_curve(ranking, 1)[0], 2) for ranking in views]
        precision = [np.round(100 * ranking.precision[ranking.matches > 0].mean(), 2)
                     for ranking in views if ranking.matches.any()]  # fmt: skip
        result[f"scalar/test_accuracy/{condition}-Rank@1"] = float(np.mean(rank1))
        if precision:
            result[f"scalar/test_accuracy/{condition}-mAP"] = float(np.mean(precision))
    return result


def evaluate_real_scene(data: dict, dataset: str, metric: str = "euc") -> dict[str, float]:
    """GREW's local protocol: every type-02 sequence against all of type 01.

    Returns:
        'scalar/test_accuracy/Rank-1' and 'Rank-5'; Rank-10 and Rank-20 are logged.
    Raises:
        DataError: no gallery, or no probe.
    """
    ((_, ranking),) = _compared(data, replace(protocol("GREW"), dataset=dataset), metric)
    result = _at_ranks(_curve(ranking, 20), (1, 5, 10, 20))
    _log(dataset, result)
    return {key: round(result[key], 2) for key in list(result)[:2]}


def evaluate_Gait3D(data: dict, dataset: str, metric: str = "euc") -> dict[str, float]:
    """Gait3D's protocol: the sequences its partition lists as PROBE_SET against all others.

    Probes without a match are left out.

    Returns:
        'scalar/test_accuracy/' Rank-1, Rank-5, Rank-10, mAP and mINP.
    Raises:
        DataError: no partition file datasets/Gait3D/Gait3D.json in the working directory,
            or it lists no PROBE_SET, or no probe or gallery sequence is in the data.
    """
    ((_, ranking),) = _compared(data, replace(protocol("Gait3D"), dataset=dataset), metric)
    result = _retrieval(ranking, (1, 5, 10))
    _log(dataset, result)
    return result


def evaluate_CCPG(data: dict, dataset: str, metric: str = "euc") -> dict[str, np.ndarray]:
    """CCPG's clothes-changing protocol: CL, UP, DN and BG.

    The log has the re-identification protocol (Rank-1, mAP and mINP) and Rank-1 over pairs of views, with and
    without identical ones.

    Returns:
        'scalar/test_accuracy/<condition>': [views, views] Rank-1 by probe and gallery view, identical ones too,
        rounded to two decimals; NaN where the data have no such pair.
    Raises:
        DataError: no probe or no gallery of any condition.
    """
    asked = replace(protocol("CCPG"), dataset=dataset)
    view_set = np.unique(asked.view_names(data["views"])).tolist()
    identical = {name: replace(rule, views="all cells") for name, rule in asked.rules.items() if name in asked.headline}
    reid = {name: rule for name, rule in asked.rules.items() if name not in asked.headline}
    for comparison, ranking in _compared(data, replace(asked, rules=reid), metric):
        if ranking.matches.any():
            _log(f"{dataset}, {comparison.condition}", _retrieval(ranking, (1,)))
    result = {}
    for comparison, ranking in _compared(data, replace(asked, rules=identical), metric):
        key = f"scalar/test_accuracy/{comparison.condition}"
        table = result.setdefault(key, np.full((len(view_set), len(view_set)), np.nan))
        cell = view_set.index(comparison.probe_view), view_set.index(comparison.gallery_view)
        table[cell] = np.round(_curve(ranking, 1)[0], 2)
    _log(f"{dataset}, pairs of views, identical ones too", {key: np.nanmean(table) for key, table in result.items()})
    others = {key: np.where(np.eye(len(table), dtype=bool), np.nan, table) for key, table in result.items()}
    means = {key: np.mean([np.nanmean(row) for row in table if not np.isnan(row).all()])
             for key, table in others.items() if not np.isnan(table).all()}  # fmt: skip
    _log(f"{dataset}, pairs of different views", means)
    return result


def _retrieval(ranking: Ranking, ranks: tuple[int, ...]) -> dict[str, float]:
    """Ranks, mAP and mINP over the probes with a match."""
    found = ranking.matches > 0
    if not found.any():
        raise DataError("no probe has a sequence of the same subject in the gallery")
    matched = Ranking(*(column[found] for column in ranking))
    result = _at_ranks(_curve(matched, max(ranks)), ranks)
    result["scalar/test_accuracy/mAP"] = float(100 * matched.precision.mean())
    result["scalar/test_accuracy/mINP"] = float(100 * matched.penalty.mean())
    return result


def _at_ranks(curve: np.ndarray, ranks: tuple[int, ...]) -> dict[str, float]:
    return {f"scalar/test_accuracy/Rank-{r}": float(curve[r - 1]) for r in ranks}


def _log(dataset: str, result: dict[str, float]) -> None:
    text = ", ".join(f"{key.rpartition('/')[2]} {value:.2f} %" for key, value in result.items())
    get_msg_mgr().log_info(f"{dataset}: {text}")
