"""The whole method in minutes: two stages, five methods, one table, on the embedded host."""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from opengait_mimic import __version__
from opengait_mimic.check import check, check_data
from opengait_mimic.data import generate_walkers
from opengait_mimic.errors import DataError
from opengait_mimic.evaluation.table import markdown_table, method_rows
from opengait_mimic.hosts import EMBEDDED, activate, module_folder

OCCLUDED = [{"kind": "top", "prob": 0.5}, {"kind": "bottom", "prob": 0.5}]
WITH_CLEAN = [{"kind": "top", "prob": 0.3333}, {"kind": "bottom", "prob": 0.3333}]


@dataclass(frozen=True)
class Protocol:
    """How a data set is evaluated: its name in OpenGait and the eval function that belongs to it."""

    dataset_name: str
    eval_func: str


@dataclass(frozen=True)
class Stage:
    """One training or test run of the demo: its heading, its YAML's name, its phase."""

    title: str
    config: str
    phase: str


METHODS = {
    "baseline2": "Baseline-2",
    "control": "Control: the loss without its teacher",
    "vanilla": "Vanilla Mimic",
    "mimic": "Mimic + VEN",
}
STAGES = (
    Stage("Teacher, on whole clips", "teacher", "train"),
    Stage("Teacher, tested on whole clips", "teacher", "test"),
    Stage("Baseline-1: the teacher, tested on occluded clips", "baseline1", "test"),
    Stage("VEN", "ven", "train"),
    Stage("VEN, tested", "ven", "test"),
    *(Stage(f"{title}{tested}", name, phase)
      for name, title in METHODS.items() for tested, phase in (("", "train"), (", tested", "test"))),
)  # fmt: skip


def configurations(root: Path, partition: Path, identities: int, protocol: Protocol) -> dict[str, dict]:
    """The demo's YAML files, by name: a narrow GaitBase at 16 parts, everything else as the paper has it.

    Args:
        root, partition: the data. identities: in its training set. protocol: its evaluation.
    """
    data = {
        "dataset_name": protocol.dataset_name,
        "test_dataset_name": protocol.dataset_name,
        "dataset_root": str(root),
        "dataset_partition": str(partition),
        "num_workers": 0,
        "cache": True,
    }
    backbone = {
        "model": "Baseline",
        "backbone_cfg": {
            "type": "ResNet9",
            "block": "BasicBlock",
            "channels": [16, 24, 32, 32],
            "layers": [1, 1, 1, 1],
            "strides": [2, 2, 1, 1],
            "maxpool": False,
        },
        "SeparateFCs": {"in_channels": 32, "out_channels": 32, "parts_num": 16},
        "SeparateBNNecks": {"class_num": identities, "in_channels": 32, "parts_num": 16},
        "bin_num": [16],
    }
    identity_losses = [
        {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2},
        {"type": "CrossEntropyLoss", "log_prefix": "softmax", "scale": 16},
    ]
    teacher = {"backbone": "teacher.yaml", "init_from_teacher": True}
    mickd = {"type": "MiCKDLoss", "log_prefix": "mickd", "margin": 0.2}

    def run(name, model_cfg, losses, iterations, kinds=None, test_kinds=None, eval_func=protocol.eval_func):
        return {
            "data_cfg": data,
            "evaluator_cfg": {
                "save_name": name,
                "restore_hint": iterations,
                "eval_func": eval_func,
                "metric": "cos",
                "sampler": {"type": "InferenceSampler", "sample_type": "all_ordered", "batch_size": 1},
                "transform": _transform(test_kinds, seed=0),
            },
            "loss_cfg": losses,
            "model_cfg": model_cfg,
            "optimizer_cfg": {"solver": "AdamW", "lr": 2.0e-3, "weight_decay": 5.0e-4},
            "scheduler_cfg": {"scheduler": "OneCycleLR", "max_lr": 2.0e-3, "total_steps": iterations + 1},
            "trainer_cfg": {
                "save_name": name,
                "total_iter": iterations,
                "save_iter": iterations,
                "log_iter": 50,
                "enable_float16": False,
                "sampler": {
                    "type": "TripletSampler",
                    "batch_size": [8, 4],
                    "batch_shuffle": True,
                    "sample_type": "fixed_unordered",
                    "frames_num_fixed": 3,
                },
                "transform": _transform(kinds),
            },
        }

    guided = {"model": "MimicGait", **teacher, "ven": "ven.yaml"}
    ven = {"model": "VisibilityEstimation", "channels": [8, 16, 32], "feature": 64}
    visibility = [{"type": "VisibilityLoss", "log_prefix": "visibility", "amount_weight": 10.0}]
    vanilla = {"model": "MimicGait", **teacher, "ven": None}
    aware = {"model": "OcclusionAware", **teacher}
    control = {**mickd, "pairs": ["mimic_mimic"]}
    return {
        "teacher": run("teacher", backbone, identity_losses, 300),
        "baseline1": run("teacher", backbone, identity_losses, 300, test_kinds=OCCLUDED),
        "ven": run("ven", ven, visibility, 250, WITH_CLEAN, WITH_CLEAN, "evaluate_visibility"),
        "baseline2": run("baseline2", aware, identity_losses, 200, OCCLUDED, OCCLUDED),
        "control": run("control", vanilla, [control], 200, OCCLUDED, OCCLUDED),
        "vanilla": run("vanilla", vanilla, [mickd], 200, OCCLUDED, OCCLUDED),
        "mimic": run("mimic", guided, [mickd], 200, OCCLUDED, OCCLUDED),
    }


def _transform(kinds: list | None, **settings) -> list[dict]:
    steps = [{"type": "BaseSilTransform"}]
    if kinds:
        steps.append({"type": "Occlusion", "kinds": kinds, **settings})
    return [{"type": "Compose", "trf_cfg": steps}]


def guess_protocol(root: Path, partition: Path) -> Protocol:
    """The evaluation that a data set in OpenGait's layout is made for.

    Raises:
        DataError: its sequence types are none of those this demo knows.
    """
    try:
        sets = json.loads(partition.read_text())
        subjects = sets["TEST_SET"]
    except (OSError, ValueError, KeyError):
        raise DataError(f"{partition}: no JSON with TRAIN_SET and TEST_SET") from None
    if sets.get("PROBE_SET"):
        return Protocol("Gait3D", "evaluate_Gait3D")
    types = {folder.name for s in subjects for folder in (root / str(s)).glob("*") if folder.is_dir()}
    if {"01", "02"} <= types:
        return Protocol("GREW", "evaluate_real_scene")
    if {"nm-01", "nm-05"} <= types:
        return Protocol("CASIA-B", "evaluate_indoor_dataset")
    if {"00", "01"} <= types:
        return Protocol("OUMVLP", "evaluate_indoor_dataset")
    raise DataError(
        f"{root}: cannot tell gallery from probe by the types {sorted(types)[:8]}; known are GREW's local protocol "
        "(gallery 01, probe 02), CASIA-B (nm-01 …), OUMVLP (01, 00) and Gait3D (PROBE_SET in the partition)"
    )


def run_demo(out: Path, data: Path | None, partition: Path | None, seed: int, say: Callable[[str], None]) -> str:
    """Run every stage and write what came out: YAML files, checkpoints, results, pictures.

    Args:
        out: folder for all of it. data, partition: a data set in OpenGait's layout; None generates walkers.
        seed: of the generated walkers. say: prints a line.
    Returns:
        The table of results as text.
    """
    started = time.monotonic()
    if data is None:
        data, partition = out / "walkers", out / "walkers.json"
        say("Generating walkers: 150 for training, 100 others for the test")
        generate_walkers(data, partition, 150, 100, sequences=8, frames=20, seed=seed, width=44,
                         progress=_bar("walkers"))  # fmt: skip
    data, partition = data.resolve(), partition.resolve()
    for part in ("TRAIN_SET", "TEST_SET"):
        check_data({"dataset_root": str(data), "dataset_partition": str(partition)}, part)
    protocol = guess_protocol(data, partition)
    present = {folder.name for folder in data.iterdir()}
    identities = sum(str(s) in present for s in json.loads(partition.read_text())["TRAIN_SET"])
    configs = configurations(data, partition, identities, protocol)
    out.mkdir(parents=True, exist_ok=True)
    for name, cfgs in configs.items():
        (out / f"{name}.yaml").write_text(yaml.safe_dump(deepcopy(cfgs), sort_keys=False))
    if protocol.dataset_name == "Gait3D":  # its eval function reads the probes from this place
        place = out / "datasets" / "Gait3D" / "Gait3D.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(partition.read_bytes())

    activate(EMBEDDED)
    run = runpy.run_path(str(module_folder(EMBEDDED) / "main.py"))["run"]
    results = {}
    with _inside(out), open("demo.log", "w", buffering=1, encoding="utf-8") as log:
        for number, stage in enumerate(STAGES, 1):
            left = "" if number == 1 else f", {_minutes(_left(started, number))} left"
            say(f"[{number}/{len(STAGES)}] {stage.title} ({_minutes(time.monotonic() - started)}{left})")
            check(f"{stage.config}.yaml", EMBEDDED, stage.phase)
            cfgs = _loaded(f"{stage.config}.yaml")
            with contextlib.redirect_stdout(log):
                result = run(cfgs, stage.phase == "train")
            if stage.phase == "test":
                results[stage.config] = {k.removeprefix("scalar/"): float(v) for k, v in result.items()}
        rows = method_rows(results, {"baseline1": "Baseline-1", **METHODS})
        table = markdown_table(rows)
        seconds = time.monotonic() - started
        about = {
            "version": __version__,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "seed": seed,
            "seconds": round(seconds, 1),
        }
        Path("results.json").write_text(json.dumps({**about, "rows": rows, "tests": results}, indent=1))
        Path("results.md").write_text(table + "\n")
        draw_occlusions(data, Path("occlusions.png"))
    return table


def draw_occlusions(data: Path, target: Path) -> None:
    """A picture of one clip under every kind of occlusion (the paper's Figure 1).

    Args:
        data: a data set in OpenGait's layout. target: the PNG to write.
    """
    from opengait_mimic.data.pictures import occlusion_grid
    from opengait_mimic.data.read import read_array

    occlusion_grid(read_array(next(data.glob("*/*/*/*.pkl"))), target)


def _loaded(path: str) -> dict:
    from utils import config_loader

    return config_loader(path)


def _weight(stage: Stage) -> float:
    """A stage's share of the demo's time, in units of one pass over the test set, as measured on two cores."""
    if stage.phase == "test":
        return 3.5 if stage.config in METHODS else 1.0  # occluded, whole, and the teacher's whole clips
    return {"teacher": 14.0, "ven": 2.5}.get(stage.config, 10.0)


def _left(started: float, number: int) -> float:
    done = sum(map(_weight, STAGES[: number - 1]))
    return (time.monotonic() - started) * sum(map(_weight, STAGES[number - 1 :])) / done


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _bar(title: str) -> Callable[[int, int], None]:
    """A progress callback (done, total) that shows a bar."""
    from tqdm import tqdm

    bar = tqdm(desc=title, unit="seq", disable=None)

    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return show


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work inside a folder: the host's output is relative to the working directory."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
