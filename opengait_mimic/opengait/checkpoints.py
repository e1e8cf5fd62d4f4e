"""Read and write checkpoints of OpenGait's layout, and say plainly when one does not fit."""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from opengait_mimic.data.files import whole
from opengait_mimic.errors import CheckpointError


def checkpoint_path(dataset: str, model: str, save_name: str, iteration: int) -> Path:
    """Where the host keeps a run's checkpoint, relative to the working directory."""
    return Path("output", dataset, model, save_name, "checkpoints", f"{save_name}-{iteration:0>5}.pt")


def write_checkpoint(content: dict, path: Path, before: Callable[[str], None] | None = None) -> None:
    """Write a checkpoint; it appears whole, and on the disk, or not at all.

    Args:
        content: model, optimizer, scheduler and iteration. before: called with the file's SHA-256 before it appears.
    Raises:
        OSError: it could not be written; what was at `path` stands.
    """
    buffer = io.BytesIO()  # torch.save itself may end the process where a disk is full
    torch.save(content, buffer)
    with whole(path) as stream:
        stream.write(buffer.getbuffer())
        if before is not None:
            before(hashlib.sha256(buffer.getbuffer()).hexdigest())


def scheduler_state(scheduler: LRScheduler) -> dict:
    """A scheduler's state as `read_checkpoint` takes it back: what older versions of torch keep in it is made plain.

    Before torch 2.4 `weights_only` refuses MultiStepLR's Counter, before 2.2 OneCycleLR keeps a function, which it
    has again when it is built.
    """
    state = {name: value for name, value in scheduler.state_dict().items() if not callable(value)}
    return {name: dict(value) if isinstance(value, Counter) else value for name, value in state.items()}


def read_checkpoint(path: str | Path, what: str, device: torch.device | str = "cpu") -> dict:
    """A checkpoint as the host wrote it: `model` and, in most, optimizer, scheduler and iteration.

    Args:
        path: the file. what: whose checkpoint it is, for messages ("the teacher's"). device: where to put it.
    Raises:
        CheckpointError: there is no such file, or it is no checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{what} checkpoint is missing: {path}")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()  # torch checks no sums
            if damaged is not None:
                raise zipfile.BadZipFile(f"{damaged} is damaged")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "TypedStorage is deprecated")  # torch 2.1 says that of its own reading
            content = torch.load(path, map_location=device, weights_only=True)
    except (
        zipfile.BadZipFile, struct.error, RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError
    ) as error:  # fmt: skip
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(f"{what} checkpoint {path} cannot be read: {reason[0][:200]}") from None
    weights = content.get("model") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(v, torch.Tensor) for v in weights.values()):
        raise CheckpointError(f"{what} checkpoint {path} holds no 'model' weights")
    return content


def read_weights(path: str | Path, what: str) -> dict[str, torch.Tensor]:
    """The `model` state dict of a checkpoint, on the CPU; see `read_checkpoint`."""
    return read_checkpoint(path, f"the {what}'s")["model"]


def load_weights(network: nn.Module, weights: dict[str, torch.Tensor], what: str, path: str | Path) -> None:
    """Put `weights` into `network`, all of them or none.

    Raises:
        CheckpointError: they belong to another architecture; the message names the first differences.
    """
    own = network.state_dict()
    missing = [name for name in own if name not in weights]
    extra = [name for name in weights if name not in own]
    shapes = [
        f"{name} is {list(weights[name].shape)}, expected {list(own[name].shape)}"
        for name in own
        if name in weights and weights[name].shape != own[name].shape
    ]
    if missing or extra or shapes:
        parts = [f"{len(v)} {k} ({', '.join(v[:2])})" for k, v in
                 (("missing", missing), ("unknown", extra), ("of another shape", shapes)) if v]  # fmt: skip
        raise CheckpointError(
            f"{path} is not a checkpoint of this {what} ({type(network).__name__}): {'; '.join(parts)}"
        )
    network.load_state_dict(weights)
