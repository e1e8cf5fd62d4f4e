"""Use a trained model: load it, embed clips, compare them, export it. Needs no OpenGait and no host."""

from opengait_mimic.apps.inference.model import Embedded, Model, load
from opengait_mimic.opengait.description import Description

__all__ = ["Description", "Embedded", "Model", "load"]
