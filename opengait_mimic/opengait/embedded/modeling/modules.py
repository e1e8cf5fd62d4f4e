"""Building blocks under the name that OpenGait's models import them by, and the host's way in and out of a network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from opengait_mimic.backbones.modules import (
    BasicConv2d,
    GeMHPP,
    HorizontalPoolingPyramid,
    SeparateBNNecks,
    SeparateFCs,
    SetBlockWrapper,
    TemporalMaxPooling,
    split_clips,
)

__all__ = [
    "BasicConv2d",
    "GeMHPP",
    "HorizontalPoolingPyramid",
    "SeparateBNNecks",
    "SeparateFCs",
    "SetBlockWrapper",
    "TemporalMaxPooling",
    "clips_from_inputs",
    "host_outputs",
    "split_clips",
]


def clips_from_inputs(ipts: Sequence[Tensor]) -> Tensor:
    """The silhouettes of a host batch with the channel axis in second place.

    Args:
        ipts: list whose first item is [n, s, h, w] (one channel) or [n, s, c, h, w].

    Returns:
        [n, c, s, h, w].
    """
    sils = ipts[0]
    return sils.unsqueeze(1) if sils.dim() == 4 else sils.transpose(1, 2)


def host_outputs(
    sils: Tensor,
    labels: Tensor,
    embeddings: Tensor,
    logits: Tensor | None = None,
    inference: Tensor | None = None,
) -> dict[str, dict]:
    """The dictionary that the host expects of a model's forward.

    Args:
        sils: [n, c, s, h, w], shown in the log.
        labels: [n].
        embeddings: [n, c, p], for the triplet loss.
        logits: [n, class_num, p], or None for a model without classifier.
        inference: [n, c, p], what retrieval compares; None takes the embeddings.
    """
    training_feat = {"triplet": {"embeddings": embeddings, "labels": labels}}
    if logits is not None:
        training_feat["softmax"] = {"logits": logits, "labels": labels}
    return {
        "training_feat": training_feat,
        "visual_summary": {"image/sils": sils.transpose(1, 2).flatten(0, 1)},
        "inference_feat": {"embeddings": embeddings if inference is None else inference},
    }
