"""GaitGL: 3D convolutions over the whole body and over its horizontal parts side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from opengait_mimic.backbones import modules
from opengait_mimic.backbones.network import Features, GaitNetwork
from opengait_mimic.errors import ConfigError

LARGE_DATASETS = ("OUMVLP", "GREW")
PARTS = 64
MIN_FRAMES = 3
SAME = {"kernel_size": 3, "padding": 1}


class BasicConv3d(nn.Module):
    """A 3D convolution without bias under the name `conv3d`; options as for nn.Conv3d."""

    def __init__(self, in_channels: int, out_channels: int, **options) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(in_channels, out_channels, bias=False, **options)

    def forward(self, maps: Tensor) -> Tensor:
        return self.conv3d(maps)


class GLConv(nn.Module):
    """A convolution of the whole map, and one of its 2 ** halving horizontal parts, which do not see each other.

    Args:
        in_channels: of the maps.
        out_channels: of the result.
        halving: how often the height is halved into parts.
        concat: stack both results along the height, which doubles it; otherwise add them.
    """

    def __init__(self, in_channels: int, out_channels: int, halving: int, concat: bool = False) -> None:
        super().__init__()
        self.parts = 2**halving
        self.concat = concat
        self.global_conv3d = BasicConv3d(in_channels, out_channels, **SAME)
        self.local_conv3d = BasicConv3d(in_channels, out_channels, **SAME)

    def forward(self, maps: Tensor) -> Tensor:
        n = maps.shape[0]
        # Parts go to the batch, so that the convolution pads each of them by itself.
        parts = maps.unflatten(3, (self.parts, -1)).movedim(3, 1).flatten(0, 1)
        local = self.local_conv3d(parts).unflatten(0, (n, self.parts)).movedim(1, 3).flatten(3, 4)
        whole, local = F.leaky_relu(self.global_conv3d(maps)), F.leaky_relu(local)
        return torch.cat([whole, local], dim=3) if self.concat else whole + local


def lengthen(clip: Tensor) -> Tensor:
    """Repeat [n, c, s, h, w] of less than three frames along time until there are at least three."""
    frames = clip.shape[2]
    return clip.repeat(1, 1, -(-MIN_FRAMES // frames), 1, 1) if frames < MIN_FRAMES else clip


class GaitGL(GaitNetwork, name="GaitGL"):
    """model_cfg: channels, class_num, SeparateBNNecks (optional); the data set's name decides the depth.

    Embeddings [n, c, 64] are the output of the batch norm `Bn`, or with SeparateBNNecks of the linear maps
    `Head0`. With seqL every clip runs through the convolutions by itself, so no clip sees its neighbours'
    frames; the batch norm in the head takes all clips together.

    Raises:
        ConfigError: `channels` does not fit the depth (build).
    """

    def build(self, model_cfg: dict, dataset_name: str) -> None:
        channels = model_cfg["channels"]
        depths = 4 if dataset_name in LARGE_DATASETS else 3
        if len(channels) != depths:
            raise ConfigError(f"GaitGL: channels needs {depths} numbers on {dataset_name}, found {list(channels)}")
        convolutions = [BasicConv3d(1, channels[0], **SAME), nn.LeakyReLU()]
        stem, last = channels[0], channels[-1]
        blocks: tuple[nn.Module, nn.Module, nn.Module]
        if depths == 4:
            _, first, second, _ = channels
            self.conv3d = nn.Sequential(*convolutions, BasicConv3d(stem, stem, **SAME), nn.LeakyReLU())
            blocks = (
                nn.Sequential(GLConv(stem, first, halving=1), GLConv(first, first, halving=1)),
                nn.Sequential(GLConv(first, second, halving=1), GLConv(second, second, halving=1)),
                nn.Sequential(GLConv(second, last, halving=1), GLConv(last, last, halving=1, concat=True)),
            )
        else:
            self.conv3d = nn.Sequential(*convolutions)
            first, second = GLConv(stem, channels[1], halving=3), GLConv(channels[1], last, halving=3)
            blocks = first, second, GLConv(last, last, halving=3, concat=True)
        self.GLConvA0, self.GLConvA1, self.GLConvB2 = blocks
        self.LTA = nn.Sequential(BasicConv3d(stem, stem, kernel_size=(3, 1, 1), stride=(3, 1, 1)), nn.LeakyReLU())
        self.MaxPool0 = nn.MaxPool3d((1, 2, 2))
        self.TP = modules.TemporalMaxPooling()
        self.HPP = modules.GeMHPP(PARTS)
        self.Head0 = modules.SeparateFCs(PARTS, last, last)
        self.with_necks = "SeparateBNNecks" in model_cfg
        if self.with_necks:
            self.BNNecks = modules.SeparateBNNecks(**model_cfg["SeparateBNNecks"])
        else:
            self.Bn = nn.BatchNorm1d(last)
            self.Head1 = modules.SeparateFCs(PARTS, last, model_cfg["class_num"])

    def parts(self, clips: Tensor) -> Tensor:
        """Clips of one length [n, 1, s, h, w] -> pooled parts [n, c, 64]."""
        maps = self.LTA(self.conv3d(lengthen(clips)))
        maps = self.GLConvA1(self.MaxPool0(self.GLConvA0(maps)))
        return self.HPP(self.TP(self.GLConvB2(maps)))

    def features(self, clips: Tensor, seqL: Tensor | None = None) -> Features:
        features = self.Head0(torch.cat([self.parts(clip) for clip in modules.split_clips(clips, seqL)]))
        if self.with_necks:
            embeddings = features
            _, logits = self.BNNecks(features)
        else:
            embeddings = self.Bn(features)
            logits = self.Head1(embeddings)
        return Features(embeddings, logits, embeddings)
