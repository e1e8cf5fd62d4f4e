"""Gait models that a YAML names under model_cfg.model: every gait network there is."""

from opengait_mimic.backbones import NETWORKS

from .gait import HostNetwork, host_network


def __getattr__(name: str) -> type[HostNetwork]:
    """A network that was defined after this module was imported."""
    if name not in NETWORKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = host_network(name)
    return found


globals().update({name: host_network(name) for name in NETWORKS})
