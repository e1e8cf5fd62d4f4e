"""One process of a run: prepare the host, register our classes, run the host's main program."""

from __future__ import annotations

import os
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from opengait_mimic.check import defaults, merge
from opengait_mimic.config import read_yaml, training_seed
from opengait_mimic.hosts import DEVICE_VARIABLE, EMBEDDED, module_folder, prepare
from opengait_mimic.hosts.group import ensure_group
from opengait_mimic.hosts.plainly import plainly
from opengait_mimic.hosts.safe import read_safely
from opengait_mimic.inputs import OTHER_INPUTS
from opengait_mimic.losses.gather import world_size


@dataclass(frozen=True)
class Run:
    """What the host's main program is to do.

    Attributes:
        host: "embedded" or the path of a checkout. cfgs: the YAML. phase: "train" or "test".
        iteration: the checkpoint to restore; 0 leaves that to the YAML.
        device: "cpu", "cuda", or None for CUDA where there is any.
        log_to_file: whether the host also logs to a file.
    """

    host: str | Path
    cfgs: Path
    phase: str
    iteration: int = 0
    device: str | None = None
    log_to_file: bool = False


@plainly
def run_main(run: Run) -> None:
    """Run the host's main program in this process, with our classes registered.

    Paths are relative to the working directory on every host; a checkout needs not be the working directory.
    """
    if run.device is not None:
        os.environ[DEVICE_VARIABLE] = run.device
    prepare(run.host)
    ensure_group()
    from opengait_mimic.plugin import register

    register()
    from opengait_mimic.models.rehearsal import rehearse_run

    cfgs = merge(defaults(run.host), read_yaml(run.cfgs))
    if run.host != EMBEDDED:
        read_safely(silhouettes=cfgs["model_cfg"]["model"] not in OTHER_INPUTS)
    rehearse_run(cfgs, run.host, run.phase == "train", os.path.relpath(run.cfgs))
    if run.host != EMBEDDED:
        _read_defaults_from(Path(run.host))
    _vary_seeds(training_seed(cfgs))
    # The group is there already; the host's own start of it has nothing left to do.
    dist.init_process_group = lambda *args, **kwargs: None
    main = str(module_folder(run.host) / "main.py")
    sys.argv = [main, "--cfgs", str(run.cfgs), "--phase", run.phase]
    if run.iteration:
        sys.argv += ["--iter", str(run.iteration)]
    if run.log_to_file:
        sys.argv.append("--log_to_file")
    runpy.run_path(main, run_name="__main__")
    if dist.is_initialized():
        dist.destroy_process_group()


def _vary_seeds(repetition: int) -> None:
    """Let the host, whose seed is the process's rank, start each repetition of a training from other seeds."""
    import utils

    if repetition:
        init = utils.init_seeds
        utils.init_seeds = lambda seed=0, *args, **kwargs: init(seed + world_size() * repetition, *args, **kwargs)


def _read_defaults_from(root: Path) -> None:
    """Let a checkout merge a YAML onto its own configs/default.yaml from any working directory."""
    import utils

    utils.config_loader = lambda path: merge(defaults(root), read_yaml(path))


def limit_threads(processes: int) -> None:
    """Share the machine's cores among the processes of a run, unless OMP_NUM_THREADS says how many to use."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // processes))
