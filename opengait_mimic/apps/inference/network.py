"""The network of a trained model, put together from its description and its checkpoint."""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

import torch
from torch import nn

from opengait_mimic.backbones import gait_network
from opengait_mimic.errors import CheckpointError, ConfigError
from opengait_mimic.method.beyond.registration import register
from opengait_mimic.method.beyond.weighted import part_bins, parts_visibility, strips_to_parts
from opengait_mimic.method.mimic import Fusion
from opengait_mimic.method.ven import VisibilityNetwork
from opengait_mimic.opengait.checkpoints import load_weights
from opengait_mimic.opengait.description import OURS, Description, to_json

# Names in a checkpoint of ours: {in the checkpoint: in RecognitionNetwork}.
PARTS = {
    "backbone.model.": "backbone.", "ven.network.": "ven.", "fusion.": "fusion.",
    "holistic.network.model.": "holistic.",
}  # fmt: skip
NECK = "neck."  # classifies training identities; it is not needed to embed


class Seen(NamedTuple):
    """What a network makes of n clips.

    Attributes:
        embeddings: [n, c, p]. logits: [n, k] scores of the VEN's kinds. amount: [n] hidden fraction, 0–1.
        visibility: [n, p] of the embedding's parts, 0–1.
        All but the first are None where the VEN has no such task, or where there is no VEN; the last also where
        parts are not weighted.
    """

    embeddings: torch.Tensor
    logits: torch.Tensor | None = None
    amount: torch.Tensor | None = None
    visibility: torch.Tensor | None = None


class RecognitionNetwork(nn.Module):
    """F(O), or T(F(O) ⊕ V(O)) with a VEN (Eq. 1), on clips as they are or registered; ResidualGait adds F_t(O).

    Args:
        description: what to build. fused: the shape of T's weight, [p, c + d, c]; None without T.
    """

    strips: torch.Tensor | None

    def __init__(self, description: Description, fused: tuple[int, ...] | None):
        super().__init__()
        self.backbone = gait_network(description.backbone, description.dataset_name)
        self.ven = self.fusion = self.holistic = None
        self.kinds, self.registers = description.kinds, description.register
        strips = None
        if description.ven is not None:
            self.ven = VisibilityNetwork(len(description.kinds), **description.ven)
        if fused is not None:
            parts, _, channels = fused
            self.fusion = Fusion(parts, channels, self.ven.feature_size)
        if description.model == "ResidualGait":
            self.holistic = gait_network(description.backbone, description.dataset_name)
        if description.weighted is not None:
            parts = self._parts(description.height)
            bins = part_bins(description.backbone, parts, description.bins)
            strips = strips_to_parts(bins, self.ven.strips)
        self.register_buffer("strips", strips, persistent=False)

    def forward(self, sils: torch.Tensor) -> Seen:
        """Embed clips of one length, [n, s, h, w] floats 0–1."""
        if self.ven is None:
            return Seen(self.backbone(sils))
        seen = self.ven(sils)
        clips = register(sils, seen, self.kinds) if self.registers else sils
        embeddings = self.backbone(clips)
        if self.fusion is not None:
            embeddings = self.fusion(embeddings, seen.feature)
        if self.holistic is not None:
            embeddings = seen.amount[:, None, None] * embeddings + self.holistic(clips)
        visibility = None if self.strips is None else parts_visibility(seen, self.strips)  # type: ignore[arg-type]
        return Seen(embeddings, seen.logits, seen.amount, visibility)

    @torch.no_grad()
    def _parts(self, height: int) -> int:
        """How many parts the backbone's embeddings have."""
        if self.fusion is not None:
            return self.fusion.weight.shape[0]
        training = self.backbone.training
        parts = self.backbone.eval()(torch.zeros(1, 3, height, height * 11 // 16)).shape[2]
        self.backbone.train(training)
        return parts


def trained_network(description: Description, weights: dict[str, torch.Tensor], path) -> RecognitionNetwork:
    """A network with the weights of a checkpoint, in eval mode and without gradients.

    Args:
        weights: the checkpoint's `model`. path: of the checkpoint, for messages.
    Raises:
        CheckpointError: the weights are of another network.
        ConfigError: the network needs an OpenGait checkout.
    """
    ours = description.model in OURS
    named = _ours(weights, path) if ours else {f"backbone.{name}": value for name, value in weights.items()}
    fused = named["fusion.weight"].shape if "fusion.weight" in named else None
    if (fused is None) != (description.ven is None or not description.fuse):
        if fused is None:
            differs = "without T; its description has a VEN and fuse: true"
        elif description.ven is None:
            differs = "with T, and so a VEN; its description says none"
        else:
            differs = "with T; its description says fuse: false"
        raise CheckpointError(f"{path} is a checkpoint {differs}")
    try:
        network = RecognitionNetwork(description, fused)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    load_weights(network, named, description.model, path)
    return network.requires_grad_(False).eval()


def _ours(weights: dict[str, torch.Tensor], path) -> dict[str, torch.Tensor]:
    named = {}
    for name, value in weights.items():
        prefix = next((prefix for prefix in PARTS if name.startswith(prefix)), None)
        if prefix is not None:
            named[PARTS[prefix] + name.removeprefix(prefix)] = value
        elif not name.startswith(NECK):
            raise CheckpointError(f"{path} is not a checkpoint of a mimic: it holds {name!r}")
    return named


def fingerprint(network: RecognitionNetwork, description: Description) -> str:
    """SHA-256 of all that decides a clip's embedding: weights, architecture, preparation of silhouettes, metric."""
    digest = hashlib.sha256(json.dumps(to_json(description), sort_keys=True).encode())
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
