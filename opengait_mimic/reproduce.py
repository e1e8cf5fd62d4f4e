"""`opengait-mimic tables`: what to run, and the report of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import torch

from opengait_mimic import tables
from opengait_mimic.errors import ConfigError
from opengait_mimic.evaluation.results import weighted_result
from opengait_mimic.hosts import choose
from opengait_mimic.hosts.launch import check_device
from opengait_mimic.recipes import stages
from opengait_mimic.recipes.methods import BEYOND

MOST_JOBS = 4
SEVERITY = (0.2, 0.4, 0.6, 0.8)
NOT_IN_DEMO = ("pair1", "pairs12")  # the loss's own ablation, beside the paper's tables


def reproduce(
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
    dry_run: bool,
    say: Callable[[str], None],
    resume: bool = True,
    beyond: bool = False,
) -> None:
    """Run the stages of the paper's tables and write their report; the arguments are the command's options.

    Raises:
        ConfigError, DataError, HostError: what was asked for cannot be run.
        RunFailed: a stage ended with an error.
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
    if scale == "demo":
        runs = [run for run in runs if run[0] not in NOT_IN_DEMO]
    planned = []
    for seed in range(seeds):
        folder = out / f"seed{seed}"
        if data is None:
            known = tables.walkers(folder, seed, tables.progress_bar(f"walkers, seed {seed}"))
        else:
            known = tables.own_data(data, partition, gallery, probe)
        one_seed = tables.plan(folder, known, backbones, runs, seed, scale, () if beyond else SEVERITY)
        planned += [replace(stage, title=f"seed {seed}, {stage.title}") for stage in one_seed]
    if dry_run:
        for number, stage in enumerate(planned, 1):
            say(f"[{number}/{len(planned)}] {stage.title}{', done' if stage.is_done() else ''}")
        return
    results = tables.run(planned, host, device, nproc, jobs, say, resume)

    from opengait_mimic.report.collect import collect
    from opengait_mimic.report.write import write_report

    results += [path for path in map(weighted_result, results) if path.is_file()]
    written = write_report(collect(results), out / "report", next(known.root.glob("*/*/*/*.pkl")))
    say(f"{written.summary} Open {out / 'report' / 'report.html'}")
