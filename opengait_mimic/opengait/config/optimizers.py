"""Try the optimizer and the scheduler that a YAML names."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import torch
from pydantic import create_model
from torch.optim import lr_scheduler

from opengait_mimic.errors import ConfigError, nearest, one_line, shown
from opengait_mimic.opengait.config.keys import Flag, Number, Section, Weight, key, listed, read, whole

_KNOWN: dict[str, Any] = {
    "lr": Weight,
    "gamma": Weight,
    "milestones": Annotated[list[int], listed(whole(), shortest=0)],
}


def check_optimizer(optimizer_cfg: dict, scheduler_cfg: dict) -> None:
    """Try the optimizer and the scheduler on a network of one number.

    Raises:
        ConfigError: no such class in torch, or settings that it does not take.
    """
    solver = _torch_class(torch.optim, torch.optim.Optimizer, optimizer_cfg, "optimizer_cfg", "solver")
    schedule = _torch_class(lr_scheduler, lr_scheduler.LRScheduler, scheduler_cfg, "scheduler_cfg", "scheduler")
    options = _settings(solver, optimizer_cfg, "solver", "optimizer_cfg")
    steps = _settings(schedule, scheduler_cfg, "scheduler", "scheduler_cfg")
    one = torch.nn.Parameter(torch.zeros(2, 2))
    one.grad = torch.zeros(2, 2)
    with _trial(f"optimizer_cfg: {solver.__name__}"):
        optimizer = solver([one], **options)
        optimizer.step()
    with _trial(f"scheduler_cfg: {schedule.__name__}"):
        scheduler = schedule(optimizer, **steps)
        for _ in range(2):
            optimizer.step()
            scheduler.step()


def _torch_class(module: Any, base: type, settings: dict, where: str, key: str) -> Any:
    name = settings.get(key)
    found = getattr(module, name, None) if isinstance(name, str) else None
    if not (isinstance(found, type) and issubclass(found, base) and found is not base):
        known = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, base) and n[0] != "_"]
        raise ConfigError(f"{where}: {key}: torch has no {shown(name)}; {nearest(name, sorted(known))}")
    return found


def _settings(thing: type, settings: dict, name: str, where: str) -> dict:
    """The settings that a class takes; the host leaves the others aside, and says so, unless they look like a slip."""
    parameters = inspect.signature(thing).parameters.values()
    takes = {p.name: p.default for p in parameters if p.name not in ("self", "params", "optimizer")}
    types = {
        n: Flag if isinstance(d, bool) else Number if isinstance(d, (int, float)) else Any for n, d in takes.items()
    }
    fields = {n: (_KNOWN.get(n, kind), key(None, "")) for n, kind in types.items()}
    model: type[Section] = create_model(thing.__name__, __base__=Section, **fields)  # type: ignore[call-overload]
    given = {k: v for k, v in settings.items() if k != name}
    read(model, given, f"{where}: {thing.__name__}")
    return {k: v for k, v in given.items() if k in takes}


@contextmanager
def _trial(where: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ArithmeticError, AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(one_line(f"{where}: {error}")) from None
