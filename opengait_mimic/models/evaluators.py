"""Evaluation functions in the host's form, for `evaluator_cfg.eval_func`."""

from __future__ import annotations

from utils import get_msg_mgr

from opengait_mimic.evaluation.visibility import visibility_report, visibility_table


def evaluate_visibility(data, dataset, kinds):
    """Accuracy, confusion per kind and mean absolute error of the amount, for `VisibilityEstimation`.

    Args:
        data: logits [n, k], amount [n], kind [n], true_amount [n] over the test set.
        dataset: its name. kinds: [k] names of the classes.
    """
    report = visibility_report(data["logits"], data["amount"], data["kind"], data["true_amount"])
    get_msg_mgr().log_info(f"Visibility on {dataset}\n{visibility_table(report, kinds)}")
    scalars = {
        "scalar/test_visibility/accuracy": 100 * report.accuracy,
        "scalar/test_visibility/amount_error": report.amount_error,
    }
    for name, counts in zip(kinds, report.confusion, strict=True):
        if counts.sum():
            scalars[f"scalar/test_visibility/recall_{name}"] = 100 * counts[kinds.index(name)] / counts.sum()
    return scalars
