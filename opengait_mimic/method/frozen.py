"""A network that never changes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from opengait_mimic.method.clips import clip_lengths
from opengait_mimic.method.folding import quick

FRAMES_AT_ONCE = 32  # on a CPU, whose caches then hold what passes from layer to layer


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


class Teacher(Frozen):
    """A frozen network that embeds clips beside a training: in less time, and the same up to rounding (`quick`).

    It follows its inputs to their device; a CPU takes some clips at a time.
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
        network = self.made[1]
        if sils.device.type != "cpu":
            return network(sils, seqL)
        return torch.cat([network(*some) for some in _some_at_a_time(sils, seqL)])


def _some_at_a_time(
    sils: torch.Tensor, seqL: torch.Tensor | None
) -> Iterator[tuple[torch.Tensor, torch.Tensor | None]]:
    """Groups of whole clips, of at most FRAMES_AT_ONCE frames, or of one clip, in the layout that they came in."""
    lengths = clip_lengths(sils, seqL)
    if seqL is None:
        yield from ((some, None) for some in sils.split(max(1, FRAMES_AT_ONCE // lengths[0])))
        return
    first, group = 0, []
    for length in [*lengths, FRAMES_AT_ONCE + 1]:
        if group and sum(group) + length > FRAMES_AT_ONCE:
            yield sils[:, first : first + sum(group)], seqL.new_tensor([group])
            first, group = first + sum(group), []
        group.append(length)
