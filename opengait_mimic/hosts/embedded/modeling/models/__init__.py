"""Gait models that a YAML names under model_cfg.model."""

from .baseline import Baseline
from .deepgaitv2 import DeepGaitV2
from .gaitgl import GaitGL
from .gaitset import GaitSet

__all__ = ["Baseline", "DeepGaitV2", "GaitGL", "GaitSet"]
