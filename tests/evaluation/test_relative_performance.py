"""RP beside the HP it was computed with, as text, for TensorBoard and in the demo's table."""

from __future__ import annotations

import pytest

from opengait_mimic.evaluation.relative_performance import relative_scalars, relative_table
from opengait_mimic.evaluation.table import markdown_table, method_row


def score(mean, hp=None, rp=None, interval=None, sd=None):
    return {"mean": mean, "sd": sd, "interval": None, "values": [mean], "HP": hp, "RP": rp, "RP_interval": interval}


OWN = {"Rank-1": 60.0, "Rank-5": 70.0}


def test_a_table_with_rp_and_its_interval():
    scores = {"Rank-1": score(22.5, 75.0, 0.3, [0.25, 0.36]), "Rank-5": score(12.0, 48.0, 0.25)}
    head, rank1, rank5 = [line.split() for line in relative_table({"scores": scores}, OWN).splitlines()]
    assert head == ["occluded", "own", "holistic", "HP", "RP"]
    assert rank1 == ["Rank-1", "22.50", "60.00", "75.00", "0.30", "[0.25,", "0.36]"]
    assert rank5 == ["Rank-5", "12.00", "70.00", "48.00", "0.25"]
    assert relative_scalars({"scores": scores}, OWN) == {
        "scalar/test_accuracy/Rank-1": 22.5,
        "scalar/holistic/Rank-1": 60.0,
        "scalar/HP/Rank-1": 75.0,
        "scalar/RP/Rank-1": 0.3,
        "scalar/test_accuracy/Rank-5": 12.0,
        "scalar/holistic/Rank-5": 70.0,
        "scalar/HP/Rank-5": 48.0,
        "scalar/RP/Rank-5": 0.25,
    }


def test_repeats_show_their_spread_and_columns_stay_below_their_heads():
    scores = {"Rank-1": score(22.5, 75.0, 0.3, sd=1.25)}
    head, row = relative_table({"scores": scores}, OWN).splitlines()
    assert head.split() == ["occluded", "±", "sd", "own", "holistic", "HP", "RP"]
    assert row.split() == ["Rank-1", "22.50", "1.25", "60.00", "75.00", "0.30"]
    assert len(head) == len(row)
    single = relative_table({"scores": {"Rank-1": score(22.5, 75.0, 0.3)}}, OWN).splitlines()
    assert len({len(line) for line in single}) == 1


@pytest.mark.parametrize("hp", [None, 0.0])
def test_without_a_holistic_performance_there_is_no_rp(hp):
    scores = {"Rank-1": score(20.0, hp)}
    assert relative_table({"scores": scores}, OWN).splitlines()[1].split()[-1] == "-"
    scalars = relative_scalars({"scores": scores}, OWN)
    assert "scalar/RP/Rank-1" not in scalars and ("scalar/HP/Rank-1" in scalars) == (hp is not None)


def test_the_demos_table():
    tested = {"scores": {"Rank-1": score(30.04, 90.0, 0.334, [0.3, 0.36]), "Rank-5": score(50.0, 0.0)}}
    result = {"method": "Mimic + VEN", "holistic": {"own": OWN}, "tests": [tested, {"scores": {}}]}
    row = method_row(result)
    assert row["metrics"]["Rank-1"] == {
        "occluded": 30.04, "own_whole": 60.0, "HP": 90.0, "RP": 0.334, "RP_interval": [0.3, 0.36]
    }  # fmt: skip
    head, line, first, *_, note = markdown_table([row]).splitlines()
    assert head == "| method      | occluded Rank-1 (RP) | occluded Rank-5 (RP) | own holistic Rank-1 |"
    assert first == "| Mimic + VEN | 30.0 (0.33)          | 50.0 (-)             | 60.0                |"
    assert set(line) == {"|", "-", " "} and "HP, the teacher on holistic clips: Rank-1 90.0, Rank-5 0.0." in note
