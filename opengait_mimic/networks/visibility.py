"""The Visibility Estimation Network V (paper section 3.1)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.networks.clips import clip_means, silhouettes


class Visibility(NamedTuple):
    """What the VEN says of n clips.

    Attributes:
        feature: [n, d] δ, the penultimate feature that guides the mimic.
        logits: [n, k] scores of the classes (clean first), before any softmax; None without that task.
        amount: [n] occluded fraction, 0–1; None without that task.
    """

    feature: torch.Tensor
    logits: torch.Tensor | None
    amount: torch.Tensor | None


TASKS = ("classification", "regression")


class VisibilityNetwork(nn.Module):
    """Three convolutions and two linear layers per frame; a clip's feature is the mean over its frames.

    Each convolution is 3×3 with ReLU and 2×2 max pooling (the last pools with padding 1), then global average
    pooling and a linear layer with ReLU give δ. The heads, one linear layer each, read the clip's δ.

    Args:
        classes: number of classes, clean included.
        channels: of the three convolutions.
        feature: size of δ.
        tasks: the heads it has; classification alone is the auxiliary network of the paper's "Occlusion Aware".
    """

    def __init__(
        self,
        classes: int,
        channels: tuple[int, int, int] = (32, 64, 128),
        feature: int = 64,
        tasks: tuple[str, ...] = TASKS,
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
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(c, feature), nn.ReLU(inplace=True),
        )  # fmt: skip
        if "classification" in tasks:
            self.kind = nn.Linear(feature, classes)
        if "regression" in tasks:
            self.amount = nn.Linear(feature, 1)
        self.tasks = tuple(tasks)
        self.feature_size = feature

    def forward(self, sils: torch.Tensor, seqL: torch.Tensor | None = None) -> Visibility:
        """Look at clips.

        Args:
            sils: [n, s, h, w] floats 0–1, or [1, sum of s, h, w] with `seqL` [1, n], the clips' lengths. Clips with
                channels, [n, s, c, h, w], and parsing maps it sees as `silhouettes`.
        """
        sils = silhouettes(sils)
        frames = self.frames(sils.reshape(-1, 1, *sils.shape[-2:]))  # [f, d]
        feature = clip_means(frames.reshape(*sils.shape[:2], -1), seqL)  # δ [n, d]
        return Visibility(
            feature,
            self.kind(feature) if "classification" in self.tasks else None,
            self.amount(feature).squeeze(1).sigmoid() if "regression" in self.tasks else None,
        )


def check_tasks(tasks: object) -> None:
    """Refuse tasks a VEN does not have.

    Raises:
        ConfigError: anything but one or both of TASKS.
    """
    if not isinstance(tasks, (list, tuple)) or not tasks or len(set(map(str, tasks))) < len(tasks):
        raise ConfigError(f"VEN: tasks: expected one or both of {', '.join(TASKS)}, found {tasks!r}")
    for task in tasks:
        if task not in TASKS:
            raise ConfigError(f"VEN: tasks: unknown task {task!r}; {nearest(task, TASKS)}")
