"""A network that never changes."""

from __future__ import annotations

import torch
from torch import nn


class Frozen(nn.Module):
    """Holds a network in eval mode and without gradient, whatever `train()` is told.

    Its weights and batch-norm statistics stay as they are; it has nothing for an optimizer or DDP.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Frozen:
        return super().train(False)

    @torch.no_grad()
    def forward(self, *args, **kwargs):
        return self.network(*args, **kwargs)
