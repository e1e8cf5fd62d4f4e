"""GaitSet: a clip as a set of frames, pooled over time at three depths."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from opengait_mimic.backbones import modules
from opengait_mimic.backbones.network import Features, GaitNetwork


def conv_pair(in_channels: int, out_channels: int, first_kernel: int = 3) -> list[nn.Module]:
    """Two convolutions that keep the size, each with its activation."""
    return [
        modules.BasicConv2d(in_channels, out_channels, first_kernel),
        nn.LeakyReLU(),
        modules.BasicConv2d(out_channels, out_channels, 3),
        nn.LeakyReLU(),
    ]


class GaitSet(GaitNetwork, name="GaitSet"):
    """model_cfg: in_channels (image and three depths), SeparateFCs, bin_num.

    Embeddings [n, c, 2 * sum(bin_num)]: the parts of the last depth, then those of the running global map.
    There is no classifier.
    """

    def build(self, model_cfg: dict, dataset_name: str) -> None:  # noqa: ARG002
        image, low, middle, high = model_cfg["in_channels"]
        block1 = nn.Sequential(*conv_pair(image, low, first_kernel=5), nn.MaxPool2d(2))
        block2 = nn.Sequential(*conv_pair(low, middle), nn.MaxPool2d(2))
        block3 = nn.Sequential(*conv_pair(middle, high))
        self.gl_block2 = deepcopy(block2)
        self.gl_block3 = deepcopy(block3)
        self.set_block1 = modules.SetBlockWrapper(block1)
        self.set_block2 = modules.SetBlockWrapper(block2)
        self.set_block3 = modules.SetBlockWrapper(block3)
        self.TP = modules.TemporalMaxPooling()
        self.HPP = modules.HorizontalPoolingPyramid(model_cfg["bin_num"])
        self.Head = modules.SeparateFCs(**model_cfg["SeparateFCs"])

    def features(self, clips: Tensor, seqL: Tensor | None = None) -> Features:
        frames = self.set_block1(clips)
        overall = self.gl_block2(self.TP(frames, seqL))
        frames = self.set_block2(frames)
        overall = self.gl_block3(overall + self.TP(frames, seqL))
        pooled = self.TP(self.set_block3(frames), seqL)
        overall = overall + pooled
        parts = torch.cat([self.HPP(pooled), self.HPP(overall)], dim=2)
        embeddings = self.Head(parts)
        return Features(embeddings, None, embeddings)
