"""What goes into the host's registries. Importing it needs an active host."""

from __future__ import annotations

from types import ModuleType

from data import transform
from evaluation import evaluator
from modeling import losses, models

from opengait_mimic.errors import HostError
from opengait_mimic.method.occlusion import Occlusion
from opengait_mimic.opengait.evaluators import evaluate_recognition, evaluate_visibility
from opengait_mimic.opengait.losses import L2KDLoss, MiCKDLoss, VisibilityLoss
from opengait_mimic.opengait.models import MimicGait, OcclusionAware, ResidualGait, VisibilityEstimation

REGISTERED: tuple[tuple[ModuleType, tuple], ...] = (
    (models, (VisibilityEstimation, OcclusionAware, MimicGait, ResidualGait)),
    (losses, (MiCKDLoss, L2KDLoss, VisibilityLoss)),
    (transform, (Occlusion,)),
    (evaluator, (evaluate_recognition, evaluate_visibility)),
)


def register_all() -> None:
    """Register models, losses, the transform and the evaluation functions.

    Raises:
        HostError: the host already uses a name for something else.
    """
    for registry, things in REGISTERED:
        for thing in things:
            name = thing.__name__
            if getattr(registry, name, thing) is not thing:
                raise HostError(f"the host already has its own {registry.__name__}.{name}")
            setattr(registry, name, thing)
