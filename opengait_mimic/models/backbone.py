"""`Backbone`: any OpenGait model, bare, as a plain network from silhouettes to embeddings."""

from __future__ import annotations

from typing import NamedTuple

import torch
from modeling import models as host_models
from modeling.base_model import BaseModel
from torch import nn
from utils import get_msg_mgr

from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.networks.clips import clip_lengths, split_clips


def host_model(name: object, key: str = "model_cfg: model") -> type[BaseModel]:
    """The host's model class of that name, ours included.

    Args:
        name: the class. key: where it was named, for the message.
    Raises:
        ConfigError: the host has no such model.
    """
    found = getattr(host_models, str(name), None)
    if isinstance(found, type) and issubclass(found, BaseModel):
        return found
    classes = {k: v for k, v in vars(host_models).items() if isinstance(v, type) and v is not BaseModel}
    known = sorted(k for k, v in classes.items() if issubclass(v, BaseModel))
    raise ConfigError(f"{key}: the host has no model {name!r}; {nearest(name, known)}")


class Backbone(nn.Module):
    """An OpenGait model class built by its own model_cfg, without loaders, losses or optimizer.

    Args:
        model_cfg: the model's own section, unchanged.
        dataset_name: the data set it is for; some architectures depend on it (GaitGL).
    Attributes:
        model: the host's model; its state dict is that of OpenGait's checkpoints.
    Raises:
        ConfigError: the host has no such model, or the model_cfg does not describe it.
    """

    def __init__(self, model_cfg: dict, dataset_name: str = "CASIA-B"):
        super().__init__()
        name = model_cfg.get("model")
        model_class = host_model(name, "backbone")
        # BaseModel's constructor would also make loaders, losses and an optimizer.
        model = model_class.__new__(model_class)
        nn.Module.__init__(model)
        model.cfgs = {"data_cfg": {"dataset_name": dataset_name}, "model_cfg": model_cfg}
        model.msg_mgr = get_msg_mgr()
        model.iteration = 0
        try:
            model.build_network(model_cfg)
        except KeyError as error:
            raise ConfigError(f"backbone: {name}: model_cfg has no {error}") from None
        except TypeError as error:
            raise ConfigError(f"backbone: {name}: model_cfg does not fit: {error}") from None
        model.init_parameters()
        self.model = model

    def retval(self, sils: torch.Tensor, seqL: torch.Tensor | None, labels: torch.Tensor) -> dict:
        """The host model's own forward result (training_feat, visual_summary, inference_feat)."""
        return self.model(([sils], labels, None, None, seqL))

    def forward(
        self, sils: torch.Tensor, seqL: torch.Tensor | None = None, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Embed clips: γ.

        Args:
            sils: [n, s, h, w] floats 0–1, or [1, sum of s, h, w] with seqL [1, n], the clips' lengths.
            labels: [n] identities; only a few models look at them, in training.
        Returns:
            [n, c, p] embeddings, those the host's evaluation compares.
        """
        count = len(clip_lengths(sils, seqL))
        if labels is None:
            # In eval mode labels carry no information; GaitGL insists on exactly one.
            labels = torch.zeros(count if self.training else 1, dtype=torch.long, device=sils.device)
        embeddings = self.retval(sils, seqL, labels)["inference_feat"]["embeddings"]
        if len(embeddings) == count:
            return embeddings
        # A model that ignores seqL outside training (GaitGL) gets its clips one by one.
        one = labels[:1]
        return torch.cat([self.retval(clip, None, one)["inference_feat"]["embeddings"]
                          for clip in split_clips(sils, seqL)])  # fmt: skip


class Probe(NamedTuple):
    """What a trial run tells of a backbone.

    Attributes:
        channels: c. parts: p. idle: parameters that do not contribute to the embedding (its classifier).
    """

    channels: int
    parts: int
    idle: list[nn.Parameter]


def probe(backbone: Backbone, frames: int = 6, height: int = 64, width: int = 44) -> Probe:
    """Run one small clip through a backbone, in eval mode, to learn its embedding's shape and its idle parameters.

    Weights, statistics and random generators stay as they are.

    Raises:
        ConfigError: the parts of its model_cfg do not fit each other.
    """
    was_training = backbone.training
    backbone.eval()
    with torch.enable_grad():
        try:
            embeddings = backbone(torch.ones(1, frames, height, width))
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"backbone: {type(backbone.model).__name__} cannot embed silhouettes: {reason}") from None
        parameters = [p for p in backbone.parameters() if p.requires_grad]
        used = torch.autograd.grad(embeddings.sum(), parameters, allow_unused=True)
    backbone.train(was_training)
    idle = [p for p, gradient in zip(parameters, used, strict=True) if gradient is None]
    return Probe(embeddings.shape[1], embeddings.shape[2], idle)
