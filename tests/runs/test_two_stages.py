"""The whole method through the command line, in subprocesses, on every host there is.

Teacher and VEN, then the mimic, then the test with RP; with one process and with two. Hosts: the embedded one,
and the OpenGait checkouts found (OPENGAIT_ROOT, else the cache folder, where `OpenGait-v2.0` may stand beside).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
import yaml

from opengait_mimic.data import generate_walkers, render_recordings
from opengait_mimic.hosts.install import install

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "cmu-walk"
CACHE = Path.home() / ".cache" / "opengait-mimic"
NO_CHECKOUT = "no OpenGait checkout: set OPENGAIT_ROOT or put one into ~/.cache/opengait-mimic/OpenGait"


def checkout(name: str) -> Path:
    """An OpenGait checkout; skips where it is not there."""
    root = CACHE / name
    if name == "OpenGait" and os.environ.get("OPENGAIT_ROOT"):
        root = Path(os.environ["OPENGAIT_ROOT"])
    if not (root / "opengait" / "main.py").is_file():
        pytest.skip(NO_CHECKOUT if name == "OpenGait" else f"no {name} in ~/.cache/opengait-mimic")
    return root


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> dict:
    """Silhouettes rendered from recorded walking; generated walkers where there are no recordings."""
    folder = tmp_path_factory.mktemp("data")
    root, partition = folder / "sils", folder / "sils.json"
    if SHARED.is_dir():
        sets = render_recordings(root, partition, SHARED, views=[70, 110], frames=24)
    else:
        sets = generate_walkers(root, partition, 6, 6, sequences=4, frames=12)
    return {"root": root, "partition": partition, "identities": len(sets["TRAIN_SET"])}


def write_yamls(folder: Path, data: dict) -> None:
    """teacher.yaml, ven.yaml, mimic.yaml, vanilla.yaml and aware.yaml: everything narrow, a few iterations."""
    kinds = [
        {"kind": "top", "prob": 0.25},
        {"kind": "bottom", "prob": 0.25, "refit": True},
        {"kind": "moving_patch", "prob": 0.25},
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


def rank_1(printed: str) -> list[float]:
    """occluded, own whole, HP and RP of the last table printed."""
    row = re.findall(r"^Rank-1 +([\d.]+) +([\d.]+) +([\d.]+|-) +([\d.]+|-)", printed, flags=re.MULTILINE)[-1]
    return [float("nan") if cell == "-" else float(cell) for cell in row]


def weights(folder: Path, model: str, name: str) -> dict:
    path = folder / f"output/GREW/{model}/{name}/checkpoints/{name}-00004.pt"
    return torch.load(path, map_location="cpu", weights_only=True)["model"]


HOSTS = ["embedded", "OpenGait", "OpenGait-v2.0"]


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("host", HOSTS)
def test_pretrain_distil_and_test(host, processes, data, tmp_path):
    where = "embedded" if host == "embedded" else str(checkout(host))
    before = {} if host == "embedded" else listing(Path(where))
    write_yamls(tmp_path, data)
    options = ("--host", where, "--device", "cpu", "--nproc", str(processes))
    for stage in ("teacher", "ven", "aware", "mimic"):
        opengait_mimic(tmp_path, "train", "--cfgs", f"{stage}.yaml", *options)

    ven, mimic = weights(tmp_path, "VisibilityEstimation", "ven"), weights(tmp_path, "MimicGait", "mimic")
    assert not [name for name in mimic if "teacher" in name]
    for name, value in ven.items():
        assert torch.equal(mimic[f"ven.{name}"], value), "the VEN is frozen, and part of the checkpoint"

    printed = opengait_mimic(tmp_path, "test", "--cfgs", "ven.yaml", *options)
    assert "kind right" in printed and "moving_patch" in printed
    aware = rank_1(opengait_mimic(tmp_path, "test", "--cfgs", "aware.yaml", *options))
    with_teacher = rank_1(opengait_mimic(tmp_path, "test", "--cfgs", "mimic.yaml", *options))
    assert with_teacher[2] == aware[2], "HP is the teacher's, whatever is tested"
    assert with_teacher[3] == pytest.approx(with_teacher[0] / with_teacher[2], abs=0.006)

    # the mimic's checkpoint and the YAML files suffice
    for left_over in ("Baseline/teacher", "VisibilityEstimation/ven"):
        shutil.rmtree(tmp_path / "output/GREW" / left_over)
    alone = opengait_mimic(tmp_path, "test", "--cfgs", "mimic.yaml", *options)
    assert rank_1(alone)[:2] == with_teacher[:2]
    assert "RP is not computed" in alone
    assert (before == {}) == (host == "embedded")
    assert host == "embedded" or listing(Path(where)) == before, "the checkout is not touched"


def listing(root: Path) -> dict[str, float]:
    """Every file of a checkout with the time it was changed, byte code aside."""
    files = [p for p in root.rglob("*") if p.is_file() and p.suffix != ".pyc" and ".git" not in p.parts]
    return {str(p): p.stat().st_mtime for p in files}


def test_the_test_result_does_not_depend_on_the_number_of_processes(data, tmp_path):
    write_yamls(tmp_path, data)
    for stage in ("teacher", "ven", "mimic"):
        opengait_mimic(tmp_path, "train", "--cfgs", f"{stage}.yaml", "--device", "cpu")
    results = [
        rank_1(opengait_mimic(tmp_path, "test", "--cfgs", "mimic.yaml", "--device", "cpu", "--nproc", str(n)))
        for n in (1, 2, 3)
    ]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("version", HOSTS[1:])
def test_checkpoints_move_between_hosts(version, data, tmp_path):
    where = str(checkout(version))
    write_yamls(tmp_path, data)
    for stage in ("teacher", "ven", "mimic"):
        opengait_mimic(tmp_path, "train", "--cfgs", f"{stage}.yaml", "--host", "embedded")
    assert rank_1(opengait_mimic(tmp_path, "test", "--cfgs", "mimic.yaml", "--host", "embedded")) == rank_1(
        opengait_mimic(tmp_path, "test", "--cfgs", "mimic.yaml", "--host", where)
    )
    shutil.rmtree(tmp_path / "output")
    opengait_mimic(tmp_path, "train", "--cfgs", "teacher.yaml", "--host", where)
    opengait_mimic(tmp_path, "train", "--cfgs", "ven.yaml", "--host", where)
    opengait_mimic(tmp_path, "train", "--cfgs", "mimic.yaml", "--host", "embedded")


@pytest.mark.parametrize("version", HOSTS[1:])
def test_a_patched_checkout_runs_our_yaml_by_its_own_main_program(version, data, tmp_path):
    root = tmp_path / "OpenGait"
    for part in ("opengait", "configs"):
        shutil.copytree(checkout(version) / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    install(root)
    write_yamls(root, data)
    for stage, phase in (("teacher", "train"), ("ven", "train"), ("mimic", "train"), ("mimic", "test")):
        done = subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m",
             "opengait_mimic.hosts.cpu", "opengait/main.py", "--cfgs", f"{stage}.yaml", "--phase", phase],
            cwd=root, env=environment(), capture_output=True, text=True, timeout=400,
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    occluded, own, holistic, relative = rank_1(done.stdout + done.stderr)
    assert relative == pytest.approx(occluded / holistic, abs=0.006)
    assert json.loads(Path(data["partition"]).read_text())["TEST_SET"]
