"""Building blocks of the gait networks.

Shapes: n clips, c channels, s frames, h rows, w columns, p horizontal parts.
Attribute and parameter names are those of OpenGait's checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def split_clips(maps: Tensor, seqL: Tensor | None) -> list[Tensor]:
    """Cut maps [1, c, sum(seqL), h, w] into one [1, c, length, h, w] per clip; seqL None leaves them whole.

    Raises:
        ValueError: the frames of the maps are not those that seqL counts.
    """
    if seqL is None:
        return [maps]
    lengths = seqL.flatten().tolist()
    if maps.shape[0] != 1 or maps.shape[2] != sum(lengths):
        raise ValueError(
            f"seqL {lengths} describes one row of {sum(lengths)} frames, "
            f"but the maps have {maps.shape[0]} rows of {maps.shape[2]} frames"
        )
    return list(maps.split(lengths, dim=2))


class SetBlockWrapper(nn.Module):
    """Applies a network for images [b, c, h, w] to every frame of clips [n, c, s, h, w]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.forward_block = network

    def forward(self, clips: Tensor) -> Tensor:
        n, frames = clips.shape[0], clips.shape[2]
        maps = self.forward_block(clips.transpose(1, 2).flatten(0, 1))
        return maps.unflatten(0, (n, frames)).transpose(1, 2)


class BasicConv2d(nn.Module):
    """A convolution without bias under the name `conv`; odd kernels keep the size."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images)


class TemporalMaxPooling(nn.Module):
    """Maximum over the frames of each clip: [n, c, s, h, w] -> [n, c, h, w].

    With seqL [1, n] the maps are [1, c, sum(seqL), h, w], the clips one after another.
    """

    def forward(self, maps: Tensor, seqL: Tensor | None = None) -> Tensor:
        return torch.cat([clips.amax(dim=2) for clips in split_clips(maps, seqL)])


class HorizontalPoolingPyramid(nn.Module):
    """Mean plus maximum of horizontal parts: [n, c, h, w] -> [n, c, p] with p = sum(bin_num).

    Args:
        bin_num: numbers of equally high parts; each has to divide h.
    """

    def __init__(self, bin_num: Sequence[int] = (16, 8, 4, 2, 1)) -> None:
        super().__init__()
        self.bin_num = tuple(bin_num)

    def forward(self, maps: Tensor) -> Tensor:
        pooled = []
        for bins in self.bin_num:
            parts = maps.unflatten(2, (bins, -1)).flatten(3)
            pooled.append(parts.mean(dim=3) + parts.amax(dim=3))
        return torch.cat(pooled, dim=2)


class GeMHPP(nn.Module):
    """Generalised mean of horizontal parts with a learned exponent `p`: [n, c, h, w] -> [n, c, bins]."""

    def __init__(self, bins: int = 64, exponent: float = 6.5, eps: float = 1e-6) -> None:
        super().__init__()
        self.bins = bins
        self.eps = eps
        self.p = nn.Parameter(torch.full((1,), exponent))

    def forward(self, maps: Tensor) -> Tensor:
        parts = maps.unflatten(2, (self.bins, -1)).flatten(3)
        return parts.clamp(min=self.eps).pow(self.p).mean(dim=3).pow(1 / self.p)


class SeparateFCs(nn.Module):
    """One linear map without bias per part: [n, in_channels, p] -> [n, out_channels, p].

    Args:
        parts_num: p.
        in_channels: of the parts.
        out_channels: of the result.
        norm: L2-normalise each column of the weight, so that outputs of unit-length inputs are cosines.
    """

    def __init__(self, parts_num: int, in_channels: int, out_channels: int, norm: bool = False) -> None:
        super().__init__()
        self.norm = norm
        # Initialised as one tensor, not part by part: OpenGait's scale, which its learning rates assume.
        self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.empty(parts_num, in_channels, out_channels)))

    def forward(self, parts: Tensor) -> Tensor:
        weight = F.normalize(self.fc_bin, dim=1) if self.norm else self.fc_bin
        return torch.einsum("nip,pio->nop", parts, weight)


class SeparateBNNecks(nn.Module):
    """Batch norm and a classifier per part.

    Args:
        parts_num: p.
        in_channels: of the parts.
        class_num: number of identities.
        norm: classify by cosine, of L2-normalised features and class weights.
        parallel_BN1d: one BatchNorm1d over all c * p features (True) or one of c features for each part;
            the two differ in their parameter names only.

    forward: [n, in_channels, p] -> features [n, in_channels, p] (of unit length over c with `norm`)
    and logits [n, class_num, p].
    """

    def __init__(
        self,
        parts_num: int,
        in_channels: int,
        class_num: int,
        norm: bool = True,
        parallel_BN1d: bool = True,
    ) -> None:
        super().__init__()
        self.norm = norm
        self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.empty(parts_num, in_channels, class_num)))
        if parallel_BN1d:
            self.bn1d: nn.Module = nn.BatchNorm1d(parts_num * in_channels)
        else:
            self.bn1d = nn.ModuleList(nn.BatchNorm1d(in_channels) for _ in range(parts_num))

    def forward(self, parts: Tensor) -> tuple[Tensor, Tensor]:
        if isinstance(self.bn1d, nn.ModuleList):
            columns = zip(self.bn1d, parts.unbind(2), strict=True)
            features = torch.stack([norm(part) for norm, part in columns], dim=2)
        else:
            features = self.bn1d(parts.flatten(1)).view_as(parts)
        weight = self.fc_bin
        if self.norm:
            features, weight = F.normalize(features, dim=1), F.normalize(weight, dim=1)
        return features, torch.einsum("nip,pio->nop", features, weight)
