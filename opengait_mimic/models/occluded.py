"""What our models share: occlusion clip by clip on the device, and a test that reports RP."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import torch
from modeling.base_model import BaseModel
from torch import nn

from opengait_mimic.config import check_model_keys, lifted, occlusion_settings
from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.evaluation.relative import relative_performance
from opengait_mimic.losses.gather import world_size
from opengait_mimic.networks.clips import clip_lengths
from opengait_mimic.occlusion import Mixture, Occlusion, Plan, content_rng, paint


class Clips(NamedTuple):
    """A batch as our models see it; stands where a host model has its list of inputs.

    Attributes:
        occluded, holistic: [n, s, h, w] (or [1, sum of s, h, w]) floats 0–1 of the same frames.
        kind: [n] int64 class of the occlusion, 0 is clean. amount: [n] float32 occluded fraction.
    """

    occluded: torch.Tensor
    holistic: torch.Tensor
    kind: torch.Tensor
    amount: torch.Tensor


class WithFrameNumbers:
    """Collates as the host does, with each frame's number as one more input.

    The host samples all inputs of a clip alike, so the numbers tell in which order its frames were taken.
    """

    def __init__(self, collate):
        self.collate = collate

    def __call__(self, batch):
        return self.collate([([*inputs, np.arange(len(inputs[0]))], info) for inputs, info in batch])


class OccludedModel(BaseModel):
    """A host model whose clips are occluded by the `Occlusion` at the end of its transforms.

    Any number of processes can test: the evaluator's batch size becomes the number of processes.
    """

    def __init__(self, cfgs: dict, training: bool):
        cfgs = copy.deepcopy(cfgs)
        check_model_keys(cfgs["model_cfg"])
        self.phase_training = training
        self.occlusion = {
            name: self._lift(cfgs[name], seed) for name, seed in (("trainer_cfg", None), ("evaluator_cfg", 0))
        }
        if training and self.occlusion["trainer_cfg"] is None:
            raise ConfigError("trainer_cfg: transform: no Occlusion at the end; this model learns from occluded clips")
        self.holistic_test = False  # the test at hand sees whole clips
        self.asked_test_batch = cfgs["evaluator_cfg"]["sampler"].get("batch_size")
        cfgs["evaluator_cfg"]["sampler"]["batch_size"] = world_size()
        super().__init__(cfgs, training)

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

    def get_loader(self, data_cfg, train=True):
        """The host's loader, which also hands over each frame's number."""
        loader = super().get_loader(data_cfg, train)
        loader.collate_fn = WithFrameNumbers(loader.collate_fn)
        return loader

    def inputs_pretreament(self, inputs):
        """The host's pretreatment (its name), then the occlusion: `Clips` in place of the list of inputs."""
        (*seqs, numbers), labs, typs, vies, seqL = inputs
        ipts, labs, typs, vies, seqL = super().inputs_pretreament((seqs, labs, typs, vies, seqL))
        holistic = ipts[0].detach()
        lengths = clip_lengths(holistic, seqL)
        plan = self._plan(seqs[0], numbers, lengths, *holistic.shape[-2:])
        if plan is None:
            kind = torch.zeros(len(lengths), dtype=torch.long, device=holistic.device)
            return Clips(holistic, holistic, kind, kind.float()), labs, typs, vies, seqL
        kind, amount = (torch.from_numpy(a).to(holistic.device) for a in (plan.kind, plan.amount))
        return Clips(paint(holistic, plan), holistic, kind, amount), labs, typs, vies, seqL

    def _plan(self, raw, numbers, lengths: list[int], height: int, width: int) -> Plan | None:
        occlusion = self.occlusion["trainer_cfg" if self.training else "evaluator_cfg"]
        if occlusion is None or (self.holistic_test and not self.training):
            return None
        ends = np.cumsum(lengths)
        times = np.split(np.concatenate(numbers), ends[:-1])
        if self.training:
            rngs = [occlusion.rng] * len(lengths)
        else:
            clips = np.split(np.concatenate(raw), ends[:-1])
            rngs = [content_rng(clip, occlusion.seed) for clip in clips]
        return occlusion.mixture.plan(rngs, times, height, width)

    def summary(self, clips: Clips, most: int = 16) -> dict:
        """Pictures for TensorBoard: the first frames of the batch, whole and occluded."""
        return {
            f"image/{name}": sils.reshape(-1, 1, *sils.shape[-2:])[:most].float()
            for name, sils in (("holistic", clips.holistic), ("occluded", clips.occluded))
        }

    @staticmethod
    def run_test(model):
        """Test as the YAML says; where that occludes, test whole clips too and report RP (Eq. 3).

        HP is the teacher's accuracy on whole clips, measured in the same run, where its checkpoint is there.
        """
        net = getattr(model, "module", model)
        if net.asked_test_batch != world_size():
            net.msg_mgr.log_info(f"Testing with one clip per process: batch size {world_size()}")
        results = BaseModel.run_test(model)
        if net.occlusion["evaluator_cfg"] is None:
            return results
        log = net.msg_mgr.log_info
        net.holistic_test = True
        log("The same network on whole clips:")
        own = BaseModel.run_test(model)
        teacher = net.reference_network()
        if teacher is None:
            log("RP is not computed: it needs the teacher's checkpoint, which is not there")
            reference = None
        else:
            net.keep_apart("reference", teacher)
            log("The teacher on whole clips (HP):")
            reference = BaseModel.run_test(model)
            net.keep_apart("reference", None)
        net.holistic_test = False
        if results is None:  # not the first process
            return None
        table = relative_performance(results, own, reference)
        log("\n" + table.text)
        return {**results, **table.scalars}

    reference = None  # the teacher, while it is being tested in this network's place

    def keep_apart(self, name: str, network: nn.Module | None) -> None:
        """Hold a network without making it a part of this one: no optimizer, DDP, SyncBN or checkpoint sees it."""
        self.__dict__[name] = network

    def reference_network(self):
        """The holistic network that HP is measured with, or None."""
        return None


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
