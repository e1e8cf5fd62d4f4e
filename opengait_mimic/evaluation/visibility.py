"""How well a VEN classifies the type and estimates the amount of an occlusion."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from opengait_mimic.errors import DataError


class VisibilityReport(NamedTuple):
    """How a VEN does on a test set; None for a task that it does not have.

    Attributes:
        accuracy: share of clips whose type is right, 0–1.
        confusion: [k, k] counts, rows true, columns predicted.
        amount_error: mean absolute error of the occluded fraction.
        amount_error_by_kind: [k] the same per true type, NaN for types that do not occur.
        parts_error: mean absolute error of the visible shares of horizontal parts.
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
    """Compare n clips' predictions with what they were occluded by.

    Args:
        classes: k.
        logits: [n, k], or None.
        amount: [n], 0–1, or None.
        kind: [n] true class.
        true_amount: [n], 0–1.
        part_logits: [n, t] before the sigmoid, or None.
        true_parts: [n, t], 0–1, where there are part_logits.

    Returns:
        The report.

    Raises:
        DataError: a prediction is not finite.
    """
    for predictions in (logits, amount, part_logits):
        if predictions is not None and not np.isfinite(predictions).all():
            raise DataError("predictions that are not finite numbers cannot be evaluated; the network has diverged")
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
    if part_logits is not None and true_parts is not None:
        parts_error = float(np.abs(1 / (1 + np.exp(-part_logits.astype(np.float64))) - true_parts).mean())
    return VisibilityReport(accuracy, confusion, error, by_kind, parts_error)


def visibility_table(report: VisibilityReport, kinds: list[str]) -> str:
    """The report as text: confusion with true types in rows, and the amount's error per type, where it has these."""
    found = []
    if report.accuracy is not None:
        found.append(f"kind right: {100 * report.accuracy:.2f}%")
    if report.amount_error is not None:
        found.append(f"amount: mean absolute error {report.amount_error:.4f}")
    if report.parts_error is not None:
        found.append(f"parts: mean absolute error {report.parts_error:.4f}")
    lines, width = ["   ".join(found)], max(map(len, kinds)) + 2
    columns = [[f"{name:<18}" for name in ("true / predicted", *kinds)]]
    if report.confusion is not None:
        columns += [[f"{cell:>{width}}" for cell in (kinds[k], *counts)] for k, counts in enumerate(report.confusion.T)]
    if report.amount_error_by_kind is not None:
        errors = ["-" if np.isnan(error) else f"{error:.4f}" for error in report.amount_error_by_kind]
        columns.append([f"{cell:>15}" for cell in ("amount error", *errors)])
    if len(columns) > 1:
        lines += map("".join, zip(*columns, strict=True))
    return "\n".join(lines)


def visibility_scalars(report: VisibilityReport, kinds: list[str]) -> dict[str, float]:
    """The report for TensorBoard: accuracy and recall per type in percent, and the errors."""
    scalars = {"amount_error": report.amount_error, "parts_error": report.parts_error}
    if report.confusion is not None and report.accuracy is not None:
        scalars["accuracy"] = 100 * report.accuracy
        for k, (name, counts) in enumerate(zip(kinds, report.confusion, strict=True)):
            scalars[f"recall_{name}"] = float(100 * counts[k] / counts.sum()) if counts.any() else None
    return {f"scalar/test_visibility/{name}": value for name, value in scalars.items() if value is not None}
