"""From the features a model returns for training to one loss and what to log of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from utils import Odict, device, get_attr_from, get_valid_args

from modeling import losses
from opengait_mimic.errors import ConfigError, nearest


class LossAggregator(nn.Module):
    """Sums the losses that a YAML's loss_cfg lists.

    Args:
        loss_cfg: one loss or a list of them: {type, log_prefix, …the loss's own arguments}.
    Raises:
        ConfigError: a loss of an unknown type.
    """

    def __init__(self, loss_cfg: dict | list[dict]):
        super().__init__()
        entries = loss_cfg if isinstance(loss_cfg, list) else [loss_cfg]
        # A plain dict: losses stay out of the model's parameters and checkpoints.
        self.losses = {}
        for entry in entries:
            self.losses[entry["log_prefix"]] = self._build(entry)

    @staticmethod
    def _build(entry: dict) -> nn.Module:
        loss_class = get_attr_from([losses], entry["type"], "loss (loss_cfg.type)")
        return loss_class(**get_valid_args(loss_class, entry, ("type", "log_prefix"))).to(device())

    def forward(self, training_feats: dict) -> tuple[torch.Tensor, Odict]:
        """Sum the losses.

        Args:
            training_feats: by log_prefix the keyword arguments of that loss; under any other key a tensor
                that is a loss already.
        Returns:
            (loss_sum, info): a scalar, and 'scalar/…' entries to log.
        Raises:
            ConfigError: keyword arguments for a loss that is not configured.
        """
        loss_sum: Any = 0.0
        info = Odict()
        for key, value in training_feats.items():
            if key in self.losses:
                term = self.losses[key]
                loss, logged = term(**value)
                loss_sum = loss_sum + loss.mean() * term.loss_term_weight
                info.update({f"scalar/{key}/{name}": entry for name, entry in logged.items()})
            elif isinstance(value, torch.Tensor):
                loss_sum = loss_sum + value.mean()
                info[f"scalar/{key}"] = value.detach().mean()
            else:
                raise ConfigError(f"training_feat {key!r} has no loss in loss_cfg; {nearest(key, self.losses)}")
        return loss_sum, info
