"""One process of a run: prepare the host, register our classes, run the host's main program."""

from __future__ import annotations

import contextlib
import functools
import logging
import multiprocessing
import os
import runpy
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from tqdm import tqdm

from opengait_mimic.apps import console
from opengait_mimic.data import progress
from opengait_mimic.errors import plain
from opengait_mimic.evaluation.results import read_result
from opengait_mimic.opengait.checkpoints import checkpoint_path
from opengait_mimic.opengait.config.check import defaults, merge
from opengait_mimic.opengait.config.inputs import OTHER_INPUTS
from opengait_mimic.opengait.config.sections import read_yaml, training_seed
from opengait_mimic.opengait.host import DEVICE_VARIABLE, EMBEDDED, module_folder, prepare
from opengait_mimic.opengait.run.device import device
from opengait_mimic.opengait.run.distributed import rank, world_size
from opengait_mimic.opengait.run.group import ensure_group
from opengait_mimic.opengait.run.memory import limit_memory
from opengait_mimic.opengait.run.orphans import children_die_with_this
from opengait_mimic.opengait.run.plainly import plainly
from opengait_mimic.opengait.run.resuming import own_checkpoints
from opengait_mimic.opengait.run.safe import read_safely


@dataclass(frozen=True)
class Run:
    """What the host's main program is to do.

    Attributes:
        host: "embedded" or the path of a checkout. cfgs: the YAML. phase: "train" or "test".
        iteration: the checkpoint to restore; 0 leaves that to the YAML.
        device: "cpu", "cuda", or None for CUDA where there is any.
        log_to_file: whether the host also logs to a file.
        resume: whether a training goes on from its own last good checkpoint; None: where neither `iteration` nor
            the YAML's restore_hint says where to start.
        voice: how it speaks.
    """

    host: str | Path
    cfgs: Path
    phase: str
    iteration: int = 0
    device: str | None = None
    log_to_file: bool = False
    resume: bool | None = None
    voice: progress.Verbosity = progress.Verbosity()


def intended(run: Run, cfgs: dict) -> dict:
    """What a run would do, by name.

    Args:
        cfgs: its configuration, merged onto the host's defaults.
    """
    cfg = cfgs["trainer_cfg" if run.phase == "train" else "evaluator_cfg"]
    own = () if run.phase == "test" else _to_go_on_from(run, cfgs)
    start = own[0] if own else run.iteration or cfg["restore_hint"]
    if isinstance(start, int):
        start = f"its checkpoint of iteration {start}" if start else "no checkpoint of its own"
    plan = {
        "phase": run.phase,
        "model": cfgs["model_cfg"]["model"],
        "host": str(run.host),
        "device": run.device or device().type,
        "starts from": start,
    }
    plan |= {"iterations": cfg["total_iter"]} if run.phase == "train" else {}
    folder = _own_folder(cfgs, cfg["save_name"])
    return plan if folder is None else {**plan, "writes to": str(folder)}


def _own_folder(cfgs: dict, save_name: str) -> Path | None:
    """Where the host keeps what a run leaves; None for several data sets at once, which are the host's own affair."""
    data = cfgs["data_cfg"]
    if isinstance(data, list):
        return None
    return checkpoint_path(data["dataset_name"], cfgs["model_cfg"]["model"], save_name, 0).parents[1]


def _own_checkpoints(cfgs: dict) -> tuple[int, ...]:
    """The iterations of a training's own checkpoints, the last one first."""
    name = cfgs["trainer_cfg"]["save_name"]
    folder = _own_folder(cfgs, name)
    return () if folder is None else tuple(own_checkpoints(folder / "checkpoints", name))


def _to_go_on_from(run: Run, cfgs: dict) -> tuple[int, ...]:
    """The iterations of the own checkpoints that a training goes on from; none where something else says it."""
    trainer = cfgs["trainer_cfg"]
    if not (run.resume or (run.resume is None and not run.iteration and trainer["restore_hint"] == 0)):
        return ()
    return _own_checkpoints(cfgs)


@plainly
def run_main(run: Run) -> None:
    """Run the host's main program in this process, with our classes registered.

    Paths are relative to the working directory on every host; a checkout needs not be the working directory.
    """
    children_die_with_this()
    threading.excepthook = _tell_of_thread
    logging.raiseExceptions = False  # a line that a full disk takes away is on the screen too
    if sys.platform == "linux":
        # A loader's worker that is not forked would run the host's main program again.
        multiprocessing.set_start_method("fork", force=True)
    if run.device is not None:
        os.environ[DEVICE_VARIABLE] = run.device
    if device().type == "cpu":
        limit_memory()
    prepare(run.host)
    ensure_group()
    from opengait_mimic.opengait.registration import register

    register()
    from opengait_mimic.opengait.models.preflight import rehearse_run

    cfgs = merge(defaults(run.host), read_yaml(run.cfgs))
    if run.host != EMBEDDED:
        read_safely(silhouettes=cfgs["model_cfg"]["model"] not in OTHER_INPUTS)
    rehearse_run(cfgs, run.host, run.phase == "train", os.path.relpath(run.cfgs))
    told: dict = {}
    first = rank() == 0  # asked for while there is a group; the host may end it
    iteration = _dress(run, cfgs, told)
    _speak(run.voice)
    if run.host != EMBEDDED:
        _read_defaults_from(Path(run.host))
        _free_from_the_machine()
    _vary_seeds(training_seed(cfgs))
    # The group is there already; the host's own start of it has nothing left to do.
    dist.init_process_group = lambda *args, **kwargs: None
    main = str(module_folder(run.host) / "main.py")
    sys.argv = [main, "--cfgs", str(run.cfgs), "--phase", run.phase]
    if iteration:
        sys.argv += ["--iter", str(iteration)]
    if run.log_to_file:
        sys.argv.append("--log_to_file")
    with contextlib.redirect_stdout(sys.stderr if run.voice != progress.Verbosity() else sys.stdout):
        runpy.run_path(main, run_name="__main__")
    if first and run.voice != progress.Verbosity():
        _conclude(run, cfgs, told)
    if dist.is_initialized():
        dist.destroy_process_group()


def _tell_of_thread(failure) -> None:
    """One line where a thread, such as TensorBoard's, cannot write; the run itself ends when it notices."""
    if isinstance(failure.exc_value, OSError):
        print(f"opengait-mimic: {plain(failure.exc_value)}", file=sys.stderr)
    else:
        threading.__excepthook__(failure)


def _speak(how: progress.Verbosity) -> None:
    """Let this process and the host's messages and bars follow the voice that was asked for."""
    import utils
    from modeling import base_model

    progress.set_verbosity(how)
    if hasattr(base_model, "tqdm"):  # OpenGait's bar shows everywhere
        base_model.tqdm = functools.partial(tqdm, disable=True if how.quiet else None)
    if rank() != 0 or not how.quiet:
        return
    manager = utils.get_msg_mgr()
    start = manager.init_logger

    def init_logger(*arguments, **options):
        start(*arguments, **options)
        for logger in map(logging.getLogger, ("opengait", "opengait_mimic.embedded")):
            for handler in logger.handlers:
                if not isinstance(handler, logging.FileHandler):
                    handler.setLevel(logging.WARNING)

    manager.init_logger = init_logger


def _conclude(run: Run, cfgs: dict, told: dict) -> None:
    """Print what a run gave: the file with --quiet, all of it with --json; of a training the last checkpoint."""
    scores = {k.removeprefix("scalar/"): float(v) for k, v in (told.get("scores") or {}).items() if np.ndim(v) == 0}
    path = told.get("result")
    if run.phase == "train":
        name, last = cfgs["model_cfg"]["model"], next(iter(_own_checkpoints(cfgs)), None)
        if last is not None:
            path = checkpoint_path(cfgs["data_cfg"]["dataset_name"], name, cfgs["trainer_cfg"]["save_name"], last)
        elif isinstance(cfgs["data_cfg"], dict):
            progress.warn("no checkpoint: save_iter is above total_iter")
        content = {"phase": "train", "model": name, "iteration": last, "checkpoint": path and str(path)}
        content |= {"scores": scores} if scores else {}
    else:
        content = {"file": str(path), **read_result(path)} if path else {"phase": "test", "scores": scores}
    lines = [str(path)] if path else [f"{name}: {value:.2f}" for name, value in scores.items()]
    if lines or run.voice.as_json:
        console.outcome("\n".join(lines), content)


def _dress(run: Run, cfgs: dict, told: dict) -> int:
    """Let the host's main program find the run's model with what this package adds to any model of a host.

    Args:
        told: filled by each test with its scores and, where there is one, the path of its result file.
    Returns:
        The iteration whose checkpoint the host restores, 0 for none.
    """
    from modeling import models
    from modeling.base_model import BaseModel

    from opengait_mimic.opengait.models.backbone import host_model
    from opengait_mimic.opengait.models.occluded import OccludedModel
    from opengait_mimic.opengait.models.resumable import Resumable
    from opengait_mimic.opengait.models.testing import result_path

    name, iteration, added, own = cfgs["model_cfg"]["model"], run.iteration, [], ()
    model = host_model(name)
    ours = issubclass(model, OccludedModel)

    def telling(test):
        def run_test(net):
            told["scores"] = test(net)
            if ours:
                told["result"] = result_path(getattr(net, "module", net))
            return told["scores"]

        return staticmethod(run_test)

    # OpenGait's trainings call the base class's on the way. A host's model may build its own on that one.
    run_test, BaseModel.run_test = telling(model.run_test), telling((model if ours else BaseModel).run_test)
    if run.host != EMBEDDED and device().type == "cuda":
        added.append(OnOwnDevice)
    if run.phase == "train" and isinstance(cfgs["data_cfg"], dict):  # several data sets at once have their own loop
        if not issubclass(model, Resumable):
            added.append(Resumable)
        own = _from_first_process(_to_go_on_from(run, cfgs))
    content = {"__module__": model.__module__, "own_checkpoints": own, "run_test": run_test}
    setattr(models, name, type(name, (*added, model), content))
    return own[0] if own else iteration


def _from_first_process(value):
    """The first process's value on all of them: what it finds on a disk may change meanwhile."""
    shared = [value]
    if world_size() > 1:
        dist.broadcast_object_list(shared)
    return shared[0]


class OnOwnDevice:
    """Stands before a model of a checkout, which takes its rank for its device's number: gives it the local one."""

    @property
    def device(self) -> int:
        return device().index

    @device.setter
    def device(self, rank: int) -> None:
        """The host sets its rank; it stays this process's own device."""


def _free_from_the_machine() -> None:
    """Let a checkout run in more or fewer processes than this machine has GPUs.

    Its main program compares the two right at the start; what asks later gets the true number.
    """
    import utils

    count, read = torch.cuda.device_count, utils.config_loader

    def reading(path):
        torch.cuda.device_count = count
        return read(path)

    torch.cuda.device_count = world_size
    utils.config_loader = reading


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
