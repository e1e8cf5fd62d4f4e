"""A host's model whose training can be killed at any moment and go on as if nothing had happened."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from opengait_mimic.data import progress
from opengait_mimic.errors import CheckpointError, RunFailed
from opengait_mimic.evaluation.results import fingerprint
from opengait_mimic.opengait import host as hosts
from opengait_mimic.opengait.checkpoints import read_checkpoint, scheduler_state, write_checkpoint
from opengait_mimic.opengait.config.networks import training_seed
from opengait_mimic.opengait.description import describe_beside
from opengait_mimic.opengait.models.host_types import Host
from opengait_mimic.opengait.models.tensorboard import Speed
from opengait_mimic.opengait.process.distributed import rank, world_size
from opengait_mimic.opengait.process.resuming import (
    STEP,
    Beside,
    begin,
    deciding_config,
    draw_from,
    numbered_loader,
    own_checkpoints,
    read_beside,
    remove_unfinished,
    write_beside,
)


class Resumable(Host):
    """A mixin for a host's BaseModel.

    A step of training depends on the seed, the process and the number of its batch only (see `resuming`). Checkpoints
    have the host's layout; what they lack is kept in a file beside each.

    Attributes:
        own_checkpoints: iterations to go on from, the first that is good; () where the configuration's restore_hint
            says it.
        batches: how many batches training has taken.
    """

    own_checkpoints: tuple[int, ...] = ()
    batches = 0
    bar: tqdm | None = None  # of a training in OpenGait, which shows none itself

    def __init__(self, cfgs: dict, training: bool):
        self.losses_seen: dict = {}
        self.speed = Speed()
        super().__init__(cfgs, training)
        if training:
            self.loss_aggregator.register_forward_hook(self._see_losses)

    @property
    def original_cfgs(self) -> dict:
        """The run's configuration, before the model changes it."""
        return self.cfgs

    def networks_from_files(self) -> dict:
        """What other files than the run's own YAML say of the networks that were built, by name."""
        return {}

    # A step

    def get_loader(self, data_cfg: dict, train: bool = True) -> DataLoader:
        """The host's loader; in training its batches are numbered, and drawn from their numbers."""
        loader = super().get_loader(data_cfg, train)
        return numbered_loader(loader, training_seed(self.cfgs), rank()) if train else loader

    def begin_step(self, clips: int) -> None:
        """In training, let all random numbers of the step be drawn from its batch's number."""
        if self.training:
            draw_from(training_seed(self.cfgs), STEP, self.batches, rank())
            self.batches += 1
            self.speed.take(clips)

    def inputs_pretreament(self, batch: list) -> tuple:
        """The host's pretreatment (its name), which begins a step."""
        self.begin_step(len(batch[1]))
        return super().inputs_pretreament(batch)

    @property
    def logs_now(self) -> bool:
        """Whether the host logs this step of a training."""
        return (self.iteration + 1) % self.engine_cfg["log_iter"] == 0

    def train(self, mode: bool = True):
        """The module's; a test on the way does not count as time of the training."""
        self.speed = Speed()
        return super().train(mode)

    def _see_losses(self, _aggregator, _inputs, outputs) -> None:
        self.losses_seen = outputs[1]
        if self.logs_now:
            outputs[1].update(self.speed.scalars("throughput"))
            self.speed.restart()

    def train_step(self, loss_sum):
        """The host's step of the optimizer.

        Raises:
            FloatingPointError: the loss is infinite or not a number; the step is not taken.
        """
        losses, self.losses_seen = self.losses_seen, {}
        total = torch.as_tensor(loss_sum).detach().item()
        if not math.isfinite(total):
            bad = [k.removeprefix("scalar/") for k, v in losses.items() if not torch.as_tensor(v).isfinite().all()]
            named = f" ({', '.join(bad)})" if bad else ""
            raise FloatingPointError(
                f"the loss is {total}{named} at iteration {self.iteration + 1}: the training stops before this step; "
                f"{self._what_stands()}"
            )
        taken = super().train_step(loss_sum)
        if taken and self.bar is not None:
            self.bar.update()
        return taken

    def _what_stands(self) -> str:
        saved = [i for i in own_checkpoints(self._folder, self.engine_cfg["save_name"]) if i <= self.iteration]
        return f"the last checkpoint stands: {self._own_path(saved[0])}" if saved else "there is no checkpoint yet"

    # Checkpoints

    @property
    def _folder(self) -> Path:
        return Path(self.save_path, "checkpoints")

    def _own_path(self, iteration: int) -> Path:
        return self._folder / f"{self.engine_cfg['save_name']}-{iteration:0>5}.pt"

    def save_ckpt(self, iteration):
        """Write a checkpoint of the host's layout, on the first process; it appears whole or not at all.

        Raises:
            FloatingPointError: a weight is infinite or not a number; nothing is written.
        """
        if rank() != 0:
            return
        weights = self.state_dict()
        bad = [name for name, value in weights.items() if value.is_floating_point() and not value.isfinite().all()]
        if bad:
            raise FloatingPointError(
                f"{bad[0]} is no longer finite after iteration {iteration}: nothing is saved; {self._what_stands()}"
            )
        content = {
            "model": weights,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": scheduler_state(self.scheduler),
            "iteration": iteration,
        }
        scaler = self._scaler()
        state = scaler.state_dict() if scaler is not None else {}
        config = deciding_config(self.original_cfgs, self.networks_from_files())
        path = self._own_path(iteration)
        # The checkpoint comes last: with it, all that belongs to it is there.
        describe_beside(path, self)
        write_checkpoint(
            content,
            path,
            lambda sha256: write_beside(path, Beside(sha256, iteration, self.batches, world_size(), state, config)),
        )

    def _scaler(self):
        """The gradient scaler: OpenGait has one with half precision only, and writes it with a capital."""
        return getattr(self, "Scaler", None) or getattr(self, "scaler", None)

    def resume_ckpt(self, restore_hint: int | str) -> None:
        """Go on from the own checkpoints' first good one; without own ones, from `restore_hint`, as the host does.

        Raises:
            CheckpointError: restore_hint's checkpoint is missing, torn or of another network.
        """
        if not self.own_checkpoints:
            self._restore(restore_hint)
            return
        for iteration in self.own_checkpoints:
            try:
                self._go_on_from(iteration)
            except CheckpointError as error:
                self.msg_mgr.log_warning(f"{error}; it is left aside, and the one before it taken")
            else:
                self.msg_mgr.iteration = self.iteration
                return
        self.msg_mgr.log_warning("there is no checkpoint to go on from: the training starts anew")
        self.msg_mgr.iteration = 0
        self.own_checkpoints = ()

    def _go_on_from(self, iteration: int) -> None:
        path = self._own_path(iteration)
        beside = read_beside(path)
        if beside is not None:
            if not path.is_file() or _sha256(path) != beside.sha256:
                raise CheckpointError(f"{path}: not what this training saved there")
            changed = beside.difference_from(deciding_config(self.original_cfgs, self.networks_from_files()))
            if changed:
                raise CheckpointError(f"{path}: of another configuration ({changed})")
        # It goes on with everything, whatever a start from another training's checkpoint would leave out.
        engine_cfg = self.engine_cfg
        self.engine_cfg = {**engine_cfg, "optimizer_reset": False, "scheduler_reset": False}
        try:
            self._restore(iteration)
        finally:
            self.engine_cfg = engine_cfg

    def _restore(self, restore_hint: int | str) -> None:
        if isinstance(restore_hint, bool) or not isinstance(restore_hint, (int, str)):
            super().resume_ckpt(restore_hint)  # the host's own affair, or its complaint
            return
        path = self._own_path(restore_hint) if isinstance(restore_hint, int) else Path(restore_hint)
        content = read_checkpoint(path, "the")
        if self.own_checkpoints and content.get("iteration") != restore_hint:
            raise CheckpointError(f"{path}: it is of iteration {content.get('iteration')}")
        self._refuse_misfit(path, content)
        super().resume_ckpt(restore_hint)
        if self.training and isinstance(restore_hint, int):
            self._take_what_is_beside(path)

    def _refuse_misfit(self, path: Path, content: dict) -> None:
        """Refuse another network's checkpoint before anything of it is taken."""
        own, weights = self.state_dict(), content["model"]
        misfits = [name for name in own if name in weights and weights[name].shape != own[name].shape]
        if self.engine_cfg["restore_ckpt_strict"]:
            misfits += [name for name in (*own, *weights) if (name in own) != (name in weights)]
        if misfits:
            more = f" and {len(misfits) - 1} more" if len(misfits) > 1 else ""
            raise CheckpointError(f"{path}: of another network, whose {misfits[0]}{more} does not fit")
        if self.training and not self.engine_cfg["optimizer_reset"] and "optimizer" in content:
            theirs, ours = content["optimizer"], self.optimizer.state_dict()
            sizes = [[len(group["params"]) for group in state["param_groups"]] for state in (theirs, ours)]
            if sizes[0] != sizes[1]:
                raise CheckpointError(f"{path}: its optimizer does not fit this network's; see optimizer_reset")

    def _take_what_is_beside(self, path: Path) -> None:
        """The gradient scaler's state and the number of batches; without them, one batch for each iteration."""
        self.batches = self.iteration
        beside = read_beside(path)
        if beside is None or _sha256(path) != beside.sha256:
            self.msg_mgr.log_warning(
                f"{path}: nothing of ours is kept beside it, so the gradient scaler starts anew and batches are "
                "counted by iterations"
            )
        else:
            self.batches = beside.batches
            if beside.scaler and self._scaler() is not None:
                self._scaler().load_state_dict(beside.scaler)
            if beside.processes != world_size():
                self.msg_mgr.log_warning(
                    f"{path}: trained by {beside.processes} process(es), it goes on with {world_size()}: the clips of "
                    "a batch stay the same, the exact numbers do not"
                )
        self.train_loader.batch_sampler.first = self.batches
        self.msg_mgr.log_info(f"going on after iteration {self.iteration} of {path}")

    # Whole runs

    @staticmethod
    def run_train(model):
        """The host's training, from where it was left; a finished one is not repeated.

        Raises:
            RunFailed: a process of the loader was killed.
        """
        net = getattr(model, "module", model)
        total, save_name = net.engine_cfg["total_iter"], net.engine_cfg["save_name"]
        if net.iteration >= total:
            net.msg_mgr.log_info(f"nothing to train: {net.iteration} iterations are done")
            return None
        if rank() == 0:
            remove_unfinished(net._folder, save_name)
            if not net.own_checkpoints:
                begin(net._folder, save_name)
        try:
            with _shown(net):
                return super(Resumable, type(net)).run_train(model)
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise RunFailed(f"a loader's process is gone: {str(error).splitlines()[0]}") from None


def _sha256(path: Path) -> str | None:
    return (fingerprint(path) or {}).get("sha256")


@contextmanager
def _shown(net: Resumable) -> Iterator[None]:
    """A progress bar for a training in OpenGait, whose log lines do not tear it; the embedded host has its own."""
    if hosts.active() == hosts.EMBEDDED:
        yield
        return
    loggers = [logging.getLogger("opengait")]
    with (
        progress.bar(net.engine_cfg["total_iter"], "train", "it", first=rank() == 0, initial=net.iteration) as net.bar,
        logging_redirect_tqdm(loggers) if not net.bar.disable else nullcontext(),
    ):
        yield
