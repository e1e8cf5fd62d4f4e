"""The paper's tables from result files."""

from __future__ import annotations

import numpy as np
import pytest

from opengait_mimic.apps.report.collect import collect, groups
from opengait_mimic.apps.report.compare import main_tests
from opengait_mimic.apps.report.details import shortest_names
from opengait_mimic.apps.report.significance import holm
from opengait_mimic.apps.report.table import text
from opengait_mimic.apps.report.tables import method_tasks, tables

KIND = {name: [{"kind": name, "prob": 1.0, "amount": [0.4, 0.6]}] for name in ("middle", "moving_patch")}


def made(results):
    found = collect([results.root])
    return tables(found.runs, found.visibility)


def table(results, key):
    return next(t for t in made(results)[0] if t.key == key)


def shown(table):
    return [[text(cell, column.brief) for cell, column in zip(row, table.columns, strict=True)] for row in table.rows]


def test_table_1_in_the_papers_order_with_hp_above_and_a_dash_for_what_is_missing(results):
    for seed, rank1 in enumerate((28.0, 32.0, 36.0)):
        results.write(results.recognition("Mimic + VEN", rank1, seed))
    results.write(results.recognition("Baseline-2", 20.0))
    results.write(results.recognition("My own", 25.0))
    results.write(results.recognition("Alpha", 24.0))
    baseline = results.test(16.0, zero_shot=True)
    results.write(results.recognition("Baseline-1", tests=[baseline], dataset="Gait3D", trained_kinds=[]))
    results.write(results.recognition("Vanilla Mimic", 28.0))  # of Tables 3 and 4 only
    table1 = table(results, "table1")
    assert [c.full for c in table1.columns] == [
        "Backbone", "Method", "Gait3D Rank-1", "Gait3D Rank-5", "Gait3D TAR@0.01", "Gait3D n",
        "GREW Rank-1", "GREW Rank-5", "GREW TAR@0.01", "GREW n",
    ]  # fmt: skip
    assert shown(table1) == [
        ["GaitBase", "Teacher on holistic clips (HP)", "80.0", "90.0", "70.0", "1", *["80.0 ± 0.0", "90.0 ± 0.0"],
         "70.0 ± 0.0", "3"],
        ["GaitBase", "Baseline-1 †", "16.0 (0.20)", "26.0 (0.29)", "6.0 (0.09)", "1", "–", "–", "–", "–"],
        ["GaitBase", "Baseline-2", "–", "–", "–", "–", "20.0 (0.25)", "30.0 (0.33)", "10.0 (0.14)", "1"],
        ["GaitBase", "Mimic + VEN", "–", "–", "–", "–", "32.0 ± 4.0 (0.40 ± 0.05)",
         "42.0 ± 4.0 (0.47 ± 0.04)", "22.0 ± 4.0 (0.31 ± 0.06)", "3"],
        ["GaitBase", "Alpha", "–", "–", "–", "–", "24.0 (0.30)", "34.0 (0.38)", "14.0 (0.20)", "1"],
        ["GaitBase", "My own", "–", "–", "–", "–", "25.0 (0.31)", "35.0 (0.39)", "15.0 (0.21)", "1"],
    ]  # fmt: skip
    assert any("zero-shot" in note for note in table1.notes)
    assert any(
        note.startswith("Test: bottom 50 %, top 50 %; 40–60 % hidden; probe and gallery") for note in table1.notes
    )
    assert any("Baseline-2 80.0 (n = 1), Mimic + VEN 80.0 ± 0.0 (n = 3)" in note for note in table1.notes)


def test_without_hp_there_is_no_rp(results):
    results.write(results.recognition("Mimic + VEN", tests=[results.test(30.0, hp=None)]))
    rows = shown(table(results, "table1"))
    assert rows[0][2:] == ["–", "–", "–", "–"]
    assert rows[1][2:] == ["30.0", "40.0", "20.0", "1"]


def test_table_2_sets_zero_shot_beside_additional_training(results):
    general = results.test(14.0, name="middle", protocol="generalizability", kinds=KIND["middle"], zero_shot=True)
    for method, trained in (("Baseline-1", []), ("Mimic + VEN", ["top", "bottom"])):
        results.write(results.recognition(method, tests=[general], trained_kinds=trained))
    adapted = results.test(36.0, name="middle", protocol="adaptability", kinds=KIND["middle"])
    results.write(results.recognition("Mimic + VEN", tests=[adapted], trained_kinds=["top", "bottom", "middle"]))
    table2 = table(results, "table2")
    assert [c.full for c in table2.columns] == [
        "Additional occlusion", "Method", "Generalizability Rank-1", "Generalizability Rank-5", "Generalizability n",
        "Adaptability Rank-1", "Adaptability Rank-5", "Adaptability n",
    ]  # fmt: skip
    assert shown(table2) == [
        ["none", "Teacher on holistic clips (HP)", "80.0", "90.0", "1", "80.0", "90.0", "1"],
        ["middle", "Baseline-1", "14.0 (0.17)", "24.0 (0.27)", "1", "–", "–", "–"],
        ["middle", "Mimic + VEN", "14.0 (0.17)", "24.0 (0.27)", "1", "36.0 (0.45)", "46.0 (0.51)", "1"],
    ]
    assert "Data set: GREW. Backbone: GaitBase." in table2.caption
    assert "Adaptability, middle: trained on bottom, middle, top." in table2.notes


def test_a_flag_that_contradicts_the_protocol_is_told(results):
    adapted = results.test(36.0, name="middle", protocol="adaptability", kinds=KIND["middle"], zero_shot=True)
    results.write(results.recognition("Mimic + VEN", tests=[adapted]))
    notes = table(results, "table2").notes
    assert "GaitBase on GREW, Mimic + VEN, middle: zero-shot under adaptability." in notes


def test_table_3_and_4_for_data_sets_and_backbones_with_ablations(results):
    for method in ("MiCKD + XE", "Control", "Baseline-2", "L2 KD", "Vanilla Mimic", "VEN", "Mimic + VEN (regression)"):
        results.write(results.recognition(method, 20.0))
    results.write(results.recognition("Baseline-2", 20.0, backbone="GaitGL"))
    assert [row[0] for row in shown(table(results, "table3"))] == [
        "Teacher on holistic clips (HP)",
        "No KD (Baseline-2)",
        "L2 KD",
        "Control: MiCKD's loss without the teacher",
        "MiCKD (Vanilla Mimic)",
        "MiCKD + XE",
    ]
    table4 = table(results, "table4")
    assert [c.full for c in table4.columns][1:4] == ["Mimic", "Proxy tasks Classif.", "Proxy tasks Reg."]
    assert [row[:4] for row in shown(table4)] == [
        ["Teacher on holistic clips (HP)", "", "", ""],
        ["Baseline-2", "", "", ""],
        ["VEN", "", "✓", "✓"],
        ["Vanilla Mimic", "✓", "", ""],
        ["Mimic + VEN (regression)", "✓", "", "✓"],
    ]


def test_check_marks_of_methods():
    assert method_tasks("Mimic + Occlusion Aware") == (True, True, False)
    assert method_tasks("VEN (classification)") == (False, True, False)
    assert method_tasks("Mimic + VEN (wider)") is None and method_tasks("L2 KD") is None


def test_a_method_trained_on_other_kinds_is_another_row(results):
    results.write(results.recognition("Mimic + VEN", 30.0))
    results.write(results.recognition("Mimic + VEN", 33.0, trained_kinds=["top", "bottom", "middle"]))
    assert [row[1] for row in shown(table(results, "table1"))][1:] == [
        "Mimic + VEN (trained on bottom, middle, top)",
        "Mimic + VEN (trained on bottom, top)",
    ]


def test_other_tests_and_settings_stand_apart_and_this_is_said(results):
    for method in ("Baseline-2", "Mimic + VEN"):
        results.write(results.recognition(method, 30.0))
    results.write(results.recognition("Occlusion Aware", tests=[results.test(50.0, kinds=["left"])]))
    probe = {"metric": "cos", "who": "probe", "gallery_by": "teacher", "repeats": 1}
    results.write(results.recognition("VEN", 60.0, protocol=probe))
    found, remarks = made(results)
    assert [row[1] for row in shown(found[0])][1:] == ["Baseline-2", "Mimic + VEN"]
    scores = next(t for t in found if t.key == "scores")
    assert sorted(row[1] for row in shown(scores)) == ["Baseline-2", "Mimic + VEN", "Occlusion Aware", "VEN"]
    assert "GREW: test occluded with left 100 %; 40–60 % hidden stands in the table of all scores only." in remarks
    assert any("probe occluded, gallery embedded by the teacher, distance cos" in line for line in remarks)


def test_tables_without_rows_are_left_out_and_named(results):
    results.write(results.visibility())
    found, remarks = made(results)
    assert [t.key for t in found] == ["visibility", "runs"]
    assert any(line.startswith("Table 2 (Generalizability") and "left out" in line for line in remarks)


def test_visibility_networks_over_seeds(results):
    for seed, accuracy in enumerate((95.0, 97.0)):
        results.write(results.visibility(seed, accuracy=accuracy))
    results.write(results.visibility(method="VEN (classification)", amount_error=None, amount_error_by_kind=None))
    assert shown(table(results, "visibility")) == [
        ["VEN", "96.0 ± 1.4", "3.0 ± 0.0", "1.0 ± 0.0", "4.0 ± 0.0", "5.0 ± 0.0", "2"],
        ["VEN (classification)", "96.5", "–", "–", "–", "–", "1"],
    ]


def test_visibility_networks_of_one_name_are_told_apart_by_their_kinds(results):
    results.write(results.visibility())
    results.write(
        results.visibility(classes=["clean", "middle"], confusion=[[3, 0], [1, 2]], amount_error_by_kind=[0, 0.1])
    )
    visibility = table(results, "visibility")
    assert [c.name for c in visibility.columns][2:] == ["all", "clean", "top", "bottom", "middle", "n"]
    assert [row[0] for row in shown(visibility)] == ["VEN (middle)", "VEN (top, bottom)"]
    assert shown(visibility)[0][2:] == ["3.0", "0.0", "–", "–", "10.0", "1"]


def test_by_kind_amount_and_condition(results):
    parts = {
        "by_kind": {"top": {"probes": 10.5, "scores": {"Rank-1": 20.0}}, "moving_pole": {"probes": 9, "scores": {}}},
        "by_amount": [{"range": [a, a + 0.1], "probes": 5, "scores": {"Rank-1": 30 * a}} for a in (0.5, 0.4)],
        "conditions": {"NM": {"Rank-1": 50.0}, "CL": {"Rank-1": 10.0}},
    }
    for seed in range(2):
        results.write(results.recognition("Mimic + VEN", tests=[results.test(20.0, **parts)], seed=seed))
    kinds, amounts, conditions = (table(results, key) for key in ("kinds", "amounts", "conditions"))
    assert [c.name for c in kinds.columns] == ["Method", "top", "moving pole", "n"]
    assert shown(kinds) == [["Mimic + VEN", "20.0 ± 0.0", "–", "2"]]
    assert [c.name for c in amounts.columns][1:3] == ["40–50 %", "50–60 %"]
    assert shown(amounts)[0][1:3] == ["12.0 ± 0.0", "15.0 ± 0.0"]
    assert shown(conditions) == [["Mimic + VEN", "50.0 ± 0.0", "10.0 ± 0.0", "2"]]


def test_severity_from_whole_clips_on(results):
    def sweep(rank1, kinds):
        return [results.test(rank1 - 50 * a, name=f"{a:g}", protocol="severity", kinds=kinds(a)) for a in (0.2, 0.4)]

    results.write(results.recognition("Mimic + VEN", tests=sweep(60.0, lambda a: [{"kind": "top", "amount": a}])))
    results.write(results.recognition("Baseline-2", tests=sweep(50.0, lambda a: [{"kind": "top", "amount": a}])))
    results.write(results.recognition("VEN", tests=sweep(50.0, lambda a: [{"kind": "left", "amount": a}])))
    severity = table(results, "severity")
    assert [c.name for c in severity.columns] == ["Method", "0", "0.2", "0.4", "n"]
    assert shown(severity) == [
        ["Baseline-2", "70.0", "40.0", "30.0", "1"],
        ["Mimic + VEN", "70.0", "50.0", "40.0", "1"],
    ]


def test_significance_pairs_the_probes_over_common_seeds(results):
    rng = np.random.default_rng(0)
    weak = rng.random(200) < 0.2
    strong = weak | (rng.random(200) < 0.3)
    for seed in range(2):
        results.write(results.recognition("Baseline-2", 20.0, seed), {"occluded": weak})
        results.write(results.recognition("Mimic + VEN", 40.0, seed), {"occluded": strong})
    results.write(results.recognition("Control", 20.0), {"occluded": weak})
    results.write(results.recognition("L2 KD", 20.0, seed=7), {"occluded": weak})
    results.write(results.recognition("VEN", 20.0))
    results.write(results.recognition("MiCKD + XE", 20.0), {"occluded": weak[:100]})
    table5 = table(results, "table5")
    assert "Test: occluded. Against: Baseline-2." in table5.caption
    rows = {row[0]: row[1:] for row in shown(table5)}
    gain = 100 * (strong.mean() - weak.mean())
    assert list(rows) == ["Control", "Mimic + VEN"]
    assert rows["Control"] == ["+0.0", "+0.0 … +0.0", "1.000", "1.000", "200", "1"]
    assert rows["Mimic + VEN"][0] == f"+{gain:.1f}" and rows["Mimic + VEN"][2:] == ["< 0.001", "< 0.001", "200", "2"]
    low, high = (float(v) for v in rows["Mimic + VEN"][1].split(" … "))
    assert 0 < low < gain < high
    remarks = made(results)[1]
    start = "GaitBase on GREW, occluded: "
    assert f"{start}L2 KD against Baseline-2: not compared: no seed in common." in remarks
    assert f"{start}VEN against Baseline-2: not compared: the probes' scores are not there." in remarks
    assert f"{start}MiCKD + XE against Baseline-2: not compared: the probes are not the same." in remarks


def test_damaged_probes_are_told_and_a_path_leads_nowhere_else(results):
    results.write(results.recognition("Baseline-2", 20.0), {"occluded": np.ones(10)})
    damaged = results.write(results.recognition("VEN", 20.0), {"occluded": np.ones(10)})
    damaged.with_suffix(".npz").write_bytes(b"PK no archive")
    results.write(results.recognition("L2 KD", 20.0, probes="../../run1/results/run1-00009.npz"))
    remarks = "\n".join(made(results)[1])
    assert "VEN against Baseline-2: not compared: run2-00009.npz cannot be read" in remarks
    assert "L2 KD against Baseline-2: not compared: run1-00009.npz cannot be read" in remarks


@pytest.mark.parametrize(
    ("values", "corrected"),
    [([], []), ([0.04], [0.04]), ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]), ([0.6, 0.5], [1.0, 1.0])],
)
def test_holm_by_hand(values, corrected):
    assert holm(values) == pytest.approx(corrected)


def test_runs_are_named_below_the_folder_they_share(results):
    results.write(results.recognition("Mimic + VEN", 30.0, checkpoint=None, teacher=None))
    results.write(results.recognition("Teacher", tests=[], trained_kinds=[]))
    found = collect([results.root])
    assert shortest_names(found.runs) == ["run1/results/run1-00009.json", "run2/results/run2-00009.json"]
    runs = {row[2]: row for row in shown(table(results, "runs"))}
    assert runs["Mimic + VEN"][4:9] == ["bottom, top", "0", "–", "–", "–"]
    assert runs["Teacher"][4] == "holistic clips" and len(runs["Teacher"][7]) == 12
    whole = shown(table(results, "whole"))
    assert whole == [["Teacher", "holistic clips", "70.0", "1"], ["Mimic + VEN", "bottom, top", "70.0", "1"]]
    assert main_tests(groups(found.runs)).standard[0].method == "Mimic + VEN"


def test_every_run_by_itself_with_its_intervals(results):
    test = results.test(30.0)
    test["scores"]["Rank-1"] |= {
        "sd": 1.5,
        "interval": [26.0, 34.04],
        "values": [28.5, 31.5],
        "RP_interval": [0.3, 0.45],
    }
    results.write(results.recognition("Mimic + VEN", tests=[test], seed=4))
    assert shown(table(results, "repeats")) == [["4", "30.0", "1.5", "26.0 … 34.0", "0.38", "0.30 … 0.45", "80.0", "2"]]
