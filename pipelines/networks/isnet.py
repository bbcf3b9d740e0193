"""IS-Net, written from the paper, with the parameter names of the published weights; RMBG-1.4 has the same layers.

Source: Qin et al., Highly Accurate Dichotomous Image Segmentation, ECCV 2022, arXiv 2203.03041; published weights:
github.com/xuebinqin/DIS.
"""

from __future__ import annotations

import torch
from torch import nn

from pipelines.networks.u2net import FULL, Widths, add_stages, decoded, resized_like, side

STEM = 64
"""Channels of the first convolution, which halves the resolution."""


class ISNet(nn.Module):
    """A U²-Net at half the resolution, whose finest side output is the result.

    Args:
        widths: channels of its blocks.
        stem: channels of the first convolution.
    """

    def __init__(self, widths: Widths = FULL, stem: int = STEM) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, stem, 3, stride=2, padding=1)
        add_stages(self, stem, widths)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(N, 3, h, w)`` → logits ``(N, 1, h, w)``; the coarser side outputs, which serve training, are left out."""
        finest = decoded(self, self.conv_in(pixels))[0]
        return resized_like(side(self, 1, finest), pixels)

    def maps(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """Logits of the six side outputs, the finest first, each ``(N, 1, h, w)``."""
        levels = decoded(self, self.conv_in(pixels))
        return [resized_like(side(self, i, level), pixels) for i, level in enumerate(levels, 1)]
