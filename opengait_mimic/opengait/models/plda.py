"""Matching by PLDA: learned from the training set just before a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from opengait_mimic.errors import CheckpointError, ConfigError
from opengait_mimic.evaluation.plda_model import TrainedPLDA, write_plda
from opengait_mimic.method.beyond.plda import PLDA, IdentityStatistics, Likelihood, PLDAFit
from opengait_mimic.opengait.description import describe_checkpoint, fingerprint
from opengait_mimic.opengait.models.embedding import Condition, Embeddings, embed_data_set
from opengait_mimic.opengait.models.generated import generated_labels

FEW = 50  # subjects of a training set; what was measured: docs/results/beyond.md


def learn_plda(net, settings: Likelihood) -> PLDA | None:
    """Fit the PLDA to the clips that the network trained on, holistic and occluded as its VEN learned them.

    The training set is read once, as the evaluator reads the test set; each clip's occlusions depend on its content
    and their number only, so neither processes nor order matter.

    Args:
        net: one of our recognition models with a VEN, in eval mode.
        settings: `evaluator_cfg.likelihood`.
    Returns:
        The model on the first process, None on the others.
    Raises:
        ConfigError: the VEN's YAML names no occlusion types. DataError: hardly anybody is in the training set.
    """
    mixture = net.ven_spec.kinds
    if mixture is None:
        raise ConfigError("evaluator_cfg: likelihood: the VEN's YAML names no kinds of occlusion to learn from")
    own = net.embeddings_of
    conditions = [Condition(own), *(Condition(own, mixture, seed) for seed in range(settings.draws))]
    net.msg_mgr.log_info(f"Learning identities from the training set, holistic and {settings.draws} times occluded:")
    fit = None
    for embedded in embed_data_set(net, conditions, 4 * net.embedding_size, net.training_clips(), "learn"):
        if embedded is None:
            continue
        embeddings, labels = embedded.features["embeddings"], embedded.names[:, 0]
        if fit is None:
            generated = _generated(net, labels)
            metric = net.cfgs["evaluator_cfg"].get("metric", "euc")
            fit = PLDAFit(embeddings, labels, len(mixture.classes), metric, settings, generated)
        fit.add(embeddings, labels, embedded.features["seen_kind"])
    return None if fit is None else fit.model()


def _generated(net, labels: np.ndarray) -> set[str]:
    """Those of the labels that were generated; the log says what that and a small number of subjects mean."""
    subjects = len(np.unique(labels))
    if subjects < FEW:
        net.msg_mgr.log_warning(
            f"likelihood: {subjects} subjects to learn from; with fewer than about {FEW} the plain distance may be "
            "better"
        )
    generated = generated_labels(net.cfgs["data_cfg"]).intersection(labels.tolist())
    if 0 < len(generated) < subjects:
        net.msg_mgr.log_info(f"{len(generated)} of {subjects} subjects were generated: each side counts for one half")
    return generated


def keep_plda(net, plda: PLDA, checkpoint: Path | None) -> None:
    """Write the model beside the checkpoint that was tested, for `identify` and `verify`; without one there is none."""
    if checkpoint is None or not checkpoint.is_file():
        return
    try:
        description = describe_checkpoint(checkpoint)
    except CheckpointError as error:
        net.msg_mgr.log_info(f"The PLDA is not written: {error}")
        return
    path = checkpoint.with_suffix(".identities.npz")
    of = fingerprint(net.state_dict(), description)
    write_plda(path, TrainedPLDA(plda, tuple(net.ven_spec.kinds.classes), of))
    net.msg_mgr.log_info(f"The PLDA is in {path}")


def statistics(plda: PLDA, embedded: Embeddings) -> IdentityStatistics:
    """What PLDA compares of clips; a network that sees no occlusion types (the teacher) had holistic clips."""
    embeddings = embedded.features["embeddings"]
    return plda.statistics(embeddings, embedded.features.get("seen_kind", np.zeros(len(embeddings), np.int64)))
