"""What the gait networks have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from opengait_mimic.backbones.resnet import ResNet9
from opengait_mimic.errors import ConfigError


class Features(NamedTuple):
    """What a gait network makes of n clips.

    Attributes:
        embeddings: [n, c, p], which the triplet loss compares.
        logits: [n, identities, p], None for a network without classifier.
        compared: [n, c, p], which retrieval compares; often the embeddings.
    """

    embeddings: Tensor
    logits: Tensor | None
    compared: Tensor


class GaitNetwork(nn.Module, ABC):
    """A network from silhouettes to embeddings, its parameters named as in OpenGait's checkpoints.

    A subclass has `build`, which makes its layers, and `features`. It has no constructor of its own, so that the
    embedded host can make the same layers in its models; `gait_network` makes one by itself.
    """

    @abstractmethod
    def build(self, model_cfg: dict, dataset_name: str) -> None:
        """Make the layers that OpenGait's `model_cfg` describes, for a data set."""

    @abstractmethod
    def features(self, clips: Tensor, seqL: Tensor | None = None) -> Features:
        """Embed clips [n, c, s, h, w], or [1, c, sum of s, h, w] with seqL [1, n], the clips' lengths."""

    def get_backbone(self, backbone_cfg: dict) -> nn.Module:
        """The network for images that `type` names."""
        settings = {key: value for key, value in backbone_cfg.items() if key != "type"}
        if backbone_cfg["type"] != "ResNet9":
            raise ConfigError(f"backbone_cfg: unknown type {backbone_cfg['type']!r}; allowed: ResNet9")
        return ResNet9(**settings)

    def forward(self, sils: Tensor, seqL: Tensor | None = None) -> Tensor:
        """Embeddings [n, c, p] of silhouettes [n, s, h, w], or [1, sum of s, h, w] with seqL [1, n]."""
        return self.features(sils.unsqueeze(1), seqL).compared
