"""What an occlusion is: kinds, mixtures, plans and the brush."""

from opengait_mimic.method.occlusion.apply import paint
from opengait_mimic.method.occlusion.masks import hidden_mask, seen_boxes, visible_mask
from opengait_mimic.method.occlusion.sampling import CLEAN, Mixture, Plan, content_rng, mixture
from opengait_mimic.method.occlusion.transform import Occlusion, process_rng
from opengait_mimic.method.occlusion.types import KINDS, BoxKind, Kind, OutlineKind

__all__ = [
    "CLEAN",
    "KINDS",
    "BoxKind",
    "Kind",
    "Mixture",
    "Occlusion",
    "OutlineKind",
    "Plan",
    "content_rng",
    "hidden_mask",
    "mixture",
    "paint",
    "process_rng",
    "seen_boxes",
    "visible_mask",
]
