"""OpenGait models around any backbone. Importing them needs an active host (`opengait_mimic.hosts.activate`)."""

from opengait_mimic.models.aware import OcclusionAware
from opengait_mimic.models.backbone import Backbone
from opengait_mimic.models.mimic import MimicGait
from opengait_mimic.models.occluded import Clips, OccludedModel
from opengait_mimic.models.residual import ResidualGait
from opengait_mimic.models.visibility import VisibilityEstimation

__all__ = ["Backbone", "Clips", "MimicGait", "OccludedModel", "OcclusionAware", "ResidualGait", "VisibilityEstimation"]
