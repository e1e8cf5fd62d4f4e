"""The report's table of what goes beyond the paper."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from opengait_mimic.apps.report.collect import Run, groups
from opengait_mimic.apps.report.compare import is_beyond, main_tests
from opengait_mimic.apps.report.tables import beyond_table


@pytest.mark.parametrize(("name", "ours"), [
    ("Mimic + VEN", False), ("MiCKD, pair 1", False), ("MiCKD, pairs 1+2", False), ("Baseline-1", False),
    ("Baseline-1, weighted", True), ("Baseline-1, likelihood", True), ("Residual", True),
    ("Baseline-1, likelihood of persons", True), ("Mimic + VEN+", True),
    ("Mimic + VEN, clean clips", True), ("Vanilla Mimic, registered, weighted", True),
])  # fmt: skip
def test_which_rows_go_beyond_the_paper(name, ours):
    assert is_beyond(name) is ours


def result(method, seed, rank1, own, refit, **more):
    kinds = [{"kind": "top", "prob": 1.0, "amount": [0.4, 0.6], **({"refit": True} if refit else {})}]
    score = {"mean": rank1, "sd": None, "interval": None, "values": [rank1], "HP": 80.0, "RP": rank1 / 80,
             "RP_interval": None}  # fmt: skip
    transform = [{"type": "Compose", "trf_cfg": [{"type": "BaseSilTransform"}, {"type": "Occlusion", "kinds": kinds}]}]
    return Run(Path(f"{method}-{seed}-{refit}.json"), {
        "dataset": "GREW", "backbone": "GaitBase", "method": method, "trained_kinds": ["top"], "seed": seed,
        "protocol": {"metric": "cos", "who": "both", "gallery_by": "network"},
        "config": {"evaluator_cfg": {"transform": transform}}, "teacher": {"sha256": f"teacher {seed}"},
        "holistic": {"own": {"Rank-1": own}, "teacher": {"Rank-1": 80.0}},
        "retention": {"Rank-1": own / 80},
        "tests": [{"name": "occluded", "protocol": "standard", "kinds": copy.deepcopy(kinds), "zero_shot": False,
                   "scores": {"Rank-1": score, "Rank-5": score}}],
        **more,
    }, refit)  # fmt: skip


def test_the_table_puts_ours_under_the_papers_painted_and_refitted_apart_with_retention():
    runs = [result(method, seed, rank1 + seed, own, refit)
            for refit in (False, True) for seed in (0, 1)
            for method, rank1, own in (("Mimic + VEN, registered", 40, 78), ("Mimic + VEN", 30, 60),
                                       ("L2 KD", 20, 70))]  # fmt: skip
    table = beyond(runs)
    assert [c.name for c in table.columns] == ["Occlusion", "Method", "Rank-1", "Rank-5", "Rank-1", "Retention", "n"]
    assert [row[:2] for row in table.rows] == [
        [shown, method] for shown in ("painted", "refitted")
        for method in ("Teacher on holistic clips (HP)", "Mimic + VEN", "Mimic + VEN, registered")
    ]  # fmt: skip
    kept = {row[1]: row[-2] for row in table.rows}
    assert kept["Mimic + VEN, registered"] == "0.975" and kept["Mimic + VEN"] == "0.750"
    assert table.rows[2][2].value.mean == 40.5 and table.rows[2][-1] == 2 and "0.975" in table.markdown()
    assert beyond(run for run in runs if run.content["method"] == "L2 KD").rows == []


def beyond(runs):
    return beyond_table(main_tests(groups(runs)).beyond).shorter()


def test_the_table_keeps_one_setting_and_tells_training_kinds_apart():
    probe = {"metric": "euc", "who": "probe", "gallery_by": "teacher"}
    registered = "Mimic + VEN, registered"
    runs = [result(registered, seed, 40, 78, False) for seed in (0, 1)]
    runs += [result(registered, 0, 50, 78, False, trained_kinds=["middle", "top"])]
    runs += [result(registered, 0, 90, 78, False, protocol=probe, teacher={"sha256": "another"})]
    table = beyond(runs)
    assert [(row[-6], row[-1]) for row in table.rows[1:]] == [
        (f"{registered} (trained on middle, top)", 1), (f"{registered} (trained on top)", 2),
    ]  # fmt: skip
    assert table.rows[0][-5].value == (80.0, 0.0, 2), "HP is that of the rows below it"


def test_what_the_table_shows_is_not_said_to_be_left_out():
    runs = [result("Mimic + VEN, registered", 0, 40, 78, refit) for refit in (False, True)]
    runs += [result("Mimic + VEN", 0, 30, 60, False), result("L2 KD", 0, 30, 60, False)]
    assert main_tests(groups(runs)).notes == []
