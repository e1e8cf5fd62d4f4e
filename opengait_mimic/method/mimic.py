"""The mimic network (paper section 3.2): γ = T(F(O) ⊕ V(O)), Eq. 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from opengait_mimic.method.beyond.registration import register
from opengait_mimic.method.beyond.weighted import parts_visibility
from opengait_mimic.method.ven import Visibility


class Fusion(nn.Module):
    """T(F ⊕ δ): per part, a linear map of c + d channels back to c, without bias; δ is the same for all parts.

    Args:
        parts: p.
        channels: c.
        guide: d, the size of δ.
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


class Recognised(NamedTuple):
    """What a network says of n clips. All but the embeddings may be None: it has no VEN, or one without that task.

    Attributes:
        embeddings: [n, c, p] γ.
        logits: [n, k] the VEN's scores of the occlusion types.
        amount: [n] occluded fraction, 0–1.
        visibility: [n, p] of the embedding's parts, 0–1, for visibility-weighted matching.
    """

    embeddings: torch.Tensor
    logits: torch.Tensor | None = None
    amount: torch.Tensor | None = None
    visibility: torch.Tensor | None = None


class PartVisibility(nn.Module):
    """How visible the parts of an embedding are, from the VEN's horizontal parts.

    Args:
        weights: [p, t], of `strips_to_parts`.
    """

    def __init__(self, weights: torch.Tensor):
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, visibility: Visibility) -> torch.Tensor:
        """[n, p] visible shares, 0–1."""
        return parts_visibility(visibility, self.weights)  # type: ignore[arg-type]


class MimicNetwork(nn.Module):
    """F(O), or T(F(O) ⊕ V(O)) (Eq. 1), from silhouettes to embeddings; training, test and export all use it.

    Its parts are named as in checkpoints; None where the network has no such part.

    Args:
        backbone: F, (sils [n, s, h, w], seqL, labels) -> [n, c, p].
        ven: V, (sils, seqL) -> `Visibility`.
        fusion: T; without it the VEN serves registration and weighted matching only.
        holistic: F_t, which the rest corrects as far as something is hidden: γ = a · T(…) + F_t(O) (RG-Gait).
        parts: gives the visibility of the embedding's parts.
        types: [k] names of the VEN's classes.
        registers: put clips that a detector's box stretched back on their rows before the backbone sees them.
    """

    def __init__(
        self,
        backbone: nn.Module,
        ven: nn.Module | None = None,
        fusion: Fusion | None = None,
        holistic: nn.Module | None = None,
        parts: PartVisibility | None = None,
        types: Sequence[str] = (),
        registers: bool = False,
    ):
        super().__init__()
        self.backbone, self.ven, self.fusion, self.holistic, self.parts = backbone, ven, fusion, holistic, parts
        self.types, self.registers = tuple(types), registers

    def guide(self, sils: torch.Tensor, seqL: torch.Tensor | None = None) -> tuple[torch.Tensor, Visibility | None]:
        """The clips as the backbone gets them, and V(O)."""
        if self.ven is None:
            return sils, None
        visibility = self.ven(sils, seqL)
        return register(sils, visibility, self.types, seqL) if self.registers else sils, visibility

    def forward(
        self, sils: torch.Tensor, seqL: torch.Tensor | None = None, labels: torch.Tensor | None = None
    ) -> Recognised:
        """Embed clips.

        Args:
            sils: [n, s, h, w] floats 0–1, or [1, sum of s, h, w] with seqL.
            seqL: [1, n] the clips' lengths.
            labels: [n] identities; a few backbones look at them, in training.
        """
        clips, visibility = self.guide(sils, seqL)
        gamma = self.backbone(clips, seqL, labels)
        if visibility is None:
            return Recognised(gamma)
        if self.fusion is not None:
            gamma = self.fusion(gamma, visibility.feature)  # Eq. 1: γ = T(F(O) ⊕ δ)
        if self.holistic is not None and visibility.amount is not None:
            gamma = visibility.amount[:, None, None] * gamma + self.holistic(clips, seqL)
        shares = None if self.parts is None else self.parts(visibility)
        return Recognised(gamma, visibility.logits, visibility.amount, shares)
