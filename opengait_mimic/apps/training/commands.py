"""Commands: train, test, check."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from opengait_mimic.apps import console
from opengait_mimic.data import progress
from opengait_mimic.errors import MimicError, RunFailed
from opengait_mimic.opengait.activation import activate
from opengait_mimic.opengait.config.check import check
from opengait_mimic.opengait.host import choose
from opengait_mimic.opengait.process.device import check_device
from opengait_mimic.opengait.run.failures import failures_in_one_line
from opengait_mimic.opengait.run.launch import launch
from opengait_mimic.opengait.run.worker import Run, intended


def _run_options(command):
    for option in (
        click.option("--log-to-file", is_flag=True, help="Also log to a file under output/."),
        console.iteration,
        click.option("--nproc", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
                     help="Number of processes (one per GPU on CUDA)."),
        console.device,
        console.host,
        click.option("--cfgs", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="YAML",
                     help="The run's configuration."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command()
@_run_options
@console.dry_run
@click.option("--resume/--no-resume", default=None,
              help="Go on from the training's own last good checkpoint, or start anew. Default: go on, unless --iter "
                   "or the YAML's restore_hint says where to start.")  # fmt: skip
def train(resume, **options):
    """Train what a YAML describes: a teacher, a VEN, a mimic.

    After an interruption, the same command goes on. With --quiet the last checkpoint's path is all that is printed,
    with --json what was trained and where it is.

    \b
    opengait-mimic train --cfgs configs/mimicgait/GREW/mimic_gaitbase.yaml --host ../OpenGait --nproc 2
    opengait-mimic train --cfgs mimic.yaml --dry-run
    """
    if resume and options["iteration"]:
        raise click.UsageError("--iter says where to start, --resume to find it; give one of them")
    _run("train", **options, resume=resume)


@click.command()
@_run_options
@console.dry_run
def test(**options):
    """Test a trained model; where the YAML occludes, on holistic clips too, with RP.

    With --quiet the result file's path is all that is printed, with --json its content.

    \b
    opengait-mimic test --cfgs configs/mimicgait/GREW/mimic_gaitbase.yaml --iter 300000
    opengait-mimic test --cfgs mimic.yaml --json > mimic.json
    """
    _run("test", **options)


def _run(phase, cfgs, host, device, nproc, iteration, log_to_file, dry_run, resume=None):

    host, here = choose(host), nproc
    if "RANK" in os.environ:  # torchrun has started the processes already, on one machine or several
        nproc = int(os.environ["WORLD_SIZE"])
        here = int(os.environ.get("LOCAL_WORLD_SIZE", nproc))
    check_device(device, here)
    merged = check(cfgs, host, phase, nproc, iteration or 0)
    run = Run(host, cfgs.resolve(), phase, iteration or 0, device, log_to_file, resume, progress.verbosity())
    if dry_run:
        plan = {**intended(run, merged), "processes": nproc}
        console.outcome("\n".join(f"{name}: {value}" for name, value in plan.items()), plan)
        return
    found = launch(run, nproc)
    if found is not None and run.verbosity != progress.Verbosity() and (found.text() or run.verbosity.as_json):
        console.outcome(found.text(), found.content())


@click.command("check")
@click.option("--cfgs", required=True, multiple=True, type=click.Path(dir_okay=False, path_type=Path), metavar="YAML",
              help="A configuration; may be given several times.")  # fmt: skip
@click.option("--phase", type=click.Choice(["train", "test"]), default="train", show_default=True)
@click.option("--nproc", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
              help="Number of processes it will run in.")  # fmt: skip
@console.iteration
@console.host
def check_command(cfgs, phase, nproc, iteration, host):
    """Look a configuration over: keys, values, files, and whether the host can build what it names.

    Nothing is trained, tested or written. `train` and `test` do the same before they start.

    \b
    opengait-mimic check --cfgs mimic.yaml
    opengait-mimic check --cfgs mimic.yaml --phase test --host ../OpenGait
    opengait-mimic check --cfgs teacher.yaml --cfgs mimic.yaml --json
    """
    host, found, status = choose(host), {}, 0
    for path in cfgs:
        try:
            merged = check(path, host, phase, nproc, iteration or 0)
            activate(host)
            # Our models extend those of the host, which has just been chosen.
            from opengait_mimic.opengait.models.preflight import preflight  # noqa: PLC0415

            failures_in_one_line(preflight)(merged, host, phase == "train", path)
            found[str(path)] = None
        except (MimicError, RunFailed) as error:
            status = max(status, 2 if isinstance(error, MimicError) else 1)
            mistakes = [line.removeprefix(f"{path}: ") for line in str(error).splitlines()]
            found[str(path)] = "\n".join(mistakes)
            click.echo("\n".join(f"{path}: {mistake}" for mistake in mistakes), err=True)
    fine = [f"{path}: fine" for path, mistake in found.items() if mistake is None]
    if fine or progress.verbosity().as_json:
        console.conclude("\n".join(fine), found)
    if status:
        sys.exit(status)
