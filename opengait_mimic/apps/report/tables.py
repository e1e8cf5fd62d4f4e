"""The paper's tables, and the tables one needs to trust them, from groups of results."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from opengait_mimic.apps.experiments.recipes import TITLES
from opengait_mimic.apps.report import collect
from opengait_mimic.apps.report.collect import BACKBONES, DATASETS, Group, Run, Score, rank, spread
from opengait_mimic.apps.report.table import Cell, Column, Table, text
from opengait_mimic.data.files import read_arrays
from opengait_mimic.errors import DataError
from opengait_mimic.evaluation.results import MATCHING_TITLES
from opengait_mimic.evaluation.statistics import paired_test

TABLE1 = ("Baseline-1", "Baseline-2", "Occlusion Aware", "Mimic + VEN")
DISTILLATION = {
    "Baseline-2": "No KD (Baseline-2)",
    "L2 KD": "L2 KD",
    "Control": "Control: MiCKD's loss without the teacher",
    "MiCKD, pair 1": "MiCKD, pair 1",
    "MiCKD, pairs 1+2": "MiCKD, pairs 1+2",
    "Vanilla Mimic": "MiCKD (Vanilla Mimic)",
    "MiCKD + XE": "MiCKD + XE",
}
# Method: guided by a teacher, and the tasks of its auxiliary network.
TASKS = {
    "Baseline-2": (False, False, False),
    "Occlusion Aware": (False, True, False),
    "VEN": (False, True, True),
    "Vanilla Mimic": (True, False, False),
    "Mimic + Occlusion Aware": (True, True, False),
    "Mimic + VEN": (True, True, True),
}
VARIANTS = {"(classification)": (True, False), "(regression)": (False, True)}
OURS = {"registered", "clean clips", *MATCHING_TITLES.values()}  # what stands behind a method's name, between commas
REFERENCES = ("Baseline-2", "Vanilla Mimic")
ALL_SCORES = ("Rank-1", "Rank-5", "Rank-10", "Rank-20", "mAP", "mINP", "TAR@0.1", "TAR@0.01", "TAR@0.001")
HP = "Teacher on whole clips (HP)"
ZERO_SHOT = "† zero-shot: tested on kinds of occlusion that the network was not trained on."
READING = (
    "Accuracy in percent, RP = OP / HP in brackets; ± is the sample standard deviation over n seeds. "
    "HP is the teacher's accuracy on whole clips in the same runs; its n counts distinct teachers."
)


@dataclass(frozen=True)
class Main:
    """The tests that stand side by side in a data set's tables: those of most methods; the others are only listed.

    Attributes:
        standard: groups of the standard test, one test a data set. extra: groups of the generalizability and
            adaptability tests, one test for each of their names. severity: groups of the sweep.
        beyond: groups of every standard test that something beyond the paper was tested by.
        notes: what was left to the table of all scores.
    """

    standard: list[Group]
    extra: list[Group]
    severity: list[Group]
    beyond: list[Group]
    notes: list[str]


def main_tests(groups: list[Group]) -> Main:
    """Choose what can be compared: one setting a data set, one mixture of kinds a test."""
    standard, extra, severity, beyond, notes = [], [], [], [], []
    for dataset in _distinct(g.dataset for g in groups):
        mine = [g for g in groups if g.dataset == dataset]
        setting = collect.commonest(g.setting for g in mine)
        others = sorted({str(g.setting) for g in mine if g.setting != setting})
        notes += [f"{dataset}: results with {other} stand in the table of all scores only." for other in others]
        mine = [g for g in mine if g.setting == setting]
        sweep = [g for g in mine if g.test.protocol == "severity"]
        mixed = collect.commonest(_mixed(g) for g in sweep)
        severity += [g for g in sweep if _mixed(g) == mixed]
        if any(_mixed(g) != mixed for g in sweep):
            notes.append(
                f"{dataset}: severity tests with other mixtures of kinds stand in the table of all scores only."
            )
        ours = {(g.backbone, g.test) for g in mine if g.test.protocol == "standard" and is_ours(g.method)}
        beyond += [g for g in mine if (g.backbone, g.test) in ours]
        tests = _distinct((g.test.protocol, g.test.name) for g in mine if g.test.protocol != "severity")
        for protocol, name in tests:
            same = [g for g in mine if (g.test.protocol, g.test.name) == (protocol, name)]
            kinds = collect.commonest(g.test.kinds for g in same)
            others = [g for g in same if g.test.kinds != kinds and (g.backbone, g.test) not in ours]
            left = sorted({g.test.occlusions() for g in others})
            notes += [f"{dataset}: test {name} with {other} stands in the table of all scores only." for other in left]
            (standard if protocol == "standard" else extra).extend(g for g in same if g.test.kinds == kinds)
    return Main(standard, extra, severity, beyond, notes)


def _mixed(group: Group) -> str:
    """A severity test's kinds without their amounts."""
    return json.dumps([{**kind, "amount": None} for kind in json.loads(group.test.kinds)])


def tables(runs: list[Run], visibility: list[Run]) -> tuple[list[Table], list[str]]:
    """All tables that have rows, in the page's order, and a line for each that has none."""
    groups = collect.groups(runs)
    main = main_tests(groups)
    significance, problems = significance_table(main)
    made = [
        table1(main.standard),
        table2(main.extra),
        table3(main.standard),
        table4(main.standard),
        beyond_table(main.beyond),
        significance,
        severity_table(main.severity),
        *breakdowns(main.standard),
        visibility_table(visibility),
        whole_table(runs),
        scores_table(groups),
        repeats_table(groups),
        runs_table([*runs, *visibility]),
    ]
    left_out = [f"{t.title} ({t.caption.split('.')[0]}) is left out: no result for it." for t in made if not t.rows]
    unequal = []
    for g in groups:
        keys = collect.differing_settings(g)
        if keys:
            where = f"{where_text(g.dataset, g.backbone)}, {g.method}, {g.test.name}"
            unequal.append(f"{where}: beside the seed, the configurations differ in {', '.join(keys[:6])}.")
    return [t for t in made if t.rows], [*left_out, *main.notes, *problems, *unequal]


def table1(groups: list[Group]) -> Table:
    """Methods × backbones × data sets: the paper's four systems and any that none of its tables knows."""
    groups = table1_groups(groups)
    datasets = _distinct(g.dataset for g in groups)
    metrics = ("Rank-1", "Rank-5", "TAR@0.01")
    columns = [Column("Backbone", stub=True), Column("Method", stub=True)]
    columns += [Column(name, dataset) for dataset in datasets for name in (*metrics, "n")]
    table = Table("table1", "Table 1", f"Methods, backbones and data sets under occlusion. {READING}", columns)
    for backbone in sorted({g.backbone for g in groups}, key=lambda b: rank(b, BACKBONES)):
        mine = [g for g in groups if g.backbone == backbone]
        teacher: list[Cell] = [backbone, HP]
        for dataset in datasets:
            teacher += _hp_cells([g for g in mine if g.dataset == dataset], metrics)
        table.rows.append(teacher)
        mine.sort(key=lambda g: rank(g.method, TITLES))
        called = labels(mine)
        for label in _distinct(called):
            row: list[Cell] = [backbone, label]
            for dataset in datasets:
                found = [g for g, its in zip(mine, called, strict=True) if its == label and g.dataset == dataset]
                row += _cells(found[0], metrics) if found else [None] * (len(metrics) + 1)
            table.rows.append(row)
    table.notes += _tested(groups) + _footnotes(groups, metrics)
    return table


def table1_groups(groups: list[Group]) -> list[Group]:
    """Those of Table 1: the paper's four systems, and methods that none of its tables knows."""
    return [g for g in groups if g.method in TABLE1 or g.method.split(" (")[0] not in TITLES]


def table2(groups: list[Group]) -> Table:
    """Generalizability (zero-shot) beside adaptability, by additional occlusion."""
    metrics, protocols = ("Rank-1", "Rank-5"), ("generalizability", "adaptability")
    columns = [Column(name, stub=True) for name in ("Data set", "Backbone", "Additional occlusion", "Method")]
    columns += [Column(name, protocol.capitalize()) for protocol in protocols for name in (*metrics, "n")]
    caption = f"Generalizability (zero-shot) and adaptability (additional training) to other occlusions. {READING}"
    table = Table("table2", "Table 2", caption, columns)
    for (dataset, backbone), mine in by_place(groups):
        cells = [_hp_cells([g for g in mine if g.test.protocol == p], metrics) for p in protocols]
        table.rows.append([dataset, backbone, "none", HP, *cells[0], *cells[1]])
        for name in sorted({g.test.name for g in mine}):
            named = [g for g in mine if g.test.name == name]
            for method in _distinct(g.method for g in sorted(named, key=lambda g: rank(g.method, TITLES))):
                found = [[g for g in named if g.method == method and g.test.protocol == p] for p in protocols]
                for number in range(max(map(len, found))):
                    both = [some[number] if number < len(some) else None for some in found]
                    trained = [_trained(g.trained_kinds) for g in both if g is not None]
                    label = method if max(map(len, found)) == 1 else f"{method} (trained on {'; '.join(trained)})"
                    row: list[Cell] = [dataset, backbone, name.replace("_", " "), label]
                    for g in both:
                        row += [None] * (len(metrics) + 1) if g is None else _cells(g, metrics)
                    table.rows.append(row)
    for protocol in protocols:
        tests = _distinct((g.dataset, g.test) for g in groups if g.test.protocol == protocol)
        table.notes += [f"{protocol.capitalize()}, {d}, {t.name}: {t.occlusions()}." for d, t in tests]
    trained = _distinct((g.test.name, g.trained_kinds) for g in groups if g.test.protocol == "adaptability")
    table.notes += [f"Adaptability, {name}: trained on {_trained(kinds)}." for name, kinds in trained]
    table.notes += [f"{d}: {setting}." for d, setting in _distinct((g.dataset, g.setting) for g in groups)]
    table.notes += _hp_notes(groups, metrics)
    for g in groups:
        if g.zero_shot != (g.test.protocol == "generalizability"):
            flag = "zero-shot" if g.zero_shot else "not zero-shot"
            where = where_text(g.dataset, g.backbone)
            table.notes.append(f"{where}, {g.method}, {g.test.name}: {flag} under {g.test.protocol}.")
    return _shorter(table)


def table3(groups: list[Group]) -> Table:
    """Distillation strategies, with the control without a teacher."""
    caption = f"Distillation strategies for the mimic network, without VEN. {READING}"
    return _ablation("table3", "Table 3", caption, [g for g in groups if g.method in DISTILLATION], DISTILLATION, {})


def table4(groups: list[Group]) -> Table:
    """Mimicking and the tasks of the auxiliary network, with check marks."""
    marks = {g.method: tasks for g in groups if (tasks := method_tasks(g.method)) is not None}
    caption = f"Effect of the mimic training strategy and of the auxiliary network's tasks. {READING}"
    return _ablation("table4", "Table 4", caption, [g for g in groups if g.method in marks], {}, marks)


def beyond_table(groups: list[Group]) -> Table:
    """What goes beyond the paper beside its Mimic + VEN, on occlusions painted in place and on refitted clips."""
    metrics = ("Rank-1", "Rank-5")
    columns = [Column(name, stub=True) for name in ("Data set", "Backbone", "Occlusion", "Method")]
    columns += [Column(name) for name in metrics]
    columns += [Column(name, "Whole clips") for name in ("Rank-1", "Retention")]
    caption = (
        "Beyond the paper, under the paper's own method: matching weighted by visibility or by likelihood, "
        "registration by the VEN, clean clips in training, and the residual of the authors' follow-up; VEN+ is a VEN "
        f"that also knows parts. Retention is the network's Rank-1 on whole clips relative to HP. {READING}"
    )
    table = Table("beyond", "Beyond the paper", caption, [*columns, Column("n")])
    painted_first = sorted(groups, key=lambda g: g.runs[0].refitted)
    for (dataset, backbone, test), mine in _by(painted_first, lambda g: (g.dataset, g.backbone, g.test)):
        shown = "refitted" if mine[0].runs[0].refitted else "painted"
        table.rows.append([dataset, backbone, shown, HP, *_hp_cells(mine, metrics)[:-1], None, None, None])
        rows = [g for g in mine if g.method in ("Baseline-1", "Mimic + VEN")]
        rows += [g for g in mine if is_ours(g.method)]
        for g, label in zip(rows, labels(rows), strict=True):
            kept = g.retention("Rank-1")
            retention = None if kept is None else f"{kept.mean:.3f}" + (f" ± {kept.sd:.3f}" if kept.sd else "")
            cells = [*(g.score(m) for m in metrics), g.holistic("Rank-1"), retention, len(g.runs)]
            table.rows.append([dataset, backbone, shown, label, *cells])
        table.notes.append(f"{where_text(dataset, backbone)}, {shown}: {test.occlusions()}; {mine[0].setting}.")
    table.notes += _footnotes(groups, metrics)
    return _shorter(table)


def is_ours(method: str) -> bool:
    """Whether a method, by its name, goes beyond the paper."""
    return method == "Residual" or "VEN+" in method or not OURS.isdisjoint(method.split(", ")[1:])


def method_tasks(method: str) -> tuple[bool, bool, bool] | None:
    """Whether a method of Table 4 mimics, and whether its auxiliary network classifies and regresses."""
    name, _, variant = method.partition(" (")
    tasks = TASKS.get(name)
    if tasks is None or not variant:
        return tasks
    return (tasks[0], *VARIANTS[f"({variant}"]) if f"({variant}" in VARIANTS else None


def _ablation(key, title, caption, groups, names: dict[str, str], marks: dict[str, tuple]) -> Table:
    metrics = ("Rank-1", "Rank-5")
    columns = [Column(name, stub=True) for name in ("Data set", "Backbone", "Method")]
    if marks:
        columns += [Column("Mimic"), Column("Classif.", "Proxy tasks"), Column("Reg.", "Proxy tasks")]
    columns += [Column(name) for name in (*metrics, "n")]
    table = Table(key, title, caption, columns)
    for (dataset, backbone), mine in by_place(groups):
        if all(g in table1_groups(mine) for g in mine):
            continue  # nothing here that Table 1 does not say
        empty = [""] * 3 if marks else []
        table.rows.append([dataset, backbone, HP, *empty, *_hp_cells(mine, metrics)])
        for g, label in zip(mine, labels(mine, names), strict=True):
            ticks = ["✓" if task else "" for task in marks[g.method]] if marks else []
            table.rows.append([dataset, backbone, label, *ticks, *_cells(g, metrics)])
    table.notes += _tested(groups) + _footnotes(groups, metrics)
    return _shorter(table)


def significance_table(main: Main) -> tuple[Table, list[str]]:
    """Each method against Baseline-2 and Vanilla Mimic on the same probes; and what could not be compared, why."""
    columns = [Column(name, stub=True) for name in ("Data set", "Backbone", "Test", "Against", "Method")]
    columns += [Column(name) for name in ("Difference in Rank-1", "95 % interval", "p", "p, Holm", "Probes", "Seeds")]
    caption = (
        "Each method against Baseline-2 and Vanilla Mimic on the same probes. Difference in Rank-1 in percentage "
        "points, each probe's hits averaged over the seeds that both have; its interval by paired bootstrap over "
        "probes, p by a paired sign-flip test (two-sided), also corrected by Holm for all comparisons of the same data "
        "set, backbone and test."
    )
    table, problems = Table("table5", "Table 5", caption, columns), []
    reader = _Probes()
    tests = [*main.standard, *main.extra]
    for (dataset, backbone, test), mine in _by(tests, lambda g: (g.dataset, g.backbone, g.test)):
        called, values, first = labels(mine), [], len(table.rows)
        title = test.name if test.protocol == "standard" else f"{test.name} ({test.protocol})"
        for name in REFERENCES:
            references = [g for g in mine if g.method == name]
            for g, label in zip(mine, called, strict=True):
                if not references or g.method == name or (name, g.method) == REFERENCES[::-1]:
                    continue
                alike = [r for r in references if r.trained_kinds == g.trained_kinds]
                reference = (alike or references)[0]
                where = f"{where_text(g.dataset, g.backbone)}, {title}: {g.method} against {name}"
                try:
                    pair = reader.paired(g, reference)
                except ValueError as error:
                    problems.append(f"{where}: not compared: {error}.")
                    continue
                found = paired_test(pair.first, pair.second, pair.weights)
                values.append(found.p)
                difference, low, high = (_signed(100 * v) for v in (found.difference, *found.interval))
                table.rows.append([dataset, backbone, title, name, label, difference, f"{low} … {high}",
                                   _p(found.p), None, len(pair.weights), pair.seeds])  # fmt: skip
        for row, p in zip(table.rows[first:], holm(values), strict=True):
            row[8] = _p(p)
    if table.rows:
        table.notes.append("These tests speak of other probes, not of other trainings: for those see ± over seeds.")
    if any(g.zero_shot for g in tests):
        table.notes.append(ZERO_SHOT)
    return _shorter(table), problems


def holm(values: list[float]) -> list[float]:
    """p-values corrected for their number by Holm's step-down rule, in the same order."""
    order = sorted(range(len(values)), key=values.__getitem__)
    corrected, largest = [0.0] * len(values), 0.0
    for position, index in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - position) * values[index]))
        corrected[index] = largest
    return corrected


@dataclass(frozen=True)
class _Pair:
    first: np.ndarray
    second: np.ndarray
    weights: np.ndarray
    seeds: int


class _Probes:
    """Reads the arrays beside result files, each file once."""

    def __init__(self):
        self._read: dict[Run, dict[str, np.ndarray]] = {}

    def paired(self, first: Group, second: Group) -> _Pair:
        """Both groups' hits at rank 1 [k], averaged over common seeds.

        Raises:
            ValueError: why they cannot be paired.
        """
        common = sorted(set(first.seeds) & set(second.seeds))
        if not common:
            raise ValueError("no seed in common")
        hits, names, weights = ([], []), None, None
        for target, group in zip(hits, (first, second), strict=True):
            for seed in common:
                arrays = self._arrays(group.runs[group.seeds.index(seed)])
                key = f"{group.test.name}/hits"
                if not {"names", "weights", key} <= set(arrays):
                    raise ValueError("the probes' scores are not there")
                if names is None:
                    names, weights = arrays["names"], arrays["weights"]
                if not np.array_equal(names, arrays["names"]) or not np.allclose(weights, arrays["weights"]):
                    raise ValueError("the probes are not the same")
                if arrays[key].ndim != 2 or len(arrays[key]) != len(names) or not np.isfinite(arrays[key]).all():
                    raise ValueError("the probes' scores are damaged")
                target.append(arrays[key][:, 0].astype(np.float64))
        return _Pair(np.mean(hits[0], axis=0), np.mean(hits[1], axis=0), weights, len(common))

    def _arrays(self, run: Run) -> dict[str, np.ndarray]:
        key = run.path
        if key not in self._read:
            name = run.content.get("probes")
            if not name:
                raise ValueError("the probes' scores are not there")
            path = run.path.with_name(name.replace("\\", "/").rsplit("/", 1)[-1])
            try:
                self._read[key] = read_arrays(path, "scores of probes")
            except DataError:  # a report names no path of the machine
                raise ValueError(f"{path.name} cannot be read") from None
        return self._read[key]


def severity_table(groups: list[Group]) -> Table:
    """Rank-1 by occluded fraction."""
    amounts = sorted({a for g in groups if (a := fraction(g)) is not None})
    columns = [Column(name, stub=True) for name in ("Data set", "Backbone", "Method")]
    columns += [Column("0"), *(Column(f"{a:g}", brief=True) for a in amounts), Column("n")]
    caption = (
        "Rank-1 by occluded fraction of the frame's extent on one side (the probes, unless the setting occludes "
        "galleries alone), the other being whole. 0 is the network's own accuracy on whole clips; ± is the sample "
        "standard deviation over n seeds."
    )
    table = Table("severity", "Severity", caption, columns)
    for (dataset, backbone), mine in by_place(groups):
        for label, sweep in sweeps(mine):
            first = next(iter(sweep.values()))
            label = f"{label} †" if any(g.zero_shot for g in sweep.values()) else label
            row: list[Cell] = [dataset, backbone, label, first.holistic("Rank-1")]
            row += [sweep[a].score("Rank-1") if a in sweep else None for a in amounts]
            table.rows.append([*row, max(len(g.runs) for g in sweep.values())])
    table.notes += [ZERO_SHOT] if any(g.zero_shot for g in groups) else []
    return _shorter(table)


def fraction(group: Group) -> float | None:
    """A severity test's occluded fraction, which is its name."""
    try:
        return float(group.test.name)
    except ValueError:
        return None


def sweeps(groups: list[Group]) -> list[tuple[str, dict[float, Group]]]:
    """The severity tests of one data set and backbone: a method's label and its groups by occluded fraction."""
    found: dict[tuple, dict[float, Group]] = {}
    for g in sorted(groups, key=lambda g: (rank(g.method, TITLES), g.trained_kinds, str(fraction(g)))):
        amount = fraction(g)
        if amount is not None:
            found.setdefault((g.method, g.trained_kinds), {}).setdefault(amount, g)
    firsts = [next(iter(sweep.values())) for sweep in found.values()]
    return list(zip(labels(firsts, flag=False), found.values(), strict=True))


def breakdowns(groups: list[Group]) -> list[Table]:
    """Rank-1 of the standard test by the kind drawn for the probe, by its amount, and by the protocol's conditions."""

    def kinds(test):
        return {name.replace("_", " "): part["scores"] for name, part in (test.get("by_kind") or {}).items()}

    def amounts(test):
        bins = test.get("by_amount") or ()
        return {"–".join(f"{100 * a:.0f}" for a in b["range"]) + " %": b["scores"] for b in bins}

    def conditions(test):
        return test.get("conditions") or {}

    ways = (
        ("kinds", "By kind", "by the kind of occlusion drawn for the probe", kinds),
        ("amounts", "By amount", "by the probe's occluded fraction", amounts),
        ("conditions", "By condition", "by the protocol's conditions", conditions),
    )
    return [_breakdown(groups, *way) for way in ways]


def _breakdown(groups: list[Group], key: str, title: str, how: str, parts: Callable) -> Table:
    groups = [g for g in groups if any(parts(test) for test in g.tests)]
    names = _distinct(name for g in groups for test in g.tests for name in parts(test))
    if key == "amounts":
        names = sorted(names, key=lambda name: float(name.split("–")[0]))
    columns = [Column(name, stub=True) for name in ("Data set", "Backbone", "Method")]
    columns += [*(Column(name) for name in names), Column("n")]
    caption = f"Rank-1 of the standard test {how}. ± is the sample standard deviation over n seeds."
    table = Table(key, title, caption, columns)
    for (dataset, backbone), mine in by_place(groups):
        for g, label in zip(mine, labels(mine), strict=True):
            row: list[Cell] = [dataset, backbone, label]
            for name in names:
                values = [parts(test).get(name, {}).get("Rank-1") for test in g.tests]
                value = spread(v for v in values if v is not None)
                row.append(None if value is None else Score(value))
            table.rows.append([*row, len(g.runs)])
    table.notes += _tested(groups)
    return _shorter(table)


def visibility_table(runs: list[Run]) -> Table:
    """How well VENs name the kind and estimate the amount, per kind."""
    classes = _distinct(name for run in runs for name in run.content["classes"])
    columns = [Column("Data set", stub=True), Column("Network", stub=True), Column("Kind right, %")]
    columns += [Column("all", "Error of the amount, % of the frame")]
    columns += [Column(name.replace("_", " "), "Error of the amount, % of the frame") for name in classes]
    caption = "Visibility networks: share of clips whose kind is right, and mean absolute error of the occluded share."
    table = Table("visibility", "Visibility", caption, [*columns, Column("n")])
    for network, mine in networks(runs).items():
        dataset, label, known = network
        row: list[Cell] = [dataset, label, _over(run.content.get("accuracy") for run in mine)]
        row.append(_over((run.content.get("amount_error") for run in mine), times=100))
        for name in classes:
            errors = [run.content.get("amount_error_by_kind") for run in mine]
            at = known.index(name) if name in known else None
            values = [e[at] for e in errors if e and at is not None and at < len(e)]
            row.append(_over(values, times=100))
        table.rows.append([*row, len(mine)])
    return _shorter(table)


def networks(runs: list[Run]) -> dict[tuple[str, str, tuple[str, ...]], list[Run]]:
    """VEN results by data set, label and classes; those of several seeds together.

    The label is the method's name, with the kinds it learned where a data set has several of that name.
    """
    found: dict[tuple, list[Run]] = {}
    for run in runs:
        name = run.content["method"] + (" on refitted clips" if run.refitted else "")
        key = (run.content["dataset"], name, tuple(run.content["classes"]))
        found.setdefault(key, []).append(run)
    several = Counter(key[:2] for key in found)
    labelled = {}
    for key in sorted(found, key=lambda k: (rank(k[0], DATASETS), rank(k[1], TITLES), len(k[2]), k[2])):
        dataset, method, classes = key
        kinds = _trained(name for name in classes if name != "clean")
        labelled[dataset, f"{method} ({kinds})" if several[key[:2]] > 1 else method, classes] = found[key]
    return labelled


def whole_table(runs: list[Run]) -> Table:
    """Every network's own scores on whole clips."""
    own = [run.content["holistic"]["own"] for run in runs]
    names = _score_names(name for scores in own for name in scores)
    columns = [Column(n, stub=True) for n in ("Data set", "Backbone", "Method", "Trained on")]
    columns += [*(Column(n) for n in names), Column("n")]
    caption = "Each network's own scores on whole clips, in percent; ± is the sample standard deviation over n seeds."
    table, found = Table("whole", "Whole clips", caption, columns), {}
    for run in runs:
        content = run.content
        trained = tuple(sorted(set(content["trained_kinds"]))) + (("refitted",) if run.refitted else ())
        key = (content["dataset"], content["backbone"], content["method"], trained)
        found.setdefault((*key, run.setting), []).append(content["holistic"]["own"])
    for key in sorted(found, key=lambda k: (rank(k[0], DATASETS), rank(k[1], BACKBONES), rank(k[2], TITLES), k[3:])):
        cells = [_over(scores.get(name) for scores in found[key]) for name in names]
        table.rows.append([*key[:3], _trained(key[3]), *cells, len(found[key])])
    return _shorter(table)


def _score_names(found: Iterable[str]) -> list[str]:
    """Names of scores, ours in their order and others behind."""
    found = set(found)
    return [name for name in ALL_SCORES if name in found] + sorted(found - set(ALL_SCORES))


def scores_table(groups: list[Group]) -> Table:
    """Every score of every test."""
    names = _score_names(name for g in groups for test in g.tests for name in test["scores"])
    columns = [Column(n, stub=True) for n in ("Data set", "Backbone", "Test", "Method")]
    columns += [Column(n, brief=True) for n in names]
    columns += [Column("HP, Rank-1"), Column("n")]
    caption = (
        "All scores of all tests, in percent; ± is the sample standard deviation over n seeds. RP and HP of each "
        "score are in the CSV file."
    )
    table = Table("scores", "All scores", caption, columns)
    for (dataset, backbone, test, setting), mine in _by(groups, lambda g: (g.dataset, g.backbone, g.test, g.setting)):
        title = f"{test.name} ({test.protocol}): {test.occlusions()}; {setting}"
        for g, label in zip(mine, labels(mine), strict=True):
            found = {name: g.score(name) for name in names}
            first = found.get("Rank-1")
            hp = Score(first.hp) if first is not None and first.hp is not None else None
            row = [dataset, backbone, title, label, *found.values()]
            table.rows.append([*row, hp, len(g.runs)])
    table.notes += [ZERO_SHOT] if any(g.zero_shot for g in groups) else []
    return _shorter(table)


def repeats_table(groups: list[Group]) -> Table:
    """Every test of every run by itself: Rank-1 and RP with their intervals."""
    columns = [Column(n, stub=True) for n in ("Data set", "Backbone", "Test", "Method", "Seed")]
    columns += [Column("Rank-1"), Column("sd over repeats"), Column("Interval"), Column("RP"), Column("RP's interval")]
    columns += [Column("HP"), Column("Repeats")]
    caption = (
        "Rank-1 of every run by itself: the mean over repeats (other draws of the occlusions) with its interval, and "
        "RP with its own, by paired bootstrap over probes."
    )
    table = Table("repeats", "Every run", caption, columns)
    for g in groups:
        for run, test in zip(g.runs, g.tests, strict=True):
            score = test["scores"].get("Rank-1", {})
            if score.get("mean") is None:
                continue
            rp = score.get("RP")
            table.rows.append([
                g.dataset, g.backbone, f"{test['name']} ({test['protocol']})", g.method, str(run.content["seed"]),
                float(score["mean"]), _float(score.get("sd")), _interval(score.get("interval"), 1),
                None if rp is None else f"{rp:.2f}", _interval(score.get("RP_interval"), 2), _float(score.get("HP")),
                len(score.get("values") or [0]),
            ])  # fmt: skip
    return _shorter(table)


def runs_table(runs: list[Run]) -> Table:
    """Where each number comes from."""
    names = ("Result file", "Data set", "Method", "Backbone", "Trained on", "Seed", "Iteration", "Checkpoint, SHA-256")
    names = (*names, "Teacher, SHA-256", "Host", "Versions")
    columns = [Column(n, stub=n == names[0], words=n not in ("Seed", "Iteration")) for n in names]
    caption = "Every result file this report was made from; hashes by their first 12 digits."
    table = Table("runs", "Runs", caption, columns)
    for run, name in zip(runs, shortest_names(runs), strict=True):
        content = run.content
        versions = ", ".join(f"{k} {v}" for k, v in content["versions"].items() if v is not None)
        trained = content.get("trained_kinds", content.get("classes", []))
        table.rows.append([
            name, content["dataset"], content["method"], content.get("backbone"), _trained(trained),
            content["seed"], run.iteration or None, _hash(content.get("checkpoint")), _hash(content.get("teacher")),
            content.get("host"), versions,
        ])  # fmt: skip
    table.rows.sort(key=lambda row: (rank(row[1], DATASETS), row[0]))
    return table


def shortest_names(runs: list[Run]) -> list[str]:
    """The runs' files, relative to the folder that they have in common: a report names no folder of its machine."""
    paths = [run.path.resolve() for run in runs]
    common = os.path.commonpath([path.parent for path in paths]) if paths else ""
    return [path.relative_to(common).as_posix() for path in paths]


def where_text(dataset: str, backbone: str) -> str:
    """What a panel or a row is about: "GaitBase on GREW"."""
    return f"{backbone} on {dataset}"


def labels(groups: list[Group], names: dict[str, str] | None = None, flag: bool = True) -> list[str]:
    """What to call each group beside the others of its data set and backbone.

    The method's name, with its training kinds where the same method stands there twice, and a dagger where the test
    is zero-shot and `flag` is set.
    """
    names = names or {}
    place = Counter((g.dataset, g.backbone, g.method) for g in groups)
    found = []
    for g in groups:
        label = names.get(g.method, g.method)
        if place[g.dataset, g.backbone, g.method] > 1:
            label += f" (trained on {_trained(g.trained_kinds)})"
        found.append(f"{label} †" if flag and g.zero_shot else label)
    return found


def by_place(groups: list[Group]) -> list[tuple[tuple[str, str], list[Group]]]:
    """Groups by data set and backbone, in the paper's order."""
    return _by(groups, lambda g: (g.dataset, g.backbone))


def _by(groups: Iterable[Group], key: Callable) -> list[tuple[tuple, list[Group]]]:
    found: dict[tuple, list[Group]] = {}
    for g in groups:
        found.setdefault(key(g), []).append(g)
    return list(found.items())


def _cells(group: Group, metrics: Iterable[str]) -> list[Cell]:
    return [*(group.score(metric) for metric in metrics), len(group.runs)]


def _hp_cells(groups: list[Group], metrics: tuple[str, ...]) -> list[Cell]:
    """HP of each metric over the distinct teachers of all `groups`, and how many those are."""
    found = [collect.holistic_performance(groups, metric) for metric in metrics]
    return [*(None if hp is None else Score(hp) for hp in found), next((hp.n for hp in found if hp), None)]


def _hp_notes(groups: list[Group], metrics: tuple[str, ...]) -> list[str]:
    """Where methods that stand together have other teachers, what each one's HP is."""
    notes = []
    for (dataset, backbone), mine in by_place(groups):
        methods = _by(mine, lambda g: g.method)
        if len({frozenset(run.teacher for g in same for run in g.runs) for _, same in methods}) > 1:
            found = [(method, collect.holistic_performance(same, metrics[0])) for method, same in methods]
            shown = ", ".join(f"{method} {text(Score(hp))} (n = {hp.n})" for method, hp in found if hp)
            where = where_text(dataset, backbone)
            notes.append(f"{where}: not all rows have the same teachers. HP, {metrics[0]}, by row: {shown}.")
    return notes


def _tested(groups: list[Group]) -> list[str]:
    """What the standard tests are, said once where they are the same for all data sets."""
    tests = {g.dataset: f"{g.test.occlusions()}; {g.setting}" for g in groups}
    if len(set(tests.values())) == 1:
        return [f"Test: {next(iter(tests.values()))}."]
    return [f"Test, {dataset}: {what}." for dataset, what in tests.items()]


def _footnotes(groups: list[Group], metrics: tuple[str, ...]) -> list[str]:
    return [*([ZERO_SHOT] if any(g.zero_shot for g in groups) else []), *_hp_notes(groups, metrics)]


def _shorter(table: Table) -> Table:
    """The table without its leading columns that say the same in every row; the caption says it instead."""
    while len([c for c in table.columns if c.stub]) > 1 and table.rows and len({row[0] for row in table.rows}) == 1:
        column, value = table.columns[0], table.rows[0][0]
        table.caption += f" {column.name}: {value}."
        table.columns = table.columns[1:]
        table.rows = [row[1:] for row in table.rows]
    return table


def _over(values: Iterable[float | None], times: float = 1.0) -> Score | None:
    value = spread(times * v for v in values if v is not None)
    return None if value is None else Score(value)


def _distinct(items: Iterable) -> list:
    return list(dict.fromkeys(items))


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _interval(interval: list[float] | None, digits: int) -> str | None:
    return None if interval is None else " … ".join(f"{v:.{digits}f}" for v in interval)


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _trained(kinds: Iterable[str]) -> str:
    return ", ".join(kind.replace("_", " ") for kind in kinds) or "whole clips"


def _hash(file: dict | None) -> str | None:
    return file["sha256"][:12] if file else None
