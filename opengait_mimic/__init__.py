"""MimicGait for OpenGait: gait recognition robust to occlusion, around any backbone.

The public names below are loaded on first use, so `import opengait_mimic` does not wait for PyTorch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from opengait_mimic.errors import HostError

if TYPE_CHECKING:
    from opengait_mimic.apps.inference import load
    from opengait_mimic.method.losses import mickd
    from opengait_mimic.method.occlusion import Occlusion, occlude
    from opengait_mimic.method.ven import VisibilityNetwork
    from opengait_mimic.opengait.activation import activate, register
    from opengait_mimic.opengait.models.backbone import Backbone

__version__ = "0.1.0"

__all__ = [
    "Backbone",
    "Occlusion",
    "VisibilityNetwork",
    "__version__",
    "activate",
    "load",
    "mickd",
    "occlude",
    "register",
]

_MODULES = {
    "Backbone": "opengait.models.backbone",
    "Occlusion": "method.occlusion",
    "VisibilityNetwork": "method.ven",
    "activate": "opengait.activation",
    "load": "apps.inference",
    "mickd": "method.losses",
    "occlude": "method.occlusion",
    "register": "opengait.activation",
}

# Where a checkout that version 0.1.0 was installed into looks for `register`.
sys.modules[f"{__name__}.plugin"] = sys.modules[__name__]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in ("data", "evaluation", "modeling", "utils"):  # a host's modules
            raise HostError(f"{name} needs a host; call opengait_mimic.activate() first") from None
        raise
    found = globals()[name] = getattr(module, name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
