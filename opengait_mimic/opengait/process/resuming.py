"""How an interrupted training goes on exactly: its checkpoints, what is kept beside each, and its random numbers.

All that is random in a step of training is drawn afresh from (seed, number of the batch, process): which clips make
the batch, which of their frames are taken, how they are augmented and occluded, what is dropped out. So no state of a
generator has to be kept, however many workers load ahead; the number of batches taken is enough.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from glob import escape
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from opengait_mimic.data.files import UNFINISHED, write_text
from opengait_mimic.errors import CheckpointError
from opengait_mimic.opengait.process.loading import WatchedLoader

FORMAT = 1
BATCH, LOAD, STEP = range(3)  # what is drawn: the batch, its frames, the rest of the step
# Samplers whose batches depend on random numbers only, not on the batches before.
DRAW_AFRESH = ("TripletSampler", "CommonSampler")
# What may change between a training and its continuation.
FREE_KEYS = ("total_iter", "save_iter", "log_iter", "with_test", "restore_hint", "restore_ckpt_strict",
             "optimizer_reset", "scheduler_reset", "save_name", "find_unused_parameters")  # fmt: skip


# Random numbers


def draw_from(*key: int) -> None:
    """Seed the global generators of python, numpy and torch (also CUDA's) from some whole numbers >= 0."""
    python, numpy, torch_ = np.random.SeedSequence(key).generate_state(3).tolist()
    random.seed(python)
    np.random.seed(numpy)
    torch.manual_seed(torch_)


class NumberedBatches:
    """A batch sampler's batches as (number, indices), each drawn from the seed and its number only.

    Attributes:
        first: the number of the first batch; earlier ones are not given.
    """

    def __init__(self, batches: Iterable[list[int]], seed: int):
        self.batches, self.seed, self.first = batches, seed, 0

    def __iter__(self) -> Iterator[tuple[int, list[int]]]:
        drawn = iter(self.batches)
        start = self.first if type(self.batches).__name__ in DRAW_AFRESH else 0
        for number in itertools.count(start):
            draw_from(self.seed, BATCH, number)
            batch = next(drawn, None)
            if batch is None:
                return
            if number >= self.first:
                yield number, batch


class SeededDataset:
    """A data set whose numbered batches are loaded with random numbers of their own, in whatever worker."""

    def __init__(self, dataset, seed: int, rank: int):
        self.dataset, self.seed, self.rank = dataset, seed, rank

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, numbered: tuple[int, list[int]]) -> list:
        number, indices = numbered
        draw_from(self.seed, LOAD, number, self.rank)
        return [self.dataset[index] for index in indices]


def numbered_loader(loader: DataLoader, seed: int, rank: int) -> DataLoader:
    """The same loader, its batches depending on (seed, number, rank) only, from number `batch_sampler.first` on."""
    dataset = SeededDataset(loader.dataset, seed, rank)
    batches = NumberedBatches(loader.batch_sampler, seed)  # type: ignore[arg-type]
    return WatchedLoader.like(loader, dataset, batches)


# What is kept beside a checkpoint


@dataclass(frozen=True)
class Beside:
    """What a checkpoint of OpenGait's layout lacks.

    Attributes:
        sha256: of the checkpoint. iteration: its number. batches: taken so far, also those of skipped steps.
        processes: of the training. scaler: state of the gradient scaler, {} without one.
        config: the configuration that decides the outcome, see `deciding_config`.
    """

    sha256: str
    iteration: int
    batches: int
    processes: int
    scaler: dict
    config: dict

    def difference_from(self, config: dict) -> str | None:
        """Where a `deciding_config` differs first; version 0.1.0 kept nothing of the files that it names."""
        own = config if "networks" in self.config else {k: v for k, v in config.items() if k != "networks"}
        return difference(self.config, own)


def beside_path(checkpoint: Path) -> Path:
    """Where what is kept beside a checkpoint is."""
    return checkpoint.with_suffix(".resume.json")


def write_beside(checkpoint: Path, beside: Beside) -> None:
    """Keep `beside` for a checkpoint, which is written after it."""
    write_text(beside_path(checkpoint), json.dumps({"format": FORMAT, **asdict(beside)}, indent=1) + "\n")


def read_beside(checkpoint: Path) -> Beside | None:
    """What is kept beside a checkpoint; None where there is nothing.

    Raises:
        CheckpointError: the file is something else.
    """
    path = beside_path(checkpoint)
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise ValueError
        beside = Beside(**content)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise CheckpointError(f"{path}: not what this version keeps beside a checkpoint") from None
    counts = (beside.iteration, beside.batches, beside.processes)
    tables = (beside.scaler, beside.config)
    if not all(type(n) is int and n >= 0 for n in counts) or not all(isinstance(t, dict) for t in tables):
        raise CheckpointError(f"{path}: not what this version keeps beside a checkpoint")
    return beside


def deciding_config(cfgs: dict, networks: dict | None = None) -> dict:
    """The part of a configuration that decides what a training ends with, its length aside, JSON-ready.

    Args:
        cfgs: the run's configuration.
        networks: what the files that it names say of the networks that were built, by name.
    """
    kept = {name: cfgs[name] for name in ("model_cfg", "loss_cfg", "optimizer_cfg", "scheduler_cfg")}
    kept["data_cfg"] = {k: cfgs["data_cfg"].get(k) for k in ("dataset_name", "data_in_use")}
    kept["trainer_cfg"] = {k: v for k, v in cfgs["trainer_cfg"].items() if k not in FREE_KEYS}
    kept["networks"] = networks or {}
    return json.loads(json.dumps(kept, default=str))


def difference(one: object, other: object, name: str = "") -> str | None:
    """Where two JSON contents differ first, such as "trainer_cfg: seed"; None where they are equal."""
    if one == other:
        return None
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys((*one, *other)):
            found = difference(one.get(key), other.get(key), f"{name}: {key}" if name else key)
            if found:
                return found
    return name


# Which checkpoints are a training's own


def begun_note(folder: Path, save_name: str) -> Path:
    """The file that is as old as the training; what is older in the folder is of an earlier one."""
    return folder / f"{save_name}.begun"


def begin(folder: Path, save_name: str) -> None:
    """Note that a training begins now."""
    write_text(begun_note(folder, save_name), "Checkpoints older than this file are of an earlier training.\n")


def own_checkpoints(folder: Path, save_name: str) -> list[int]:
    """Iterations of the checkpoints that the last training in a folder has left, the last one first."""
    note = begun_note(folder, save_name)
    since = note.stat().st_mtime_ns if note.is_file() else 0
    found = {}
    for path in folder.glob(f"{escape(save_name)}-*.pt"):
        number = path.stem.removeprefix(f"{save_name}-")
        if number.isdecimal() and int(number) and path.stat().st_mtime_ns >= since:
            found[int(number)] = path
    return sorted(found, reverse=True)


def remove_unfinished(folder: Path, save_name: str) -> None:
    """Remove what a killed training was writing."""
    for path in folder.glob(f"{escape(save_name)}-*{UNFINISHED}"):
        path.unlink(missing_ok=True)
