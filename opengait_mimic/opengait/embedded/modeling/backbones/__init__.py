"""Image networks that a YAML names under backbone_cfg.type."""

from opengait_mimic.backbones.resnet import ResNet9

__all__ = ["ResNet9"]
