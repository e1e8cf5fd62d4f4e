"""What all losses share: their weight, their log entries and the view of the global batch."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import nn
from utils import Odict, ddp_all_gather, get_world_size


def gather_and_scale_wrapper(forward: Callable) -> Callable:
    """Make a loss's forward see the batches of all processes.

    Every keyword argument (a tensor, first axis n) is gathered; only the own slice keeps its gradient. The
    loss is multiplied by the number of processes, because DDP divides the summed gradients by it.
    """

    @functools.wraps(forward)
    def on_global_batch(self: BaseLoss, **features: torch.Tensor):
        loss, info = forward(self, **{name: ddp_all_gather(value) for name, value in features.items()})
        return loss * get_world_size(), info

    return on_global_batch


def at_least_float32(x: torch.Tensor) -> torch.Tensor:
    """Half precision made wider, anything else as it is."""
    return x if x.dtype == torch.float64 else x.float()


class BaseLoss(nn.Module):
    """A loss: forward(**features) -> (loss, info), info being what to log.

    Args:
        loss_term_weight: factor of this loss in the sum of losses.
    """

    def __init__(self, loss_term_weight: float = 1.0):
        super().__init__()
        self.loss_term_weight = loss_term_weight
        self.info = Odict()
