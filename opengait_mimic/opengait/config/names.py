"""What the paper and the field call a configuration: which row of a table it is."""

from __future__ import annotations

from opengait_mimic.method.losses import PAIRS
from opengait_mimic.method.occlusion import mixture
from opengait_mimic.method.ven import PARTS, TASKS
from opengait_mimic.opengait.config.networks import distils, losses
from opengait_mimic.opengait.config.transforms import lifted

CLEAN_SHARE = 0.15  # of training clips left clean, from which on a method is called after it


def backbone_title(model_cfg: dict) -> str:
    """What the field calls a backbone: its model's name, but OpenGait's Baseline is GaitBase."""
    return "GaitBase" if model_cfg["model"] == "Baseline" else model_cfg["model"]


def ven_name(ven: dict | None) -> str:
    """What the paper calls an auxiliary network of these tasks: "VEN", or "Occlusion Aware" for classification alone.

    One with parts, which is ours, is a "VEN+".

    Args:
        ven: its model_cfg, None where there is none ("").
    """
    if ven is None:
        return ""
    tasks = tuple(sorted(ven.get("tasks", TASKS)))
    if PARTS in tasks:
        return "VEN+"
    return {("classification",): "Occlusion Aware", ("regression",): "VEN (regression)"}.get(tasks, "VEN")


def method_name(cfgs: dict, ven: dict | None) -> str:
    """Which row of the paper's tables a configuration is, "Mimic + VEN" for example.

    Args:
        cfgs: of one of our recognition models. ven: its VEN's model_cfg, None where it has none.
    """
    return _paper_name(cfgs, ven if cfgs["model_cfg"].get("fuse", True) else None) + _extras(cfgs)


def _extras(cfgs: dict) -> str:
    """What of ours comes on top of the paper's method: ", registered", ", clean clips"."""
    found = ", registered" if cfgs["model_cfg"].get("register") else ""
    entry = lifted(cfgs["trainer_cfg"].get("transform"), "trainer_cfg")[1]
    mimics = cfgs["model_cfg"]["model"] == "MimicGait"
    if mimics and entry is not None and sum(mixture(entry.get("kinds")).probs) < 1 - CLEAN_SHARE:
        found += ", clean clips"
    return found


def _paper_name(cfgs: dict, ven: dict | None) -> str:
    guide = ven_name(ven)
    if cfgs["model_cfg"]["model"] == "ResidualGait":
        return "Residual"
    if cfgs["model_cfg"]["model"] == "OcclusionAware":
        untrained = cfgs["evaluator_cfg"].get("restore_hint", 0) == 0
        return guide or ("Baseline-1" if untrained else "Baseline-2")
    kinds = [loss["type"] for loss in losses(cfgs)]
    mickd = next((loss for loss in losses(cfgs) if loss["type"] == "MiCKDLoss"), None)
    name = "Vanilla Mimic" if mickd else "L2 KD" if "L2KDLoss" in kinds else "Without KD"
    if mickd is not None:
        pairs = mickd.get("pairs", PAIRS)
        pairs = {pairs} if isinstance(pairs, str) else set(pairs)
        if not distils(mickd):
            name = "Control"
        elif pairs != set(PAIRS):
            numbers = "+".join(str(i + 1) for i, pair in enumerate(PAIRS) if pair in pairs)
            name = f"MiCKD, pair{'s' * (len(pairs) > 1)} {numbers}"
        elif "CrossEntropyLoss" in kinds:
            name = "MiCKD + XE"
        elif guide:
            name = "Mimic"
        if mickd.get("partwise"):
            name += ", part-wise"
    return f"{name} + {guide}" if guide else name
