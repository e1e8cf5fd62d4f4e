"""What an occlusion is: kinds, mixtures, plans and the brush."""

from opengait_mimic.occlusion.kinds import KINDS, BoxKind, Kind, OutlineKind
from opengait_mimic.occlusion.masks import hidden_mask, seen_boxes, visible_mask
from opengait_mimic.occlusion.paint import paint
from opengait_mimic.occlusion.plan import CLEAN, Mixture, Plan, content_rng, mixture
from opengait_mimic.occlusion.transform import Occlusion, process_rng

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
