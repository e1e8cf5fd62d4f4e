"""Matching by likelihood: its model of identities, learned from the training set just before a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from opengait_mimic.apps.inference import load
from opengait_mimic.errors import CheckpointError, ConfigError
from opengait_mimic.evaluation.plda_model import TrainedPLDA, write_plda
from opengait_mimic.method.beyond.plda import PLDA, IdentityStatistics, Likelihood, PLDAFit
from opengait_mimic.opengait.models.generated import generated_labels
from opengait_mimic.opengait.models.passes import Pass, Seen, look
from opengait_mimic.opengait.models.unfinished import Unfinished

FEW = 50  # subjects of a training set; what was measured: docs/results/beyond.md


def learn_identities(net, asked: Likelihood, where: Unfinished) -> PLDA | None:
    """Fit `evaluation.likelihood` to the clips that the network trained on, whole and occluded as its VEN learned them.

    The training set is read once, as the evaluator reads the test set; each clip's occlusions depend on its content
    and their number only, so neither processes nor order matter.

    Args:
        net: one of our recognition models with a VEN, in eval mode. where: keeps what an interruption must not lose.
    Returns:
        The model on the first process, None on the others.
    Raises:
        ConfigError: the VEN's YAML names no kinds. DataError: hardly anybody is in the training set.
    """
    mixture = net.ven_spec.kinds
    if mixture is None:
        raise ConfigError("evaluator_cfg: likelihood: the VEN's YAML names no kinds of occlusion to learn from")
    own = lambda inputs: net.forward(inputs)["inference_feat"]  # noqa: E731
    passes = [Pass(own), *(Pass(own, mixture, seed) for seed in range(asked.draws))]
    net.msg_mgr.log_info(f"Learning identities from the training set, whole and {asked.draws} times occluded:")
    fit = None
    for seen in look(net, passes, 4 * net.embedding_size, net.training_clips(), where, "learn"):
        if seen is None:
            continue
        if fit is None:
            metric = net.cfgs["evaluator_cfg"].get("metric", "euc")
            labels = seen.names[:, 0]
            subjects = len(np.unique(labels))
            if subjects < FEW:
                net.msg_mgr.log_warning(
                    f"likelihood: {subjects} subjects to learn from; with fewer than about {FEW} the plain distance "
                    "may be better"
                )
            generated = generated_labels(net.cfgs["data_cfg"]).intersection(labels.tolist())
            if 0 < len(generated) < subjects:
                told = f"{len(generated)} of {subjects} subjects were generated: each side counts for one half"
                net.msg_mgr.log_info(told)
            fit = PLDAFit(seen.features["embeddings"], labels, len(mixture.classes), metric, asked, generated)
        fit.add(seen.features["embeddings"], seen.names[:, 0], seen.features["seen_kind"])
    return None if fit is None else fit.model()


def keep_identities(net, identities: PLDA, checkpoint: Path | None) -> None:
    """Write the model beside the checkpoint that was tested, for `identify` and `verify`; without one there is none."""
    if checkpoint is None or not checkpoint.is_file():
        return
    try:
        of = load(checkpoint).fingerprint
    except (CheckpointError, ConfigError) as error:
        net.msg_mgr.log_info(f"Its model of identities is not kept: {error}")
        return
    path = checkpoint.with_suffix(".identities.npz")
    write_plda(path, TrainedPLDA(identities, tuple(net.ven_spec.kinds.classes), of))
    net.msg_mgr.log_info(f"Its model of identities is in {path}")


def evidence(identities: PLDA, seen: Seen) -> IdentityStatistics:
    """What a pass tells of identities; a network that sees no kinds (the teacher) had whole clips."""
    embeddings = seen.features["embeddings"]
    return identities.statistics(embeddings, seen.features.get("seen_kind", np.zeros(len(embeddings), np.int64)))
