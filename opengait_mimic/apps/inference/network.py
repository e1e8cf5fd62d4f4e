"""The network of a trained model, put together from its description and its checkpoint."""

from __future__ import annotations

import torch
from torch import nn

from opengait_mimic.backbones import gait_network
from opengait_mimic.errors import CheckpointError, ConfigError
from opengait_mimic.method.beyond.weighted import part_bins, strips_to_parts
from opengait_mimic.method.mimic import Fusion, MimicNetwork, PartVisibility
from opengait_mimic.method.ven import VisibilityNetwork
from opengait_mimic.opengait.checkpoints import load_weights
from opengait_mimic.opengait.config.schema import RECOGNITION
from opengait_mimic.opengait.description import NECK, PARTS, Description


class Named(nn.Module):
    """A network under the name that it has in a checkpoint of ours."""

    def __init__(self, name: str, network: nn.Module):
        super().__init__()
        self.name = name
        self.add_module(name, network)

    def forward(self, sils: torch.Tensor, seqL: torch.Tensor | None = None, *_):
        return getattr(self, self.name)(sils, seqL)


def build_network(description: Description, fused: tuple[int, ...] | None) -> MimicNetwork:
    """A recognition network, untrained.

    Args:
        description: what to build.
        fused: the shape of T's weight, [p, c + d, c]; None without T.
    """

    def backbone() -> Named:
        return Named("model", gait_network(description.backbone, description.dataset_name))

    network = MimicNetwork(backbone(), types=description.kinds, registers=description.register)
    if description.ven is None:
        return network
    ven = VisibilityNetwork(len(description.kinds), **description.ven)
    network.ven = Named("network", ven)
    if fused is not None:
        parts, _, channels = fused
        network.fusion = Fusion(parts, channels, ven.feature_size)
    if description.model == "ResidualGait":
        network.holistic = Named("network", backbone())
    if description.weighted is not None:
        count = _parts(network.backbone, description.height) if fused is None else fused[0]
        network.parts = PartVisibility(
            strips_to_parts(part_bins(description.backbone, count, description.bins), ven.strips)
        )
    return network


def trained_network(description: Description, weights: dict[str, torch.Tensor], path) -> MimicNetwork:
    """A network with the weights of a checkpoint, in eval mode and without gradients.

    Args:
        description: what to build.
        weights: the checkpoint's `model`.
        path: of the checkpoint, for messages.
    Raises:
        CheckpointError: the weights are of another network.
        ConfigError: the network needs an OpenGait checkout.
    """
    if description.model in RECOGNITION:
        named = {name: value for name, value in weights.items() if not name.startswith(NECK)}
        strange = [name for name in named if not name.startswith((*PARTS, "fusion."))]
        if strange:
            raise CheckpointError(f"{path} is not a checkpoint of a mimic: it holds {strange[0]!r}")
    else:
        named = {f"backbone.model.{name}": value for name, value in weights.items()}
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
        network = build_network(description, fused)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    load_weights(network, named, description.model, path)
    return network.requires_grad_(False).eval()


@torch.no_grad()
def _parts(backbone: nn.Module, height: int) -> int:
    """How many parts the backbone's embeddings have."""
    training = backbone.training
    parts = backbone.eval()(torch.zeros(1, 3, height, height * 11 // 16)).shape[2]
    backbone.train(training)
    return parts
