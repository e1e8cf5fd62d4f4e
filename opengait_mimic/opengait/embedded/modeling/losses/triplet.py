"""Batch-all triplet loss per body part."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from .base import BaseLoss, at_least_float32, gather_and_scale_wrapper


class TripletLoss(BaseLoss):
    """Mean over the violating triplets of [D(anchor, positive) - D(anchor, negative) + margin]_+, per part.

    Every sample is an anchor; its positives are the samples of its label, itself included (distance 0).

    Args:
        margin: in units of the Euclidean distance.
        loss_term_weight: factor in the sum of losses.
    """

    def __init__(self, margin: float, loss_term_weight: float = 1.0):
        super().__init__(loss_term_weight)
        self.margin = margin

    @gather_and_scale_wrapper
    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor):
        """embeddings: [n, c, p]; labels: [n]. Returns (loss [p], info)."""
        points = at_least_float32(embeddings).permute(2, 0, 1).contiguous()
        # The matrix-product shortcut of cdist would leave rounding noise on the diagonal.
        distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
        hinge = self._hinges(distances, labels)
        violating = (hinge > 0).sum(1)
        loss = hinge.sum(1) / violating.clamp(min=1)
        self.info.update(
            {
                "loss": loss.detach().clone(),
                # padded, because a batch of one identity has no triplet to take the maximum of
                "hard_loss": F.pad(hinge.detach(), (0, 1)).amax(1),
                "loss_num": violating.float(),
                "mean_dist": distances.detach().mean((1, 2)),
            }
        )
        return loss, self.info

    def _hinges(self, distances: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The hinge of every triplet, 0 where a combination is none: [p, n, n] distances -> [p, triplets]."""
        same = labels[:, None] == labels[None, :]
        # With each anchor's positives sorted to the front, positives and negatives are slices.
        same, order = torch.sort(same.byte(), dim=1, descending=True, stable=True)
        same, counts = same.bool(), same.sum(1)
        most, fewest = int(counts.max()), int(counts.min())
        ordered = distances.gather(2, order.expand_as(distances))
        positive, negative = ordered[:, :, :most, None], ordered[:, :, None, fewest:]
        valid = same[:, :most, None] & ~same[:, None, fewest:]
        return ((positive - negative + self.margin).relu() * valid).flatten(1)
