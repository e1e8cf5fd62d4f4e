"""A part-wise classifier for features the backbone's own classifier does not know."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class PartBNNeck(nn.Module):
    """BNNeck per part: batch norm over all channels and parts, then cosine scores against class weights.

    Args:
        parts: p. channels: c. classes: number of identities.
    """

    def __init__(self, parts: int, channels: int, classes: int):
        super().__init__()
        self.norm = nn.BatchNorm1d(parts * channels)
        self.weight = nn.Parameter(torch.empty(parts, channels, classes))
        nn.init.xavier_uniform_(self.weight)

    @torch.no_grad()
    def start_as_in(self, network: nn.Module) -> None:
        """Take over a trained network's classifier, if it has one that fits.

        That is a module with `bn1d`, a batch norm over all channels and parts, and `fc_bin`, class weights of the same
        shape as here, as OpenGait's BNNecks have them.
        """
        for module in network.modules():
            norm, weight = getattr(module, "bn1d", None), getattr(module, "fc_bin", None)
            if not isinstance(norm, nn.BatchNorm1d) or not isinstance(weight, torch.Tensor):
                continue
            if norm.num_features == self.norm.num_features and weight.shape == self.weight.shape:
                self.norm.load_state_dict(norm.state_dict())
                self.weight.copy_(weight)

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Scores [n, classes, p] of embeddings [n, c, p]."""
        features = self.norm(embeddings.flatten(1)).view_as(embeddings)
        features, weight = F.normalize(features, dim=1), F.normalize(self.weight, dim=1)
        return torch.einsum("ncp,pck->nkp", features, weight)
