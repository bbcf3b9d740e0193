"""Swin transformer as a backbone of four levels, written from the paper, with the names of the published weights.

Source: Liu et al., Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, ICCV 2021,
arXiv 2103.14030.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

PATCH = 4
"""Side in pixels of the squares that the first convolution turns into tokens."""

MLP_RATIO = 4
"""Width of the hidden layer of a block over the width of its tokens."""


@dataclass(frozen=True)
class SwinSize:
    """Sizes of a Swin transformer.

    Attributes:
        embed_dim: channels of the first level; each further level doubles them.
        depths: blocks of each level.
        num_heads: attention heads of each level.
        window_size: side in tokens of the windows in which tokens look at each other.
    """

    embed_dim: int
    depths: tuple[int, ...]
    num_heads: tuple[int, ...]
    window_size: int

    @property
    def channels(self) -> tuple[int, ...]:
        """Of the levels, the finest first."""
        return tuple(self.embed_dim * 2**level for level in range(len(self.depths)))


SIZES = {
    "swin_v1_t": SwinSize(96, (2, 2, 6, 2), (3, 6, 12, 24), 7),
    "swin_v1_s": SwinSize(96, (2, 2, 18, 2), (3, 6, 12, 24), 7),
    "swin_v1_b": SwinSize(128, (2, 2, 18, 2), (4, 8, 16, 32), 12),
    "swin_v1_l": SwinSize(192, (2, 2, 18, 2), (6, 12, 24, 48), 12),
}
"""The sizes of the paper, with the windows of the published weights."""


class Swin(nn.Module):
    """Features of an image at a fourth, an eighth, a sixteenth and a thirty-second of its sides."""

    def __init__(self, size: SwinSize) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(size.embed_dim)
        levels = list(zip(size.channels, size.depths, size.num_heads, strict=True))
        self.layers = nn.ModuleList(
            Level(width, depth, heads, size.window_size, merges=i < len(levels) - 1)
            for i, (width, depth, heads) in enumerate(levels)
        )
        for i, width in enumerate(size.channels):
            self.add_module(f"norm{i}", nn.LayerNorm(width))

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """``(N, 3, h, w)`` → ``(N, C, h / 4, w / 4)`` and so on, the finest first; odd sides are rounded up."""
        tokens, levels = self.patch_embed(pixels), []
        for i, layer in enumerate(self.layers):
            seen, tokens = layer(tokens)
            levels.append(getattr(self, f"norm{i}")(seen).permute(0, 3, 1, 2).contiguous())
        return levels


class PatchEmbed(nn.Module):
    """Squares of pixels as tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, stride=PATCH)
        self.norm = nn.LayerNorm(width)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(N, 3, h, w)`` → tokens ``(N, h / 4, w / 4, C)``, black beyond the right and bottom edge."""
        height, width = pixels.shape[-2:]
        pixels = functional.pad(pixels, (0, -width % PATCH, 0, -height % PATCH))
        tokens: torch.Tensor = self.norm(self.proj(pixels).permute(0, 2, 3, 1))
        return tokens


class Level(nn.Module):
    """Blocks at one resolution, every second one with shifted windows, then a merge of 2x2 tokens."""

    def __init__(self, width: int, depth: int, heads: int, window: int, *, merges: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads, window, window // 2 if i % 2 else 0) for i in range(depth))
        self.downsample = PatchMerging(width) if merges else None

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens ``(N, h, w, C)`` → the same after the blocks, and what the next level starts from."""
        for block in self.blocks:
            tokens = block(tokens)
        return tokens, tokens if self.downsample is None else self.downsample(tokens)


class PatchMerging(nn.Module):
    """Four neighbours as one token of twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(4 * width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """``(N, h, w, C)`` → ``(N, h / 2, w / 2, 2 C)``, odd sides rounded up."""
        height, width = tokens.shape[1:3]
        tokens = functional.pad(tokens, (0, 0, 0, width % 2, 0, height % 2))
        corners = [tokens[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        merged: torch.Tensor = self.reduction(self.norm(torch.cat(corners, -1)))
        return merged


class Block(nn.Module):
    """Attention within windows, then a small network for each token."""

    def __init__(self, width: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.kept: tuple[tuple[Any, ...], torch.Tensor] | None = None
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """``(N, h, w, C)`` → the same shape."""
        tokens = tokens + self._attended(self.norm1(tokens))
        following: torch.Tensor = tokens + self.mlp(self.norm2(tokens))
        return following

    def _attended(self, tokens: torch.Tensor) -> torch.Tensor:
        _, height, width, _ = tokens.shape
        tokens = functional.pad(tokens, (0, 0, 0, -width % self.window, 0, -height % self.window))
        _, rows, columns, _ = tokens.shape
        mask = None
        if self.shift:
            tokens = tokens.roll((-self.shift, -self.shift), (1, 2))
            mask = self._mask(rows, columns, tokens)
        windows = self.attn(to_windows(tokens, self.window), mask)
        tokens = from_windows(windows, self.window, rows, columns)
        if self.shift:
            tokens = tokens.roll((self.shift, self.shift), (1, 2))
        return tokens[:, :height, :width]

    def _mask(self, rows: int, columns: int, tokens: torch.Tensor) -> torch.Tensor:
        """That of the last size is kept, since pictures come to one size; it goes when the network goes."""
        key = (rows, columns, tokens.device, tokens.dtype)
        if self.kept is None or self.kept[0] != key:
            self.kept = key, shifted_mask(rows, columns, self.window, self.shift, tokens.device, tokens.dtype)
        return self.kept[1]


class Mlp(nn.Module):
    """Two linear layers for each token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, MLP_RATIO * width)
        self.fc2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The same shape."""
        result: torch.Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return result


class WindowAttention(nn.Module):
    """Attention among the tokens of a window, with a learnt bias for each offset between two tokens."""

    relative_position_index: torch.Tensor

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer("relative_position_index", offsets(window))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, windows: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Windows ``(N, W, T, C)`` and, where they are shifted, what to add ``(W, 1, T, T)`` → the same shape."""
        images, count, tokens, width = windows.shape
        parts = self.qkv(windows).view(images, count, tokens, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(3, 0, 1, 4, 2, 5).flatten(1, 2).unbind(0)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)[None]
        if mask is not None:
            bias = (bias + mask).repeat(images, 1, 1, 1)
        seen = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=bias)
        result: torch.Tensor = self.proj(seen.transpose(1, 2).reshape(images, count, tokens, width))
        return result


def offsets(window: int) -> torch.Tensor:
    """For each pair of tokens of a window the row of the bias table, int64 ``(T, T)``."""
    places = torch.cartesian_prod(torch.arange(window), torch.arange(window))
    rows, columns = (places[:, None] - places[None] + window - 1).unbind(-1)
    return rows * (2 * window - 1) + columns


def to_windows(tokens: torch.Tensor, window: int) -> torch.Tensor:
    """Cut ``(N, h, w, C)`` into windows ``(N, W, T, C)``; the sides are multiples of the window's."""
    images, height, width, channels = tokens.shape
    cut = tokens.view(images, height // window, window, width // window, window, channels)
    return cut.transpose(2, 3).reshape(images, -1, window * window, channels)


def from_windows(windows: torch.Tensor, window: int, height: int, width: int) -> torch.Tensor:
    """Undo `to_windows`."""
    images, _, _, channels = windows.shape
    cut = windows.view(images, height // window, width // window, window, window, channels)
    return cut.transpose(2, 3).reshape(images, height, width, channels)


def shifted_mask(
    height: int, width: int, window: int, shift: int, device: torch.device, dtype: torch.dtype
) -> torch.Tensor:
    """What keeps tokens apart that a shift brought into one window from opposite edges of the image.

    Returns:
        ``(W, 1, T, T)``, 0 or -inf, to be added before the softmax.
    """
    parts = strips(height, window, shift)[:, None] * 3 + strips(width, window, shift)[None]
    inside = to_windows(parts[None, ..., None], window)[0, :, :, 0]
    apart = inside[:, None, :, None] != inside[:, None, None, :]
    return torch.zeros(apart.shape).masked_fill(apart, float("-inf")).to(device, dtype)


def strips(side: int, window: int, shift: int) -> torch.Tensor:
    """0, 1 or 2 along one side: before the last window, and the last window before and after the shift's edge."""
    places = torch.arange(side)
    return (places >= side - window).long() + (places >= side - shift).long()
