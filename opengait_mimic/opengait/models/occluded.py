"""What our models share: occlusion clip by clip on the device, and a test on occluded and whole clips."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import torch
from modeling.base_model import BaseModel
from torch import nn
from torch.utils.data import DataLoader
from utils import init_seeds

from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.method.clips import clip_lengths, silhouettes
from opengait_mimic.method.occlusion import Mixture, Occlusion, OcclusionParameters, apply_occlusion, content_rng
from opengait_mimic.opengait import compat
from opengait_mimic.opengait.config.sections import (
    MODELS,
    check_model_keys,
    lifted,
    occlusion_settings,
    prepared_by,
    training_seed,
)
from opengait_mimic.opengait.host import active
from opengait_mimic.opengait.models.byte_inputs import BytewiseInputs
from opengait_mimic.opengait.models.panels import Panels, conclude_test
from opengait_mimic.opengait.models.resumable import Resumable
from opengait_mimic.opengait.models.testing import recognition_test
from opengait_mimic.opengait.process.distributed import rank, world_size


class Clips(NamedTuple):
    """A batch as our models see it; stands where a host model has its list of inputs.

    Attributes:
        occluded, holistic: [n, s, h, w] (or [1, sum of s, h, w]) floats 0–1 of the same frames.
        kind: [n] int64 class of the occlusion, 0 is clean. amount: [n] float32 occluded fraction.
        plan: what hid what; None where all clips are whole.
    """

    occluded: torch.Tensor
    holistic: torch.Tensor
    kind: torch.Tensor
    amount: torch.Tensor
    plan: OcclusionParameters | None = None


class Whole(NamedTuple):
    """A batch before its occlusion.

    Attributes:
        sils: [n, s, h, w] (or [1, sum of s, h, w]) floats 0–1; with channels [n, s, c, h, w].
        frames: per clip, its frames as they were stored; in training only where people cross, else empty.
        numbers: per clip, each frame's number in its recording.
        classes: the values are classes of pixels (parsing maps).
        labs, typs, vies, seqL: as the host hands them to a model.
    """

    sils: torch.Tensor
    frames: list[np.ndarray]
    numbers: list[np.ndarray]
    classes: bool
    labs: torch.Tensor
    typs: list[str]
    vies: list[str]
    seqL: torch.Tensor | None

    def occluded(self, mixture: Mixture | None, rngs: list[np.random.Generator], among: bool = False) -> tuple:
        """The inputs of one of our models' forward: `Clips`, labels, types, views and seqL.

        Args:
            mixture: None leaves the clips whole. rngs: one per clip.
            among: the people of the batch cross each other's clips; otherwise generated walkers do.
        """
        if mixture is None:
            kind = torch.zeros(len(self.numbers), dtype=torch.long, device=self.sils.device)
            clips = Clips(self.sils, self.sils, kind, kind.float())
        else:
            people = (self.frames, self.labs.tolist()) if among and mixture.crossed else ()
            plan = mixture.sample(rngs, self.numbers, *self.sils.shape[-2:], *people)
            kind, amount = (torch.from_numpy(a).to(self.sils.device) for a in (plan.kind, plan.amount))
            clips = Clips(apply_occlusion(self.sils, plan, self.classes), self.sils, kind, amount, plan)
        return clips, self.labs, self.typs, self.vies, self.seqL

    def occluded_by_content(self, mixture: Mixture | None, seed: int) -> tuple:
        """The same, the occlusion depending on each clip's content and `seed` only."""
        return self.occluded(mixture, [content_rng(frames, seed) for frames in self.frames] if mixture else [])


class WithFrameNumbers:
    """Collates as the host does, with each frame's number as one more input.

    The host samples all inputs of a clip alike, so the numbers tell in which order its frames were taken.
    """

    def __init__(self, collate):
        self.collate = collate

    def __call__(self, batch):
        return self.collate([([*inputs, np.arange(len(inputs[0]))], info) for inputs, info in batch])


class OccludedModel(Resumable, BytewiseInputs, BaseModel):
    """A host model whose clips are occluded by the `Occlusion` at the end of its transforms.

    Any number of processes can test: the evaluator's batch size becomes the number of processes.
    """

    def __init__(self, cfgs: dict, training: bool):
        compat.apply(compat.Use(active(), compat.By.MODEL))
        cfgs = copy.deepcopy(cfgs)
        if cfgs["model_cfg"]["model"] in MODELS:  # a subclass of one's own may have keys of its own
            check_model_keys(cfgs["model_cfg"])
        self.phase_training = training
        # As they stand in the YAML, for the test and its result file.
        self.asked = copy.deepcopy(cfgs)
        if training and training_seed(cfgs):
            init_seeds(rank() + world_size() * training_seed(cfgs))
        self.occlusion = {
            name: self._lift(cfgs[name], seed) for name, seed in (("trainer_cfg", None), ("evaluator_cfg", 0))
        }
        if training and self.occlusion["trainer_cfg"] is None:
            raise ConfigError("trainer_cfg: transform: no Occlusion at the end; this model learns from occluded clips")
        cfgs["evaluator_cfg"]["sampler"]["batch_size"] = world_size()
        super().__init__(cfgs, training)
        if training:
            self.register_forward_hook(Panels())

    def asked_cfgs(self) -> dict:
        return self.asked

    @staticmethod
    def _lift(engine_cfg: dict, default_seed: int | None) -> Occlusion | None:
        engine_cfg["transform"], entry = lifted(engine_cfg.get("transform"), "transform")
        if entry is None:
            return None
        settings = occlusion_settings(entry, "transform")
        if settings["seed"] is None:
            settings["seed"] = default_seed
        return Occlusion(**settings)

    @property
    def kinds(self) -> Mixture | None:
        """The mixture this model trains on."""
        occlusion = self.occlusion["trainer_cfg"]
        return occlusion and occlusion.mixture

    def get_loader(self, data_cfg: dict, train: bool = True) -> DataLoader:
        """The host's loader, which also hands over each frame's number."""
        loader = super().get_loader(data_cfg, train)
        loader.collate_fn = WithFrameNumbers(loader.collate_fn)
        return loader

    def training_clips(self):
        """The training set, read as the evaluator reads the test set: each sequence once, in its order."""
        cfgs = self.cfgs
        self.cfgs = {**cfgs, "trainer_cfg": {**cfgs["trainer_cfg"], "sampler": cfgs["evaluator_cfg"]["sampler"]}}
        try:
            loader = super(Resumable, self).get_loader(cfgs["data_cfg"], True)
        finally:
            self.cfgs = cfgs
        loader.collate_fn = WithFrameNumbers(loader.collate_fn)
        return loader

    def whole(self, inputs) -> Whole:
        """A batch of the loader after the host's own pretreatment."""
        (*seqs, numbers), labs, typs, vies, seqL = inputs
        if len(seqs) != 1:
            raise ConfigError(f"data_cfg: data_in_use: this model takes one input per clip, found {len(seqs)}")
        ipts, labs, typs, vies, seqL = super().inputs_pretreament((seqs, labs, typs, vies, seqL))
        sils = ipts[0].detach()
        ends = np.cumsum(clip_lengths(sils, seqL))[:-1]
        numbers = np.split(np.concatenate(numbers), ends)
        crossed = self.training and self.kinds is not None and self.kinds.crossed
        frames = np.split(np.concatenate(seqs[0]), ends) if crossed or not self.training else []
        classes = prepared_by(self.engine_cfg["transform"]).startswith("BaseParsing")
        return Whole(sils, frames, numbers, classes, labs, typs, vies, seqL)

    def inputs_pretreament(self, batch: list) -> tuple:
        """The host's pretreatment (its name), then the occlusion: `Clips` in place of the list of inputs."""
        whole = self.whole(batch)
        occlusion = self.occlusion["trainer_cfg" if self.training else "evaluator_cfg"]
        if occlusion is None or not self.training:
            return whole.occluded_by_content(occlusion and occlusion.mixture, occlusion.seed if occlusion else 0)
        return whole.occluded(occlusion.mixture, [occlusion.rng] * len(whole.numbers), among=True)

    def summary(self, clips: Clips, most: int = 16) -> dict:
        """Pictures for TensorBoard: the first frames of the batch, whole and occluded."""
        return {
            f"image/{name}": silhouettes(sils.reshape(1, -1, *sils.shape[2:])[:, :most])[0, :, None].float()
            for name, sils in (("holistic", clips.holistic), ("occluded", clips.occluded))
        }

    def loss_entry(self, prefix: str) -> dict:
        """The entry of `loss_cfg` with this log_prefix."""
        return next(entry for entry in loss_entries(self.cfgs["loss_cfg"]) if entry["log_prefix"] == prefix)

    def keep_apart(self, name: str, network: nn.Module | None) -> None:
        """Hold a network without making it a part of this one: no optimizer, DDP, SyncBN or checkpoint sees it."""
        self.__dict__[name] = network

    def reference_network(self) -> nn.Module | None:
        """The holistic network that HP is measured with, or None."""
        return None

    @staticmethod
    def run_test(model):
        """Test as the YAML says, on occluded and on whole clips, and write a result file.

        Returns:
            Scalars for TensorBoard on the first process, None on the others.
        """
        net = getattr(model, "module", model)
        return conclude_test(net, recognition_test(net))


def loss_entries(loss_cfg: dict | list) -> list[dict]:
    """The entries of a YAML's `loss_cfg`, which is one or a list."""
    return [loss_cfg] if isinstance(loss_cfg, dict) else loss_cfg


def wanted_losses(loss_cfg: dict | list) -> dict[str, str]:
    """The losses of a YAML: {log_prefix: type}."""
    return {entry["log_prefix"]: entry["type"] for entry in loss_entries(loss_cfg)}


def check_losses(losses: dict[str, str], allowed: tuple[str, ...], model: str, class_num) -> None:
    """Refuse losses a model has no features for.

    Raises:
        ConfigError: an unknown type of loss, or cross entropy without `class_num`.
    """
    for kind in losses.values():
        if kind not in allowed:
            raise ConfigError(f"loss_cfg: {model} has nothing for {kind!r}; {nearest(kind, allowed)}")
    if "CrossEntropyLoss" in losses.values() and not class_num:
        raise ConfigError(f"loss_cfg: CrossEntropyLoss on {model}'s feature needs model_cfg.class_num")
