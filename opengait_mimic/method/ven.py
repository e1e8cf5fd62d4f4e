"""The Visibility Estimation Network V (paper section 3.1)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.method.clips import clip_means, silhouettes


class Visibility(NamedTuple):
    """What the VEN predicts of n clips.

    Attributes:
        feature: [n, d] δ, the penultimate feature that guides the mimic.
        logits: [n, k] scores of the classes (clean first), before any softmax; None without that task.
        amount: [n] occluded fraction, 0–1; None without that task.
        amount_logits: [n, b] scores of the amounts 0, 1/(b-1), …, 1, whose mean is `amount`; None without bins.
        part_logits: [n, t] of the visible share of each of t horizontal parts of the holistic frame, from the top;
            None without that task.
    """

    feature: torch.Tensor
    logits: torch.Tensor | None
    amount: torch.Tensor | None
    amount_logits: torch.Tensor | None = None
    part_logits: torch.Tensor | None = None


TASKS = ("classification", "regression")  # the paper's
PARTS = "parts"
ALL_TASKS = (*TASKS, PARTS)
STRIPS = 16


class VisibilityNetwork(nn.Module):
    """Three convolutions and two linear layers per frame; a clip's feature is the mean over its frames.

    Each convolution is 3×3 with ReLU and 2×2 max pooling (the last pools with padding 1), then global average
    pooling and a linear layer with ReLU give δ. The heads, one linear layer each, read the clip's δ; as they are
    linear, their outputs are means over its frames.

    Args:
        classes: number of classes, clean included.
        channels: of the three convolutions.
        feature: size of δ.
        tasks: the heads it has; classification alone is the auxiliary network of the paper's "Occlusion Aware", and
            "parts" is how much of each horizontal part is visible.
        strips: number of parts of the task "parts".
        bands: horizontal bands that are pooled each by itself; 1 is the paper's global pooling, with more of them
            the network knows where in the frame it saw something.
        amount_bins: the amount as a distribution over so many values, evenly from 0 to 1; None is the paper's single
            number.

    Raises:
        ConfigError: tasks or channels that are not allowed.

    Example:
        >>> import torch
        >>> from opengait_mimic import VisibilityNetwork
        >>> ven = VisibilityNetwork(classes=3)
        >>> visibility = ven(torch.rand(2, 5, 64, 44))  # clips [n, s, h, w]
        >>> visibility.feature.shape, visibility.logits.shape, visibility.amount.shape
        (torch.Size([2, 64]), torch.Size([2, 3]), torch.Size([2]))
    """

    def __init__(
        self,
        classes: int,
        channels: tuple[int, int, int] = (32, 64, 128),
        feature: int = 64,
        tasks: tuple[str, ...] = TASKS,
        strips: int = STRIPS,
        bands: int = 1,
        amount_bins: int | None = None,
    ):
        super().__init__()
        check_tasks(tasks)
        if len(channels) != 3 or any(not isinstance(c, int) or c < 1 for c in channels):
            raise ConfigError(f"VEN: channels: expected three whole numbers from 1, found {list(channels)}")
        a, b, c = channels
        self.frames = nn.Sequential(
            nn.Conv2d(1, a, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(b, c, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2, padding=1),
            nn.AdaptiveAvgPool2d((bands, 1)), nn.Flatten(),
            nn.Linear(bands * c, feature), nn.ReLU(inplace=True),
        )  # fmt: skip
        if "classification" in tasks:
            self.kind = nn.Linear(feature, classes)
        if "regression" in tasks:
            self.amount = nn.Linear(feature, amount_bins or 1)
        if PARTS in tasks:
            self.parts = nn.Linear(feature, strips)
        self.strips, self.amount_bins = strips, amount_bins
        self.tasks = tuple(tasks)
        self.feature_size = feature

    def forward(self, sils: torch.Tensor, seqL: torch.Tensor | None = None) -> Visibility:
        """Predict the visibility of clips.

        Args:
            sils: [n, s, h, w] floats 0–1, or [1, sum of s, h, w] with `seqL`. Clips with channels, [n, s, c, h, w],
                and parsing maps are seen as `silhouettes`.
            seqL: [1, n] frames of each clip.

        Returns:
            δ and what each head makes of it.
        """
        sils = silhouettes(sils)
        frames = self.frames(sils.reshape(-1, 1, *sils.shape[-2:]))  # [f, d]
        feature = clip_means(frames.reshape(*sils.shape[:2], -1), seqL)  # δ [n, d]
        logits = self.kind(feature) if "classification" in self.tasks else None
        amount = amount_logits = None
        if "regression" in self.tasks:
            scores = self.amount(feature)
            if self.amount_bins:
                amount, amount_logits = scores.softmax(1) @ amount_values(self.amount_bins, scores), scores
            else:
                amount = scores.squeeze(1).sigmoid()
        return Visibility(feature, logits, amount, amount_logits, self.parts(feature) if PARTS in self.tasks else None)


def amount_values(bins: int, like: torch.Tensor) -> torch.Tensor:
    """The amounts [bins] that a VEN's distribution is over, of the dtype and on the device of `like`."""
    return torch.linspace(0, 1, bins, dtype=like.dtype, device=like.device)


def check_tasks(tasks: object) -> None:
    """Refuse tasks a VEN does not have.

    Raises:
        ConfigError: anything but some of ALL_TASKS.
    """
    if not isinstance(tasks, (list, tuple)) or not tasks or len(set(map(str, tasks))) < len(tasks):
        raise ConfigError(f"VEN: tasks: expected one or more of {', '.join(ALL_TASKS)}, found {tasks!r}")
    for task in tasks:
        if task not in ALL_TASKS:
            raise ConfigError(f"VEN: tasks: unknown task {task!r}; {nearest(task, ALL_TASKS)}")
