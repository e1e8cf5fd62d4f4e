"""The trainings and tests of several runs, each in a process of its own: what is done stays done."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, NoReturn

import torch

from opengait_mimic.apps.experiments.recipes import yaml_text
from opengait_mimic.data import progress
from opengait_mimic.data.files import write_text
from opengait_mimic.errors import ConfigError, MimicError, RunFailed, plain
from opengait_mimic.opengait.checkpoints import checkpoint_path
from opengait_mimic.opengait.config.check import check
from opengait_mimic.opengait.run.launch import end, launch
from opengait_mimic.opengait.run.worker import Run

BAR = "{percentage:3.0f}%|{bar:20}| {elapsed}, {remaining} left: {desc}"
TICK = 1.0  # seconds between two looks at the clock


@dataclass
class Stage:
    """One training or test."""

    title: str  # for people
    folder: Path  # where it runs
    cfgs: dict
    name: str  # its YAML's
    phase: str  # "train" or "test"
    after: list[Stage] = field(default_factory=list)  # stages that must be done before
    weight: float = 1.0  # its share of the time, roughly
    method: str = ""  # a key of METHODS

    @property
    def digest(self) -> str:
        """Of everything its outcome depends on: a change means it has to run again."""
        own = {k: v for k, v in self.cfgs.items() if self.phase == "test" or k != "evaluator_cfg"}
        parts = [json.dumps(own, sort_keys=True), *(stage.digest for stage in self.after)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def outcome(self) -> Path:
        """The file it leaves: a checkpoint or a result."""
        dataset, model = self.cfgs["data_cfg"]["dataset_name"], self.cfgs["model_cfg"]["model"]
        if self.phase == "train":
            trainer = self.cfgs["trainer_cfg"]
            return self.folder / checkpoint_path(dataset, model, trainer["save_name"], trainer["total_iter"])
        name, iteration = self.cfgs["evaluator_cfg"]["save_name"], self.cfgs["evaluator_cfg"]["restore_hint"]
        return self.folder / "output" / dataset / model / name / "results" / f"{name}-{iteration:0>5}.json"

    @property
    def mark(self) -> Path:
        """The file that says with which configuration it has run."""
        return self.folder / "done" / f"{Path(self.name).stem}.{self.phase}"

    @property
    def begun(self) -> Path:
        """The file that says with which configuration it was started."""
        return self.folder / "begun" / self.mark.name

    @property
    def log(self) -> Path:
        """The file with all that it printed."""
        return self.folder / "logs" / f"{self.mark.name}.log"

    def is_done(self) -> bool:
        """Whether it has run before, with the same configuration and what it depends on unchanged."""
        return self.outcome.is_file() and self._says(self.mark) and all(before.is_done() for before in self.after)

    def begin(self) -> bool:
        """Note that it runs from now on; whether this very stage was begun before, so that its training goes on."""
        again = self._says(self.begun)
        write_text(self.begun, self.digest + "\n")
        return again

    def finish(self) -> None:
        """Note that it has run.

        Raises:
            RunFailed: it has left nothing.
        """
        if not self.outcome.is_file():
            self.fail()
        write_text(self.mark, self.digest + "\n")

    def fail(self) -> NoReturn:
        """Raise what ended it: the last line of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.is_file() else []
        last = lines[-1].removeprefix("opengait-mimic: ") if lines else "it ended without a word"
        raise RunFailed(f"{self.title}: {last} (all of it: {self.log})")

    def _says(self, note: Path) -> bool:
        return note.is_file() and note.read_text().strip() == self.digest


def run_stages(
    planned: list[Stage],
    host: str | Path,
    device: str | None,
    processes: int,
    jobs: int,
    say: Callable[[str], None],
    resume: bool = True,
) -> list[Path]:
    """Run what is not done yet.

    Args:
        planned: all stages, each after what it needs.
        host: "embedded" or the path of a checkout.
        device: "cpu", "cuda", or None for what there is.
        processes: of each stage.
        jobs: stages at a time.
        say: prints a line.
        resume: whether what was done or begun before counts.

    Returns:
        The result files of all tests, also of those that were done before.

    Raises:
        ConfigError: a folder holds stages of another host.
        RunFailed: a stage ended with an error; its log tells.
    """
    for stage in planned:
        stage.folder.mkdir(parents=True, exist_ok=True)
        _belongs(stage.folder, host)
        write_text(stage.folder / stage.name, yaml_text(stage.cfgs))
        if not resume:
            stage.mark.unlink(missing_ok=True)
            stage.begun.unlink(missing_ok=True)
    waiting = [stage for stage in planned if not stage.is_done()]
    number, started = len(planned) - len(waiting), time.monotonic()
    if number:
        say(f"{number} of {len(planned)} stages were done before")
    threads = max(1, (os.cpu_count() or 1) // (jobs * processes))
    context, running = _context(), {}
    # Stages take minutes: the bar's clock goes on meanwhile. Its time left is that of the average pace so far.
    total = sum(stage.weight for stage in waiting)
    bar = progress.bar(total, "stages", "", smoothing=0, bar_format=BAR)
    try:
        while waiting or running:
            undone = {stage.mark for stage in (*waiting, *running.values())}
            ready = [s for s in waiting if not any(before.mark in undone for before in s.after)]
            for stage in ready[: jobs - len(running)]:
                waiting.remove(stage)
                process = context.Process(target=_work, args=(stage, host, device, processes, threads, stage.begin()))
                process.start()
                running[process] = stage
            bar.set_description_str(", ".join(stage.title for stage in running.values()))
            wait([process.sentinel for process in running], timeout=TICK)
            for process in [process for process in running if process.exitcode is not None]:
                stage = running.pop(process)
                if process.exitcode != 0:
                    stage.fail()
                stage.finish()
                number += 1
                bar.update(stage.weight)
                say(f"[{number}/{len(planned)}] {stage.title} ({clock(time.monotonic() - started)})")
    finally:
        bar.close()
        end(list(running))
    return [stage.outcome for stage in planned if stage.phase == "test"]


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _belongs(folder: Path, host: str | Path) -> None:
    """Note whose stages a folder holds, and refuse another host's."""
    note = folder / "host"
    before = note.read_text().strip() if note.is_file() else str(host)
    if before != str(host):
        raise ConfigError(f"--host: {folder} holds what ran on {before}; give another --out for {host}")
    write_text(note, f"{host}\n")


def _context() -> Any:
    """Starts processes from a server that has imported everything, instead of importing it all again in each."""
    if not hasattr(os, "fork"):
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "torch.utils.tensorboard", "torch._dynamo"])
    return context


def _work(stage: Stage, host: str | Path, device: str | None, processes: int, threads: int, again: bool) -> None:
    """One stage, in a process of its own: its working directory, its log, its threads."""
    os.setpgrp()  # Ctrl-C is for the command, which then ends this process and its group
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.chdir(stage.folder)
    stage.log.parent.mkdir(exist_ok=True)
    with stage.log.open("ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    cfgs = Path(stage.name).resolve()
    try:
        check(cfgs, host, stage.phase, processes)
        resume = again if stage.phase == "train" else None
        launch(Run(host, cfgs, stage.phase, device=device, resume=resume), processes)
    except (MimicError, RunFailed, OSError, FloatingPointError) as error:
        sys.exit(plain(error))
    except KeyboardInterrupt:
        sys.exit("interrupted")


def _end_with(command: Any) -> None:
    """End this process when the command is gone: killed, it could not do so itself."""
    wait([command.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
