"""Every run that the paper's tables take, in order, on one's own data: what is done stays done."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from opengait_mimic.apps.experiments.recipes import (
    DATASETS,
    METHODS,
    NEW_TYPES,
    file_name,
    needs,
    recipe,
    rows,
    small,
    yaml_text,
)
from opengait_mimic.apps.experiments.recipes.methods import Run
from opengait_mimic.data import progress
from opengait_mimic.data.files import write_text
from opengait_mimic.data.partition import dataset_of, read_partition
from opengait_mimic.errors import ConfigError, DataError, RunFailed, nearest
from opengait_mimic.opengait.checkpoints import checkpoint_path
from opengait_mimic.opengait.config.check import check_data

WALKERS: dict[str, Any] = {
    "train_subjects": 150,
    "test_subjects": 100,
    "sequences": 8,
    "frames": 20,
    "test_frames": 8,
    "width": 44,
}
BAR = "{percentage:3.0f}%|{bar:20}| {elapsed}, {remaining} left: {desc}"
TICK = 1.0  # seconds between two looks at the clock


@dataclass(frozen=True)
class Data:
    """A data set in OpenGait's layout.

    Attributes:
        root, partition: its folder and JSON file.
        dataset_name: whose recipes and protocol it takes.
        identities: how many it trains on.
        types: gallery and probe types of its own, for evaluator_cfg.
    """

    root: Path
    partition: Path
    dataset_name: str
    identities: int
    types: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Stage:
    """One training or test.

    Attributes:
        title: for people. folder: where it runs. cfgs: its configuration. name: its YAML's name.
        phase: "train" or "test". after: stages that must be done before. weight: its share of the time, roughly.
        method: a key of METHODS.
    """

    title: str
    folder: Path
    cfgs: dict
    name: str
    phase: str
    after: list[Stage] = field(default_factory=list)
    weight: float = 1.0
    method: str = ""

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
            path = checkpoint_path(dataset, model, trainer["save_name"], trainer["total_iter"])
            return self.folder / path
        evaluator = self.cfgs["evaluator_cfg"]
        name = evaluator["save_name"]
        results = self.folder / "output" / dataset / model / name / "results"
        return results / f"{name}-{evaluator['restore_hint']:0>5}.json"

    @property
    def mark(self) -> Path:
        """The file that says with which configuration it has run."""
        return self.folder / "done" / f"{Path(self.name).stem}.{self.phase}"

    @property
    def begun(self) -> Path:
        """The file that says with which configuration it was started, and since when."""
        return self.folder / "begun" / self.mark.name

    def is_done(self) -> bool:
        """Whether it has run before, with the same configuration and what it depends on unchanged."""
        return self.outcome.is_file() and self._says(self.mark) and all(before.is_done() for before in self.after)

    def begin(self) -> None:
        """Note that it runs from now on; a training that goes on keeps its note."""
        if not self._says(self.begun):
            write_text(self.begun, self.digest + "\n")

    def reached(self) -> int:
        """The iteration of the last checkpoint that an interruption left of this very training; 0 without one."""
        if self.phase == "test" or not self._says(self.begun):
            return 0
        trainer, since = self.cfgs["trainer_cfg"], self.begun.stat().st_mtime
        found = self.outcome.parent.glob(f"{trainer['save_name']}-*.pt")
        saved = [int(path.stem.rpartition("-")[2]) for path in found if path.stat().st_mtime >= since]
        return max((iteration for iteration in saved if iteration < trainer["total_iter"]), default=0)

    def _says(self, note: Path) -> bool:
        return note.is_file() and note.read_text().strip() == self.digest


def plan(
    folder: Path,
    data: Data,
    backbones: Iterable[str],
    runs: list[Run],
    seed: int = 0,
    scale: str = "full",
    severity: tuple[float, ...] = (),
) -> list[Stage]:
    """The trainings and tests of some runs, in an order in which they can run.

    Args:
        folder: where they run. data: of all of them. backbones: keys of BACKBONES.
        runs: methods and the kinds they learn, each after what it needs, as `recipes.stages` gives them.
        seed: which repetition it is. scale: one of `recipes.small`'s, or "full".
        severity: occluded fractions at which the methods of Table 1 are tested too.
    Raises:
        ConfigError: the data set has no recipe for a backbone.
    """
    folder, dataset = folder.resolve(), data.dataset_name
    data_cfg = {"dataset_root": str(data.root), "dataset_partition": str(data.partition), "data_in_use": None}
    adapts = any(kinds in NEW_TYPES for _, kinds in runs)  # then Table 2 is asked for, and its zero-shot half too
    planned: dict[Path, Stage] = {}
    for backbone in backbones:
        if backbone not in DATASETS[dataset].teachers:
            known = DATASETS[dataset].teachers
            raise ConfigError(f"--backbone: no recipe for {backbone} on {dataset}; {nearest(backbone, known)}")
        trainings: dict[Run, Stage] = {}
        for method, kinds in runs:
            cfgs = recipe(dataset, backbone, method, kinds, folder="", data=data_cfg, identities=data.identities,
                          zero_shot=adapts)  # fmt: skip
            if not METHODS[method].tasks:
                cfgs["evaluator_cfg"].update(data.types)
            if severity and (method, kinds) in rows(1):
                cfgs["evaluator_cfg"]["occluded"]["severity"] = list(severity)
            if scale != "full":
                cfgs = small(cfgs, scale)
            if seed:
                cfgs["trainer_cfg"]["seed"] = seed
            about = f"{backbone}, {METHODS[method].title}{'' if kinds == 'standard' else f' with {kinds}'}"
            name = file_name(dataset, backbone, method, kinds)
            before = [trainings[run] for run in needs(method, kinds)]
            if METHODS[method].trained:
                weight = {"teacher": 7.0}.get(method, 1.5 if METHODS[method].tasks else 5.0)
                training = Stage(f"{about}: train", folder, cfgs, name, "train", before, weight, method)
                trainings[method, kinds] = planned.setdefault(training.mark, training)
                before = [*before, trainings[method, kinds]]
            if method != "teacher":  # its accuracy is every other test's HP
                test = Stage(f"{about}: test", folder, cfgs, name, "test", before, 1.0, method)
                planned.setdefault(test.mark, test)
    return list(planned.values())


def run(
    planned: list[Stage],
    host: str | Path,
    device: str | None,
    processes: int,
    jobs: int,
    say: Callable[[str], None],
    resume: bool = True,
) -> list[Path]:
    """Run what is not done yet, up to `jobs` stages at a time, each in `processes` processes of its own.

    Without `resume`, nothing that was done or begun before counts.

    Returns:
        The result files of all tests, also of those that were done before.
    Raises:
        ConfigError: a folder holds stages of another host.
        RunFailed: a stage ended with an error; its log tells.
    """
    from opengait_mimic.opengait.run.launch import end

    for stage in planned:
        stage.folder.mkdir(parents=True, exist_ok=True)
        _belongs(stage.folder, host)
        write_text(stage.folder / stage.name, yaml_text(stage.cfgs))
        if not resume:
            stage.mark.unlink(missing_ok=True)
            stage.begun.unlink(missing_ok=True)
    waiting = [stage for stage in planned if not stage.is_done()]
    if len(waiting) < len(planned):
        say(f"{len(planned) - len(waiting)} of {len(planned)} stages were done before")
    total, started, spent = sum(stage.weight for stage in waiting), time.monotonic(), 0.0
    # Stages take minutes: the bar's clock goes on meanwhile. Its time left is that of the average pace so far.
    bar = progress.bar(total, "stages", "", smoothing=0, bar_format=BAR)  # type: ignore[arg-type]
    threads = max(1, (os.cpu_count() or 1) // (jobs * processes))
    # A server that has imported everything forks each stage, instead of importing it all again.
    context: Any = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
    if hasattr(os, "fork"):
        context.set_forkserver_preload(["opengait_mimic.cli", "opengait_mimic.opengait.run.launch",
                                        "torch.utils.tensorboard", "torch._dynamo"])  # fmt: skip
    running: dict = {}
    number = len(planned) - len(waiting)
    try:
        while waiting or running:
            undone = {stage.mark for stage in (*waiting, *running.values())}
            ready = [s for s in waiting if not any(before.mark in undone for before in s.after)]
            for stage in ready[: jobs - len(running)]:
                waiting.remove(stage)
                stage.begin()
                process = context.Process(target=_work, args=(stage, host, device, processes, threads))
                process.start()
                running[process] = stage
            ended = [process for process in running if process.exitcode is not None]
            if not ended:
                bar.set_description_str(", ".join(stage.title for stage in running.values()))
                wait([process.sentinel for process in running], timeout=TICK)
                for process in running:
                    process.join(0)
                continue
            for process in ended:
                stage = running.pop(process)
                number += 1
                if process.exitcode != 0 or not stage.outcome.is_file():
                    raise RunFailed(f"{stage.title}: {_last_line(_log(stage))} (all of it: {_log(stage)})")
                write_text(stage.mark, stage.digest + "\n")
                spent += stage.weight
                bar.update(stage.weight)
                seconds = time.monotonic() - started
                # Early on, what is still running would make the estimate far too long.
                rest = seconds / spent * (total - spent)
                left = f", about {clock(rest)} left" if 0.2 * total < spent < total else ""
                say(f"[{number}/{len(planned)}] {stage.title} ({clock(seconds)}{left})")
    finally:
        bar.close()
        end(list(running))
    return [stage.outcome for stage in planned if stage.phase == "test"]


def _belongs(folder: Path, host: str | Path) -> None:
    """Note whose stages a folder holds, and refuse another host's."""
    note = folder / "host"
    before = note.read_text().strip() if note.is_file() else str(host)
    if before != str(host):
        raise ConfigError(f"--host: {folder} holds what ran on {before}; give another --out for {host}")
    write_text(note, f"{host}\n")


def _log(stage: Stage) -> Path:
    return stage.folder / "logs" / f"{Path(stage.name).stem}.{stage.phase}.log"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
    return lines[-1].removeprefix("opengait-mimic: ") if lines else "it ended without a word"


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _work(stage: Stage, host: str | Path, device: str | None, processes: int, threads: int) -> None:
    """One stage, in a process of its own: its working directory, its log, its threads."""
    from opengait_mimic.cli import main

    os.setpgrp()  # Ctrl-C is for the command, which then ends this process and its group
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    os.chdir(stage.folder)
    _log(stage).parent.mkdir(exist_ok=True)
    with open(_log(stage), "ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    torch.set_num_threads(threads)
    arguments = [stage.phase, "--cfgs", stage.name, "--host", str(host), "--nproc", str(processes)]
    if device is not None:
        arguments += ["--device", device]
    if stage.phase == "train":
        arguments.append("--resume" if stage.reached() else "--no-resume")
    main(arguments)


def _end_with(command) -> None:
    """End this process when the command is gone: killed, it could not do so itself."""
    wait([command.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def walkers(folder: Path) -> Data:
    """Where generated walkers at the scale of a demo are, or will be."""
    root, partition = (folder / name for name in ("walkers", "walkers.json"))
    return Data(root.resolve(), partition.resolve(), "GREW", WALKERS["train_subjects"])


def make_walkers(data: Data, seed: int, title: str = "walkers") -> None:
    """Generate them for one seed; those already there are taken again."""
    from opengait_mimic.data import generate_walkers

    with progress.counted(title, "person") as show:
        generate_walkers(data.root, data.partition, **WALKERS, seed=seed, progress=show)


def own_data(root: Path, partition: Path, gallery: str | None = None, probe: str | None = None) -> Data:
    """A data set of one's own.

    Args:
        root, partition: in OpenGait's layout. gallery, probe: walking types, separated by commas; None takes the
            protocol of the data set whose types these are.
    Raises:
        DataError: no silhouettes, one subject to learn from, or types that tell nothing.
    """
    for part in ("TRAIN_SET", "TEST_SET"):
        check_data({"dataset_root": str(root), "dataset_partition": str(partition)}, part)
    if gallery is None or probe is None:
        dataset, types = dataset_of(root, partition), {}
    else:
        dataset, types = "GREW", {"gallery": gallery.split(","), "probe": probe.split(",")}
    present = {path.name for path in root.iterdir()}
    identities = sum(subject in present for subject in read_partition(partition, "TRAIN_SET"))
    if identities < 2:
        raise DataError(f"{partition}: TRAIN_SET: silhouettes of one subject; telling people apart takes two at least")
    return Data(root.resolve(), partition.resolve(), dataset, identities, types)
