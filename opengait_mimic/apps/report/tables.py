"""The paper's tables, and what goes beyond the paper, from groups of results."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from opengait_mimic.apps.experiments.recipes import TITLES
from opengait_mimic.apps.report import collect
from opengait_mimic.apps.report.collect import BACKBONES, Group, Run, Score, rank
from opengait_mimic.apps.report.compare import (
    by,
    by_place,
    distinct,
    is_beyond,
    labels,
    main_tests,
    table1_groups,
    tested,
    trained_text,
    where_text,
)
from opengait_mimic.apps.report.details import (
    breakdowns,
    repeats_table,
    runs_table,
    scores_table,
    severity_table,
    visibility_table,
    whole_table,
)
from opengait_mimic.apps.report.significance import significance_table
from opengait_mimic.apps.report.table import ZERO_SHOT, Cell, Column, Table, stubs, text

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
VARIANTS = {"classification)": (True, False), "regression)": (False, True)}
METRICS = ("Rank-1", "Rank-5")
HP = "Teacher on holistic clips (HP)"
READING = (
    "Accuracy in percent, RP = OP / HP in brackets; ± is the sample standard deviation over n seeds. "
    "HP is the teacher's accuracy on holistic clips in the same runs; its n counts distinct teachers."
)


def tables(runs: list[Run], visibility: list[Run]) -> tuple[list[Table], list[str]]:
    """All tables that have rows, in the page's order.

    Args:
        runs: results of recognition.
        visibility: results of VENs.

    Returns:
        The tables, and a line for each that has no row and for each thing to know about the others.
    """
    groups = collect.groups(runs)
    main = main_tests(groups)
    significance, problems = significance_table([*main.standard, *main.extra])
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
    unequal = [
        f"{where_text(g.dataset, g.backbone)}, {g.method}, {g.test.name}: beside the seed, the configurations "
        f"differ in {', '.join(keys[:6])}."
        for g in groups
        if (keys := collect.differing_settings(g))
    ]
    remarks = [*left_out, *main.notes, *problems, *unequal]
    return [t if t.key == "table1" else t.shorter() for t in made if t.rows], remarks


def table1(groups: list[Group]) -> Table:
    """Methods × backbones × data sets: the paper's four systems and any that none of its tables knows."""
    groups, metrics = table1_groups(groups), (*METRICS, "TAR@0.01")
    datasets = distinct(g.dataset for g in groups)
    columns = [*stubs("Backbone", "Method"), *(Column(name, d) for d in datasets for name in (*metrics, "n"))]
    caption = f"Methods, backbones and data sets under occlusion. {READING}"
    table = Table("table1", "Table 1", caption, columns)
    for backbone in sorted({g.backbone for g in groups}, key=lambda b: rank(b, BACKBONES)):
        mine = sorted((g for g in groups if g.backbone == backbone), key=lambda g: rank(g.method, TITLES))
        hp = [_hp_cells([g for g in mine if g.dataset == dataset], metrics) for dataset in datasets]
        table.rows.append([backbone, HP, *chain.from_iterable(hp)])
        found: dict[str, dict[str, Group]] = {}
        for g, label in zip(mine, labels(mine), strict=True):
            found.setdefault(label, {}).setdefault(g.dataset, g)
        for label, there in found.items():
            cells = [_cells(there.get(dataset), metrics) for dataset in datasets]
            table.rows.append([backbone, label, *chain.from_iterable(cells)])
    table.notes += [*tested(groups), *_footnotes(groups, metrics)]
    return table


def table2(groups: list[Group]) -> Table:
    """Generalizability (zero-shot) beside adaptability, by additional occlusion."""
    protocols = ("generalizability", "adaptability")
    columns = stubs("Data set", "Backbone", "Additional occlusion", "Method")
    columns += [Column(name, protocol.capitalize()) for protocol in protocols for name in (*METRICS, "n")]
    caption = f"Generalizability (zero-shot) and adaptability (additional training) to other occlusions. {READING}"
    table = Table("table2", "Table 2", caption, columns)
    for (dataset, backbone), mine in by_place(groups):
        hp = [_hp_cells([g for g in mine if g.test.protocol == p]) for p in protocols]
        table.rows.append([dataset, backbone, "none", HP, *chain.from_iterable(hp)])
        mine = sorted(mine, key=lambda g: (g.test.name, rank(g.method, TITLES)))
        for (name, method), same in by(mine, lambda g: (g.test.name, g.method)):
            found = [[g for g in same if g.test.protocol == p] for p in protocols]
            rows = max(map(len, found))
            for number in range(rows):
                both = [some[number] if number < len(some) else None for some in found]
                trained = "; ".join(trained_text(g.trained_kinds) for g in both if g is not None)
                label = method if rows == 1 else f"{method} (trained on {trained})"
                table.rows.append(
                    [dataset, backbone, name.replace("_", " "), label, *chain.from_iterable(map(_cells, both))]
                )
    for protocol in protocols:
        tests = distinct((g.dataset, g.test) for g in groups if g.test.protocol == protocol)
        table.notes += [f"{protocol.capitalize()}, {d}, {t.name}: {t.occlusions()}." for d, t in tests]
    trained = distinct((g.test.name, g.trained_kinds) for g in groups if g.test.protocol == "adaptability")
    table.notes += [f"Adaptability, {name}: trained on {trained_text(kinds)}." for name, kinds in trained]
    table.notes += [f"{d}: {setting}." for d, setting in distinct((g.dataset, g.setting) for g in groups)]
    table.notes += _hp_notes(groups, METRICS)
    for g in groups:
        if g.zero_shot != (g.test.protocol == "generalizability"):
            flag = "zero-shot" if g.zero_shot else "not zero-shot"
            where = where_text(g.dataset, g.backbone)
            table.notes.append(f"{where}, {g.method}, {g.test.name}: {flag} under {g.test.protocol}.")
    return table


def table3(groups: list[Group]) -> Table:
    """Distillation strategies, with the control without a teacher."""
    caption = f"Distillation strategies for the mimic network, without VEN. {READING}"
    table = Table("table3", "Table 3", caption, [*stubs("Data set", "Backbone", "Method")])
    return _ablation(table, [g for g in groups if g.method in DISTILLATION], DISTILLATION, {})


def table4(groups: list[Group]) -> Table:
    """Mimicking and the tasks of the auxiliary network, with check marks."""
    marks = {g.method: tasks for g in groups if (tasks := method_tasks(g.method)) is not None}
    caption = f"Effect of the mimic training strategy and of the auxiliary network's tasks. {READING}"
    ticks = [Column("Mimic"), Column("Classif.", "Proxy tasks"), Column("Reg.", "Proxy tasks")]
    table = Table("table4", "Table 4", caption, [*stubs("Data set", "Backbone", "Method"), *ticks])
    return _ablation(table, [g for g in groups if g.method in marks], {}, marks)


def method_tasks(method: str) -> tuple[bool, bool, bool] | None:
    """Whether a method of Table 4 mimics, and whether its auxiliary network classifies and regresses."""
    name, _, variant = method.partition(" (")
    tasks = TASKS.get(name)
    if tasks is None or not variant:
        return tasks
    return (tasks[0], *VARIANTS[variant]) if variant in VARIANTS else None


def _ablation(table: Table, groups: list[Group], names: dict[str, str], marks: dict[str, tuple]) -> Table:
    table.columns += [Column(name) for name in (*METRICS, "n")]
    for (dataset, backbone), mine in by_place(groups):
        if table1_groups(mine) == mine:
            continue  # nothing here that Table 1 does not say
        table.rows.append([dataset, backbone, HP, *([""] * 3 if marks else []), *_hp_cells(mine)])
        for g, label in zip(mine, labels(mine, names), strict=True):
            ticks = ["✓" if task else "" for task in marks.get(g.method, ())]
            table.rows.append([dataset, backbone, label, *ticks, *_cells(g)])
    table.notes += [*tested(groups), *_footnotes(groups, METRICS)]
    return table


def beyond_table(groups: list[Group]) -> Table:
    """What goes beyond the paper beside its Mimic + VEN, on occlusions painted in place and on refitted clips."""
    columns = [*stubs("Data set", "Backbone", "Occlusion", "Method"), *map(Column, METRICS)]
    columns += [*(Column(name, "Holistic clips") for name in ("Rank-1", "Retention")), Column("n")]
    caption = (
        "Beyond the paper, under the paper's own method: matching weighted by visibility or by likelihood, "
        "registration by the VEN, clean clips in training, and the residual of the authors' follow-up; VEN+ is a VEN "
        f"that also knows parts. Retention is the network's Rank-1 on holistic clips relative to HP. {READING}"
    )
    table = Table("beyond", "Beyond the paper", caption, columns)
    painted_first = sorted(groups, key=lambda g: g.runs[0].refitted)
    for (dataset, backbone, test), mine in by(painted_first, lambda g: (g.dataset, g.backbone, g.test)):
        shown = "refitted" if mine[0].runs[0].refitted else "painted"
        table.rows.append([dataset, backbone, shown, HP, *_hp_cells(mine)[:-1], None, None, None])
        rows = [g for g in mine if g.method in ("Baseline-1", "Mimic + VEN")]
        rows += [g for g in mine if is_beyond(g.method)]
        for g, label in zip(rows, labels(rows), strict=True):
            kept = g.retention("Rank-1")
            retention = None if kept is None else f"{kept.mean:.3f}" + (f" ± {kept.sd:.3f}" if kept.sd else "")
            *scores, n = _cells(g)
            table.rows.append([dataset, backbone, shown, label, *scores, g.holistic("Rank-1"), retention, n])
        table.notes.append(f"{where_text(dataset, backbone)}, {shown}: {test.occlusions()}; {mine[0].setting}.")
    table.notes += _footnotes(groups, METRICS)
    return table


def _cells(group: Group | None, metrics: Iterable[str] = METRICS) -> list[Cell]:
    if group is None:
        return [*(None for _ in metrics), None]
    return [*(group.score(metric) for metric in metrics), len(group.runs)]


def _hp_cells(groups: list[Group], metrics: Iterable[str] = METRICS) -> list[Cell]:
    """HP of each metric over the distinct teachers of all `groups`, and how many those are."""
    found = [collect.holistic_performance(groups, metric) for metric in metrics]
    return [*(None if hp is None else Score(hp) for hp in found), next((hp.n for hp in found if hp), None)]


def _footnotes(groups: list[Group], metrics: Iterable[str]) -> list[str]:
    return [*([ZERO_SHOT] if any(g.zero_shot for g in groups) else []), *_hp_notes(groups, metrics)]


def _hp_notes(groups: list[Group], metrics: Iterable[str]) -> list[str]:
    """Where methods that stand together have other teachers, what each one's HP is."""
    notes, metric = [], next(iter(metrics))
    for (dataset, backbone), mine in by_place(groups):
        methods = by(mine, lambda g: g.method)
        if len({frozenset(run.teacher for g in same for run in g.runs) for _, same in methods}) > 1:
            found = [(method, collect.holistic_performance(same, metric)) for method, same in methods]
            shown = ", ".join(f"{method} {text(Score(hp))} (n = {hp.n})" for method, hp in found if hp)
            where = where_text(dataset, backbone)
            notes.append(f"{where}: not all rows have the same teachers. HP, {metric}, by row: {shown}.")
    return notes
