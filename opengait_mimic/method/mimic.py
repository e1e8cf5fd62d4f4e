"""T, the linear transformation that joins a backbone's feature with the VEN's (Eq. 1)."""

from __future__ import annotations

import torch
from torch import nn


class Fusion(nn.Module):
    """T(F ⊕ δ): per part, a linear map of c + d channels back to c, without bias; δ is the same for all parts.

    Args:
        parts: p. channels: c. guide: d, the size of δ.
    """

    def __init__(self, parts: int, channels: int, guide: int):
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.empty(parts, channels + guide, channels))
        nn.init.xavier_uniform_(self.weight)

    @torch.no_grad()
    def start_as_identity(self, scale: float = 0.01) -> None:
        """Begin with T(F ⊕ δ) = F plus a small share of δ, for a backbone that already embeds well."""
        self.weight[:, self.channels :].normal_(std=scale)
        self.weight[:, : self.channels] = torch.eye(self.channels)

    def forward(self, embeddings: torch.Tensor, guide: torch.Tensor) -> torch.Tensor:
        """Join embeddings [n, c, p] with δ [n, d]; returns [n, c, p]."""
        guide = guide.to(embeddings.dtype)[:, :, None].expand(-1, -1, embeddings.shape[2])
        return torch.einsum("nip,pio->nop", torch.cat((embeddings, guide), dim=1), self.weight)
