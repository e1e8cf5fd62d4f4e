"""A network that never changes."""

from __future__ import annotations

import torch
from torch import nn

from opengait_mimic.method.folding import quick


class Frozen(nn.Module):
    """Holds a network in eval mode and without gradient, whatever `train()` is told.

    Its weights and batch-norm statistics stay as they are; it has nothing for an optimizer or DDP.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Frozen:  # noqa: ARG002
        return super().train(False)

    @torch.no_grad()
    def forward(self, *args, **kwargs):
        return self.network(*args, **kwargs)


class Teacher(Frozen):
    """A frozen network that embeds clips beside a training: in less time, and the same up to rounding (`quick`).

    It follows its inputs to their device.
    """

    def __init__(self, network: nn.Module):
        super().__init__(network)
        self.made: tuple[torch.device, nn.Module] | None = None  # no submodule: it is all in `network` already

    @torch.no_grad()
    def forward(self, sils: torch.Tensor, seqL: torch.Tensor | None = None) -> torch.Tensor:
        """Embed clips [n, s, …], or [1, sum of s, …] with seqL [1, n]: [n, c, p]."""
        if self.made is None or self.made[0] != sils.device:
            with torch.autocast(sils.device.type, enabled=False):
                self.made = sils.device, quick(self.network, sils)
        return self.made[1](sils, seqL)
