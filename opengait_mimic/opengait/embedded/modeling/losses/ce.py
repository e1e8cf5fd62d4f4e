"""Cross entropy over the training identities, per body part."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from .base import BaseLoss, at_least_float32, gather_and_scale_wrapper


class CrossEntropyLoss(BaseLoss):
    """Cross entropy of the scaled logits, the label holding for every part.

    Args:
        scale: factor on the logits.
        label_smooth: whether to smooth the labels by `eps`.
        eps: the probability spread over all classes.
        loss_term_weight: factor in the sum of losses.
        log_accuracy: also log the share of right parts.
    """

    def __init__(
        self,
        scale: float = 16,
        label_smooth: bool = True,
        eps: float = 0.1,
        loss_term_weight: float = 1.0,
        log_accuracy: bool = False,
    ):
        super().__init__(loss_term_weight)
        self.scale = scale
        self.smoothing = eps if label_smooth else 0.0
        self.logs_accuracy = log_accuracy

    @gather_and_scale_wrapper
    def forward(self, logits: torch.Tensor, labels: torch.Tensor):
        """logits: [n, classes, p]; labels: [n] of class numbers. Returns (loss, info)."""
        logits = at_least_float32(logits)
        targets = labels.long()[:, None].expand(-1, logits.shape[2])
        loss = F.cross_entropy(self.scale * logits, targets, label_smoothing=self.smoothing)
        self.info.update({"loss": loss.detach().clone()})
        if self.logs_accuracy:
            self.info.update({"accuracy": (logits.argmax(dim=1) == targets).float().mean()})
        return loss, self.info
