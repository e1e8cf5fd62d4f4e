"""The same runs at the scale of two CPU cores, as the demo and `tables --scale demo` or `longer` have them."""

from __future__ import annotations

from copy import deepcopy

from opengait_mimic.apps.experiments.recipes.facts import BACKBONES

RATE = 2.0e-3
ITERATIONS = {"teacher": 400, "VisibilityEstimation": 200, "OcclusionAware": 150, "MimicGait": 150,
              "ResidualGait": 150, "VEN+": 2400}  # fmt: skip
SCALES = {"demo": 1, "longer": 4}  # times these iterations, but for VENs, which have learned by then what they can


def small(cfgs: dict, scale: str = "demo") -> dict:
    """The small version of a recipe: a narrow network, few and short clips, a few hundred iterations.

    What learns from occluded clips starts from the teacher, which decides a lot at this budget; nothing is
    augmented, and sequences are kept in memory.

    Args:
        cfgs: what `recipe` returned; it does not change. scale: a key of SCALES.
    """
    cfgs = deepcopy(cfgs)
    model_cfg, trainer, evaluator = (cfgs[name] for name in ("model_cfg", "trainer_cfg", "evaluator_cfg"))
    kind = "VEN+" if "parts" in model_cfg.get("tasks", ()) else model_cfg["model"]
    iterations = ITERATIONS.get(kind, ITERATIONS["teacher"])
    if model_cfg["model"] == "VisibilityEstimation":
        model_cfg["channels"] = [8, 16, 32]
    else:
        iterations *= SCALES[scale]
        if "init_from_teacher" in model_cfg:
            model_cfg["init_from_teacher"] = True
        else:
            cfgs["model_cfg"] = narrow(model_cfg)
    cfgs["data_cfg"].update(num_workers=0, cache=True)
    cfgs["optimizer_cfg"] = {"solver": "AdamW", "lr": RATE, "weight_decay": 5.0e-4}
    cfgs["scheduler_cfg"] = {"scheduler": "OneCycleLR", "max_lr": RATE, "total_steps": iterations + 1}
    saves = iterations if iterations % 5 else iterations // 5  # the last iteration is one of them
    trainer.update(total_iter=iterations, save_iter=saves, log_iter=50, enable_float16=False, sync_BN=False)
    trainer["sampler"] = _sampler(trainer["sampler"])
    trainer["transform"] = _without_augmentation(trainer["transform"])
    evaluator.update(enable_float16=False, metric="cos")
    if evaluator["restore_hint"]:
        evaluator["restore_hint"] = iterations
    return cfgs


def narrow(model_cfg: dict) -> dict:
    """The narrow network of a backbone's family, for as many identities."""
    identities = model_cfg.get("class_num") or model_cfg["SeparateBNNecks"]["class_num"]
    family = next(b for b in BACKBONES.values() if b.network(identities)["model"] == model_cfg["model"])
    settings = dict(family.narrow)
    if model_cfg["model"] == "GaitGL" and len(model_cfg["channels"]) == 4:  # the deeper one, of GREW and OUMVLP
        settings["channels"] = (*settings["channels"], settings["channels"][-1])
    return family.network(identities, **settings)


def _sampler(sampler: dict) -> dict:
    """8 identities × 4 clips of two frames; of three, in order, where the network looks along time."""
    order = sampler["sample_type"].split("_")[1]
    skip = {"frames_skip_num": sampler["frames_skip_num"]} if order == "ordered" else {}
    return {
        "type": sampler["type"],
        "batch_size": [8, 4],
        "batch_shuffle": True,
        "sample_type": f"fixed_{order}",
        "frames_num_fixed": 3 if order == "ordered" else 2,
        **skip,
    }


def _without_augmentation(transform: list[dict]) -> list[dict]:
    kept = [step for step in transform[0]["trf_cfg"] if not step["type"].startswith("Random")]
    return [{"type": "Compose", "trf_cfg": kept}]
