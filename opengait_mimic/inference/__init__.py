"""Use a trained model: load it, embed clips, compare them, export it. Needs no OpenGait and no host."""

from opengait_mimic.inference.description import Description
from opengait_mimic.inference.model import Embedded, Model, load

__all__ = ["Description", "Embedded", "Model", "load"]
