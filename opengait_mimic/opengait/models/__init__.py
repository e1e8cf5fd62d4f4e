"""OpenGait models around any backbone. Importing them needs an active host (`opengait.host.activate`)."""

from opengait_mimic.opengait.models.backbone import Backbone
from opengait_mimic.opengait.models.occluded import Clips, OccludedModel
from opengait_mimic.opengait.models.recognition import MimicGait, OcclusionAware, ResidualGait
from opengait_mimic.opengait.models.ven import VisibilityEstimation

__all__ = ["Backbone", "Clips", "MimicGait", "OccludedModel", "OcclusionAware", "ResidualGait", "VisibilityEstimation"]
