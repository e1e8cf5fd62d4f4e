"""What our models share: occlusion clip by clip on the device, and a test on occluded and on holistic clips."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from modeling.base_model import BaseModel
from torch import nn
from torch.utils.data import DataLoader
from utils import init_seeds

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.clips import clip_lengths, silhouettes
from opengait_mimic.method.occlusion import Mixture, Occlusion, OcclusionParameters, apply_occlusion, content_rng
from opengait_mimic.opengait import compat
from opengait_mimic.opengait.config.networks import check_model_keys, training_seed
from opengait_mimic.opengait.config.schema import MODELS
from opengait_mimic.opengait.config.transforms import lifted, occlusion_settings, prepared_by
from opengait_mimic.opengait.host import active
from opengait_mimic.opengait.models.byte_inputs import pretreated, steps
from opengait_mimic.opengait.models.loss_inputs import loss_entries
from opengait_mimic.opengait.models.resumable import Resumable
from opengait_mimic.opengait.models.tensorboard import Summary, write_scores
from opengait_mimic.opengait.models.testing import recognition_test
from opengait_mimic.opengait.process.distributed import rank, world_size


class Clips(NamedTuple):
    """A batch as our models see it; takes the place of a host model's list of inputs.

    Attributes:
        occluded: [n, s, h, w] (or [1, sum of s, h, w]) floats 0–1.
        holistic: the same frames, unoccluded.
        kind: [n] int64 class of the occlusion, 0 is clean.
        amount: [n] float32 occluded fraction.
        parameters: the sampled ones; None where all clips are holistic.
    """

    occluded: torch.Tensor
    holistic: torch.Tensor
    kind: torch.Tensor
    amount: torch.Tensor
    parameters: OcclusionParameters | None = None


class Batch(NamedTuple):
    """A batch before its occlusion.

    Attributes:
        sils: [n, s, h, w] (or [1, sum of s, h, w]) floats 0–1; with channels [n, s, c, h, w].
        frames: per clip, its frames as they were stored; in training only where subjects cross, else empty.
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
            mixture: None leaves the clips holistic.
            rngs: one per clip.
            among: the subjects of the batch cross each other's clips; otherwise generated walkers do.
        """
        if mixture is None:
            kind = torch.zeros(len(self.numbers), dtype=torch.long, device=self.sils.device)
            clips = Clips(self.sils, self.sils, kind, kind.float())
        else:
            others = (self.frames, self.labs.tolist()) if among and mixture.crossed else ()
            parameters = mixture.sample(rngs, self.numbers, *self.sils.shape[-2:], *others)
            kind, amount = (torch.from_numpy(a).to(self.sils.device) for a in (parameters.kind, parameters.amount))
            occluded = apply_occlusion(self.sils, parameters, self.classes)
            clips = Clips(occluded, self.sils, kind, amount, parameters)
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


class OccludedModel(Resumable, BaseModel):
    """A host model whose clips are occluded by the `Occlusion` at the end of its transforms.

    Any number of processes can test: the evaluator's batch size becomes the number of processes.

    Attributes:
        occlusion: of the training and of the test, by section.
    """

    def __init__(self, cfgs: dict, training: bool):
        compat.apply(compat.Use(active(), compat.By.MODEL))
        cfgs = copy.deepcopy(cfgs)
        if cfgs["model_cfg"]["model"] in MODELS:  # a subclass of one's own may have keys of its own
            check_model_keys(cfgs["model_cfg"])
        self.phase_training = training
        self._original_cfgs = copy.deepcopy(cfgs)
        if training and training_seed(cfgs):
            init_seeds(rank() + world_size() * training_seed(cfgs))
        self.occlusion = {name: self._lift(cfgs[name]) for name in ("trainer_cfg", "evaluator_cfg")}
        if training and self.occlusion["trainer_cfg"] is None:
            raise ConfigError("trainer_cfg: transform: no Occlusion at the end; this model learns from occluded clips")
        if (tested := self.occlusion["evaluator_cfg"]) is not None and tested.seed is None:
            tested.seed = 0
        self.steps = {name: steps(cfgs[name]["transform"]) for name in self.occlusion}
        cfgs["evaluator_cfg"]["sampler"]["batch_size"] = world_size()
        super().__init__(cfgs, training)
        if training:
            self.register_forward_hook(Summary())

    @staticmethod
    def _lift(engine_cfg: dict) -> Occlusion | None:
        engine_cfg["transform"], entry = lifted(engine_cfg.get("transform"), "transform")
        return None if entry is None else Occlusion(**occlusion_settings(entry, "transform"))

    @property
    def original_cfgs(self) -> dict:
        return self._original_cfgs

    @property
    def mixture(self) -> Mixture | None:
        """The occlusion types this model trains on."""
        occlusion = self.occlusion["trainer_cfg"]
        return None if occlusion is None else occlusion.mixture

    def get_loader(self, data_cfg: dict, train: bool = True) -> DataLoader:
        """The host's loader, which also hands over each frame's number."""
        loader = super().get_loader(data_cfg, train)
        loader.collate_fn = WithFrameNumbers(loader.collate_fn)
        return loader

    def training_clips(self) -> DataLoader:
        """The training set, read as the evaluator reads the test set: each sequence once, in its order."""
        reading = {"trainer_cfg": {"sampler": self.cfgs["evaluator_cfg"]["sampler"]}}
        loader = BaseModel.get_loader(SimpleNamespace(cfgs=reading), self.cfgs["data_cfg"], True)
        loader.collate_fn = WithFrameNumbers(loader.collate_fn)
        return loader

    # The way of a clip: from the loader to the forward

    def inputs_pretreament(self, batch: list) -> tuple:
        """The inputs of forward, `Clips` in place of the host's list: augmented, on the device, and occluded."""
        self.begin_step(len(batch[1]))  # in training all that follows draws from the batch's number
        holistic = self.holistic_batch(batch)
        occlusion = self.occlusion["trainer_cfg" if self.training else "evaluator_cfg"]
        if occlusion is None:
            return holistic.occluded(None, [])
        if self.training:
            return holistic.occluded(occlusion.mixture, [occlusion.rng] * len(holistic.numbers), among=True)
        return holistic.occluded_by_content(occlusion.mixture, occlusion.seed or 0)

    def holistic_batch(self, batch: list) -> Batch:
        """A batch of the loader after the host's own augmentations, on the device, with its stored frames."""
        (*seqs, numbers), labs, typs, vies, seqL = batch
        if len(seqs) != 1:
            raise ConfigError(f"data_cfg: data_in_use: this model takes one input per clip, found {len(seqs)}")
        section = "trainer_cfg" if self.training else "evaluator_cfg"
        (sils,), labs, typs, vies, seqL = pretreated(self, self.steps[section], [seqs, labs, typs, vies, seqL])
        sils = sils.detach()
        ends = np.cumsum(clip_lengths(sils, seqL))[:-1]
        numbers = np.split(np.concatenate(numbers), ends)
        crossed = self.training and self.mixture is not None and self.mixture.crossed
        frames = np.split(np.concatenate(seqs[0]), ends) if crossed or not self.training else []
        classes = prepared_by(self.engine_cfg["transform"]).startswith("BaseParsing")
        return Batch(sils, frames, numbers, classes, labs, typs, vies, seqL)

    def embeddings_of(self, inputs: tuple) -> dict[str, torch.Tensor]:
        """What a test takes of a batch."""
        return self.forward(inputs)["inference_feat"]

    def summary(self, clips: Clips, most: int = 16) -> dict:
        """Pictures for TensorBoard: the first frames of the batch, holistic and occluded."""
        return {
            f"image/{name}": silhouettes(sils.reshape(1, -1, *sils.shape[2:])[:, :most])[0, :, None].float()
            for name, sils in (("holistic", clips.holistic), ("occluded", clips.occluded))
        }

    def loss_entry(self, prefix: str) -> dict:
        """The entry of `loss_cfg` with this log_prefix."""
        return next(entry for entry in loss_entries(self.cfgs["loss_cfg"]) if entry["log_prefix"] == prefix)

    def keep_apart(self, name: str, network: nn.Module) -> None:
        """Hold a network without making it a part of this one: no optimizer, DDP, SyncBN or checkpoint sees it."""
        self.__dict__[name] = network

    @staticmethod
    def run_test(model):
        """Test as the YAML says, on occluded and on holistic clips, and write a result file.

        Returns:
            Scalars for TensorBoard on the first process, None on the others.
        """
        net = getattr(model, "module", model)
        return write_scores(net, recognition_test(net))
