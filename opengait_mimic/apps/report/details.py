"""The tables behind the paper's: severity, occlusion types, amounts, VENs, every score, every run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from opengait_mimic.apps.experiments.recipes import TITLES
from opengait_mimic.apps.report.collect import BACKBONES, DATASETS, Group, Run, Score, rank, spread
from opengait_mimic.apps.report.compare import by, by_place, distinct, labels, networks, sweeps, tested, trained_text
from opengait_mimic.apps.report.table import ZERO_SHOT, Cell, Column, Table, stubs

ALL_SCORES = ("Rank-1", "Rank-5", "Rank-10", "Rank-20", "mAP", "mINP", "TAR@0.1", "TAR@0.01", "TAR@0.001")
PLACE = ("Data set", "Backbone")


def severity_table(groups: list[Group]) -> Table:
    """Rank-1 by occluded fraction."""
    amounts = sorted({g.test.fraction for g in groups if g.test.fraction is not None})
    columns = [*stubs(*PLACE, "Method"), Column("0"), *(Column(f"{a:g}", brief=True) for a in amounts), Column("n")]
    caption = (
        "Rank-1 by occluded fraction of the frame's extent on one side (the probes, unless the setting occludes "
        "galleries alone), the other being holistic. 0 is the network's own accuracy on holistic clips; ± is the "
        "sample standard deviation over n seeds."
    )
    table = Table("severity", "Severity", caption, columns)
    for place, mine in by_place(groups):
        for label, sweep in sweeps(mine):
            label = f"{label} †" if any(g.zero_shot for g in sweep.values()) else label
            whole = next(iter(sweep.values())).holistic("Rank-1")
            scores = [sweep[a].score("Rank-1") if a in sweep else None for a in amounts]
            table.rows.append([*place, label, whole, *scores, max(len(g.runs) for g in sweep.values())])
    table.notes += [ZERO_SHOT] if any(g.zero_shot for g in groups) else []
    return table


def breakdowns(groups: list[Group]) -> list[Table]:
    """Rank-1 of the standard test by the type drawn for the probe, by its amount, and by the protocol's conditions."""

    def kinds(test):
        return {name.replace("_", " "): part["scores"] for name, part in (test.get("by_kind") or {}).items()}

    def amounts(test):
        bins = sorted(test.get("by_amount") or (), key=lambda b: b["range"])
        return {"–".join(f"{100 * a:.0f}" for a in b["range"]) + " %": b["scores"] for b in bins}

    def conditions(test):
        return test.get("conditions") or {}

    return [
        _breakdown(groups, "kinds", "By kind", "by the kind of occlusion drawn for the probe", kinds),
        _breakdown(groups, "amounts", "By amount", "by the probe's occluded fraction", amounts),
        _breakdown(groups, "conditions", "By condition", "by the protocol's conditions", conditions),
    ]


def _breakdown(groups: list[Group], key: str, title: str, how: str, parts: Callable) -> Table:
    groups = [g for g in groups if any(parts(test) for test in g.tests)]
    names = distinct(name for g in groups for test in g.tests for name in parts(test))
    caption = f"Rank-1 of the standard test {how}. ± is the sample standard deviation over n seeds."
    table = Table(key, title, caption, [*stubs(*PLACE, "Method"), *map(Column, names), Column("n")])
    for place, mine in by_place(groups):
        for g, label in zip(mine, labels(mine), strict=True):
            scores = [_over(parts(test).get(name, {}).get("Rank-1") for test in g.tests) for name in names]
            table.rows.append([*place, label, *scores, len(g.runs)])
    table.notes += tested(groups)
    return table


def visibility_table(runs: list[Run]) -> Table:
    """How well VENs name the occlusion type and estimate the amount, per type."""
    classes = distinct(name for run in runs for name in run.content["classes"])
    columns = [*stubs("Data set", "Network"), Column("Kind right, %")]
    columns += [Column(name.replace("_", " "), "Error of the amount, % of the frame") for name in ("all", *classes)]
    caption = "Visibility networks: share of clips whose kind is right, and mean absolute error of the occluded share."
    table = Table("visibility", "Visibility", caption, [*columns, Column("n")])
    for (dataset, label, known), mine in networks(runs).items():
        row = [dataset, label, _over(run.content.get("accuracy") for run in mine)]
        row.append(_over((run.content.get("amount_error") for run in mine), times=100))
        errors = [dict(zip(known, run.content.get("amount_error_by_kind") or (), strict=False)) for run in mine]
        row += [_over((found.get(name) for found in errors), times=100) for name in classes]
        table.rows.append([*row, len(mine)])
    return table


def whole_table(runs: list[Run]) -> Table:
    """Every network's own scores on holistic clips."""
    names = _score_names(name for run in runs for name in run.content["holistic"]["own"])
    columns = [*stubs(*PLACE, "Method", "Trained on"), *map(Column, names), Column("n")]
    caption = (
        "Each network's own scores on holistic clips, in percent; ± is the sample standard deviation over n seeds."
    )
    table = Table("whole", "Holistic clips", caption, columns)

    def key(run: Run) -> tuple:
        content, refitted = run.content, ("refitted",) if run.refitted else ()
        dataset, backbone, method = (content[name] for name in ("dataset", "backbone", "method"))
        order = (rank(dataset, DATASETS), rank(backbone, BACKBONES), rank(method, TITLES))
        return order, dataset, backbone, method, (*sorted(set(content["trained_kinds"])), *refitted), run.setting

    for (_, dataset, backbone, method, trained, _), mine in sorted(by(runs, key), key=lambda pair: pair[0]):
        cells = [_over(run.content["holistic"]["own"].get(name) for run in mine) for name in names]
        table.rows.append([dataset, backbone, method, trained_text(trained), *cells, len(mine)])
    return table


def scores_table(groups: list[Group]) -> Table:
    """Every score of every test."""
    names = _score_names(name for g in groups for test in g.tests for name in test["scores"])
    columns = [*stubs(*PLACE, "Test", "Method"), *(Column(n, brief=True) for n in names)]
    caption = (
        "All scores of all tests, in percent; ± is the sample standard deviation over n seeds. RP and HP of each "
        "score are in the CSV file."
    )
    table = Table("scores", "All scores", caption, [*columns, Column("HP, Rank-1"), Column("n")])
    for (dataset, backbone, test, setting), mine in by(groups, lambda g: (g.dataset, g.backbone, g.test, g.setting)):
        title = f"{test.name} ({test.protocol}): {test.occlusions()}; {setting}"
        for g, label in zip(mine, labels(mine), strict=True):
            first = g.score("Rank-1")
            hp = Score(first.hp) if first is not None and first.hp is not None else None
            table.rows.append([dataset, backbone, title, label, *map(g.score, names), hp, len(g.runs)])
    table.notes += [ZERO_SHOT] if any(g.zero_shot for g in groups) else []
    return table


def repeats_table(groups: list[Group]) -> Table:
    """Every test of every run by itself: Rank-1 and RP with their intervals."""
    columns = stubs(*PLACE, "Test", "Method", "Seed")
    columns += map(Column, ("Rank-1", "sd over repeats", "Interval", "RP", "RP's interval", "HP", "Repeats"))
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
            mean, sd, hp = (None if score.get(n) is None else float(score[n]) for n in ("mean", "sd", "HP"))
            rp = None if score.get("RP") is None else f"{score['RP']:.2f}"
            table.rows.append([
                g.dataset, g.backbone, f"{test['name']} ({test['protocol']})", g.method, str(run.content["seed"]),
                mean, sd, _interval(score.get("interval"), 1), rp, _interval(score.get("RP_interval"), 2), hp,
                len(score.get("values") or [0]),
            ])  # fmt: skip
    return table


def runs_table(runs: list[Run]) -> Table:
    """Where each number comes from."""
    names = ("Result file", "Data set", "Method", "Backbone", "Trained on", "Seed", "Iteration", "Checkpoint, SHA-256",
             "Teacher, SHA-256", "Host", "Versions")  # fmt: skip
    columns = [Column(n, stub=n == names[0], words=n not in ("Seed", "Iteration")) for n in names]
    caption = "Every result file this report was made from; hashes by their first 12 digits."
    table = Table("runs", "Runs", caption, columns)
    for run, name in zip(runs, shortest_names(runs), strict=True):
        content = run.content
        versions = ", ".join(f"{k} {v}" for k, v in content["versions"].items() if v is not None)
        trained = content.get("trained_kinds", content.get("classes", []))
        table.rows.append([
            name, content["dataset"], content["method"], content.get("backbone"), trained_text(trained),
            content["seed"], run.iteration or None, _hash(content.get("checkpoint")), _hash(content.get("teacher")),
            content.get("host"), versions,
        ])  # fmt: skip
    table.rows.sort(key=lambda row: (rank(str(row[1]), DATASETS), row[0]))
    return table


def shortest_names(runs: list[Run]) -> list[str]:
    """The runs' files, relative to the folder that they have in common: a report names no folder of its machine."""
    paths = [run.path.resolve() for run in runs]
    common = os.path.commonpath([path.parent for path in paths]) if paths else ""
    return [path.relative_to(common).as_posix() for path in paths]


def _score_names(found: Iterable[str]) -> list[str]:
    """Names of scores, ours in their order and others behind."""
    found = set(found)
    return [name for name in ALL_SCORES if name in found] + sorted(found - set(ALL_SCORES))


def _over(values: Iterable[float | None], times: float = 1.0) -> Cell:
    value = spread(None if v is None else times * v for v in values)
    return None if value is None else Score(value)


def _interval(interval: list[float] | None, digits: int) -> str | None:
    return None if interval is None else " … ".join(f"{v:.{digits}f}" for v in interval)


def _hash(file: dict | None) -> str | None:
    return file["sha256"][:12] if file else None
