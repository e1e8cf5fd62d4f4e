"""The shipped configurations of what goes beyond the paper, and the table that reports them."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from opengait_mimic.apps.experiments.recipes import METHODS, file_name, needs, recipe, rows, small, stages
from opengait_mimic.apps.experiments.recipes.methods import BEYOND
from opengait_mimic.apps.report.collect import Run, groups
from opengait_mimic.apps.report.tables import beyond_table, is_ours, main_tests
from opengait_mimic.errors import DataError
from opengait_mimic.method.occlusion import mixture
from opengait_mimic.opengait.config.check import check
from opengait_mimic.opengait.config.sections import backbone_spec, lifted, method_name, shipped, ven_spec

FOLDER = shipped("configs") / "mimicgait" / "GREW"
RUNS = pytest.mark.parametrize(("method", "kinds"), rows(BEYOND))


def read(method, kinds):
    return yaml.safe_load((FOLDER / file_name("GREW", "GaitBase", method, kinds)).read_text())


def test_every_part_stands_alone_and_together_painted_and_refitted():
    titles = [METHODS[method].title for method, kinds in rows(BEYOND) if kinds == "standard"]
    assert titles == [
        "Mimic + VEN", "Baseline-1", "Baseline-1, registered", "Mimic + VEN+", "Mimic + VEN+, registered",
        "Mimic + VEN, clean clips", "Residual", "Mimic + VEN+, registered, clean clips",
    ]  # fmt: skip
    assert [m for m, k in rows(BEYOND) if k == "refitted"] == [m for m, k in rows(BEYOND) if k == "standard"]
    order = stages([BEYOND])
    for place, run in enumerate(order):
        assert set(needs(*run)) <= set(order[:place])


@RUNS
def test_a_configuration_is_the_method_it_is_called(method, kinds):
    cfgs, how = read(method, kinds), METHODS[method]
    assert cfgs == recipe("GREW", "GaitBase", method, kinds)
    ven = ven_spec(cfgs["model_cfg"])
    assert method_name(cfgs, ven.model_cfg) == how.title
    assert all(cfgs["evaluator_cfg"].get(matching, False) is how.weighted for matching in ("weighted", "likelihood"))
    tested = mixture(lifted(cfgs["evaluator_cfg"]["transform"], "")[1]["kinds"])
    assert sum(tested.probs) == pytest.approx(1) and all(k.refit == (kinds == "refitted") for k in tested.kinds)
    if how.trained:
        trained = mixture(lifted(cfgs["trainer_cfg"]["transform"], "")[1]["kinds"])
        assert sum(trained.probs) == pytest.approx(2 / 3 if how.clean else 1, abs=1e-3)


@RUNS
def test_a_shipped_run_is_complete_but_for_the_path_of_the_data(method, kinds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for needed in needs(method, kinds):
        path = FOLDER / file_name("GREW", "GaitBase", *needed)
        checkpoint = backbone_spec({"backbone": str(path)}, "").checkpoint
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.touch()
    path = FOLDER / file_name("GREW", "GaitBase", method, kinds)
    with pytest.raises(DataError, match="dataset_root: no such folder: your_path"):
        check(path, "embedded", "train" if METHODS[method].trained else "test")


def test_the_small_ven_with_parts_learns_longer():
    cfgs = [small(recipe("GREW", "GaitBase", name)) for name in ("ven", "ven_parts")]
    assert [c["trainer_cfg"]["total_iter"] for c in cfgs] == [200, 2400]
    assert cfgs[1]["model_cfg"]["tasks"] == ["classification", "regression", "parts"]


@pytest.mark.parametrize(("name", "ours"), [
    ("Mimic + VEN", False), ("MiCKD, pair 1", False), ("MiCKD, pairs 1+2", False), ("Baseline-1", False),
    ("Baseline-1, weighted", True), ("Baseline-1, likelihood", True), ("Residual", True),
    ("Baseline-1, likelihood of persons", True), ("Mimic + VEN+", True),
    ("Mimic + VEN, clean clips", True), ("Vanilla Mimic, registered, weighted", True),
])  # fmt: skip
def test_which_rows_go_beyond_the_paper(name, ours):
    assert is_ours(name) is ours


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
        for method in ("Teacher on whole clips (HP)", "Mimic + VEN", "Mimic + VEN, registered")
    ]  # fmt: skip
    kept = {row[1]: row[-2] for row in table.rows}
    assert kept["Mimic + VEN, registered"] == "0.975" and kept["Mimic + VEN"] == "0.750"
    assert table.rows[2][2].value.mean == 40.5 and table.rows[2][-1] == 2 and "0.975" in table.markdown()
    assert beyond(run for run in runs if run.content["method"] == "L2 KD").rows == []


def beyond(runs):
    return beyond_table(main_tests(groups(runs)).beyond)


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
