"""Look a configuration over before anything is started or written."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import numpy as np

from opengait_mimic.data.files import is_file, is_folder
from opengait_mimic.data.partition import read_partition
from opengait_mimic.data.read import look, read_frames
from opengait_mimic.errors import CheckpointError, ConfigError, DataError, nearest, one_line, shown
from opengait_mimic.evaluation.occluded import occluded_tests, settings
from opengait_mimic.evaluation.protocols import protocol
from opengait_mimic.method.beyond.matching import MATCHINGS, is_on
from opengait_mimic.method.losses import PAIRS, check_mickd_options
from opengait_mimic.method.occlusion import Occlusion
from opengait_mimic.opengait.checkpoints import checkpoint_path
from opengait_mimic.opengait.config.inputs import OTHER_INPUTS
from opengait_mimic.opengait.config.schema import (
    DATA,
    EVALUATOR,
    NAME,
    TRAINER,
    check_losses,
    check_optimizer,
    check_sampler,
    check_sizes,
    check_transforms,
    look_over,
)
from opengait_mimic.opengait.config.sections import (
    MODELS,
    RECOGNITION,
    NetworkSpec,
    backbone_spec,
    check_model_keys,
    check_uses_of_ven,
    distils,
    lifted,
    occlusion_settings,
    prepared_by,
    read_yaml,
    restore_hint,
    section,
    sil_transform,
    text,
    training_seed,
    ven_spec,
)
from opengait_mimic.opengait.host import EMBEDDED, module_folder
from opengait_mimic.opengait.process.memory import refuse_beyond_memory

SECTIONS = (
    "data_cfg", "evaluator_cfg", "loss_cfg", "model_cfg", "optimizer_cfg", "scheduler_cfg", "trainer_cfg",
)  # fmt: skip


def merge(base: dict, over: dict) -> dict:
    """`over` upon `base`: mappings merge, anything else replaces. Neither argument changes."""
    merged = copy.deepcopy(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def defaults(host: str | Path) -> dict:
    """A host's configs/default.yaml."""
    root = module_folder(host) if host == EMBEDDED else Path(host)
    return read_yaml(root / "configs" / "default.yaml")


def check(path: str | Path, host: str | Path, phase: str, processes: int = 1, iteration: int = 0) -> dict:
    """Check a run's YAML against what is there: keys of ours, files, data, number of processes.

    Returns:
        The configuration merged onto the host's defaults.
    Raises:
        ConfigError, CheckpointError, DataError: the first thing that is wrong, in one line.
    """
    own = read_yaml(path)
    for name, value in own.items():
        if name not in SECTIONS:
            raise ConfigError(f"{path}: unknown section {name!r}; {nearest(name, SECTIONS)}")
        lists = name in ("loss_cfg", "data_cfg")
        if not isinstance(value, (dict, list) if lists else dict):
            raise ConfigError(f"{path}: {name}: expected a mapping{' or a list' * lists}, found {shown(value)}")
    cfgs = merge(defaults(host), own)
    training = phase == "train"
    try:
        _check_host_sections(cfgs, training, host)
        _check_model(cfgs, training, iteration)
        _check_processes(cfgs, training, processes)
        _check_checkpoint(cfgs, training, iteration)
        if not isinstance(cfgs["data_cfg"], list):  # several data sets at once are the host's own affair
            first = check_data(cfgs["data_cfg"], "TRAIN_SET" if training else "TEST_SET")
            if not training and is_on(cfgs["evaluator_cfg"].get("likelihood")):  # learns from the training set
                check_data(cfgs["data_cfg"], "TRAIN_SET")
            if not cfgs["data_cfg"].get("data_in_use") and cfgs["model_cfg"]["model"] not in OTHER_INPUTS:
                _check_range(first, cfgs["trainer_cfg" if training else "evaluator_cfg"].get("transform"))
                if training:
                    _check_batch(first, cfgs["trainer_cfg"]["sampler"], processes)
    except (ConfigError, CheckpointError, DataError) as error:
        message = one_line(str(error))
        raise type(error)(message if message.startswith(str(path)) else f"{path}: {message}") from None
    return cfgs


def _check_host_sections(cfgs: dict, training: bool, host: str | Path) -> None:
    """Check what the host reads: the kinds of values, and the keys that look like a slip."""
    model = cfgs["model_cfg"].get("model")
    if not NAME.holds(model):
        raise ConfigError(f"model_cfg: model: {shown(model)} is not {NAME.expected}")
    data = cfgs["data_cfg"] if isinstance(cfgs["data_cfg"], list) else [cfgs["data_cfg"]]
    if host == EMBEDDED and isinstance(cfgs["data_cfg"], list) and model not in MODELS:
        raise ConfigError(f"data_cfg: the embedded host takes one data set, found a list of {len(data)}")
    for one in data:
        if not isinstance(one, dict):
            raise ConfigError(f"data_cfg: expected a mapping for each data set, found {shown(one)}")
        look_over(one, DATA, "data_cfg")
    for name, rules in (("trainer_cfg", TRAINER), ("evaluator_cfg", EVALUATOR)):
        look_over(cfgs[name], rules, name)
        check_sampler(section(cfgs[name], "sampler", name), f"{name}: sampler")
        check_transforms(cfgs[name].get("transform"), name)
    if training:
        check_losses(cfgs["loss_cfg"])
        if "optimizer_cfg" in cfgs and "scheduler_cfg" in cfgs:
            check_optimizer(cfgs["optimizer_cfg"], cfgs["scheduler_cfg"])
    evaluator = cfgs["evaluator_cfg"]
    for key in ("occluded", *MATCHINGS):
        if model not in RECOGNITION and is_on(evaluator.get(key)):
            raise ConfigError(f"evaluator_cfg: {key}: {model} does not read it; {', '.join(RECOGNITION)} do")


def _check_model(cfgs: dict, training: bool, iteration: int) -> None:
    model_cfg = cfgs["model_cfg"]
    model = model_cfg.get("model")
    check_sizes(model_cfg, "model_cfg")
    occlusions = {}
    for name in ("trainer_cfg", "evaluator_cfg"):
        entry = lifted(cfgs[name].get("transform"), name)[1]
        if entry is not None:
            occlusions[name] = Occlusion(**occlusion_settings(entry, name))
    if model not in MODELS:
        return
    check_model_keys(model_cfg)
    training_seed(cfgs)
    if isinstance(cfgs["data_cfg"], list):
        raise ConfigError(f"data_cfg: {model} takes one data set, found a list of {len(cfgs['data_cfg'])}")
    if training and "trainer_cfg" not in occlusions:
        told = f"no Occlusion at the end; {model} learns from occluded clips (test, and check --phase test, need none)"
        raise ConfigError(f"trainer_cfg: transform: {told}")
    losses = [cfgs["loss_cfg"]] if isinstance(cfgs["loss_cfg"], dict) else cfgs["loss_cfg"]
    if training:
        for loss in losses:
            _check_mickd(loss)
    if model == "VisibilityEstimation":
        if not occlusions:
            raise ConfigError("transform: VisibilityEstimation takes its classes from an Occlusion; there is none")
        return
    teacher = backbone_spec(model_cfg, text(cfgs["data_cfg"], "dataset_name", "data_cfg"))
    ven = ven_spec(model_cfg)
    for spec, what in ((teacher, "backbone"), (ven, "ven")):
        if spec is not None:
            check_sizes(spec.model_cfg, f"model_cfg: {what}")
    check_uses_of_ven(cfgs, ven)
    untrained = not training and cfgs["evaluator_cfg"].get("restore_hint", 0) == 0 and iteration == 0
    _check_occluded(cfgs, occlusions, untrained, teacher, training)
    if untrained:
        if not model_cfg.get("init_from_teacher"):
            raise ConfigError(
                "evaluator_cfg: restore_hint: 0 tests an untrained network; give its checkpoint, or "
                "model_cfg.init_from_teacher: true to test the teacher's weights (Baseline-1)"
            )
        _exists(teacher, "teacher", "model_cfg: teacher")
        if ven is not None:
            _exists(ven, "VEN", "model_cfg: ven")
    if training:
        if ven is not None:
            _exists(ven, "VEN", "model_cfg: ven")
        looks = model == "ResidualGait" or (model == "MimicGait" and any(map(distils, losses)))
        if model_cfg.get("init_from_teacher") or looks:
            _exists(teacher, "teacher", "model_cfg: teacher")
        own = prepared_by(cfgs["trainer_cfg"].get("transform"))
        for spec, what in ((teacher, "teacher"), (ven, "VEN")):
            if spec is not None and spec.prepared_by and spec.prepared_by != own:
                raise ConfigError(
                    f"trainer_cfg: transform: the {what} learned from silhouettes by {spec.prepared_by}, "
                    f"here they are made by {own or 'something else'}"
                )


def _check_occluded(cfgs: dict, occlusions: dict, untrained: bool, teacher: NetworkSpec, training: bool) -> None:
    """Check evaluator_cfg.occluded and, for our own eval function, the protocol."""
    evaluator = cfgs["evaluator_cfg"]
    asked = settings(evaluator.get("occluded"))
    trained = () if untrained or "trainer_cfg" not in occlusions else occlusions["trainer_cfg"].mixture.names
    if "evaluator_cfg" in occlusions:
        entry = lifted(evaluator.get("transform"), "evaluator_cfg")[1]
        occluded_tests(asked, entry["kinds"], 0, trained)
    elif evaluator.get("occluded"):
        raise ConfigError("evaluator_cfg: occluded: there is no Occlusion at the end of evaluator_cfg.transform")
    if asked.gallery_by == "teacher" and not training:
        _exists(teacher, "teacher", "model_cfg: teacher")
    if evaluator.get("eval_func") != "evaluate_recognition":
        if asked.who != "both" or asked.severity:
            raise ConfigError(
                "evaluator_cfg: occluded: probes or galleries alone (who, severity) need eval_func evaluate_recognition"
            )
        return
    data_cfg = cfgs["data_cfg"]
    named = {key: evaluator[key] for key in ("gallery", "probe", "cross_view") if key in evaluator}
    dataset = data_cfg.get("test_dataset_name") or data_cfg["dataset_name"]
    if Path(str(data_cfg.get("dataset_partition"))).is_file():  # else check_data says so
        protocol(dataset, partition=data_cfg["dataset_partition"], **named)


def _check_mickd(loss: dict) -> None:
    if loss["type"] == "MiCKDLoss":
        pairs = loss.get("pairs", PAIRS)
        pairs = tuple(pairs) if isinstance(pairs, (list, tuple)) else (pairs,)
        try:
            check_mickd_options(loss.get("margin", 0.2), pairs, loss.get("anchors", "mimic"),
                                loss.get("reduction", "mean_nonzero"))  # fmt: skip
        except ValueError as error:
            raise ConfigError(f"loss_cfg: MiCKDLoss: {error}") from None


def _exists(spec: NetworkSpec, what: str, key: str) -> None:
    if spec.checkpoint is None:
        raise ConfigError(f"{key}: where is the {what}'s checkpoint? give {key.split()[-1]}.checkpoint")
    if not is_file(spec.checkpoint):
        raise CheckpointError(f"{key}: the {what}'s checkpoint is missing: {spec.checkpoint}")


def _check_processes(cfgs: dict, training: bool, processes: int) -> None:
    if training:
        size = section(cfgs["trainer_cfg"], "sampler", "trainer_cfg").get("batch_size")
        total = size[0] * size[1] if isinstance(size, list) and len(size) == 2 else size
        if not isinstance(total, int) or total < 1:
            raise ConfigError(f"trainer_cfg: sampler: batch_size: expected [P, K], found {shown(size)}")
        if total % processes:
            raise ConfigError(
                f"trainer_cfg: sampler: a batch of {total} clips cannot be split into {processes} processes"
            )
    elif cfgs["model_cfg"]["model"] not in MODELS:
        size = section(cfgs["evaluator_cfg"], "sampler", "evaluator_cfg").get("batch_size")
        if size != processes:
            raise ConfigError(
                f"evaluator_cfg: sampler: batch_size {size} must equal the number of processes, {processes}"
            )


def _check_checkpoint(cfgs: dict, training: bool, iteration: int) -> None:
    name = "trainer_cfg" if training else "evaluator_cfg"
    engine = cfgs[name]
    hint = iteration or restore_hint(engine.get("restore_hint", 0), f"{name}: restore_hint")
    if hint == 0 or isinstance(cfgs["data_cfg"], list):
        return
    if isinstance(hint, str):
        path = Path(hint)
    else:
        dataset = text(cfgs["data_cfg"], "dataset_name", "data_cfg")
        model = text(cfgs["model_cfg"], "model", "model_cfg")
        path = checkpoint_path(dataset, model, text(engine, "save_name", name), hint)
    if not is_file(path):
        raise CheckpointError(f"restore_hint: no checkpoint at {path}")


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
    there = set(os.listdir(root))
    firsts = (min((root / s).glob("*/*/*.pkl"), default=None) for s in sorted(there.intersection(subjects)))
    first = next((path for path in firsts if path is not None), None)
    if first is None:
        raise DataError(
            f"data_cfg: dataset_root: {root} holds no silhouettes (<subject>/<type>/<view>/*.pkl) "
            f"for the {len(subjects)} subjects of {part} in {partition}"
        )
    return first
