"""Occlusion: types, mixtures of them, sampling their parameters and applying these."""

from opengait_mimic.method.occlusion.apply import apply_occlusion
from opengait_mimic.method.occlusion.masks import hidden_mask, visible_boxes, visible_mask
from opengait_mimic.method.occlusion.sampling import CLEAN, Mixture, OcclusionParameters, content_rng, mixture
from opengait_mimic.method.occlusion.transform import Occlusion, OcclusionLabels, occlude, process_rng
from opengait_mimic.method.occlusion.types import TYPES, BoxOcclusion, MaskOcclusion, OcclusionType

__all__ = [
    "CLEAN",
    "TYPES",
    "BoxOcclusion",
    "MaskOcclusion",
    "Mixture",
    "Occlusion",
    "OcclusionLabels",
    "OcclusionParameters",
    "OcclusionType",
    "apply_occlusion",
    "content_rng",
    "hidden_mask",
    "mixture",
    "occlude",
    "process_rng",
    "visible_boxes",
    "visible_mask",
]
