"""OpenGait losses: what a YAML's `loss_cfg` names. Needs an active host.

Each is a loss of the global batch: of all processes' clips. As the host's own do, it returns its value times the
number of processes, because DDP takes the mean of their gradients; what it logs is the value itself.
"""

from __future__ import annotations

from typing import Any

import torch
from modeling.losses.base import BaseLoss

from opengait_mimic.errors import ConfigError
from opengait_mimic.method import losses as functional
from opengait_mimic.opengait.config.networks import distils
from opengait_mimic.opengait.process.distributed import gather, world_size


class MiCKDLoss(BaseLoss):
    """MiCKD (Eq. 2) over the global batch.

    Embeddings [n, c, p] are compared as flat vectors, or part by part. Where no pair type in use involves the
    teacher, it takes no part as a negative either (the control: the form of the loss without its teacher).

    Args:
        loss_term_weight: factor in the sum of losses.
        margin, pairs, anchors, normalize, reduction: see `functional.mickd`.
        partwise: compare part by part and average over the parts, as OpenGait's own triplet loss does.
    Raises:
        ConfigError: an unknown option.
    """

    def __init__(
        self,
        loss_term_weight: float = 1.0,
        margin: float = 0.2,
        pairs: tuple[str, ...] = functional.PAIRS,
        anchors: str = "mimic",
        normalize: bool = True,
        reduction: str = "mean_nonzero",
        partwise: bool = False,
    ):
        super().__init__(loss_term_weight)
        if isinstance(pairs, str):
            pairs = (pairs,)
        try:
            functional.check_mickd_options(margin, tuple(pairs), anchors, reduction)
        except ValueError as error:
            raise ConfigError(f"MiCKDLoss: {error}") from None
        self.options: dict[str, Any] = {
            "margin": margin,
            "pairs": tuple(pairs),
            "anchors": anchors,
            "normalize": normalize,
            "reduction": reduction,
        }
        self.partwise = partwise
        self.distils = distils({"type": "MiCKDLoss", **self.options})

    def forward(self, mimic: torch.Tensor, labels: torch.Tensor, teacher: torch.Tensor | None = None):
        """mimic, teacher: [n, c, p] of this process's clips; labels: [n]. Returns (loss, info)."""
        if self.distils and teacher is None:
            raise ValueError(
                f"the pairs {', '.join(self.options['pairs'])} need the teacher's features; there are none"
            )
        axis = 2 if self.partwise else 1
        mimic, labels = gather(mimic.flatten(axis)), gather(labels)
        teacher = gather(teacher.detach().flatten(axis)) if self.distils and teacher is not None else None
        loss, triplets, violating = functional.mickd_with_counts(mimic, teacher, labels, **self.options)
        self.info.update(
            {
                "loss": loss.detach().clone(),
                "active_triplets": violating.float(),
                "active_share": violating / triplets.clamp(min=1),
            }
        )
        return loss * world_size(), self.info


class L2KDLoss(BaseLoss):
    """L2 distillation within the same instance (paper Table 3, "L2 KD").

    Args:
        loss_term_weight: factor in the sum of losses.
        normalize: scale features to unit length first.
    """

    def __init__(self, loss_term_weight: float = 1.0, normalize: bool = True):
        super().__init__(loss_term_weight)
        self.normalize = normalize

    def forward(self, mimic: torch.Tensor, labels: torch.Tensor, teacher: torch.Tensor):  # noqa: ARG002
        """mimic, teacher: [n, c, p]; the labels are for TensorBoard. Returns (loss, info)."""
        mimic, teacher = gather(mimic.flatten(1)), gather(teacher.detach().flatten(1))
        loss = functional.l2_distillation(mimic, teacher, self.normalize)
        self.info.update({"loss": loss.detach().clone()})
        return loss * world_size(), self.info


class VisibilityLoss(BaseLoss):
    """The VEN's loss: cross entropy over kinds + λ · L2 on the amount (section 3.1).

    A VEN that has them also learns the amount's distribution and the visibility of parts, by cross entropies.

    Args:
        loss_term_weight: factor in the sum of losses.
        amount_weight: λ.
        parts_weight: factor of the parts' term.
    """

    def __init__(self, loss_term_weight: float = 1.0, amount_weight: float = 10.0, parts_weight: float = 1.0):
        super().__init__(loss_term_weight)
        self.amount_weight = amount_weight
        self.parts_weight = parts_weight

    def forward(
        self, kind, true_amount, logits=None, amount=None, amount_logits=None, part_logits=None, true_parts=None
    ):
        """logits: [n, k]; amount, true_amount: [n]; kind: [n]; amount_logits: [n, b]; part_logits, true_parts: [n, t].

        Returns (loss, info).
        """
        kind, true_amount = gather(kind), gather(true_amount)
        logits, amount, amount_logits, part_logits, true_parts = (
            x if x is None else gather(x) for x in (logits, amount, amount_logits, part_logits, true_parts)
        )
        loss, entropy, squared = functional.visibility(
            logits, amount, kind, true_amount, self.amount_weight, amount_logits
        )
        if part_logits is not None:
            parts = functional.part_visibility(part_logits, true_parts)
            loss = loss + self.parts_weight * parts
            self.info.update({"parts": parts.detach()})
        self.info.update({"loss": loss.detach().clone()})
        if logits is not None:
            accuracy = (logits.argmax(1) == kind).float().mean()
            self.info.update({"cross_entropy": entropy.detach(), "accuracy": accuracy})
        if amount is not None:
            self.info.update({"squared_error": squared.detach()})
        return loss * world_size(), self.info
