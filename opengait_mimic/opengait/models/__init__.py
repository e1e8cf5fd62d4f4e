"""OpenGait models around any backbone. Importing them needs an active host (`opengait.host.activate`)."""

from opengait_mimic.opengait.models.backbone import Backbone
from opengait_mimic.opengait.models.mimic import MimicGait
from opengait_mimic.opengait.models.occluded import Clips, OccludedModel
from opengait_mimic.opengait.models.occlusion_aware import OcclusionAware
from opengait_mimic.opengait.models.residual import ResidualGait
from opengait_mimic.opengait.models.ven import VisibilityEstimation

__all__ = ["Backbone", "Clips", "MimicGait", "OccludedModel", "OcclusionAware", "ResidualGait", "VisibilityEstimation"]
