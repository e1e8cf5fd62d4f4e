"""Every run that the paper's tables take, in order, on generated walkers or one's own data; and the report of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from opengait_mimic.apps.experiments.recipes import (
    BEYOND,
    DATASETS,
    METHODS,
    NEW_TYPES,
    file_name,
    needs,
    recipe,
    rows,
    runs_of,
    small,
)
from opengait_mimic.apps.experiments.recipes.methods import Run
from opengait_mimic.apps.experiments.stages import Stage, run_stages
from opengait_mimic.apps.report.collect import collect
from opengait_mimic.apps.report.write import Written, write_report
from opengait_mimic.data import progress
from opengait_mimic.data.partition import dataset_of, subjects_in
from opengait_mimic.data.tree import generate_walkers
from opengait_mimic.errors import ConfigError, DataError, nearest
from opengait_mimic.evaluation.results import MATCHING_TITLES, matched_result
from opengait_mimic.opengait.config.check import check_data
from opengait_mimic.opengait.host import choose
from opengait_mimic.opengait.process.device import check_device

WALKERS: dict[str, Any] = {
    "train_subjects": 150,
    "test_subjects": 100,
    "sequences": 8,
    "frames": 20,
    "test_frames": 8,
    "width": 44,
}
MOST_JOBS = 4
SEVERITY = (0.2, 0.4, 0.6, 0.8)
NOT_SMALL = ("pair1", "pairs12")  # the loss's own ablation, beside the paper's tables


@dataclass(frozen=True)
class Data:
    """A data set in OpenGait's layout."""

    root: Path
    partition: Path
    dataset_name: str  # whose recipes and protocol it takes
    identities: int  # how many it trains on
    types: dict[str, list[str]] = field(default_factory=dict)  # gallery and probe types of its own, for evaluator_cfg


def walkers(folder: Path) -> Data:
    """Where generated walkers at the scale of a demo are, or will be."""
    root, partition = (folder.resolve() / name for name in ("walkers", "walkers.json"))
    return Data(root, partition, "GREW", WALKERS["train_subjects"])


def make_walkers(data: Data, seed: int) -> None:
    """Generate them for one seed; those already there are taken again."""
    generate_walkers(data.root, data.partition, **WALKERS, seed=seed)


def own_data(root: Path, partition: Path, gallery: str | None = None, probe: str | None = None) -> Data:
    """A data set of one's own.

    Args:
        root: its folder, in OpenGait's layout.
        partition: its JSON file.
        gallery: walking types, separated by commas; None takes the protocol of the data set whose types these are.
        probe: the same.

    Raises:
        DataError: no silhouettes, one subject to learn from, or types that tell nothing.
    """
    for part in ("TRAIN_SET", "TEST_SET"):
        check_data({"dataset_root": str(root), "dataset_partition": str(partition)}, part)
    if gallery is None or probe is None:
        dataset, types = dataset_of(root, partition), {}
    else:
        dataset, types = "GREW", {"gallery": gallery.split(","), "probe": probe.split(",")}
    identities = len(subjects_in(root, partition, "TRAIN_SET"))
    if identities < 2:
        raise DataError(f"{partition}: TRAIN_SET: silhouettes of one subject; telling people apart takes two at least")
    return Data(root.resolve(), partition.resolve(), dataset, identities, types)


def plan(
    folder: Path,
    data: Data,
    backbones: Iterable[str],
    runs: list[Run],
    seed: int = 0,
    scale: str = "full",
    severity: tuple[float, ...] = (),
) -> list[Stage]:
    """The trainings and tests of some runs, in an order in which they can run; nothing is written.

    Args:
        folder: where they run.
        data: of all of them.
        backbones: keys of BACKBONES.
        runs: methods and the occlusions they learn, each after what it needs, as `recipes.runs_of` gives them.
        seed: which repetition it is.
        scale: a key of `recipes.build.SCALES`, or "full".
        severity: occluded fractions at which the methods of Table 1 are tested too.

    Raises:
        ConfigError: the data set has no recipe for a backbone.
    """
    folder, dataset = folder.resolve(), data.dataset_name
    data_cfg = {"dataset_root": str(data.root), "dataset_partition": str(data.partition), "data_in_use": None}
    zero_shot = any(occlusions in NEW_TYPES for _, occlusions in runs)  # Table 2 is asked for
    planned: dict[Path, Stage] = {}  # a VEN is the same for all backbones of one width
    for backbone in backbones:
        if backbone not in (known := DATASETS[dataset].teachers):
            raise ConfigError(f"--backbone: no recipe for {backbone} on {dataset}; {nearest(backbone, known)}")
        trainings: dict[Run, Stage] = {}
        for method, occlusions in runs:
            how = METHODS[method]
            cfgs = recipe(dataset, backbone, method, occlusions, folder="", data=data_cfg, identities=data.identities,
                          zero_shot=zero_shot)  # fmt: skip
            if not how.tasks:
                cfgs["evaluator_cfg"].update(data.types)
            if severity and (method, occlusions) in rows(1):
                cfgs["evaluator_cfg"]["occluded"]["severity"] = list(severity)
            if scale != "full":
                cfgs = small(cfgs, scale)
            if seed:
                cfgs["trainer_cfg"]["seed"] = seed
            title = f"{backbone}, {how.title}{'' if occlusions == 'standard' else f' with {occlusions}'}"
            name = file_name(dataset, backbone, method, occlusions)
            before = [trainings[run] for run in needs(method, occlusions)]
            if how.trained:
                weight = 7.0 if method == "teacher" else 1.5 if how.tasks else 5.0
                training = Stage(f"{title}: train", folder, cfgs, name, "train", before, weight, method)
                trainings[method, occlusions] = planned.setdefault(training.mark, training)
                before = [*before, trainings[method, occlusions]]
            if method != "teacher":  # its accuracy is every other test's HP
                test = Stage(f"{title}: test", folder, cfgs, name, "test", before, 1.0, method)
                planned.setdefault(test.mark, test)
    return list(planned.values())


@dataclass(frozen=True)
class Options:
    """What the command was asked for: its options, by name."""

    out: Path
    data: Path | None = None
    partition: Path | None = None
    gallery: str | None = None
    probe: str | None = None
    backbones: tuple[str, ...] = ("GaitBase",)
    numbers: tuple[int, ...] = (1, 2, 3, 4)
    scale: str | None = None
    seeds: int = 1
    jobs: int | None = None
    nproc: int = 1
    device: str | None = None
    host: str | None = None
    beyond: bool = False

    def sets(self) -> list[tuple[Path, Data]]:
        """The folder and the data of each seed.

        Raises:
            ConfigError: options that do not go together.
            DataError: a data set that cannot be used.
        """
        together = ((self.data, self.partition, "--data and --partition"),
                    (self.gallery, self.probe, "--gallery and --probe"))  # fmt: skip
        for one, other, names in together:
            if (one is None) != (other is None):
                raise ConfigError(f"{names} go together")
        if self.data is None and (self.scale == "full" or self.gallery is not None):
            raise ConfigError("generated walkers have a scale and types of their own; give --data and --partition")
        folders = [self.out / f"seed{seed}" for seed in range(self.seeds)]
        if self.data is None or self.partition is None:
            return [(folder, walkers(folder)) for folder in folders]
        return [(folder, own_data(self.data, self.partition, self.gallery, self.probe)) for folder in folders]


def plan_tables(options: Options) -> list[Stage]:
    """The stages of the paper's tables; nothing is written.

    Raises:
        ConfigError: what was asked for cannot be run.
        DataError: neither can the data set be used.
    """
    scale = options.scale or ("demo" if options.data is None else "full")
    runs = runs_of([BEYOND] if options.beyond else sorted(set(options.numbers)))
    if scale != "full":
        runs = [run for run in runs if run[0] not in NOT_SMALL]
    severity = () if options.beyond else SEVERITY
    planned = []
    for seed, (folder, data) in enumerate(options.sets()):
        stages = plan(folder, data, options.backbones, runs, seed, scale, severity)
        planned += [replace(stage, title=f"seed {seed}, {stage.title}") for stage in stages]
    return planned


def run_tables(options: Options, say: Callable[[str], None], resume: bool = True) -> Written:
    """Run the stages of the paper's tables and write their report.

    Args:
        options: what to run.
        say: prints a line.
        resume: whether what was done before counts.

    Raises:
        ConfigError: what was asked for cannot be run.
        DataError: the data set cannot be used.
        HostError: the host cannot be used.
        RunFailed: a stage ended with an error.
    """
    planned, sets = plan_tables(options), options.sets()
    host, device, processes = choose(options.host), options.device, options.nproc
    check_device(device, processes)
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    jobs = options.jobs or (max(1, min(MOST_JOBS, (os.cpu_count() or 1) // processes)) if on_cpu else 1)
    if options.data is None:
        for seed, (_, data) in enumerate(sets):
            make_walkers(data, seed)
    results = run_stages(planned, host, device, processes, jobs, say, resume)
    results += [
        p for path in results for matching in MATCHING_TITLES if (p := matched_result(path, matching)).is_file()
    ]
    collection = collect(results)
    for line in collection.skipped:
        progress.warn(line)
    return write_report(collection, options.out / "report", next(sets[-1][1].root.glob("*/*/*/*.pkl")))
