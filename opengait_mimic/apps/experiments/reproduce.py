"""`opengait-mimic tables`: what to run, and the report of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from opengait_mimic.apps.experiments import tables
from opengait_mimic.apps.experiments.recipes import stages
from opengait_mimic.apps.experiments.recipes.methods import BEYOND
from opengait_mimic.data import progress
from opengait_mimic.errors import ConfigError
from opengait_mimic.evaluation.results import matched_result
from opengait_mimic.method.beyond.matching import MATCHING_TITLES
from opengait_mimic.opengait.host import choose
from opengait_mimic.opengait.process.device import check_device

if TYPE_CHECKING:
    from opengait_mimic.apps.report.write import Written

MOST_JOBS = 4
SEVERITY = (0.2, 0.4, 0.6, 0.8)
NOT_SMALL = ("pair1", "pairs12")  # the loss's own ablation, beside the paper's tables


@dataclass(frozen=True)
class Plan:
    """What is to be run.

    Attributes:
        stages: in an order in which they can run. data: of each seed. generated: whether it is made first.
        host: "embedded" or the path of a checkout. jobs: stages at a time.
    """

    stages: list[tables.Stage]
    data: list[tables.Data]
    generated: bool
    host: str | Path
    jobs: int


def plan_all(
    out: Path,
    data: Path | None,
    partition: Path | None,
    gallery: str | None,
    probe: str | None,
    backbones: Iterable[str],
    numbers: Iterable[int],
    scale: str | None,
    seeds: int,
    jobs: int | None,
    nproc: int,
    device: str | None,
    host: str | None,
    beyond: bool = False,
) -> Plan:
    """The stages of the paper's tables; nothing is written. The arguments are the command's options.

    Raises:
        ConfigError, DataError, HostError: what was asked for cannot be run.
    """
    for one, other, names in ((data, partition, "--data and --partition"), (gallery, probe, "--gallery and --probe")):
        if (one is None) != (other is None):
            raise ConfigError(f"{names} go together")
    scale = scale or ("demo" if data is None else "full")
    if data is None and (scale == "full" or gallery is not None):
        raise ConfigError("generated walkers have a scale and types of their own; give --data and --partition")
    host = choose(host)
    check_device(device, nproc)
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    jobs = jobs or (max(1, min(MOST_JOBS, (os.cpu_count() or 1) // nproc)) if on_cpu else 1)
    runs = stages([BEYOND] if beyond else sorted(set(numbers)))
    if scale != "full":
        runs = [run for run in runs if run[0] not in NOT_SMALL]
    planned, sets = [], []
    for seed in range(seeds):
        folder = out / f"seed{seed}"
        known = tables.walkers(folder) if data is None else tables.own_data(data, partition, gallery, probe)
        one_seed = tables.plan(folder, known, backbones, runs, seed, scale, () if beyond else SEVERITY)
        planned += [replace(stage, title=f"seed {seed}, {stage.title}") for stage in one_seed]
        sets.append(known)
    return Plan(planned, sets, data is None, host, jobs)


def reproduce(say: Callable[[str], None], resume: bool, **options) -> Written:
    """Run the stages of the paper's tables and write their report.

    Args:
        say: prints a line. resume: whether what was done before counts. options: see `plan_all`, which also raises.
    Raises:
        RunFailed: a stage ended with an error.
    """
    from opengait_mimic.apps.report.collect import collect
    from opengait_mimic.apps.report.write import write_report

    plan = plan_all(**options)
    if plan.generated:
        for seed, data in enumerate(plan.data):
            tables.make_walkers(data, seed, f"walkers, seed {seed}")
    device, nproc = options["device"], options["nproc"]
    results = tables.run(plan.stages, plan.host, device, nproc, plan.jobs, say, resume)
    results += [p for path in results for how in MATCHING_TITLES if (p := matched_result(path, how)).is_file()]
    first = next(plan.data[-1].root.glob("*/*/*/*.pkl"))
    collection = collect(results)
    for line in collection.skipped:
        progress.warn(line)
    return write_report(collection, options["out"] / "report", first)
