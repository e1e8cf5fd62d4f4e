"""One process of a run: prepare the host, register our classes, run the host's main program."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import runpy
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch.distributed as dist

from opengait_mimic.data import progress
from opengait_mimic.errors import plain
from opengait_mimic.evaluation.results import read_result
from opengait_mimic.opengait import compat
from opengait_mimic.opengait.activation import enter
from opengait_mimic.opengait.checkpoints import checkpoint_path
from opengait_mimic.opengait.config.reading import defaults, merge, read_yaml
from opengait_mimic.opengait.host import DEVICE_VARIABLE, module_folder
from opengait_mimic.opengait.process.device import device
from opengait_mimic.opengait.process.distributed import children_die_with_this, from_first_process, rank
from opengait_mimic.opengait.process.memory import limit_memory
from opengait_mimic.opengait.process.resuming import own_checkpoints
from opengait_mimic.opengait.run.failures import failures_in_one_line


@dataclass(frozen=True)
class Run:
    """What the host's main program is to do.

    Attributes:
        host: "embedded" or the path of a checkout.
        cfgs: the YAML.
        phase: "train" or "test".
        iteration: the checkpoint to restore; 0 leaves that to the YAML.
        device: "cpu", "cuda", or None for CUDA where there is any.
        log_to_file: whether the host also logs to a file.
        resume: whether a training goes on from its own last good checkpoint; None: where neither `iteration` nor
            the YAML's restore_hint says where to start.
        verbosity: how much it prints.
    """

    host: str | Path
    cfgs: Path
    phase: str
    iteration: int = 0
    device: str | None = None
    log_to_file: bool = False
    resume: bool | None = None
    verbosity: progress.Verbosity = field(default_factory=progress.Verbosity)


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes:
        phase: "train" or "test".
        model: the model's name.
        file: a test's result file or a training's last checkpoint; None without one.
        iteration: of that checkpoint.
        scores: of the last test, by name.
    """

    phase: str
    model: str
    file: Path | None
    iteration: int | None
    scores: dict[str, float]

    def text(self) -> str:
        """The file's path or, without one, a line for each score."""
        return str(self.file) if self.file else "\n".join(f"{k}: {v:.2f}" for k, v in self.scores.items())

    def content(self) -> dict:
        """The same as JSON, and of a test all that its result file holds."""
        if self.phase == "test":
            found: dict = {"phase": "test", "scores": self.scores}
            return {"file": str(self.file), **read_result(self.file)} if self.file else found
        found = {"phase": "train", "model": self.model, "iteration": self.iteration}
        found["checkpoint"] = str(self.file) if self.file else None
        return found | ({"scores": self.scores} if self.scores else {})


def intended(run: Run, cfgs: dict) -> dict:
    """What a run would do, by name.

    Args:
        run: the run.
        cfgs: its configuration, merged onto the host's defaults.
    """
    cfg = cfgs["trainer_cfg" if run.phase == "train" else "evaluator_cfg"]
    own = () if run.phase == "test" else _to_resume_from(run, cfgs)
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
    if isinstance(cfgs["data_cfg"], dict):
        plan["writes to"] = str(_checkpoint(cfgs, cfg["save_name"], 0).parents[1])
    return plan


def _checkpoint(cfgs: dict, save_name: str, iteration: int) -> Path:
    return checkpoint_path(cfgs["data_cfg"]["dataset_name"], cfgs["model_cfg"]["model"], save_name, iteration)


def _own_checkpoints(cfgs: dict) -> tuple[int, ...]:
    """The iterations of a training's own checkpoints, the last one first."""
    if isinstance(cfgs["data_cfg"], list):  # several data sets at once are the host's own affair
        return ()
    name = cfgs["trainer_cfg"]["save_name"]
    return tuple(own_checkpoints(_checkpoint(cfgs, name, 0).parent, name))


def _to_resume_from(run: Run, cfgs: dict) -> tuple[int, ...]:
    """The iterations of the own checkpoints that a training goes on from; none where something else says it."""
    trainer = cfgs["trainer_cfg"]
    if not (run.resume or (run.resume is None and not run.iteration and trainer["restore_hint"] == 0)):
        return ()
    return _own_checkpoints(cfgs)


@failures_in_one_line
def run_main(run: Run) -> Outcome | None:
    """Run the host's main program in this process, with our classes registered.

    Paths are relative to the working directory on every host; a checkout needs not be the working directory.

    Returns:
        What the run gave; None on all processes but the first.
    """
    children_die_with_this()
    threading.excepthook = _report_thread_failure
    logging.raiseExceptions = False  # a line that a full disk takes away is on the screen too
    if sys.platform == "linux":
        # A loader's worker that is not forked would run the host's main program again.
        multiprocessing.set_start_method("fork", force=True)
    if run.device is not None:
        os.environ[DEVICE_VARIABLE] = run.device
    if device().type == "cpu":
        limit_memory()
    cfgs = merge(defaults(run.host), read_yaml(run.cfgs))
    enter(compat.Use(run.host, compat.By.RUN, cfgs, run.verbosity))
    first = rank() == 0  # asked for while there is a group; the host may end it
    from opengait_mimic.opengait.models.preflight import preflight  # noqa: PLC0415 - needs the host's modules
    from opengait_mimic.opengait.run.inside import Tested, put_in_place  # noqa: PLC0415 - likewise

    preflight(cfgs, run.host, run.phase == "train", os.path.relpath(run.cfgs))
    resumable = run.phase == "train" and isinstance(cfgs["data_cfg"], dict)  # several have a loop of their own
    own = from_first_process(_to_resume_from(run, cfgs)) if resumable else None
    tests = [Tested({}, None)]
    put_in_place(cfgs["model_cfg"]["model"], own, tests.append)
    progress.set_verbosity(run.verbosity)
    main = str(module_folder(run.host) / "main.py")
    sys.argv = [main, "--cfgs", str(run.cfgs), "--phase", run.phase]
    iteration = own[0] if own else run.iteration
    sys.argv += ["--iter", str(iteration)] if iteration else []
    sys.argv += ["--log_to_file"] if run.log_to_file else []
    with contextlib.redirect_stdout(sys.stderr if run.verbosity != progress.Verbosity() else sys.stdout):
        runpy.run_path(main, run_name="__main__")
    outcome = _outcome(run, cfgs, tests[-1].scores, tests[-1].file) if first else None
    if dist.is_initialized():
        dist.destroy_process_group()
    return outcome


def _outcome(run: Run, cfgs: dict, scores: dict, file: Path | None) -> Outcome:
    scores = {k.removeprefix("scalar/"): float(v) for k, v in scores.items() if np.ndim(v) == 0}
    last = None
    if run.phase == "train":
        file, last = None, next(iter(_own_checkpoints(cfgs)), None)
        if last is not None:
            file = _checkpoint(cfgs, cfgs["trainer_cfg"]["save_name"], last)
        elif isinstance(cfgs["data_cfg"], dict) and run.verbosity != progress.Verbosity():
            progress.warn("no checkpoint: save_iter is above total_iter")
    return Outcome(run.phase, cfgs["model_cfg"]["model"], file, last, scores)


def _report_thread_failure(failure) -> None:
    """One line where a thread, such as TensorBoard's, cannot write; the run itself ends when it notices."""
    if isinstance(failure.exc_value, OSError):
        print(f"opengait-mimic: {plain(failure.exc_value)}", file=sys.stderr)
    else:
        threading.__excepthook__(failure)
