"""Table 5: which differences between methods are larger than chance, on the same probes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from opengait_mimic.apps.report.collect import Group
from opengait_mimic.apps.report.compare import by, labels, where_text
from opengait_mimic.apps.report.table import ZERO_SHOT, Column, Table, stubs
from opengait_mimic.data.files import read_arrays
from opengait_mimic.errors import DataError
from opengait_mimic.evaluation.statistics import paired_test

REFERENCES = ("Baseline-2", "Vanilla Mimic")


def significance_table(groups: list[Group]) -> tuple[Table, list[str]]:
    """Each method against Baseline-2 and Vanilla Mimic on the same probes.

    Args:
        groups: of all tests but those of severity.

    Returns:
        The table; and what could not be compared, and why.
    """
    columns = stubs("Data set", "Backbone", "Test", "Against", "Method")
    columns += map(Column, ("Difference in Rank-1", "95 % interval", "p", "p, Holm", "Probes", "Seeds"))
    caption = (
        "Each method against Baseline-2 and Vanilla Mimic on the same probes. Difference in Rank-1 in percentage "
        "points, each probe's hits averaged over the seeds that both have; its interval by paired bootstrap over "
        "probes, p by a paired sign-flip test (two-sided), also corrected by Holm for all comparisons of the same data "
        "set, backbone and test."
    )
    table, problems, read = Table("table5", "Table 5", caption, columns), [], cache(_probes)
    for (dataset, backbone, test), mine in by(groups, lambda g: (g.dataset, g.backbone, g.test)):
        called, values, first = labels(mine), [], len(table.rows)
        title = test.name if test.protocol == "standard" else f"{test.name} ({test.protocol})"
        for name in REFERENCES:
            references = [g for g in mine if g.method == name]
            for g, label in zip(mine, called, strict=True):
                if not references or g.method == name or (name, g.method) == REFERENCES[::-1]:
                    continue
                alike = [r for r in references if r.trained_kinds == g.trained_kinds]
                try:
                    ours, theirs, weights, seeds = _paired(g, (alike or references)[0], read)
                except ValueError as error:
                    where = f"{where_text(dataset, backbone)}, {title}: {g.method} against {name}"
                    problems.append(f"{where}: not compared: {error}.")
                    continue
                found = paired_test(ours, theirs, weights)
                values.append(found.p)
                difference, low, high = (f"{100 * v:+.1f}".replace("-", "−") for v in (found[0], *found.interval))
                table.rows.append([dataset, backbone, title, name, label, difference, f"{low} … {high}",
                                   _p(found.p), None, len(weights), seeds])  # fmt: skip
        for row, p in zip(table.rows[first:], holm(values), strict=True):
            row[8] = _p(p)
    if table.rows:
        table.notes.append("These tests speak of other probes, not of other trainings: for those see ± over seeds.")
    if any(g.zero_shot for g in groups):
        table.notes.append(ZERO_SHOT)
    return table, problems


def holm(values: list[float]) -> list[float]:
    """p-values corrected for their number by Holm's step-down rule, in the same order."""
    order, size = np.argsort(values, kind="stable"), len(values)
    corrected = np.zeros(size)
    corrected[order] = np.maximum.accumulate(np.minimum(1, np.arange(size, 0, -1) * np.array(values)[order]))
    return corrected.tolist()


def _paired(first: Group, second: Group, read) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Both groups' hits at rank 1 [k], averaged over common seeds; the probes' weights [k]; the number of seeds."""
    common = sorted(set(first.seeds) & set(second.seeds))
    if not common:
        raise ValueError("no seed in common")
    key, hits = f"{first.test.name}/hits", []
    names, weights = None, np.zeros(0)
    for group in (first, second):
        mine = []
        for seed in common:
            run = group.runs[group.seeds.index(seed)]
            arrays = read(run.path, run.content.get("probes"))
            if not {"names", "weights", key} <= set(arrays):
                raise ValueError("the probes' scores are not there")
            if names is None:
                names, weights = arrays["names"], arrays["weights"]
            if not np.array_equal(names, arrays["names"]) or not np.allclose(weights, arrays["weights"]):
                raise ValueError("the probes are not the same")
            if arrays[key].ndim != 2 or len(arrays[key]) != len(names) or not np.isfinite(arrays[key]).all():
                raise ValueError("the probes' scores are damaged")
            mine.append(arrays[key][:, 0].astype(np.float64))
        hits.append(np.mean(mine, axis=0))
    return hits[0], hits[1], weights, len(common)


def _probes(result: Path, name: str | None) -> dict[str, np.ndarray]:
    """The arrays beside a result file."""
    if not name:
        raise ValueError("the probes' scores are not there")
    path = result.with_name(name.replace("\\", "/").rsplit("/", 1)[-1])
    try:
        return read_arrays(path, "scores of probes")
    except DataError:  # a report names no path of the machine
        raise ValueError(f"{path.name} cannot be read") from None


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
