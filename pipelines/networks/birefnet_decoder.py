"""Decoder of BiRefNet, written from the paper, with the parameter names of the published weights.

Source: Zheng et al., Bilateral Reference for High-Resolution Dichotomous Image Segmentation, 2024, arXiv 2401.03407;
deformable convolution: Zhu et al., Deformable ConvNets v2, 2019, arXiv 1811.11168.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn
from torch.nn import functional
from torchvision.ops import deform_conv2d

PatchOrder = Literal["colour", "column"]

GRADIENT = 16
"""Channels of the branch that learns the image's gradient."""


def resized(maps: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Bilinear, corner to corner, as the network was trained; the same maps where they have that size."""
    if maps.shape[-2:] == (height, width):
        return maps
    return functional.interpolate(maps, size=(height, width), mode="bilinear", align_corners=True)


def resized_like(maps: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """`resized` to the size of other maps."""
    return resized(maps, other.shape[-2], other.shape[-1])


def patches(pixels: torch.Tensor, height: int, width: int, order: PatchOrder) -> torch.Tensor:
    """The image cut into a grid of patches, stacked as channels: the reference that loses no pixel.

    Args:
        pixels: ``(N, 3, h, w)``, whose sides are multiples of the patch's.
        height: of a patch, in pixels.
        width: of a patch, in pixels.
        order: of the channels: "colour" = by colour, row, column, as the authors cut since November 2024; "column" = by
            column, row, colour, as they did before, and as RMBG-2.0 does. Weights hold for one order alone.
    """
    images, colours, rows, columns = pixels.shape
    grid = pixels.view(images, colours, rows // height, height, columns // width, width)
    ordered = grid.permute(0, 1, 2, 4, 3, 5) if order == "colour" else grid.permute(0, 4, 2, 1, 3, 5)
    return ordered.reshape(images, -1, height, width)


class Decoder(nn.Module):
    """From the coarsest features to logits, with the image itself beside the features at every step.

    Args:
        channels: of the features, the coarsest first.
        width: channels inside a block.
        branch: channels of each branch of the attention of a block.
        order: of the channels of the image's patches.
    """

    def __init__(self, channels: Sequence[int], width: int, branch: int, order: PatchOrder) -> None:
        super().__init__()
        self.order: PatchOrder = order
        inputs = [channels[i] // 8 for i in (0, 0, 1, 2, 3)]
        outputs = [*channels[1:], channels[-1] // 2]
        for i, (level, patch) in enumerate(zip((5, 4, 3, 2, 1), (32, 16, 8, 4, 1), strict=True)):
            self.add_module(f"ipt_blk{level}", SimpleConvs(3 * patch**2, inputs[i], width))
        for i, level in enumerate((4, 3, 2, 1)):
            self.add_module(f"decoder_block{level}", Block(channels[i] + inputs[i], outputs[i], width, branch))
        for i, level in enumerate((4, 3, 2)):
            self.add_module(f"lateral_block{level}", Lateral(outputs[i]))
            self.add_module(f"gdt_convs_{level}", gradient(outputs[i]))
            self.add_module(f"gdt_convs_attn_{level}", nn.Sequential(nn.Conv2d(GRADIENT, 1, 1)))
        self.conv_out1 = nn.Sequential(nn.Conv2d(outputs[3] + inputs[4], 1, 1))

    def forward(self, pixels: torch.Tensor, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """``(N, 3, h, w)`` and the features, the coarsest first → logits ``(N, 1, h, w)``."""
        maps = features[0]
        for level, finer in zip((4, 3, 2), features[1:], strict=True):
            maps = self._part(f"decoder_block{level}", self._with_image(maps, pixels, level + 1))
            gradients = self._part(f"gdt_convs_{level}", maps)
            maps = maps * self._part(f"gdt_convs_attn_{level}", gradients).sigmoid()
            maps = resized_like(maps, finer) + self._part(f"lateral_block{level}", finer)
        maps = self._part("decoder_block1", self._with_image(maps, pixels, 2))
        logits: torch.Tensor = self.conv_out1(self._with_image(resized_like(maps, pixels), pixels, 1))
        return logits

    def _with_image(self, maps: torch.Tensor, pixels: torch.Tensor, level: int) -> torch.Tensor:
        cut = patches(pixels, maps.shape[-2], maps.shape[-1], self.order)
        return torch.cat((maps, self._part(f"ipt_blk{level}", cut)), 1)

    def _part(self, name: str, maps: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = getattr(self, name)(maps)
        return result


def gradient(channels: int) -> nn.Sequential:
    """The branch that tells where the image's gradient matters."""
    return nn.Sequential(nn.Conv2d(channels, GRADIENT, 3, padding=1), nn.BatchNorm2d(GRADIENT), nn.ReLU())


class SimpleConvs(nn.Module):
    """Two convolutions with nothing between them."""

    def __init__(self, channels: int, out: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1)
        self.conv_out = nn.Conv2d(width, out, 3, padding=1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """``(N, C, h, w)`` → ``(N, out, h, w)``."""
        result: torch.Tensor = self.conv_out(self.conv1(maps))
        return result


class Lateral(nn.Module):
    """Features of the backbone on their way to the decoder."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The same shape."""
        result: torch.Tensor = self.conv(maps)
        return result


class Block(nn.Module):
    """A narrow convolution, attention over several reaches, and a convolution out of it."""

    def __init__(self, channels: int, out: int, width: int, branch: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(channels, width, 3, padding=1)
        self.bn_in = nn.BatchNorm2d(width)
        self.dec_att = DeformableASPP(width, branch)
        self.conv_out = nn.Conv2d(width, out, 3, padding=1)
        self.bn_out = nn.BatchNorm2d(out)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """``(N, C, h, w)`` → ``(N, out, h, w)``."""
        maps = self.dec_att(functional.relu(self.bn_in(self.conv_in(maps))))
        result: torch.Tensor = self.bn_out(self.conv_out(maps))
        return result


class DeformableASPP(nn.Module):
    """Deformable convolutions of several sizes and the mean of the map, side by side."""

    def __init__(self, channels: int, branch: int) -> None:
        super().__init__()
        self.aspp1 = DeformableBranch(channels, branch, 1)
        self.aspp_deforms = nn.ModuleList(DeformableBranch(channels, branch, side) for side in (1, 3, 7))
        self.global_avg_pool = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, branch, 1, bias=False), nn.BatchNorm2d(branch), nn.ReLU()
        )
        self.conv1 = nn.Conv2d(5 * branch, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The same shape."""
        mean = self.global_avg_pool(maps).expand(-1, -1, *maps.shape[-2:])
        seen = [self.aspp1(maps), *(branch(maps) for branch in self.aspp_deforms), mean]
        return functional.relu(self.bn1(self.conv1(torch.cat(seen, 1))))


class DeformableBranch(nn.Module):
    """One deformable convolution."""

    def __init__(self, channels: int, out: int, side: int) -> None:
        super().__init__()
        self.atrous_conv = DeformableConv(channels, out, side)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """``(N, C, h, w)`` → ``(N, out, h, w)``."""
        return functional.relu(self.bn(self.atrous_conv(maps)))


class DeformableConv(nn.Module):
    """A convolution that learns where to look, and how much of what it finds to take."""

    def __init__(self, channels: int, out: int, side: int) -> None:
        super().__init__()
        self.pad = side // 2
        self.offset_conv = nn.Conv2d(channels, 2 * side**2, side, padding=self.pad)
        self.modulator_conv = nn.Conv2d(channels, side**2, side, padding=self.pad)
        self.regular_conv = nn.Conv2d(channels, out, side, padding=self.pad, bias=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """``(N, C, h, w)`` → ``(N, out, h, w)``; in float32, since offsets are coordinates and some devices know no
        other."""
        offset = self.offset_conv(maps).float()
        share = 2 * torch.sigmoid(self.modulator_conv(maps)).float()
        weight = self.regular_conv.weight.float()
        lost = offset.isnan()  # an offset that is no number would be read as an address, and end the process
        seen: torch.Tensor = deform_conv2d(maps.float(), offset.masked_fill(lost, 0), weight, padding=self.pad,
                                           mask=share)  # fmt: skip
        return seen.masked_fill(lost.any(dim=1, keepdim=True), math.nan).to(maps.dtype)
