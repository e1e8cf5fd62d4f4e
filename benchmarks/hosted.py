"""What the benchmarks in a host share: walkers, small recipes, and a teacher and a VEN that were not trained."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

import opengait_mimic
from opengait_mimic.apps.experiments.recipes.build import file_name, recipe
from opengait_mimic.apps.experiments.recipes.files import yaml_text
from opengait_mimic.method.occlusion import mixture
from opengait_mimic.method.ven import VisibilityNetwork
from opengait_mimic.opengait.config.reading import defaults, merge


def start_host(host: str | None = None) -> str | Path:
    """The host named, OPENGAIT_ROOT's or the embedded one; what it says on building a model stays off the screen."""
    host = opengait_mimic.activate(host)
    from utils import get_msg_mgr  # the host's

    logger = logging.getLogger("opengait")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    get_msg_mgr().logger = logger
    return host


def untrained(folder: Path, teacher: dict, ven: dict) -> None:
    """Write teacher.pt and ven.pt, of random weights, for two configurations."""
    torch.manual_seed(0)
    dataset = teacher["data_cfg"]["dataset_name"]
    backbone = opengait_mimic.Backbone(teacher["model_cfg"], dataset, teacher["trainer_cfg"])
    kinds = ven["trainer_cfg"]["transform"][0]["trf_cfg"][-1]["kinds"]
    sizes = {key: ven["model_cfg"][key] for key in ("channels", "feature") if key in ven["model_cfg"]}
    network = VisibilityNetwork(len(mixture(kinds).classes), **sizes)
    torch.save({"model": backbone.model.state_dict()}, folder / "teacher.pt")
    torch.save({"model": {f"network.{k}": v for k, v in network.state_dict().items()}}, folder / "ven.pt")


def recipes(folder: Path, host: str | Path, dataset: str, backbone: str, data: dict, change) -> dict[str, dict]:
    """The configurations of teacher, VEN and mimic, merged onto the host's defaults; both stages are untrained.

    Args:
        folder: for the YAML files and the weights.
        host: the active one.
        dataset: of the recipe.
        backbone: of the recipe.
        data: what differs in data_cfg.
        change: takes a recipe and returns the one that is used.
    """
    found = {}
    for method in ("teacher", "ven", "mimic"):
        cfgs = change(recipe(dataset, backbone, method, folder=str(folder), data=data, identities=8))
        (folder / file_name(dataset, backbone, method)).write_text(yaml_text(cfgs))
        found[method] = merge(defaults(host), cfgs)
    untrained(folder, found["teacher"], found["ven"])
    model_cfg = found["mimic"]["model_cfg"]
    model_cfg["teacher"] = {"checkpoint": str(folder / "teacher.pt")}
    model_cfg["ven"] = {"config": model_cfg["ven"], "checkpoint": str(folder / "ven.pt")}
    return found
