"""What the runs through the command line share: YAML files, the environment, the command."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

NEEDED_BY_OPENGAIT = (
    "torchvision", "lightly", "cv2", "einops", "sklearn", "imageio", "requests", "pydantic", "dateutil", "aenum",
    "pytorch_lightning", "hydra", "omegaconf",
)  # fmt: skip
CACHE = Path.home() / ".cache" / "opengait-mimic"
NO_CHECKOUT = "no OpenGait checkout: set OPENGAIT_ROOT or put one into ~/.cache/opengait-mimic/OpenGait"


def checkout(name: str) -> Path:
    """An OpenGait checkout; skips where it is not there."""
    root = CACHE / name
    if name == "OpenGait" and os.environ.get("OPENGAIT_ROOT"):
        root = Path(os.environ["OPENGAIT_ROOT"])
    if not (root / "opengait" / "main.py").is_file():
        pytest.skip(NO_CHECKOUT if name == "OpenGait" else f"no {name} in ~/.cache/opengait-mimic")
    missing = [module for module in NEEDED_BY_OPENGAIT if importlib.util.find_spec(module) is None]
    if missing:
        pytest.skip(f"OpenGait needs what is not installed here: {', '.join(missing)}")
    return root


def write_yamls(folder: Path, data: dict) -> None:
    """teacher.yaml, ven.yaml, mimic.yaml, vanilla.yaml and aware.yaml: everything narrow, a few iterations."""
    kinds = [
        {"kind": "top", "prob": 0.25},
        {"kind": "bottom", "prob": 0.25, "refit": True},
        {"kind": "moving_patch", "prob": 0.15},
        {"kind": "crossing_person", "prob": 0.1, "merged": True},
    ]
    identity = [
        {"type": "TripletLoss", "log_prefix": "triplet", "loss_term_weight": 1.0, "margin": 0.2},
        {"type": "CrossEntropyLoss", "log_prefix": "softmax", "loss_term_weight": 1.0, "scale": 16},
    ]
    teacher = {
        "data_cfg": {
            "dataset_name": "GREW",
            "test_dataset_name": "GREW",
            "dataset_root": str(data["root"]),
            "dataset_partition": str(data["partition"]),
            "num_workers": 1,
        },
        "evaluator_cfg": {
            "save_name": "teacher",
            "restore_hint": 4,
            "eval_func": "evaluate_real_scene",
            "enable_float16": False,
            "metric": "euc",
            "sampler": {"type": "InferenceSampler", "sample_type": "all_ordered", "batch_size": 1},
            "transform": [{"type": "Compose", "trf_cfg": [{"type": "BaseSilTransform"}]}],
        },
        "loss_cfg": identity,
        "model_cfg": {
            "model": "Baseline",
            "backbone_cfg": {
                "type": "ResNet9", "block": "BasicBlock", "channels": [4, 8, 8, 8], "layers": [1, 1, 1, 1],
                "strides": [2, 2, 1, 1], "maxpool": False,
            },
            "SeparateFCs": {"in_channels": 8, "out_channels": 8, "parts_num": 16},
            "SeparateBNNecks": {"class_num": data["identities"], "in_channels": 8, "parts_num": 16},
            "bin_num": [16],
        },
        "optimizer_cfg": {"solver": "SGD", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.0005},
        "scheduler_cfg": {"scheduler": "MultiStepLR", "gamma": 0.1, "milestones": [100]},
        "trainer_cfg": {
            "save_name": "teacher",
            "total_iter": 4,
            "save_iter": 4,
            "log_iter": 2,
            "enable_float16": False,
            "sync_BN": True,
            "sampler": {
                "type": "TripletSampler", "batch_size": [4, 2], "batch_shuffle": True,
                "sample_type": "unfixed_unordered", "frames_num_min": 4, "frames_num_max": 7,
            },
            "transform": [{"type": "Compose", "trf_cfg": [
                {"type": "BaseSilTransform"}, {"type": "RandomHorizontalFlip", "prob": 0.5}]}],
        },
    }  # fmt: skip

    def occluded(name: str, model_cfg: dict, losses: list) -> dict:
        cfgs = deepcopy(teacher)
        for section in ("trainer_cfg", "evaluator_cfg"):
            cfgs[section]["save_name"] = name
            cfgs[section]["transform"][0]["trf_cfg"].append({"type": "Occlusion", "kinds": kinds})
        return {**cfgs, "model_cfg": model_cfg, "loss_cfg": losses}

    mickd = [{"type": "MiCKDLoss", "log_prefix": "mickd", "loss_term_weight": 1.0, "margin": 0.2}]
    ven = {"model": "VisibilityEstimation", "channels": [4, 4, 8], "feature": 8}
    configs = {
        "teacher": teacher,
        "ven": occluded("ven", ven, [{"type": "VisibilityLoss", "log_prefix": "visibility"}]),
        "mimic": occluded("mimic", {"model": "MimicGait", "backbone": "teacher.yaml", "ven": "ven.yaml"}, mickd),
        "aware": occluded("aware", {"model": "OcclusionAware", "backbone": "teacher.yaml"}, identity),
    }
    configs["ven"]["evaluator_cfg"]["eval_func"] = "evaluate_visibility"
    for name, cfgs in configs.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(cfgs, sort_keys=False))


def environment() -> dict:
    clean = {k: v for k, v in os.environ.items() if k not in ("OPENGAIT_ROOT", "RANK", "WORLD_SIZE")}
    return {**clean, "OMP_NUM_THREADS": "1"}


def opengait_mimic(folder: Path, *arguments: str, status: int = 0) -> str:
    """Run the command in a folder; returns all it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "opengait_mimic", *arguments],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    printed = done.stdout + done.stderr
    assert done.returncode == status, printed[-3000:]
    return printed
