"""Look a configuration over before anything is started or written."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import ValidationError

from opengait_mimic.backbones import NETWORKS
from opengait_mimic.data.files import is_file, is_folder
from opengait_mimic.data.partition import read_partition
from opengait_mimic.data.read import look, read_frames
from opengait_mimic.errors import CheckpointError, ConfigError, DataError, MimicError, nearest, one_line, shown
from opengait_mimic.evaluation.occluded import occluded_tests
from opengait_mimic.evaluation.protocols import protocol
from opengait_mimic.method.occlusion import mixture
from opengait_mimic.opengait.checkpoints import checkpoint_path
from opengait_mimic.opengait.config.inputs import OTHER_INPUTS
from opengait_mimic.opengait.config.keys import lines
from opengait_mimic.opengait.config.networks import (
    NetworkSpec,
    backbone_spec,
    check_uses_of_ven,
    distils,
    evaluator_settings,
    losses,
    ven_spec,
)
from opengait_mimic.opengait.config.optimizers import check_optimizer
from opengait_mimic.opengait.config.reading import defaults, merge, read_yaml, restore_hint, text
from opengait_mimic.opengait.config.schema import MODELS, RECOGNITION, Config
from opengait_mimic.opengait.config.transforms import lifted, prepared_by, sil_transform
from opengait_mimic.opengait.host import EMBEDDED, active, module_folder
from opengait_mimic.opengait.process.memory import refuse_beyond_memory

BLOCKS, SIZE = 1000, 10**7  # the most of a network's blocks in a row, and of anything else that it counts
Found = TypeVar("Found")


@dataclass
class Check:
    """One check of a run's configuration.

    Attributes:
        cfgs: the configuration, merged onto the host's defaults.
        host: "embedded" or the path of a checkout.
        training: else it is a test.
        processes: of the run.
        iteration: the checkpoint that was asked for, 0 for none.
        mistakes: those found so far.
        broken: the sections that have some.
    """

    cfgs: dict
    host: str | Path
    training: bool
    processes: int
    iteration: int
    mistakes: list[MimicError] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)

    @property
    def model(self) -> str:
        """The name of its model; "" where there is none."""
        model_cfg = self.cfgs["model_cfg"]
        model = model_cfg.get("model") if isinstance(model_cfg, dict) else None
        return model if isinstance(model, str) else ""

    def refuse(self, told: str) -> None:
        """Note a mistake."""
        self.mistakes.append(ConfigError(told))

    def attempt(self, action: Callable[..., Found], *arguments: object, needs: tuple[str, ...] = ()) -> Found | None:
        """Do something and note what it refuses, unless a section that it needs is broken; None then."""
        if not self.broken & set(needs):
            try:
                return action(*arguments)
            except (ConfigError, CheckpointError, DataError) as error:
                self.mistakes.append(error)
        return None


def check(path: str | Path, host: str | Path, phase: str, processes: int = 1, iteration: int = 0) -> dict:
    """Check a run's YAML against what is there: every key, files, data, number of processes.

    Args:
        path: the YAML.
        host: "embedded" or the path of a checkout.
        phase: "train" or "test".
        processes: of the run.
        iteration: the checkpoint that was asked for, 0 for none.
    Returns:
        The configuration merged onto the host's defaults.
    Raises:
        ConfigError, CheckpointError, DataError: all that is wrong, a line each, a wrong model first. Its class is
            that of the first.
    """
    run = Check(merge(defaults(host), read_yaml(path)), host, phase == "train", processes, iteration)
    _check_all(run)
    if run.mistakes:
        told = [line for error in run.mistakes for line in str(error).splitlines()]
        told = [one_line(line if line.startswith(f"{path}: ") else f"{path}: {line}") for line in told]
        raise type(run.mistakes[0])("\n".join(dict.fromkeys(told)))
    return run.cfgs


def _check_all(run: Check) -> None:
    run.attempt(_check_name, run)
    if run.mistakes:
        run.broken.add("model_cfg")
    _check_schema(run)
    model, several = run.model, isinstance(run.cfgs["data_cfg"], list)
    run.attempt(_check_sizes, run.cfgs["model_cfg"], "model_cfg", needs=("model_cfg",))
    if model not in RECOGNITION and not run.broken & {"model_cfg", "evaluator_cfg"}:
        for key in ("occluded", "weighted", "likelihood"):
            if run.cfgs["evaluator_cfg"].get(key) not in (None, False):
                run.refuse(f"evaluator_cfg: {key}: {model} does not read it; {', '.join(RECOGNITION)} do")
    if run.training and {"optimizer_cfg", "scheduler_cfg"} <= set(run.cfgs):
        solvers = run.cfgs["optimizer_cfg"], run.cfgs["scheduler_cfg"]
        run.attempt(check_optimizer, *solvers, needs=("optimizer_cfg", "scheduler_cfg"))
    if several and (run.host == EMBEDDED or model in MODELS):
        who = model if model in MODELS else "the embedded host"
        run.refuse(f"data_cfg: {who} takes one data set, found a list of {len(run.cfgs['data_cfg'])}")
        run.broken.add("data_cfg")
    if model in MODELS and not run.broken & {"model_cfg", "trainer_cfg", "evaluator_cfg"}:
        _check_model(run)
    run.attempt(_check_processes, run, needs=("model_cfg", "trainer_cfg", "evaluator_cfg"))
    run.attempt(_check_checkpoint, run, needs=("model_cfg", "data_cfg", "trainer_cfg", "evaluator_cfg"))
    if not several:
        _check_data_set(run)


def _check_name(run: Check) -> None:
    """Refuse a model that the host does not know: that no file in a checkout's folder of models speaks of."""
    model, known = run.model, {*MODELS, *(NETWORKS if run.host == EMBEDDED else ())}
    registered = sys.modules.get("modeling.models") if active() == run.host else None
    if not model or model in known or hasattr(registered, model):
        return
    if run.host != EMBEDDED:
        files = (module_folder(run.host) / "modeling" / "models").rglob("*.py")
        source = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
        known |= set(re.findall(r"^class (\w+)", source, re.MULTILINE))
        if not source or re.search(rf"\b{re.escape(model)}\b", source):
            return
    raise ConfigError(f"model_cfg: model: the host has no model {shown(model)}; {nearest(model, sorted(known))}")


def _check_schema(run: Check) -> None:
    aside = () if run.training else ("loss_cfg", "optimizer_cfg", "scheduler_cfg")
    try:
        Config.model_validate({name: value for name, value in run.cfgs.items() if name not in aside})
    except ValidationError as error:
        found = lines(error)
        run.mistakes += [ConfigError(line) for line in found]
        run.broken |= {line.partition(":")[0] for line in found}


def _check_sizes(model_cfg: dict | list, where: str) -> None:
    """Refuse numbers in a network's description beyond what any network has."""
    for key, value in model_cfg.items() if isinstance(model_cfg, dict) else enumerate(model_cfg):
        inner = where if isinstance(key, int) else f"{where}: {key}"
        most = BLOCKS if inner.endswith((": layers", ": blocks")) else SIZE
        if isinstance(value, (dict, list)):
            _check_sizes(value, inner)
        elif isinstance(value, int) and value > most:
            raise ConfigError(f"{inner}: {shown(value)} is more than any network has; at most {most}")


def _check_model(run: Check) -> None:
    """What our models need beside their keys."""
    cfgs, model, training = run.cfgs, run.model, run.training
    occlusions = {name: lifted(cfgs[name].get("transform"), name)[1] for name in ("trainer_cfg", "evaluator_cfg")}
    if training and occlusions["trainer_cfg"] is None:
        told = f"no Occlusion at the end; {model} learns from occluded clips (test, and check --phase test, need none)"
        run.refuse(f"trainer_cfg: transform: {told}")
    if model == "VisibilityEstimation":
        if not any(occlusions.values()):
            run.refuse("transform: VisibilityEstimation takes its classes from an Occlusion; there is none")
        return
    dataset = "" if "data_cfg" in run.broken else cfgs["data_cfg"]["dataset_name"]
    before = len(run.mistakes)
    teacher, ven = run.attempt(backbone_spec, cfgs["model_cfg"], dataset), run.attempt(ven_spec, cfgs["model_cfg"])
    for spec, what in ((teacher, "backbone"), (ven, "ven")):
        if spec is not None:
            run.attempt(_check_sizes, spec.model_cfg, f"model_cfg: {what}")
    if len(run.mistakes) == before:
        run.attempt(check_uses_of_ven, cfgs, ven)
    if teacher is not None:
        _check_test(run, occlusions, teacher, ven)
    if training and teacher is not None and "loss_cfg" not in run.broken:
        _check_training(run, teacher, ven)


def _check_test(run: Check, occlusions: dict, teacher: NetworkSpec, ven: NetworkSpec | None) -> None:
    """Check evaluator_cfg.occluded and, for our own eval function, the protocol; and what an untrained network is."""
    cfgs, evaluator, asked = run.cfgs, run.cfgs["evaluator_cfg"], evaluator_settings(run.cfgs).occluded
    untrained = not run.training and evaluator.get("restore_hint", 0) == 0 and run.iteration == 0
    trained = () if untrained or not occlusions["trainer_cfg"] else mixture(occlusions["trainer_cfg"]["kinds"]).names
    if occlusions["evaluator_cfg"] is not None:
        run.attempt(occluded_tests, asked, occlusions["evaluator_cfg"]["kinds"], 0, trained)
    elif evaluator.get("occluded"):
        told = "there is no Occlusion at the end of evaluator_cfg.transform"
        run.refuse(f"evaluator_cfg: occluded: {told}")
    if evaluator.get("eval_func") == "evaluate_recognition":
        data_cfg = cfgs["data_cfg"]
        named = {key: evaluator[key] for key in ("gallery", "probe", "cross_view") if key in evaluator}
        if (
            "data_cfg" not in run.broken and Path(str(data_cfg.get("dataset_partition"))).is_file()
        ):  # else check_data tells
            dataset = data_cfg.get("test_dataset_name") or data_cfg["dataset_name"]
            run.attempt(lambda: protocol(dataset, partition=data_cfg["dataset_partition"], **named))
    elif asked.who != "both" or asked.severity:
        told = "probes or galleries alone (who, severity) need eval_func evaluate_recognition"
        run.refuse(f"evaluator_cfg: occluded: {told}")
    if untrained and not cfgs["model_cfg"].get("init_from_teacher"):
        run.refuse(
            "evaluator_cfg: restore_hint: 0 tests an untrained network; give its checkpoint, or "
            "model_cfg.init_from_teacher: true to test the teacher's weights (Baseline-1)"
        )
    if untrained or (asked.gallery_by == "teacher" and not run.training):
        run.attempt(_exists, teacher, "teacher", "model_cfg: teacher")
    if untrained and ven is not None:
        run.attempt(_exists, ven, "VEN", "model_cfg: ven")


def _check_training(run: Check, teacher: NetworkSpec, ven: NetworkSpec | None) -> None:
    """Check that the frozen networks are there and learned from silhouettes like those of this run."""
    cfgs, model = run.cfgs, run.model
    looks = model == "ResidualGait" or (model == "MimicGait" and any(map(distils, losses(cfgs))))
    if ven is not None:
        run.attempt(_exists, ven, "VEN", "model_cfg: ven")
    if cfgs["model_cfg"].get("init_from_teacher") or looks:
        run.attempt(_exists, teacher, "teacher", "model_cfg: teacher")
    own = prepared_by(cfgs["trainer_cfg"].get("transform"))
    for spec, what in ((teacher, "teacher"), (ven, "VEN")):
        if spec is not None and spec.prepared_by and spec.prepared_by != own:
            run.refuse(f"trainer_cfg: transform: the {what} learned from silhouettes by {spec.prepared_by}, "
                f"here they are made by {own or 'something else'}")  # fmt: skip


def _exists(spec: NetworkSpec, what: str, key: str) -> None:
    if spec.checkpoint is None:
        raise ConfigError(f"{key}: where is the {what}'s checkpoint? give {key.split()[-1]}.checkpoint")
    if not is_file(spec.checkpoint):
        raise CheckpointError(f"{key}: the {what}'s checkpoint is missing: {spec.checkpoint}")


def _check_processes(run: Check) -> None:
    if run.training:
        size = run.cfgs["trainer_cfg"]["sampler"].get("batch_size")
        total = size[0] * size[1] if isinstance(size, list) else size
        if total is None:
            raise ConfigError("trainer_cfg: sampler: batch_size is missing")
        if total % run.processes:
            raise ConfigError(
                f"trainer_cfg: sampler: a batch of {total} clips cannot be split into {run.processes} processes"
            )
    tests = not run.training or run.cfgs["trainer_cfg"].get("with_test")
    if tests and run.model not in MODELS:
        size = run.cfgs["evaluator_cfg"]["sampler"].get("batch_size")
        if size != run.processes:
            raise ConfigError(
                f"evaluator_cfg: sampler: batch_size {size} must equal the number of processes, {run.processes}"
            )


def _check_checkpoint(run: Check) -> None:
    name = "trainer_cfg" if run.training else "evaluator_cfg"
    engine, data = run.cfgs[name], run.cfgs["data_cfg"]
    hint = run.iteration or restore_hint(engine.get("restore_hint", 0), f"{name}: restore_hint")
    if hint == 0 or isinstance(data, list):
        return
    if isinstance(hint, str):
        path = Path(hint)
    else:
        path = checkpoint_path(data["dataset_name"], run.model, text(engine, "save_name", name), hint)
    if not is_file(path):
        raise CheckpointError(f"restore_hint: no checkpoint at {path}")


def _check_data_set(run: Check) -> None:
    """Check that the data set is there, and that its first clip fits the transform and the memory."""
    data_cfg, engine = run.cfgs["data_cfg"], run.cfgs["trainer_cfg" if run.training else "evaluator_cfg"]
    first = run.attempt(check_data, data_cfg, "TRAIN_SET" if run.training else "TEST_SET", needs=("data_cfg",))
    if run.broken & {"data_cfg", "model_cfg", "trainer_cfg", "evaluator_cfg"}:
        return
    if not run.training and evaluator_settings(run.cfgs).likelihood:  # learns from the training set
        run.attempt(check_data, data_cfg, "TRAIN_SET")
    if first is None or data_cfg.get("data_in_use") or run.model in OTHER_INPUTS:
        return
    run.attempt(_check_range, first, engine.get("transform"))
    if run.training:
        run.attempt(_check_batch, first, engine["sampler"], run.processes)


def _check_range(path: Path, transforms: object) -> None:
    """Check that the first clip's values and what the transform divides them by go together."""
    step = sil_transform(transforms)
    white, divisor = look(read_frames(path)).top, (step or {}).get("divsor", 255)
    if step is not None and white == 1 and divisor == 255:
        raise DataError(f"{path}: values from 0 to 1, which {step['type']} divides by 255; set its divsor to 1.0")
    if step is not None and white == 255 and divisor == 1:
        raise DataError(f"{path}: values from 0 to 255, which {step['type']} divides by 1; leave its divsor out")


def _check_batch(path: Path, sampler: dict, processes: int) -> None:
    """Check that a process's share of a batch fits into memory, whole and occluded, as float32."""
    kind = str(sampler.get("sample_type"))
    frames = sampler.get("frames_num_fixed" if kind.startswith("fixed") else "frames_num_max")
    size = sampler.get("batch_size")
    if isinstance(frames, int) and not kind.startswith("all") and isinstance(size, list):
        clips = size[0] * size[1] // processes
        pixels = int(np.prod(read_frames(path).shape[1:]))
        refuse_beyond_memory(2 * 4 * clips * frames * pixels, f"trainer_cfg: sampler: {clips} clips of {frames} frames")


def check_data(data_cfg: dict, part: str) -> Path:
    """Check that a data set is there and holds sequences of one part of its partition.

    Args:
        data_cfg: dataset_root and dataset_partition. part: "TRAIN_SET" or "TEST_SET".
    Returns:
        The first silhouettes.
    Raises:
        ConfigError: one of them is no path.
        DataError: no such folder or file, or no silhouettes for this part.
    """
    root = Path(text(data_cfg, "dataset_root", "data_cfg"))
    partition = Path(text(data_cfg, "dataset_partition", "data_cfg"))
    if not is_folder(root):
        raise DataError(f"data_cfg: dataset_root: no such folder: {root}")
    try:
        subjects = read_partition(partition, part)
    except DataError as error:
        raise DataError(f"data_cfg: dataset_partition: {error}") from None
    there = {path.name for path in root.iterdir()}
    firsts = (min((root / s).glob("*/*/*.pkl"), default=None) for s in sorted(there.intersection(subjects)))
    some = list(islice((path for path in firsts if path is not None), 10))
    if not some:
        raise DataError(
            f"data_cfg: dataset_root: {root} holds no silhouettes (<subject>/<type>/<view>/*.pkl) "
            f"for the {len(subjects)} subjects of {part} in {partition}"
        )
    return next((path for path in some if look(read_frames(path)).top), some[0])  # a black clip tells nothing
