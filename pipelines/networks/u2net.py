"""U²-Net and its small form U²-NetP, written from the paper, with the parameter names of the published weights.

Source: Qin et al., U²-Net: Going Deeper with Nested U-Structure for Salient Object Detection, Pattern Recognition 2020,
arXiv 2005.09007; published weights: github.com/xuebinqin/U-2-Net.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import interpolate, max_pool2d

Channels = tuple[int, int]
"""Channels inside a block, and those that it gives on."""

PLAIN = ((1, 1, 1, 1, 1, 1, 2), (1, 1, 1, 1, 1, 2), (1, 1, 1, 1, 2), (1, 1, 1, 2))
"""Dilations of the convolutions of the blocks that pool, from stage 1 to stage 4; their number is the block's depth."""

DILATED = (1, 2, 4, 8)
"""Dilations of the deepest blocks, which keep their resolution."""


@dataclass(frozen=True)
class Widths:
    """Channels of the blocks.

    Attributes:
        encoder: of stages 1 to 6.
        decoder: of stages 1d to 5d.
    """

    encoder: tuple[Channels, ...]
    decoder: tuple[Channels, ...]


FULL = Widths(
    ((32, 64), (32, 128), (64, 256), (128, 512), (256, 512), (256, 512)),
    ((16, 64), (32, 64), (64, 128), (128, 256), (256, 512)),
)
SMALL = Widths(((16, 64),) * 6, ((16, 64),) * 5)


class U2Net(nn.Module):
    """The two-level nested U.

    Args:
        widths: channels of its blocks; `FULL` is U²-Net, `SMALL` is U²-NetP.
    """

    def __init__(self, widths: Widths = FULL) -> None:
        super().__init__()
        add_stages(self, 3, widths)
        self.outconv = nn.Conv2d(6, 1, 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(N, 3, h, w)`` → logits of the fused map ``(N, 1, h, w)``."""
        return self.maps(pixels)[0]

    def maps(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """Logits of the fused map and of the six side outputs it is fused from, each ``(N, 1, h, w)``."""
        levels = decoded(self, pixels)
        sides = [resized_like(side(self, i, level), levels[0]) for i, level in enumerate(levels, 1)]
        return [self.outconv(torch.cat(sides, 1)), *sides]


class Convolution(nn.Module):
    """3x3 convolution, batch normalisation, ReLU."""

    def __init__(self, channels_in: int, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv_s1 = nn.Conv2d(channels_in, channels, 3, padding=dilation, dilation=dilation)
        self.bn_s1 = nn.BatchNorm2d(channels)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """``(N, channels_in, h, w)`` → ``(N, channels, h, w)``."""
        return self.bn_s1(self.conv_s1(values)).relu_()  # type: ignore[no-any-return]


class ResidualU(nn.Module):
    """A small U within the large one, whose result is added to its own input features.

    Args:
        channels_in: of what comes in.
        channels: inside it, and of what it gives on.
        dilations: of its convolutions on the way down, the last one at the bottom.
        pools: whether it halves the resolution on the way down, where its convolutions are not dilated instead.
    """

    def __init__(self, channels_in: int, channels: Channels, dilations: tuple[int, ...], pools: bool) -> None:
        super().__init__()
        inside, out = channels
        self.depth, self.pools = len(dilations), pools
        self.rebnconvin = Convolution(channels_in, out, 1)
        for i, dilation in enumerate(dilations, 1):
            self.add_module(f"rebnconv{i}", Convolution(out if i == 1 else inside, inside, dilation))
        for i in reversed(range(1, self.depth)):
            self.add_module(f"rebnconv{i}d", Convolution(2 * inside, out if i == 1 else inside, dilations[i - 1]))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """``(N, channels_in, h, w)`` → ``(N, out, h, w)``."""
        entry = self.rebnconvin(values)
        down = [self.get_submodule("rebnconv1")(entry)]
        for i in range(2, self.depth):
            down.append(self.get_submodule(f"rebnconv{i}")(self._halved(down[-1])))
        found = self.get_submodule(f"rebnconv{self.depth}")(down[-1])
        for i in reversed(range(1, self.depth)):
            up = resized_like(found, down[i - 1]) if self.pools else found
            found = self.get_submodule(f"rebnconv{i}d")(torch.cat((up, down[i - 1]), 1))
        return found + entry  # type: ignore[no-any-return]

    def _halved(self, values: torch.Tensor) -> torch.Tensor:
        return halved(values) if self.pools else values


def add_stages(network: nn.Module, channels_in: int, widths: Widths) -> None:
    """Give a network the stages of the large U and its side outputs.

    Args:
        network: gets ``stage1`` to ``stage6``, ``stage5d`` to ``stage1d`` and ``side1`` to ``side6``.
        channels_in: of what stage 1 sees.
        widths: of the blocks.
    """
    given = [channels for _, channels in widths.encoder]
    for i, channels in enumerate(widths.encoder):
        network.add_module(f"stage{i + 1}", _block(i, given[i - 1] if i else channels_in, channels))
    below = [channels for _, channels in widths.decoder[1:]] + given[5:]
    for i, channels in reversed(list(enumerate(widths.decoder))):
        network.add_module(f"stage{i + 1}d", _block(i, below[i] + given[i], channels))
    for i, (_, out) in enumerate((*widths.decoder, widths.encoder[5]), 1):
        network.add_module(f"side{i}", nn.Conv2d(out, 1, 3, padding=1))


def _block(index: int, channels_in: int, channels: Channels) -> ResidualU:
    if index < len(PLAIN):
        return ResidualU(channels_in, channels, PLAIN[index], pools=True)
    return ResidualU(channels_in, channels, DILATED, pools=False)


def decoded(network: nn.Module, values: torch.Tensor) -> list[torch.Tensor]:
    """What the stages of the large U give: those of 1d to 5d, then that of 6."""
    down: list[torch.Tensor] = []
    for i in range(1, 7):
        values = network.get_submodule(f"stage{i}")(halved(values) if down else values)
        down.append(values)
    levels = [values]
    for i in reversed(range(5)):
        joined = torch.cat((resized_like(levels[0], down[i]), down[i]), 1)
        levels.insert(0, network.get_submodule(f"stage{i + 1}d")(joined))
    return levels


def side(network: nn.Module, index: int, level: torch.Tensor) -> torch.Tensor:
    """Logits of one side output at the resolution of its level; index 1 to 6."""
    return network.get_submodule(f"side{index}")(level)  # type: ignore[no-any-return]


def halved(values: torch.Tensor) -> torch.Tensor:
    """Largest of each 2x2, a last odd row or column kept."""
    return max_pool2d(values, 2, stride=2, ceil_mode=True)


def resized_like(values: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Bilinear, to the height and width of the target."""
    return interpolate(values, size=target.shape[2:], mode="bilinear", align_corners=False)


def widths_of(state: Mapping[str, Any]) -> Widths | None:
    """Channels of the blocks as the shapes of weights tell them; None where the names are not those of a U²-Net."""

    def channels(stage: str) -> Channels:
        inside, out = (state[f"{stage}.{name}.conv_s1.weight"].shape[0] for name in ("rebnconv1", "rebnconvin"))
        return inside, out

    try:
        encoder = tuple(channels(f"stage{i}") for i in range(1, 7))
        return Widths(encoder, tuple(channels(f"stage{i}d") for i in range(1, 6)))
    except KeyError:
        return None
