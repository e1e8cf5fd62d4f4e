"""Result files found, checked and grouped."""

from __future__ import annotations

import json
import math

import pytest

from opengait_mimic.apps.report.collect import collect, commonest, differing_settings, groups, kinds_text, rank, spread
from opengait_mimic.errors import DataError


def test_folders_are_searched_for_results_and_each_file_is_read_once(results):
    first = results.write(results.recognition("Baseline-2", 20.0))
    results.write(results.recognition("Mimic + VEN", 30.0))
    (results.root / "notes.json").write_text("{}")
    found = collect([results.root, first, results.root / "run1"])
    assert sorted(run.content["method"] for run in found.runs) == ["Baseline-2", "Mimic + VEN"]
    assert found.skipped == []
    inside = collect([first.parent])
    assert [run.path for run in inside.runs] == [first.resolve()]


def _changed(content, *path, value):
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["format"], 2, "format 2; this version reads format 1"),
        (["kind"], "speech", "no result file of opengait-mimic"),
        (["seed"], "0", "seed: "),
        (["method"], None, "method: "),
        (["tests", 0, "scores", "Rank-1", "mean"], "high", "tests.0.scores.Rank-1.mean: "),
        (["tests", 0, "scores", "Rank-1", "mean"], math.inf, "found inf"),
        (["tests", 0, "protocol"], "other", "tests.0.protocol: "),
        (["tests", 0, "kinds"], [7], "tests.0.kinds.0: "),
        (["tests", 0, "roc"], {"far": [0.1], "tar": []}, "far and tar differ in length"),
        (["teacher"], "t.pt", "teacher: "),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_left_aside_with_the_reason(results, path, value, message):
    results.write(results.recognition("Baseline-2", 20.0))
    wrong = results.write(_changed(results.recognition("Mimic + VEN", 30.0), *path, value=value))
    found = collect([results.root])
    assert [run.content["method"] for run in found.runs] == ["Baseline-2"]
    assert len(found.skipped) == 1
    assert found.skipped[0].startswith(f"{wrong}: skipped: ") and message in found.skipped[0]


def test_text_that_is_no_json_and_an_uneven_confusion_are_left_aside(results):
    results.write(results.visibility())
    results.write(results.visibility(confusion=[[1, 2], [3]], seed=1))
    results.write(results.visibility(seed=2)).write_text("{")
    found = collect([results.root])
    assert len(found.visibility) == 1
    assert sorted("confusion: expected 3 x 3 counts" in line for line in found.skipped) == [False, True]


def test_nothing_found_is_an_error_that_names_the_place_and_what_was_wrong(results):
    path = results.write({"loss": 1})
    with pytest.raises(DataError, match="no result file of ours in .*output\n.*no result file of opengait-mimic"):
        collect([results.root])
    path.unlink()
    with pytest.raises(DataError, match="no result file of ours in"):
        collect([results.root])


def test_mean_and_sample_standard_deviation_over_seeds_by_hand(results):
    for seed, rank1 in enumerate((20.0, 22.0, 27.0)):
        results.write(results.recognition("Mimic + VEN", tests=[results.test(rank1, hp=80.0 + seed)], seed=seed))
    [group] = groups(collect([results.root]).runs)
    score = group.score("Rank-1")
    assert group.seeds == (0, 1, 2)
    assert score.value.mean == pytest.approx(23.0)
    assert score.value.sd == pytest.approx(math.sqrt((9 + 1 + 16) / 2))
    assert score.value.n == 3
    assert score.rp.mean == pytest.approx((20 / 80 + 22 / 81 + 27 / 82) / 3)
    assert score.hp == pytest.approx((81.0, 1.0, 3))
    assert group.score("Rank-7") is None
    assert spread([4.0]) == (4.0, None, 1) and spread([]) is None


def test_one_teacher_of_several_runs_counts_once(results):
    teacher = {"path": "t.pt", "sha256": "ab" * 32}
    for seed in range(3):
        results.write(results.recognition("Mimic + VEN", 20.0, seed, teacher=teacher))
    [group] = groups(collect([results.root]).runs)
    assert group.score("Rank-1").hp == (80.0, None, 1)


def test_of_two_checkpoints_of_one_run_the_later_counts(results):
    for iteration, rank1 in ((100, 50.0), (300, 20.0), (200, 60.0)):
        checkpoint = {"path": "x.pt", "sha256": f"{iteration}", "iteration": iteration}
        results.write(results.recognition("Mimic + VEN", rank1, checkpoint=checkpoint))
    found = collect([results.root])
    assert [run.iteration for run in found.runs] == [300]
    assert len(found.skipped) == 2 and all("has the same method and seed" in line for line in found.skipped)


def test_of_two_tests_of_the_same_weights_the_one_with_more_tests_counts(results):
    """Baseline-1 is tested twice where it is also matched by visibility: by the paper's protocol, and plainly."""
    weights = {"checkpoint": None}
    tests = [results.test(20.0), results.test(10.0, name="middle", protocol="generalizability", zero_shot=True)]
    results.write(results.recognition("Baseline-1", tests=tests, **weights), name="Baseline1.json")
    results.write(results.recognition("Baseline-1", 20.0, **weights), name="Baseline1_weighted.json")
    [run] = collect([results.root]).runs
    assert run.path.name == "Baseline1.json" and len(groups([run])) == 2


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([{"type": "Occlusion", "kinds": 7}], "kinds: expected a list"),
        ([{"type": "Occlusion"}, {"type": "BaseSilTransform"}], "at the end of"),
    ],
)
def test_a_result_of_an_occlusion_that_cannot_be_read_is_left_aside(results, steps, reason):
    results.write(results.recognition("Baseline-2", 20.0))
    steps = [{"type": "BaseSilTransform"}, *steps]
    config = {"evaluator_cfg": {"transform": [{"type": "Compose", "trf_cfg": steps}]}}
    wrong = results.write(results.recognition("Mimic + VEN", 30.0, config=config))
    found = collect([results.root])
    assert [run.content["method"] for run in found.runs] == ["Baseline-2"]
    assert len(found.skipped) == 1
    assert found.skipped[0].startswith(f"{wrong}: skipped: ") and reason in found.skipped[0]


@pytest.mark.parametrize(
    "other",
    [
        {"dataset": "Gait3D"},
        {"backbone": "GaitGL"},
        {"method": "Vanilla Mimic"},
        {"trained_kinds": ["top", "bottom", "middle"]},
        {"protocol": {"metric": "euc", "who": "probe", "gallery_by": "teacher", "repeats": 1}},
    ],
)
def test_only_runs_alike_in_all_but_the_seed_are_repetitions(results, other):
    results.write(results.recognition("Mimic + VEN", 20.0, 0))
    results.write({**results.recognition("Mimic + VEN", 30.0, 1), **other})
    assert [len(g.runs) for g in groups(collect([results.root]).runs)] == [1, 1]


def test_kinds_mean_the_same_in_any_order_and_with_what_is_left_out(results):
    full = [{"kind": "bottom", "prob": 0.5, "amount": [0.4, 0.6]}, {"kind": "top", "amount": [0.4, 0.6], "prob": 0.5}]
    for seed, kinds in enumerate((full, ["top", "bottom"], full[::-1])):
        results.write(results.recognition("Mimic + VEN", tests=[results.test(20.0 + seed, kinds=kinds)], seed=seed))
    [group] = groups(collect([results.root]).runs)
    assert len(group.runs) == 3
    assert group.test.occlusions() == "bottom 50 %, top 50 %; 40–60 % hidden"


def test_kinds_in_words():
    patch = {"kind": "moving_patch", "prob": 0.25, "amount": [0.3, 0.3]}
    top = {"kind": "top", "prob": 0.75, "amount": [0.4, 0.6], "refit": True}
    assert kinds_text([patch]) == "moving patch 25 %; 30 % hidden"
    assert kinds_text([patch, top]) == "moving patch 25 % (30 %), top 75 % refitted (40–60 %)"


def test_configurations_that_differ_in_more_than_seed_and_places_are_named(results):
    for seed, total in enumerate((200, 300)):
        config = {"trainer_cfg": {"total_iter": total, "seed": seed, "save_name": f"m{seed}"},
                  "data_cfg": {"dataset_root": f"data/{seed}"}}  # fmt: skip
        results.write(results.recognition("Mimic + VEN", 20.0, seed, config=config))
    [group] = groups(collect([results.root]).runs)
    assert differing_settings(group) == ["config.trainer_cfg.total_iter"]


def test_control_characters_of_names_become_spaces(results):
    path = results.write(results.recognition("a\x1b[31mb\u202ec\nd", 20.0))
    assert json.loads(path.read_text())["method"] != "a [31mb c d"
    assert collect([path]).runs[0].content["method"] == "a [31mb c d"


def test_the_papers_order_then_the_alphabet():
    names = ["zeta", "Mimic + VEN", "alpha", "VEN (regression)", "Baseline-1", "VEN", "L2 KD"]
    known = ("Baseline-1", "VEN", "L2 KD", "Mimic + VEN")
    assert sorted(names, key=lambda n: rank(n, known)) == [
        "Baseline-1", "VEN", "VEN (regression)", "L2 KD", "Mimic + VEN", "alpha", "zeta",
    ]  # fmt: skip
    assert commonest("abcbca") == "a" and commonest([]) is None
