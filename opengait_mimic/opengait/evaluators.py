"""Evaluation functions in the host's form, for `evaluator_cfg.eval_func`."""

from __future__ import annotations

from utils import get_msg_mgr

from opengait_mimic.evaluation.protocols import protocol
from opengait_mimic.evaluation.recognition import evaluate_embeddings, recognition_table, scores
from opengait_mimic.evaluation.visibility import (
    VisibilityReport,
    visibility_report,
    visibility_scalars,
    visibility_table,
)
from opengait_mimic.opengait.process.device import device


def evaluate_recognition(data, dataset, metric="euc", gallery=None, probe=None, cross_view=None, partition=None):
    """Rank-1/5/10/20, mAP, mINP and TAR@FAR by the protocol of the data set, or of types named in the YAML.

    Args:
        data: embeddings [n, c, p], and labels, types and views, lists of n names.
        dataset, gallery, probe, cross_view, partition: see `evaluation.protocols.protocol`.
        metric: see `evaluation.ranking.distance`.
    Returns:
        In percent, 'scalar/test_accuracy/Rank-1', … of the data set's headline, and where the protocol names
        conditions 'scalar/test_accuracy/<condition>-Rank-1', … of each.
    """
    rule = protocol(dataset, gallery, probe, cross_view, partition)
    embeddings = data["embeddings"]
    names = data["labels"], data["types"], data["views"]
    found = evaluate_embeddings(embeddings, embeddings, *names, rule, metric, device())
    get_msg_mgr().log_info(f"{dataset}, in percent\n{recognition_table(found)}")
    named = {"": found.headline, **{f"{name}-": c for name, c in found.conditions.items() if name}}
    return {
        f"scalar/test_accuracy/{prefix}{name}": value
        for prefix, condition in named.items()
        for name, value in scores(condition).items()
    }


def evaluate_visibility(data, dataset, kinds):
    """Accuracy, confusion per kind and mean absolute error of the amount, for `VisibilityEstimation`.

    Args:
        data: logits [n, k], amount [n] and part_logits [n, t], as far as the VEN has them, kind [n], true_amount [n]
            and true_parts [n, t] over the test set.
        dataset: its name. kinds: [k] names of the classes.
    """
    return visibility_scalars(score_visibility(data, dataset, kinds), kinds)


def score_visibility(data: dict, dataset: str, kinds: list[str]) -> VisibilityReport:
    """What a VEN said of a test set beside the truth, logged as a table; see `evaluate_visibility`."""
    report = visibility_report(
        len(kinds), data.get("logits"), data.get("amount"), data["kind"], data["true_amount"], data.get("part_logits"),
        data.get("true_parts"),
    )  # fmt: skip
    get_msg_mgr().log_info(f"Visibility on {dataset}\n{visibility_table(report, kinds)}")
    return report
