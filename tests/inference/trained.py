"""Small trained models, for the tests of inference and of the documentation."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml
from narrow import BACKBONES, IDENTITY, KINDS, MICKD, SEEN, VEN, configuration

from opengait_mimic.data.tree import generate_walkers
from opengait_mimic.opengait.activation import activate

TRIPLET = IDENTITY[:1]


def walkers(folder: Path) -> dict:
    """Data for `configuration`: in `folder`/sils, six people for training and four others, 44 columns wide."""
    generate_walkers(folder / "sils", folder / "sils.json", 6, 4, sequences=4, frames=12, width=44, test_frames=8)
    return {"dataset_root": str(folder / "sils"), "dataset_partition": str(folder / "sils.json")}


def train(folder: Path, data: dict, name: str, *settings) -> dict:
    """Train three iterations in `folder` on the embedded host, with the YAML beside; returns the configuration."""
    activate("embedded")
    from main import run

    cfgs = configuration(data, name, *copy.deepcopy(settings))
    cfgs["evaluator_cfg"]["restore_hint"] = 3
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(cfgs))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run(copy.deepcopy(cfgs), training=True)
    return cfgs


def train_ven(folder: Path, data: dict, tasks=("classification", "regression")) -> None:
    train(folder, data, "ven", {**VEN, "tasks": list(tasks)}, SEEN, KINDS)


def train_teacher(folder: Path, data: dict, backbone: str) -> None:
    model_cfg = BACKBONES[backbone]
    if backbone == "GaitGL":
        model_cfg = {**model_cfg, "channels": [4, 4, 4, 8]}  # it is deeper on GREW
    train(folder, data, "teacher", model_cfg, TRIPLET if backbone == "GaitSet" else IDENTITY)


def train_mimic(folder: Path, data: dict, ven: str | None = "ven.yaml", model="MimicGait", name="mimic") -> dict:
    model_cfg = {"model": model, "backbone": "teacher.yaml", "ven": ven, "init_from_teacher": True}
    losses = MICKD if model == "MimicGait" else [{"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2}]
    return train(folder, data, name, model_cfg, losses, KINDS)


def mimic_in(folder: Path, backbone: str = "GaitBase") -> Path:
    """A folder with the data set `sils`, a teacher, a VEN and a mimic, and their YAML files."""
    data = walkers(folder)
    train_ven(folder, data)
    train_teacher(folder, data, backbone)
    train_mimic(folder, data)
    return folder
