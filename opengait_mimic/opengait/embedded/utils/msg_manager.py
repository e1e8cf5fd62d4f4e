"""What a run tells: log lines on the screen and in a file, scalars and pictures in TensorBoard."""

from __future__ import annotations

import logging
import os
import sys
import time
from datetime import datetime
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from .common import LOGGER, NoOp, Odict, get_rank

MAX_PICTURES = 16


class _ScreenHandler(logging.Handler):
    """Writes to standard output without tearing a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stdout)


def _pictures(images: torch.Tensor) -> torch.Tensor:
    """The first frames, stretched to the range 0 to 1: [n, h, w] or [n, c, h, w] -> [≤ MAX_PICTURES, c, h, w]."""
    images = images.detach()[:MAX_PICTURES].float().cpu()
    images = images[:, None] if images.ndim == 3 else images
    low, high = images.min(), images.max()
    return (images - low) / (high - low).clamp(min=1e-8)


def _number(value: object) -> float:
    return float(torch.as_tensor(value).float().mean())


class MessageManager:
    """Logs a run and writes its TensorBoard summaries; the manager of rank 0 comes from `get_msg_mgr`."""

    def __init__(self):
        self.info = Odict()
        self.iteration = 0
        self.log_iter = 0
        self.writer: SummaryWriter | None = None
        self.last_time = time.monotonic()

    def init_manager(self, save_path: str | os.PathLike, log_to_file: bool, log_iter: int, iteration: int = 0) -> None:
        """Begin a training run under `save_path`, counting from `iteration`."""
        self.init_logger(save_path, log_to_file=log_to_file)
        self.info = Odict()
        self.iteration = iteration
        self.log_iter = log_iter
        self.writer = SummaryWriter(str(Path(save_path) / "summary"), purge_step=iteration)
        self.last_time = time.monotonic()

    def init_logger(self, save_path: str | os.PathLike, log_to_file: bool) -> None:
        """Log to the screen and, where asked, to a new file under `save_path`/logs."""
        self.close()
        LOGGER.setLevel(logging.INFO)
        LOGGER.propagate = False
        handlers: list[logging.Handler] = [_ScreenHandler()]
        if log_to_file:
            folder = Path(save_path) / "logs"
            folder.mkdir(parents=True, exist_ok=True)
            name = datetime.now().strftime("%Y-%m-%d-%H-%M-%S-%f")
            handlers.append(logging.FileHandler(folder / f"{name}.txt", encoding="utf-8"))
        for handler in handlers:
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
            LOGGER.addHandler(handler)

    def close(self) -> None:
        """End a run: close its files. Does nothing when none is open."""
        for handler in list(LOGGER.handlers):
            LOGGER.removeHandler(handler)
            handler.close()
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def log_info(self, *parts: object) -> None:
        LOGGER.info(" ".join(map(str, parts)))

    def log_warning(self, *parts: object) -> None:
        LOGGER.warning(" ".join(map(str, parts)))

    def log_debug(self, *parts: object) -> None:
        LOGGER.debug(" ".join(map(str, parts)))

    def write_to_tensorboard(self, summary: dict) -> None:
        """Write 'scalar/…' and 'image/…' entries at the current iteration; without a writer, do nothing.

        Raises:
            ValueError: a key of another kind.
        """
        if self.writer is None:
            return
        for key, value in summary.items():
            kind, _, name = key.partition("/")
            if kind == "scalar":
                self.writer.add_scalar(name, _number(value), self.iteration)
            elif kind == "image":
                self.writer.add_images(name, _pictures(value), self.iteration)
            else:
                raise ValueError(f"summary entry {key!r} must begin with scalar/ or image/")

    def train_step(self, info: dict, summary: dict) -> None:
        """Count an iteration; every `log_iter` of them, log the means since the last line and write to TensorBoard."""
        self.iteration += 1
        self.info.append({k: v.detach() if isinstance(v, torch.Tensor) else v for k, v in info.items()})
        if self.iteration % self.log_iter:
            return
        means = {k: sum(_number(v) for v in values) / len(values) for k, values in self.info.items()}
        seconds = time.monotonic() - self.last_time
        scalars = (f"{key.removeprefix('scalar/')} {mean:.4f}" for key, mean in means.items())
        self.log_info(" | ".join([f"iteration {self.iteration}", f"{seconds:.1f} s", *scalars]))
        self.write_to_tensorboard({**summary, **means})
        self.info.clear()
        if self.writer is not None:
            self.writer.flush()
        self.last_time = time.monotonic()


_MANAGER = MessageManager()
_SILENT = NoOp()


def get_msg_mgr() -> MessageManager | NoOp:
    """The message manager on rank 0; on the other ranks an object that does nothing."""
    return _MANAGER if get_rank() == 0 else _SILENT
