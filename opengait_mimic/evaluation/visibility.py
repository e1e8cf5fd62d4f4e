"""How well a VEN names the kind and estimates the amount of an occlusion."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class VisibilityReport(NamedTuple):
    """Attributes:
    accuracy: share of clips whose kind is right, 0–1.
    confusion: [k, k] counts, rows true, columns predicted.
    amount_error: mean absolute error of the occluded fraction.
    amount_error_by_kind: [k] the same per true kind, NaN for kinds that do not occur.
    """

    accuracy: float
    confusion: np.ndarray
    amount_error: float
    amount_error_by_kind: np.ndarray


def visibility_report(
    logits: np.ndarray, amount: np.ndarray, kind: np.ndarray, true_amount: np.ndarray
) -> VisibilityReport:
    """Compare n clips' predictions with the plans they were occluded by.

    Args:
        logits: [n, k]. amount, true_amount: [n], 0–1. kind: [n] true class.
    """
    predicted = logits.argmax(1)
    classes = logits.shape[1]
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (kind, predicted), 1)
    error = np.abs(amount - true_amount)
    by_kind = [error[kind == k].mean() if (kind == k).any() else np.nan for k in range(classes)]
    return VisibilityReport(float((predicted == kind).mean()), confusion, float(error.mean()), np.array(by_kind))


def visibility_table(report: VisibilityReport, kinds: list[str]) -> str:
    """The report as text: confusion with true kinds in rows, and the amount's error per kind."""
    width = max(len(k) for k in kinds) + 2
    rows = [
        f"kind right: {100 * report.accuracy:.2f}%   amount: mean absolute error {report.amount_error:.4f}",
        f"{'true / predicted':<18}" + "".join(f"{k:>{width}}" for k in kinds) + f"{'amount error':>15}",
    ]
    for name, counts, error in zip(kinds, report.confusion, report.amount_error_by_kind, strict=True):
        shown = "-" if np.isnan(error) else f"{error:.4f}"
        rows.append(f"{name:<18}" + "".join(f"{c:>{width}}" for c in counts) + f"{shown:>15}")
    return "\n".join(rows)
