"""How well a VEN sees, whichever of its two tasks it has."""

from __future__ import annotations

import numpy as np
import pytest

from opengait_mimic.errors import DataError
from opengait_mimic.evaluation.visibility import visibility_report, visibility_scalars, visibility_table

CLASSES = ["clean", "top", "moving_pole"]
LOGITS = np.array([[3.0, 1, 0], [0, 2, 1], [0, 5, 1], [1, 0, 9]])
AMOUNT = np.array([0.1, 0.5, 0.25, 0.5])
KIND, TRUE_AMOUNT = np.array([0, 1, 0, 1]), np.array([0.0, 0.6, 0.0, 0.5])


def rows(report):
    return [line.split() for line in visibility_table(report, CLASSES).splitlines()]


def test_both_tasks_by_hand():
    report = visibility_report(3, LOGITS, AMOUNT, KIND, TRUE_AMOUNT)
    assert report.accuracy == 0.5
    assert report.confusion.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert report.amount_error == pytest.approx((0.1 + 0.1 + 0.25 + 0) / 4)
    assert report.amount_error_by_kind[:2].tolist() == pytest.approx([0.175, 0.05])
    assert np.isnan(report.amount_error_by_kind[2])

    first, second, *others = rows(report)
    assert "50.00%" in first and first[-1] == "0.1125"
    assert second[-5:] == ["clean", "top", "moving_pole", "amount", "error"]
    assert others == [
        ["clean", "1", "1", "0", "0.1750"],
        ["top", "0", "1", "1", "0.0500"],
        ["moving_pole", "0", "0", "0", "-"],
    ]
    assert visibility_scalars(report, CLASSES) == pytest.approx({
        "scalar/test_visibility/accuracy": 50,
        "scalar/test_visibility/recall_clean": 50,
        "scalar/test_visibility/recall_top": 50,
        "scalar/test_visibility/amount_error": 0.1125,
    })  # fmt: skip


def test_classification_alone():
    report = visibility_report(3, LOGITS, None, KIND, TRUE_AMOUNT)
    assert report.accuracy == 0.5 and report.amount_error is None and report.amount_error_by_kind is None
    first, second, *others = rows(report)
    assert first == ["kind", "right:", "50.00%"] and second[-1] == "moving_pole"
    assert others[0] == ["clean", "1", "1", "0"]
    assert "scalar/test_visibility/amount_error" not in visibility_scalars(report, CLASSES)


def test_regression_alone():
    report = visibility_report(3, None, AMOUNT, KIND, TRUE_AMOUNT)
    assert report.accuracy is None and report.confusion is None
    assert report.amount_error == pytest.approx(0.1125)
    assert rows(report)[2:] == [["clean", "0.1750"], ["top", "0.0500"], ["moving_pole", "-"]]
    assert list(visibility_scalars(report, CLASSES)) == ["scalar/test_visibility/amount_error"]


def test_parts_alone():
    report = visibility_report(3, None, None, KIND, TRUE_AMOUNT, np.zeros((4, 2)), np.full((4, 2), 0.75))
    assert visibility_table(report, CLASSES) == "parts: mean absolute error 0.2500", "there is nothing to say by kind"
    assert visibility_scalars(report, CLASSES) == {"scalar/test_visibility/parts_error": 0.25}


def test_a_network_that_has_diverged_is_refused():
    for logits, amount in ((np.full((4, 3), np.nan), AMOUNT), (LOGITS, np.array([0.1, np.inf, 0, 0]))):
        with pytest.raises(DataError, match="the network has diverged"):
            visibility_report(3, logits, amount, KIND, TRUE_AMOUNT)
