"""Losses that a YAML names under loss_cfg.type."""

from .ce import CrossEntropyLoss
from .triplet import TripletLoss

__all__ = ["CrossEntropyLoss", "TripletLoss"]
