"""RP beside the HP it was computed with, and how well a VEN sees."""

from __future__ import annotations

import numpy as np
import pytest

from opengait_mimic.evaluation.relative import relative_performance
from opengait_mimic.evaluation.visibility import visibility_report, visibility_table


def test_rp_is_op_over_hp_for_every_metric():
    occluded = {"scalar/test_accuracy/Rank-1": np.float32(22.5), "scalar/test_accuracy/mAP": 12.0}
    own = {"scalar/test_accuracy/Rank-1": 60.0, "scalar/test_accuracy/mAP": 50.0}
    holistic = {"scalar/test_accuracy/Rank-1": 75.0, "scalar/test_accuracy/mAP": 48.0}
    relative = relative_performance(occluded, own, holistic)
    assert relative.scalars == {
        "scalar/holistic/Rank-1": 60.0,
        "scalar/HP/Rank-1": 75.0,
        "scalar/RP/Rank-1": 0.3,
        "scalar/holistic/mAP": 50.0,
        "scalar/HP/mAP": 48.0,
        "scalar/RP/mAP": 0.25,
    }
    head, rank, precision = [line.split() for line in relative.text.splitlines()]
    assert head == ["occluded", "own", "whole", "HP", "RP"]
    assert rank == ["Rank-1", "22.50", "60.00", "75.00", "0.30"]
    assert precision == ["mAP", "12.00", "50.00", "48.00", "0.25"]


@pytest.mark.parametrize("holistic", [None, {"scalar/Rank-1": 0.0}])
def test_without_a_holistic_performance_there_is_no_rp(holistic):
    relative = relative_performance({"scalar/Rank-1": 20.0}, {"scalar/Rank-1": 50.0}, holistic)
    assert "scalar/RP/Rank-1" not in relative.scalars
    assert relative.scalars["scalar/holistic/Rank-1"] == 50.0
    assert relative.text.splitlines()[1].split()[-1] == "-"


def test_a_vens_report_by_hand():
    logits = np.array([[3.0, 1, 0], [0, 2, 1], [0, 5, 1], [1, 0, 9]])
    amount = np.array([0.1, 0.5, 0.25, 0.5])
    kind, true_amount = np.array([0, 1, 0, 1]), np.array([0.0, 0.6, 0.0, 0.5])
    report = visibility_report(logits, amount, kind, true_amount)
    assert report.accuracy == 0.5
    assert report.confusion.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert report.amount_error == pytest.approx((0.1 + 0.1 + 0.25 + 0) / 4)
    assert report.amount_error_by_kind[:2].tolist() == pytest.approx([0.175, 0.05])
    assert np.isnan(report.amount_error_by_kind[2])

    lines = [line.split() for line in visibility_table(report, ["clean", "top", "moving_pole"]).splitlines()]
    assert "50.00%" in lines[0] and lines[0][-1] == "0.1125"
    assert lines[1][-5:] == ["clean", "top", "moving_pole", "amount", "error"]
    assert lines[2:] == [
        ["clean", "1", "1", "0", "0.1750"],
        ["top", "0", "1", "1", "0.0500"],
        ["moving_pole", "0", "0", "0", "-"],
    ]
