"""What the gait networks have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from opengait_mimic.backbones.resnet import ResNet9
from opengait_mimic.errors import ConfigError, nearest


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


NETWORKS: dict[str, type[GaitNetwork]] = {}
"""By the name of OpenGait's model class, which a YAML's model_cfg gives."""


class GaitNetwork(nn.Module, ABC):
    """A network from silhouettes to embeddings, its parameters named as in OpenGait's checkpoints.

    Adding one takes a subclass with `build`, which makes its layers, and `features`; the `name` in its bases is what
    a YAML's `model_cfg.model` calls it. It has no constructor of its own, so that the embedded host can make the same
    layers in its models; `gait_network` makes one by itself.
    """

    def __init_subclass__(cls, name: str | None = None):
        if name is not None:
            NETWORKS[name] = cls

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
            name = backbone_cfg["type"]
            raise ConfigError(f"backbone_cfg: unknown type {name!r}; {nearest(name, ['ResNet9'])}")
        return ResNet9(**settings)

    def forward(self, sils: Tensor, seqL: Tensor | None = None) -> Tensor:
        """Embeddings [n, c, p] of silhouettes [n, s, h, w], or [1, sum of s, h, w] with seqL [1, n]."""
        return self.features(sils.unsqueeze(1), seqL).compared


def gait_network(model_cfg: dict, dataset_name: str) -> GaitNetwork:
    """A gait network, untrained.

    Args:
        model_cfg: OpenGait's, with the key `model`.
        dataset_name: what it is for; GaitGL's depth depends on it.

    Returns:
        The network.

    Raises:
        ConfigError: another model, or a model_cfg that does not describe it.
    """
    name = model_cfg.get("model")
    if name not in NETWORKS:
        raise ConfigError(f"backbone: {name!r} needs an OpenGait checkout; without one: {', '.join(NETWORKS)}")
    network = NETWORKS[name]()
    try:
        network.build(model_cfg, dataset_name)
    except KeyError as error:
        raise ConfigError(f"backbone: {name}: its configuration has no {error}") from None
    except TypeError as error:
        raise ConfigError(f"backbone: {name}: its configuration does not fit: {error}") from None
    return network
