"""Every change made to a host while it runs: its files stay as they are.

`PATCHES` lists them with their reasons, `apply` makes those that a use of a host needs.
"""

from __future__ import annotations

import copy
import functools
import importlib
import importlib.util
import logging
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Flag, auto
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from tqdm import tqdm

from opengait_mimic.data.progress import Verbosity
from opengait_mimic.data.read import read_sequence
from opengait_mimic.errors import CheckpointError, one_line
from opengait_mimic.opengait.config.inputs import OTHER_INPUTS
from opengait_mimic.opengait.config.networks import training_seed
from opengait_mimic.opengait.description import describe_beside
from opengait_mimic.opengait.host import EMBEDDED
from opengait_mimic.opengait.process.batch_norm import over_processes
from opengait_mimic.opengait.process.cpu import CudaOnCpu
from opengait_mimic.opengait.process.device import device
from opengait_mimic.opengait.process.distributed import rank, world_size


class By(Flag):
    """Who uses a host."""

    ITSELF = auto()  # its own main program, our classes registered in it
    MODEL = auto()  # one of our models, whoever builds it
    ACTIVATION = auto()  # `activate`, in a program of the user's
    RUN = auto()  # our launcher


EVERYBODY = By.ITSELF | By.ACTIVATION | By.RUN


@dataclass(frozen=True)
class Use:
    """What a host is used for.

    Attributes:
        host: "embedded", the path of a checkout, or None for whichever can be imported.
        by: who uses it.
        cfgs: a run's configuration, merged onto the host's defaults.
        verbosity: how much a run prints.
    """

    host: str | Path | None
    by: By
    cfgs: dict = field(default_factory=dict)
    verbosity: Verbosity = field(default_factory=Verbosity)


class Patch(NamedTuple):
    """One change.

    Attributes:
        name: what is changed.
        reason: why a host needs it.
        by: whose uses of a host need it.
        embedded: whether the embedded host needs it too.
        make: the function that makes it.
    """

    name: str
    reason: str
    by: By
    embedded: bool
    make: Callable[[Use], None]


_made: set[str] = set()
_kept_alive: list[Any] = []


def apply(use: Use) -> None:
    """Make the changes that a use needs: a run's own for each run, the others once in a process."""
    for patch in PATCHES:
        if not patch.by & use.by or (use.host == EMBEDDED and not patch.embedded):
            continue
        if patch.by == By.RUN or patch.name not in _made:
            patch.make(use)
            _made.add(patch.name)


def _host(name: str) -> Any:
    """A module of the host, which has to be chosen before it can be imported."""
    return importlib.import_module(name)


# A checkout without CUDA


def _on_the_cpu(_: Use) -> None:
    if device().type != "cpu":
        return
    mode = CudaOnCpu()
    mode.__enter__()
    _kept_alive.append(mode)
    torch.cuda.set_device = lambda *_: None
    torch.cuda.current_device = lambda: 0
    torch.cuda.device_count = world_size
    join, load, wrap = dist.init_process_group, torch.load, torch.nn.parallel.DistributedDataParallel.__init__

    def without(kwargs: dict, *names: str) -> dict:
        return {name: value for name, value in kwargs.items() if name not in names}

    def wrap_without_devices(self, module, *_, **kwargs):
        wrap(self, module, **without(kwargs, "device_ids", "output_device"))

    dist.init_process_group = lambda *_, **kwargs: join("gloo", **without(kwargs, "backend"))
    torch.load = lambda f, *_, **kwargs: load(f, **{**kwargs, "map_location": "cpu"})
    torch.nn.parallel.DistributedDataParallel.__init__ = wrap_without_devices  # type: ignore[method-assign]
    torch.nn.SyncBatchNorm.convert_sync_batchnorm = (  # type: ignore[method-assign]
        lambda module, *_, **__: over_processes(module) if world_size() > 1 else module
    )


def _torchvision_operators(_: Use) -> None:
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept_alive.append(library)
        importlib.import_module("torchvision")


# What a checkout reads


def _weights_only(_: Use) -> None:
    load = torch.load

    @functools.wraps(load)
    def load_weights(f, *arguments, **options):
        options.pop("pickle_module", None)
        try:
            return load(f, *arguments, **{**options, "weights_only": True})
        except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
            name = f if isinstance(f, (str, os.PathLike)) else "a checkpoint"
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise CheckpointError(one_line(f"{name} cannot be read as weights: {reason[0]}", 400)) from None

    torch.load = load_weights


def _arrays_only(use: Use) -> None:
    def load(dataset, paths: list[str]) -> list:
        positions = getattr(dataset, "data_in_use", None)
        named = positions and not all(isinstance(use, bool) for use in positions)
        in_order = list(paths) if named else sorted(paths)  # a list of positions says the order itself
        first = dataset.seqs_info[0][-1]
        return read_sequence(in_order, like=first[0] if named else min(first))

    # Point clouds, say, are not arrays of which the first stream looks alike in the whole data set.
    if use.by is not By.RUN or use.cfgs["model_cfg"]["model"] not in OTHER_INPUTS:
        _host("data.dataset").DataSet.__loader__ = load


# A host's classes


def _no_grad_again(_: Use) -> None:
    for thing in list(vars(_host("modeling.models")).values()):
        if isinstance(thing, type) and issubclass(thing, torch.no_grad) and "__init__" in vars(thing):
            thing.__new__ = lambda cls, *_, **__: object.__new__(cls)  # type: ignore[method-assign]


def _described_checkpoints(_: Use) -> None:
    base_model = _host("modeling.base_model").BaseModel
    save = base_model.save_ckpt

    @functools.wraps(save)
    def save_ckpt(self, iteration: int) -> None:
        save(self, iteration)
        if rank() == 0:
            name = f"{self.engine_cfg['save_name']}-{iteration:0>5}.pt"
            describe_beside(Path(self.save_path, "checkpoints", name), self)

    base_model.save_ckpt = save_ckpt


def _local_gpu(_: Use) -> None:
    if device().type == "cuda":
        own = property(lambda _: device().index, lambda *_: None)  # the host sets its rank
        _host("modeling.base_model").BaseModel.device = own


# A host's main program


def _group_already_joined(_: Use) -> None:
    dist.init_process_group = lambda *_, **__: None


def _checked_configuration(use: Use) -> None:
    _host("utils").config_loader = lambda _: copy.deepcopy(use.cfgs)


def _any_number_of_gpus(_: Use) -> None:
    utils = _host("utils")
    count, join, read = torch.cuda.device_count, dist.init_process_group, utils.config_loader

    def joined(*args, **kwargs) -> None:
        join(*args, **kwargs)
        torch.cuda.device_count = world_size  # for the comparison that follows at once

    def loaded(path) -> dict:
        torch.cuda.device_count = count
        return read(path)

    dist.init_process_group, utils.config_loader = joined, loaded


def _seeds_of_the_repetition(use: Use) -> None:
    utils = _host("utils")
    init, repetition = utils.init_seeds, training_seed(use.cfgs)
    if repetition:
        utils.init_seeds = lambda seed=0, *args, **kwargs: init(seed + world_size() * repetition, *args, **kwargs)


def _verbosity(use: Use) -> None:
    quiet, base_model = use.verbosity.quiet, _host("modeling.base_model")
    if hasattr(base_model, "tqdm"):  # OpenGait's
        base_model.tqdm = functools.partial(tqdm, disable=True if quiet else None)
    if rank() != 0 or not quiet:
        return
    manager = _host("utils").get_msg_mgr()
    start = manager.init_logger

    def init_logger(*arguments, **options):
        start(*arguments, **options)
        for logger in map(logging.getLogger, ("opengait", "opengait_mimic.embedded")):
            for handler in logger.handlers:
                if not isinstance(handler, logging.FileHandler):
                    handler.setLevel(logging.WARNING)

    manager.init_logger = init_logger


# In the order in which they are made: what a host's modules need to be imported comes first.
PATCHES = (
    Patch("CUDA on the CPU", "OpenGait names CUDA devices, NCCL and SyncBatchNorm throughout",
          By.ACTIVATION | By.RUN, False, _on_the_cpu),
    Patch("torchvision's operators", "a torchvision built for another torch does not import without them",
          By.ACTIVATION | By.RUN, False, _torchvision_operators),
    Patch("weights only", "a pickled checkpoint can run any program; OpenGait unpickles all of it",
          By.MODEL | By.RUN, False, _weights_only),
    Patch("arrays only", "so can a pickled silhouette",
          By.MODEL | By.RUN, False, _arrays_only),
    Patch("no_grad(enable)", "since torch 2.1 torch.no_grad takes an argument for a function to decorate (GaitSSB)",
          EVERYBODY, False, _no_grad_again),
    Patch("described checkpoints", "inference needs to know a network's architecture, which no checkpoint holds",
          EVERYBODY, True, _described_checkpoints),
    Patch("local GPU", "OpenGait takes a process's rank for its GPU's number, which fails on a second machine",
          By.RUN, False, _local_gpu),
    Patch("group already joined", "the pre-flight check needs the group before the main program joins it",
          By.RUN, False, _group_already_joined),
    Patch("checked configuration", "OpenGait looks for configs/default.yaml in the working directory",
          By.RUN, False, _checked_configuration),
    Patch("any number of GPUs", "OpenGait refuses to run on a part of a machine, or on several",
          By.RUN, False, _any_number_of_gpus),
    Patch("seeds of the repetition", "a host's seed is the process's rank, so a repetition would be the same run",
          By.RUN, True, _seeds_of_the_repetition),
    Patch("verbosity", "--quiet and --json hold for the host's log and progress bars too",
          By.RUN, True, _verbosity),
)  # fmt: skip
