"""A run's configuration: a data set, a backbone, a method and the occlusions it learns; full size, and small."""

from __future__ import annotations

from copy import deepcopy

from opengait_mimic.apps.experiments.recipes.facts import ADAM, BACKBONES, DATASETS, Teacher
from opengait_mimic.apps.experiments.recipes.methods import (
    ADDED_TYPES,
    BEYOND,
    METHODS,
    NEW_TYPES,
    OCCLUSIONS,
    REFITTED,
    SOFTMAX,
    TRIPLET,
    VENS,
    needs,
)

AMOUNT = [0.4, 0.6]
ALL_FRAMES = {"type": "InferenceSampler", "sample_type": "all_ordered", "batch_size": 1, "frames_all_limit": 720}
PAPERS = ("GREW", "GaitBase")  # of Tables 2 to 4
LONGEST = 300_000  # iterations of the paper's second stage
MILESTONES = (80_000, 120_000, 150_000)  # of these
RATE = 2.0e-3  # of small runs
ITERATIONS = {"teacher": 400, "VisibilityEstimation": 200, "OcclusionAware": 150, "MimicGait": 150,
              "ResidualGait": 150, "VEN+": 2400}  # fmt: skip
SCALES = {"demo": 1, "longer": 4}  # times these iterations, but for VENs, which have learned by then what they can


def recipe(
    dataset: str,
    backbone: str,
    method: str,
    occlusions: str = "standard",
    *,
    folder: str | None = None,
    data: dict | None = None,
    identities: int | None = None,
    zero_shot: bool | None = None,
) -> dict:
    """The YAML of a run.

    Args:
        dataset: a key of DATASETS.
        backbone: a key of BACKBONES. A VEN is the same for all that see the same width.
        method: a key of METHODS.
        occlusions: a key of OCCLUSIONS: the types that it learns and is tested on.
        folder: where the YAML files of its teacher and VEN are, as the run's working directory has it;
            configs/mimicgait/<data set> by default, "" for the working directory itself.
        data: what differs in data_cfg, such as dataset_root and dataset_partition.
        identities: in the training set; the data set's own number by default.
        zero_shot: whether to test on types beyond those learned, too (Table 2's generalizability); by default
            where the paper does, on GREW with GaitBase.

    Returns:
        A new dict of the sections in the order data, evaluator, loss, model, optimizer, scheduler, trainer.

    Examples:
        >>> recipe("GREW", "GaitBase", "mimic")["model_cfg"]["ven"]
        'configs/mimicgait/GREW/ven.yaml'
    """
    facts, how = DATASETS[dataset], METHODS[method]
    teacher, family = facts.teachers[backbone], BACKBONES[backbone]
    sampled_as = next(iter(facts.teachers.values())) if how.tasks else teacher
    identities = facts.identities if identities is None else identities
    name = how.save_name + _particulars(dataset, backbone, method, occlusions)
    iterations, milestones = _schedule(dataset, backbone, method)
    is_ven, occluded = bool(how.tasks), method != "teacher"
    trained_on = [_occlusion(occlusions, is_ven or how.clean)] if occluded and how.trained else []
    tested_on = [{**_occlusion(occlusions, is_ven), "seed": 0}] if occluded else []
    before, after = ({}, {}) if is_ven else (teacher.before, teacher.after)
    half = not is_ven  # precision; the VEN is small
    decay = {} if teacher.weight_decay is None else {"weight_decay": teacher.weight_decay}
    return {
        "data_cfg": {
            "dataset_name": dataset,
            "dataset_root": "your_path",
            "dataset_partition": f"./datasets/{dataset}/{dataset}.json",
            **({"data_in_use": list(facts.data_in_use)} if facts.data_in_use else {}),
            "test_dataset_name": dataset,
            "num_workers": 4,
            **(data or {}),
        },
        "evaluator_cfg": {
            "save_name": name,
            "restore_hint": iterations if how.trained else 0,
            "restore_ckpt_strict": True,
            "enable_float16": half,
            "eval_func": "evaluate_visibility" if is_ven else "evaluate_recognition",
            "metric": "euc",
            **({"weighted": True, "likelihood": True} if how.weighted else {}),
            **_occluded(dataset, backbone, method, occlusions, zero_shot),
            "sampler": dict(ALL_FRAMES),
            "transform": _transform(teacher.cut, {}, {}, tested_on),
        },
        "loss_cfg": deepcopy(list(how.losses or _own_losses(teacher, family.scale))),
        "model_cfg": _model(dataset, backbone, method, occlusions, folder, identities),
        "optimizer_cfg": dict(ADAM) if is_ven else {**family.optimizer, **decay},
        "scheduler_cfg": {"scheduler": "MultiStepLR", "gamma": 0.1, "milestones": milestones},
        "trainer_cfg": {
            "save_name": name,
            "total_iter": iterations,
            "save_iter": iterations // 5,
            "log_iter": 100,
            "restore_hint": 0,
            "enable_float16": half,
            "sync_BN": half,
            "sampler": {
                "type": "TripletSampler",
                "batch_size": [8, 4] if is_ven else list(teacher.batch),
                "batch_shuffle": True,
                **sampled_as.sampling,
            },
            "transform": _transform(teacher.cut, before, after, trained_on),
        },
    }


def file_name(dataset: str, backbone: str, method: str, occlusions: str = "standard") -> str:
    """The name of a recipe's file, such as mimic_gaitbase.yaml, ven_cut.yaml, baseline2_gaitbase_middle.yaml."""
    return f"{method}{_particulars(dataset, backbone, method, occlusions)}.yaml".lower()


def _particulars(dataset: str, backbone: str, method: str, occlusions: str) -> str:
    """What tells a method's runs on a data set apart; a VEN is the same for all backbones of one width."""
    cut = ["cut"] if DATASETS[dataset].teachers[backbone].cut else []
    parts = [*(cut if METHODS[method].tasks else [backbone]), *([occlusions] if occlusions != "standard" else [])]
    return "".join(f"_{part}" for part in parts)


def _own_losses(teacher: Teacher, scale: int) -> list[dict]:
    """A backbone's own losses, as OpenGait trains it."""
    return [TRIPLET, {**SOFTMAX, "scale": scale, **({} if teacher.label_smooth else {"label_smooth": False})}]


def _schedule(dataset: str, backbone: str, method: str) -> tuple[int, list[int]]:
    """Iterations and milestones.

    The paper's second stage is 5/3 of GREW's teacher; where a teacher takes less than that, on a data set that is not
    in the paper, the second stage shrinks with it, the milestones at the same fractions.
    """
    facts = DATASETS[dataset]
    teacher = facts.teachers[backbone]
    if METHODS[method].tasks:
        return facts.ven_iterations, [facts.ven_iterations]
    if method == "teacher" or not METHODS[method].trained:
        return teacher.iterations, list(teacher.milestones)
    total = LONGEST if facts.in_paper else min(LONGEST, int(round(teacher.iterations * 5 / 3, -4)))
    return total, [round(total * part // LONGEST, -3) for part in MILESTONES]


def _occlusion(occlusions: str, with_clean: bool) -> dict:
    """The Occlusion of a transform list: equal shares for all types, and for clean clips where they count too."""
    names = OCCLUSIONS[occlusions]
    share = round(1 / (len(names) + with_clean), 4)
    shares = [share] * len(names)
    if not with_clean:
        shares[-1] = round(1 - share * (len(names) - 1), 4)
    refit = {"refit": True} if occlusions == REFITTED else {}
    entries = [
        {"kind": name, "prob": prob, "amount": list(AMOUNT), **refit} for name, prob in zip(names, shares, strict=True)
    ]
    return {"type": "Occlusion", "kinds": entries}


def _transform(cut: bool, before: dict[str, float], after: dict[str, float], occlusion: list[dict]) -> list[dict]:
    prepared = {"type": "BaseSilCuttingTransform" if cut else "BaseSilTransform"}
    first, then = ([{"type": name, "prob": prob} for name, prob in steps.items()] for steps in (before, after))
    return [{"type": "Compose", "trf_cfg": [*first, prepared, *then, *occlusion]}]


def _occluded(dataset: str, backbone: str, method: str, occlusions: str, zero_shot: bool | None) -> dict:
    how = METHODS[method]
    if how.model is None or how.tasks:
        return {}
    zero_shot = ((dataset, backbone) == PAPERS) if zero_shot is None else zero_shot
    settings: dict = {"who": "both", "repeats": 1}
    if BEYOND in how.tables:
        return {"occluded": settings}
    if occlusions in ADDED_TYPES:
        settings["adaptability"] = {occlusions: list(ADDED_TYPES[occlusions])}
    elif zero_shot and 2 in how.tables and occlusions == "standard":
        settings["generalizability"] = {name: list(new) for name, new in NEW_TYPES.items()}
    return {"occluded": settings}


def _model(dataset: str, backbone: str, method: str, occlusions: str, folder: str | None, identities: int) -> dict:
    how = METHODS[method]
    if how.model is None:
        return BACKBONES[backbone].network(identities, **DATASETS[dataset].teachers[backbone].network)
    if how.tasks:
        tasks: dict = {} if how.tasks == "both" else {"tasks": [how.tasks]}
        if how.tasks == "parts":
            tasks = {"tasks": ["classification", "regression", "parts"], "bands": 8, "amount_bins": 33}
        return {"model": how.model, "channels": [32, 64, 128], "feature": 64, **tasks}
    folder = f"configs/mimicgait/{dataset}" if folder is None else folder
    names = {needed: file_name(dataset, backbone, needed, of) for needed, of in needs(method, occlusions)}
    paths = {needed: f"{folder}/{name}" if folder else name for needed, name in names.items()}
    return {
        "model": how.model,
        "backbone": paths["teacher"],
        "init_from_teacher": not how.trained,
        "ven": paths[VENS[how.ven]] if how.ven else None,
        **({"register": True} if how.registered else {}),
        **({} if how.fuses else {"fuse": False}),
        **({"class_num": identities} if how.classifies else {}),
    }


def small(cfgs: dict, scale: str = "demo") -> dict:
    """A recipe at the scale of two CPU cores: a narrow network, few and short clips, a few hundred iterations.

    What learns from occluded clips starts from the teacher, which decides a lot at this budget; nothing is
    augmented, and sequences are kept in memory.

    Args:
        cfgs: what `recipe` returned; it does not change.
        scale: a key of SCALES.

    Returns:
        A new configuration.
    """
    cfgs = deepcopy(cfgs)
    model_cfg, trainer, evaluator = (cfgs[name] for name in ("model_cfg", "trainer_cfg", "evaluator_cfg"))
    iterations = ITERATIONS.get("VEN+" if "parts" in model_cfg.get("tasks", ()) else model_cfg["model"],
                                ITERATIONS["teacher"])  # fmt: skip
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
    sampler = trainer["sampler"]
    ordered = "_ordered" in sampler["sample_type"]  # three frames where the network looks along time
    skip = {"frames_skip_num": sampler["frames_skip_num"]} if ordered else {}
    trainer["sampler"] = {
        "type": sampler["type"],
        "batch_size": [8, 4],
        "batch_shuffle": True,
        "sample_type": "fixed_ordered" if ordered else "fixed_unordered",
        "frames_num_fixed": 3 if ordered else 2,
        **skip,
    }
    steps = [step for step in trainer["transform"][0]["trf_cfg"] if not step["type"].startswith("Random")]
    trainer["transform"] = [{"type": "Compose", "trf_cfg": steps}]
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
