"""Devices, processes, configuration and conversions."""

from __future__ import annotations

import inspect
import logging
import os
import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch.nn.parallel import DistributedDataParallel

from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.opengait.config.reading import merge, read_yaml
from opengait_mimic.opengait.process.device import device
from opengait_mimic.opengait.process.distributed import gather
from opengait_mimic.opengait.process.distributed import rank as get_rank
from opengait_mimic.opengait.process.distributed import world_size as get_world_size

DEFAULTS = Path(__file__).resolve().parents[1] / "configs" / "default.yaml"
LOGGER = logging.getLogger("opengait_mimic.embedded")


class NoOp:
    """Stands for an object whose every method does nothing and returns None."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


class Odict(OrderedDict):
    """An ordered dict that collects."""

    def append(self, other: dict) -> None:
        """Add each value of `other` (the items of a list, or one value) to the list under its key."""
        for key, value in other.items():
            self.setdefault(key, []).extend(value if isinstance(value, list) else [value])


# Processes


def ddp_all_gather(features: torch.Tensor, requires_grad: bool = True) -> torch.Tensor:
    """Every process's `features`, equally shaped, concatenated in rank order; with `requires_grad` the own slice
    keeps its gradient."""
    return gather(features if requires_grad else features.detach())


class DDPPassthrough(DistributedDataParallel):
    """DDP that answers for the attributes of the module it wraps."""

    def __getattr__(self, name: str):
        own = super().__getattr__
        try:
            return own(name)
        except AttributeError:
            return getattr(own("module"), name)


def get_ddp_module(module: torch.nn.Module, find_unused_parameters: bool = False) -> torch.nn.Module:
    """`module` wrapped for several processes; itself where there is one, or nothing in it to train."""
    if get_world_size() == 1 or not any(p.requires_grad for p in module.parameters()):
        return module
    own = device()
    return DDPPassthrough(
        module,
        device_ids=[own.index] if own.type == "cuda" else None,
        find_unused_parameters=find_unused_parameters,
    )


def init_seeds(seed: int = 0) -> None:
    """Seed the global generators of python, numpy and torch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


# Configuration


def config_loader(path: str | os.PathLike) -> dict:
    """The YAML file at `path`, merged over the defaults: dicts merge key by key, anything else replaces.

    Raises:
        ConfigError: no such file, not YAML, or not a mapping of sections.
    """
    return merge(read_yaml(DEFAULTS), read_yaml(path))


def get_attr_from(sources: Sequence[ModuleType], name: str, kind: str = "name") -> Callable:
    """The class or function called `name` in the first of `sources` that has it.

    Raises:
        ConfigError: none has it; the message calls it by `kind` and gives the nearest known names.
    """
    for source in sources:
        found = getattr(source, str(name), None)
        if callable(found):
            return found
    public = {n: v for source in sources for n, v in vars(source).items() if not n.startswith("_")}
    known = sorted(n for n, v in public.items() if inspect.isfunction(v) or inspect.isclass(v))
    raise ConfigError(f"unknown {kind} {name!r}; {nearest(name, known)}")


def get_valid_args(obj: Callable, input_args: dict, free_keys: Iterable[str] = ()) -> dict:
    """Those of `input_args` that the function or class `obj` takes.

    The others are logged as unused, except `free_keys`, which are expected not to fit.
    """
    parameters = inspect.signature(obj).parameters.values()
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    chosen = {}
    for key, value in input_args.items():
        if key in names or (takes_all and key not in free_keys):
            chosen[key] = value
        elif key not in free_keys and get_rank() == 0:
            LOGGER.warning("%s takes no %r; it is ignored", getattr(obj, "__name__", obj), key)
    return chosen


# Conversions


def ts2np(x: torch.Tensor) -> np.ndarray:
    """A tensor as a numpy array (bfloat16, which numpy lacks, as float32)."""
    x = x.detach().cpu()
    return (x.float() if x.dtype is torch.bfloat16 else x).numpy()


def np2var(x: np.ndarray, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A numpy array as a tensor on this process's device."""
    return torch.from_numpy(np.ascontiguousarray(x)).to(device(), dtype=dtype)


def list2var(x: list, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A list of numbers or of equally shaped arrays as a tensor on this process's device."""
    return np2var(np.asarray(x), dtype=dtype)


def params_count(net: torch.nn.Module) -> str:
    """How many parameters a network has, as text."""
    return f"{sum(p.numel() for p in net.parameters()) / 1e6:.3f} M parameters"
