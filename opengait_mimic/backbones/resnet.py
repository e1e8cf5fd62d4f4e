"""Small residual networks for silhouettes, with the parameter names common for ResNets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from opengait_mimic.backbones.modules import BasicConv2d
from opengait_mimic.errors import ConfigError, nearest


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)


def projection(in_channels: int, out_channels: int, stride: int, over_time: bool = False) -> nn.Sequential | None:
    """The shortcut of a block that changes the shape (never the time axis); None where the identity fits."""
    if stride == 1 and in_channels == out_channels:
        return None
    if over_time:
        pointwise = nn.Conv3d(in_channels, out_channels, 1, (1, stride, stride), bias=False)
        return nn.Sequential(pointwise, nn.BatchNorm3d(out_channels))
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1
    convolution: Callable[..., nn.Module] = staticmethod(conv3x3)
    norm: type[nn.Module] = nn.BatchNorm2d
    over_time = False

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = self.convolution(in_channels, channels, stride)
        self.bn1 = self.norm(channels)
        self.conv2 = self.convolution(channels, channels)
        self.bn2 = self.norm(channels)
        self.downsample = projection(in_channels, channels, stride, self.over_time)

    def forward(self, maps: Tensor) -> Tensor:
        shortcut = maps if self.downsample is None else self.downsample(maps)
        y = F.relu(self.bn1(self.conv1(maps)))
        return F.relu(self.bn2(self.conv2(y)) + shortcut)


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride) and 1x1 convolutions and a shortcut; four times `channels` come out."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = projection(in_channels, out_channels, stride)

    def forward(self, maps: Tensor) -> Tensor:
        shortcut = maps if self.downsample is None else self.downsample(maps)
        y = F.relu(self.bn1(self.conv1(maps)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + shortcut)


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {"BasicBlock": BasicBlock, "Bottleneck": Bottleneck}


class ResNet9(nn.Module):
    """Stem and four residual stages: [b, in_channel, h, w] -> [b, channels[3] * expansion, h', w'].

    Args:
        block: 'BasicBlock' or 'Bottleneck'.
        channels: one number per stage.
        in_channel: channels of the images.
        layers: blocks of each stage; a stage of 0 layers passes its input on.
        strides: one number per stage.
        maxpool: halve height and width after the stem.

    Raises:
        ConfigError: unknown block, or not four stages.
    """

    def __init__(
        self,
        block: str,
        channels: Sequence[int] = (32, 64, 128, 256),
        in_channel: int = 1,
        layers: Sequence[int] = (1, 2, 2, 1),
        strides: Sequence[int] = (1, 2, 2, 1),
        maxpool: bool = True,
    ) -> None:
        super().__init__()
        if block not in BLOCKS:
            raise ConfigError(f"ResNet9: unknown block {block!r}; {nearest(block, BLOCKS)}")
        if not len(channels) == len(layers) == len(strides) == 4:
            raise ConfigError(
                "ResNet9: channels, layers and strides need four numbers each, "
                f"found {list(channels)}, {list(layers)} and {list(strides)}"
            )
        self.conv1 = BasicConv2d(in_channel, channels[0], 3)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if maxpool else nn.Identity()
        width = channels[0]
        for stage in range(4):
            blocks = []
            for i in range(layers[stage]):
                blocks.append(BLOCKS[block](width, channels[stage], strides[stage] if i == 0 else 1))
                width = channels[stage] * BLOCKS[block].expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))

    def forward(self, images: Tensor) -> Tensor:
        maps = self.maxpool(F.relu(self.bn1(self.conv1(images))))
        for number in (1, 2, 3, 4):
            maps = self.get_submodule(f"layer{number}")(maps)
        return maps
