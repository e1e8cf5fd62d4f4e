"""Gait models that a YAML names under model_cfg.model: every gait network there is."""

from opengait_mimic.backbones import NETWORKS

from . import gait


def __getattr__(name: str) -> type[gait.HostNetwork]:
    """A network that was defined after this module was imported."""
    if name not in NETWORKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = gait.host_network(name)
    return found


globals().update({name: gait.host_network(name) for name in NETWORKS})
