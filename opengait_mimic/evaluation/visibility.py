"""How well a VEN names the kind and estimates the amount of an occlusion."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from opengait_mimic.errors import DataError


class VisibilityReport(NamedTuple):
    """Attributes:
    accuracy: share of clips whose kind is right, 0–1.
    confusion: [k, k] counts, rows true, columns predicted.
    amount_error: mean absolute error of the occluded fraction.
    amount_error_by_kind: [k] the same per true kind, NaN for kinds that do not occur.
    parts_error: mean absolute error of the visible shares of strips.
    The first two are None for a VEN that does not classify, the next two for one that does not regress, the last for
    one that knows no parts.
    """

    accuracy: float | None
    confusion: np.ndarray | None
    amount_error: float | None
    amount_error_by_kind: np.ndarray | None
    parts_error: float | None = None


def visibility_report(
    classes: int,
    logits: np.ndarray | None,
    amount: np.ndarray | None,
    kind: np.ndarray,
    true_amount: np.ndarray,
    part_logits: np.ndarray | None = None,
    true_parts: np.ndarray | None = None,
) -> VisibilityReport:
    """Compare n clips' predictions with the plans they were occluded by.

    Args:
        classes: k. logits: [n, k], or None. amount: [n], 0–1, or None. kind: [n] true class.
        true_amount: [n], 0–1. part_logits: [n, t] before the sigmoid, or None. true_parts: [n, t], 0–1.
    Raises:
        DataError: a prediction is not finite.
    """
    for predictions in (logits, amount, part_logits):
        if predictions is not None and not np.isfinite(predictions).all():
            raise DataError("predictions that are not finite numbers cannot be judged; the network has diverged")
    accuracy = confusion = error = by_kind = parts_error = None
    if logits is not None:
        predicted = logits.argmax(1)
        confusion = np.zeros((classes, classes), dtype=np.int64)
        np.add.at(confusion, (kind, predicted), 1)
        accuracy = float((predicted == kind).mean())
    if amount is not None:
        errors = np.abs(amount - true_amount)
        error = float(errors.mean())
        by_kind = np.array([errors[kind == k].mean() if (kind == k).any() else np.nan for k in range(classes)])
    if part_logits is not None:
        parts_error = float(np.abs(1 / (1 + np.exp(-part_logits.astype(np.float64))) - true_parts).mean())
    return VisibilityReport(accuracy, confusion, error, by_kind, parts_error)


def visibility_table(report: VisibilityReport, kinds: list[str]) -> str:
    """The report as text: confusion with true kinds in rows, and the amount's error per kind, where it has these."""
    width = max(len(k) for k in kinds) + 2
    found = []
    if report.accuracy is not None:
        found.append(f"kind right: {100 * report.accuracy:.2f}%")
    if report.amount_error is not None:
        found.append(f"amount: mean absolute error {report.amount_error:.4f}")
    if report.parts_error is not None:
        found.append(f"parts: mean absolute error {report.parts_error:.4f}")
    if report.confusion is None and report.amount_error is None:
        return "   ".join(found)
    header = [f"{k:>{width}}" for k in kinds] if report.confusion is not None else []
    rows = ["   ".join(found), f"{'true / predicted':<18}" + "".join(header)]
    if report.amount_error is not None:
        rows[1] += f"{'amount error':>15}"
    for i, name in enumerate(kinds):
        row = f"{name:<18}"
        if report.confusion is not None:
            row += "".join(f"{c:>{width}}" for c in report.confusion[i])
        if report.amount_error_by_kind is not None:
            error = report.amount_error_by_kind[i]
            row += f"{'-' if np.isnan(error) else format(error, '.4f'):>15}"
        rows.append(row)
    return "\n".join(rows)


def visibility_scalars(report: VisibilityReport, kinds: list[str]) -> dict[str, float]:
    """The report for TensorBoard: accuracy and recall per kind in percent, and the amount's error."""
    scalars = {}
    if report.confusion is not None:
        scalars["scalar/test_visibility/accuracy"] = 100 * report.accuracy
        for i, (name, counts) in enumerate(zip(kinds, report.confusion, strict=True)):
            if counts.sum():
                scalars[f"scalar/test_visibility/recall_{name}"] = float(100 * counts[i] / counts.sum())
    if report.amount_error is not None:
        scalars["scalar/test_visibility/amount_error"] = report.amount_error
    if report.parts_error is not None:
        scalars["scalar/test_visibility/parts_error"] = report.parts_error
    return scalars
