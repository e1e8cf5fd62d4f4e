"""Gait models that a YAML names under model_cfg.model."""

from .gait import Baseline, DeepGaitV2, GaitGL, GaitSet

__all__ = ["Baseline", "DeepGaitV2", "GaitGL", "GaitSet"]
