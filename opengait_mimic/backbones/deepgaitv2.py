"""DeepGaitV2: a deeper residual network, per frame (2d), pseudo-3D (p3d) or 3D (3d)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from opengait_mimic.backbones import modules
from opengait_mimic.backbones.network import Features, GaitNetwork
from opengait_mimic.backbones.resnet import BasicBlock, conv3x3, projection
from opengait_mimic.errors import ConfigError, nearest

PARTS = 16
WIDTHS = (44, 88)


def conv3x3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv3d:
    return nn.Conv3d(in_channels, out_channels, 3, (1, stride, stride), padding=1, bias=False)


class Block3D(BasicBlock):
    """Two 3x3x3 convolutions and a shortcut; `stride` is spatial."""

    convolution = staticmethod(conv3x3x3)
    norm = nn.BatchNorm3d
    over_time = True


class PseudoBlock3D(nn.Module):
    """Two 3x3 convolutions per frame with a residual convolution over time in between, and a shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = modules.SetBlockWrapper(
            nn.Sequential(conv3x3(in_channels, channels, stride), nn.BatchNorm2d(channels), nn.ReLU())
        )
        self.conv2 = modules.SetBlockWrapper(nn.Sequential(conv3x3(channels, channels), nn.BatchNorm2d(channels)))
        self.shortcut3d = nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0), bias=False)
        self.sbn = nn.BatchNorm3d(channels)
        self.downsample = projection(in_channels, channels, stride, over_time=True)

    def forward(self, maps: Tensor) -> Tensor:
        shortcut = maps if self.downsample is None else self.downsample(maps)
        y = self.conv1(maps)
        y = F.relu(y + self.sbn(self.shortcut3d(y)))
        return F.relu(self.conv2(y) + shortcut)


BLOCKS: dict[str, type[nn.Module]] = {"2d": BasicBlock, "p3d": PseudoBlock3D, "3d": Block3D}


def make_stage(mode: str, in_channels: int, channels: int, layers: int, stride: int) -> nn.Module:
    """`layers` blocks for clips [n, c, s, h, w], the first one with the change of shape."""
    first = BLOCKS[mode](in_channels, channels, stride)
    stage = nn.Sequential(first, *(BLOCKS[mode](channels, channels) for _ in range(layers - 1)))
    return modules.SetBlockWrapper(stage) if mode == "2d" else stage


class DeepGaitV2(GaitNetwork, name="DeepGaitV2"):
    """model_cfg: Backbone {in_channels, mode, layers, channels}, SeparateBNNecks {class_num}, use_emb2.

    Clips are 44 or 88 columns wide. Embeddings [n, c, 16] are the output of the linear maps; with use_emb2 true
    (default false) retrieval compares the normalised features in front of the classifier instead. The convolutions
    over time of p3d and 3d run across the ends of clips that seqL joins in one row.

    Raises:
        ConfigError: unknown mode (build), or silhouettes of another width (features).
    """

    def build(self, model_cfg: dict, dataset_name: str) -> None:  # noqa: ARG002
        cfg = model_cfg["Backbone"]
        mode, layers, channels = cfg["mode"], cfg["layers"], cfg["channels"]
        if mode not in BLOCKS:
            raise ConfigError(f"DeepGaitV2: unknown Backbone.mode {mode!r}; {nearest(mode, BLOCKS)}")
        stem = nn.Sequential(conv3x3(cfg["in_channels"], channels[0]), nn.BatchNorm2d(channels[0]), nn.ReLU())
        self.layer0 = modules.SetBlockWrapper(stem)
        self.layer1 = make_stage("2d", channels[0], channels[0], layers[0], stride=1)
        self.layer2 = make_stage(mode, channels[0], channels[1], layers[1], stride=2)
        self.layer3 = make_stage(mode, channels[1], channels[2], layers[2], stride=2)
        self.layer4 = make_stage(mode, channels[2], channels[3], layers[3], stride=1)
        self.TP = modules.TemporalMaxPooling()
        self.HPP = modules.HorizontalPoolingPyramid([PARTS])
        self.FCs = modules.SeparateFCs(PARTS, channels[3], channels[2])
        self.BNNecks = modules.SeparateBNNecks(PARTS, channels[2], model_cfg["SeparateBNNecks"]["class_num"])
        self.use_emb2 = model_cfg.get("use_emb2", False)

    def features(self, clips: Tensor, seqL: Tensor | None = None) -> Features:
        if clips.shape[-1] not in WIDTHS:
            raise ConfigError(
                f"DeepGaitV2 takes silhouettes of 44 or 88 columns, found {clips.shape[-1]}; "
                "BaseSilCuttingTransform in the transforms cuts 64 columns to 44"
            )
        maps = self.layer1(self.layer0(clips))
        maps = self.layer4(self.layer3(self.layer2(maps)))
        embeddings = self.FCs(self.HPP(self.TP(maps, seqL)))
        features, logits = self.BNNecks(embeddings)
        return Features(embeddings, logits, features if self.use_emb2 else embeddings)
