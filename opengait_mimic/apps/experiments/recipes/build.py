"""A run's configuration: a data set, a backbone, a method and the kinds of occlusion it learns."""

from __future__ import annotations

from copy import deepcopy

from opengait_mimic.apps.experiments.recipes.facts import ADAM, BACKBONES, DATASETS, Teacher
from opengait_mimic.apps.experiments.recipes.methods import (
    ADDED_KINDS,
    BEYOND,
    KINDS,
    METHODS,
    NEW_KINDS,
    REFITTED,
    SOFTMAX,
    TRIPLET,
    VENS,
    needs,
)

AMOUNT = [0.4, 0.6]


def recipe(
    dataset: str,
    backbone: str,
    method: str,
    kinds: str = "standard",
    *,
    folder: str | None = None,
    data: dict | None = None,
    identities: int | None = None,
    zero_shot: bool | None = None,
) -> dict:
    """The YAML of a run.

    Args:
        dataset, backbone, method, kinds: keys of DATASETS, BACKBONES, METHODS, KINDS. A VEN is the same for all
            backbones that see the same width.
        folder: where the YAML files of its teacher and VEN are, as the run's working directory has it; the
            shipped ones by default, "" for that directory itself.
        data: what differs in data_cfg, such as dataset_root and dataset_partition.
        identities: in the training set; the data set's own number by default.
        zero_shot: whether to test on kinds beyond those learned, too (Table 2's generalizability); by default
            where the paper does, on GREW with GaitBase.
    Returns:
        A new dict of the sections in the order data, evaluator, loss, model, optimizer, scheduler, trainer.
    """
    facts, how = DATASETS[dataset], METHODS[method]
    teacher, family = facts.teachers[backbone], BACKBONES[backbone]
    sampled_as = next(iter(facts.teachers.values())) if how.tasks else teacher
    identities = facts.identities if identities is None else identities
    folder = f"configs/mimicgait/{dataset}" if folder is None else folder
    name = save_name(dataset, backbone, method, kinds)
    iterations, milestones = _schedule(dataset, backbone, method)
    trained_on = [] if method == "teacher" or not how.trained else [_occlusion(kinds, bool(how.tasks) or how.clean)]
    tested_on = [] if method == "teacher" else [{**_occlusion(kinds, bool(how.tasks)), "seed": 0}]
    augmentations = ({}, {}) if how.tasks else (teacher.before, teacher.after)
    half = not how.tasks  # precision; the VEN is small
    return {
        "data_cfg": _data(dataset, data),
        "evaluator_cfg": {
            "save_name": name,
            "restore_hint": iterations if how.trained else 0,
            "restore_ckpt_strict": True,
            "enable_float16": half,
            "eval_func": "evaluate_visibility" if how.tasks else "evaluate_recognition",
            "metric": "euc",
            **({"weighted": True, "likelihood": True} if how.weighted else {}),
            **_occluded(dataset, backbone, method, kinds, zero_shot),
            "sampler": {
                "type": "InferenceSampler",
                "sample_type": "all_ordered",
                "batch_size": 1,
                "frames_all_limit": 720,
            },
            "transform": _transform(teacher.cut, {}, {}, tested_on),
        },
        "loss_cfg": deepcopy(list(how.losses or own_losses(teacher, family.scale))),
        "model_cfg": _model(dataset, backbone, method, kinds, folder, identities),
        "optimizer_cfg": dict(ADAM) if how.tasks else _optimizer(family.optimizer, teacher),
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
                "batch_size": [8, 4] if how.tasks else list(teacher.batch),
                "batch_shuffle": True,
                **sampled_as.sampling,
            },
            "transform": _transform(teacher.cut, *augmentations, trained_on),
        },
    }


def file_name(dataset: str, backbone: str, method: str, kinds: str = "standard") -> str:
    """The name of a recipe's file, such as mimic_gaitbase.yaml, ven_cut.yaml, baseline2_gaitbase_middle.yaml."""
    return "_".join([method, *_particulars(dataset, backbone, method, kinds)]).lower() + ".yaml"


def save_name(dataset: str, backbone: str, method: str, kinds: str = "standard") -> str:
    """A run's save_name: with its data set and model it names the run's folder."""
    return "_".join([METHODS[method].save_name, *_particulars(dataset, backbone, method, kinds)])


def _particulars(dataset: str, backbone: str, method: str, kinds: str) -> list[str]:
    """What tells a method's runs on a data set apart; a VEN is the same for all backbones of one width."""
    cut = ["cut"] if DATASETS[dataset].teachers[backbone].cut else []
    return [*(cut if METHODS[method].tasks else [backbone]), *([kinds] if kinds != "standard" else [])]


def as_in_paper(dataset: str, backbone: str) -> bool:
    """Whether it is the data set and the backbone of the paper's Tables 2 to 4."""
    return (dataset, backbone) == ("GREW", "GaitBase")


def own_losses(teacher: Teacher, scale: int) -> list[dict]:
    """A backbone's own losses, as OpenGait trains it."""
    smooth = {} if teacher.label_smooth else {"label_smooth": False}
    return [TRIPLET, {**SOFTMAX, "scale": scale, **smooth}]


def _data(dataset: str, data: dict | None) -> dict:
    in_use = DATASETS[dataset].data_in_use
    return {
        "dataset_name": dataset,
        "dataset_root": "your_path",
        "dataset_partition": f"./datasets/{dataset}/{dataset}.json",
        **({"data_in_use": list(in_use)} if in_use else {}),
        "test_dataset_name": dataset,
        "num_workers": 4,
        **(data or {}),
    }


def _schedule(dataset: str, backbone: str, method: str) -> tuple[int, list[int]]:
    facts = DATASETS[dataset]
    teacher = facts.teachers[backbone]
    if METHODS[method].tasks:
        return facts.ven_iterations, [facts.ven_iterations]
    if method == "teacher" or not METHODS[method].trained:
        return teacher.iterations, list(teacher.milestones)
    return facts.second_stage(backbone)


def _occlusion(kinds: str, with_clean: bool) -> dict:
    """The Occlusion of a transform list: equal shares for all kinds, and for clean clips where they count too."""
    names = KINDS[kinds]
    share = round(1 / (len(names) + with_clean), 4)
    shares = [share] * len(names)
    if not with_clean:
        shares[-1] = round(1 - share * (len(names) - 1), 4)
    refit = {"refit": True} if kinds == REFITTED else {}
    entries = [
        {"kind": name, "prob": prob, "amount": list(AMOUNT), **refit} for name, prob in zip(names, shares, strict=True)
    ]
    return {"type": "Occlusion", "kinds": entries}


def _transform(cut: bool, before: dict[str, float], after: dict[str, float], occlusion: list[dict]) -> list[dict]:
    prepared = {"type": "BaseSilCuttingTransform" if cut else "BaseSilTransform"}
    first, then = ([{"type": name, "prob": prob} for name, prob in steps.items()] for steps in (before, after))
    return [{"type": "Compose", "trf_cfg": [*first, prepared, *then, *occlusion]}]


def _occluded(dataset: str, backbone: str, method: str, kinds: str, zero_shot: bool | None) -> dict:
    how = METHODS[method]
    if how.model is None or how.tasks:
        return {}
    zero_shot = as_in_paper(dataset, backbone) if zero_shot is None else zero_shot
    settings = {"who": "both", "repeats": 1}
    if BEYOND in how.tables:
        return {"occluded": settings}
    if kinds in ADDED_KINDS:
        settings["adaptability"] = {kinds: list(ADDED_KINDS[kinds])}
    elif zero_shot and 2 in how.tables and kinds == "standard":
        settings["generalizability"] = {name: list(new) for name, new in NEW_KINDS.items()}
    return {"occluded": settings}


def _model(dataset: str, backbone: str, method: str, kinds: str, folder: str, identities: int) -> dict:
    how = METHODS[method]
    if how.model is None:
        return BACKBONES[backbone].network(identities, **DATASETS[dataset].teachers[backbone].network)
    if how.tasks:
        tasks = {} if how.tasks == "both" else {"tasks": [how.tasks]}
        if how.tasks == "parts":
            tasks = {"tasks": ["classification", "regression", "parts"], "bands": 8, "amount_bins": 33}
        return {"model": how.model, "channels": [32, 64, 128], "feature": 64, **tasks}
    names = {needed: file_name(dataset, backbone, needed, of) for needed, of in needs(method, kinds)}
    paths = {needed: f"{folder}/{name}" if folder else name for needed, name in names.items()}
    return {
        "model": how.model,
        "backbone": paths["teacher"],
        "init_from_teacher": not how.trained,
        "ven": paths.get(VENS.get(how.ven)),
        **({"register": True} if how.registered else {}),
        **({} if how.fuses else {"fuse": False}),
        **({"class_num": identities} if how.classifies else {}),
    }


def _optimizer(optimizer: dict, teacher: Teacher) -> dict:
    decay = {} if teacher.weight_decay is None else {"weight_decay": teacher.weight_decay}
    return {**optimizer, **decay}
