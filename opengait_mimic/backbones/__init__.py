"""The gait networks by themselves, with the parameter names of OpenGait's checkpoints."""

from __future__ import annotations

from opengait_mimic.backbones.deepgaitv2 import DeepGaitV2
from opengait_mimic.backbones.gaitbase import GaitBase
from opengait_mimic.backbones.gaitgl import GaitGL
from opengait_mimic.backbones.gaitset import GaitSet
from opengait_mimic.backbones.network import Features, GaitNetwork
from opengait_mimic.errors import ConfigError

# By the name of OpenGait's model class, which a YAML's model_cfg gives.
NETWORKS: dict[str, type[GaitBase] | type[DeepGaitV2] | type[GaitGL] | type[GaitSet]] = {
    "Baseline": GaitBase, "DeepGaitV2": DeepGaitV2, "GaitGL": GaitGL, "GaitSet": GaitSet,
}  # fmt: skip

__all__ = ["NETWORKS", "DeepGaitV2", "Features", "GaitBase", "GaitGL", "GaitNetwork", "GaitSet", "gait_network"]


def gait_network(model_cfg: dict, dataset_name: str) -> GaitNetwork:
    """A gait network, untrained.

    Args:
        model_cfg: OpenGait's, with the key `model`. dataset_name: what it is for; GaitGL's depth depends on it.
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
