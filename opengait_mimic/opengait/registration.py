"""The front door: put our classes into the host's registries."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from types import ModuleType

import torch

from opengait_mimic.errors import HostError
from opengait_mimic.opengait.description import describe_beside
from opengait_mimic.opengait.run.distributed import rank


def register() -> None:
    """Register models, losses, the transform and the evaluation functions in the active host.

    Also lets the host describe the network of each checkpoint it saves, in a file beside it.

    Calling it again does nothing; a name the host already uses for something else is never overwritten.

    Raises:
        HostError: such a name exists, or the host's modules cannot be imported.
    """
    try:
        from data import transform
        from evaluation import evaluator
        from modeling import losses, models
        from modeling.base_model import BaseModel
    except ModuleNotFoundError as error:
        if error.name in ("data", "evaluation", "modeling"):
            raise HostError("no host is active; call opengait_mimic.opengait.host.activate() first") from None
        raise HostError(f"the host needs the package {error.name!r}, which is not installed") from None

    from opengait_mimic.method.occlusion import Occlusion
    from opengait_mimic.opengait.evaluators import evaluate_recognition, evaluate_visibility
    from opengait_mimic.opengait.losses import L2KDLoss, MiCKDLoss, VisibilityLoss
    from opengait_mimic.opengait.models import MimicGait, OcclusionAware, ResidualGait, VisibilityEstimation

    for registry, things in (
        (models, (VisibilityEstimation, OcclusionAware, MimicGait, ResidualGait)),
        (losses, (MiCKDLoss, L2KDLoss, VisibilityLoss)),
        (transform, (Occlusion,)),
        (evaluator, (evaluate_recognition, evaluate_visibility)),
    ):
        for thing in things:
            _add(registry, thing)
    _mend_switchable_no_grad(models)
    _describe_checkpoints(BaseModel)


def _mend_switchable_no_grad(models: ModuleType) -> None:
    """Let a host's own `no_grad(enable)` be made again (GaitSSB's fine-tuning).

    torch.no_grad, which it extends, takes an argument for a function to decorate since torch 2.1.
    """
    for thing in list(vars(models).values()):
        if isinstance(thing, type) and issubclass(thing, torch.no_grad) and "__init__" in vars(thing):
            thing.__new__ = lambda cls, *args, **kwargs: object.__new__(cls)


def _add(registry: ModuleType, thing: type) -> None:
    name = thing.__name__
    if getattr(registry, name, thing) is not thing:
        raise HostError(f"the host already has its own {registry.__name__}.{name}")
    setattr(registry, name, thing)


def _describe_checkpoints(base_model: type) -> None:
    """Let every checkpoint of the host be followed by a description of its network, for `inference`.

    What our own launcher trains describes its checkpoints itself (`Resumable`).
    """
    save = base_model.save_ckpt
    if getattr(save, "describes", False):
        return

    @wraps(save)
    def save_ckpt(self, iteration: int) -> None:
        save(self, iteration)
        if rank() == 0:
            name = f"{self.engine_cfg['save_name']}-{iteration:0>5}.pt"
            describe_beside(Path(self.save_path, "checkpoints", name), self.cfgs)

    save_ckpt.describes = True
    base_model.save_ckpt = save_ckpt
