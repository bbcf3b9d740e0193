"""Overlapping tiles of a large picture, and their maps joined into one of a higher resolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Tile:
    """One part of a picture.

    Attributes:
        rows: ``(start, stop)`` in pixels of the picture.
        columns: ``(start, stop)``.
        corner: ``(y, x)`` of its map within the joined map.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    corner: tuple[int, int]


@dataclass(frozen=True)
class Grid:
    """How a picture is cut.

    Attributes:
        tiles: row by row.
        size: ``(h, w)`` of the joined map.
    """

    tiles: tuple[Tile, ...]
    size: tuple[int, int]


def grid(size: tuple[int, int], tile_px: int, overlap: float, side: tuple[int, int]) -> Grid:
    """Tiles that cover a picture, all of one size and evenly spread.

    Args:
        size: ``(H, W)`` of the picture.
        tile_px: side of a tile in pixels, never below that of the network's input; 0 = the whole picture.
        overlap: least share of a tile that its neighbour covers too.
        side: ``(h, w)`` of the network's input and of a tile's map.
    """
    tops, map_height = _spread(size[0], tile_px, overlap, side[0])
    lefts, map_width = _spread(size[1], tile_px, overlap, side[1])
    tiles = (Tile(rows, columns, (y, x)) for rows, y in tops for columns, x in lefts)
    return Grid(tuple(tiles), (map_height, map_width))


def _spread(length: int, tile_px: int, overlap: float, side: int) -> tuple[list[tuple[tuple[int, int], int]], int]:
    """Tiles along one axis, each with the place of its map, and the length of the joined map.

    The places are whole pixels of the joined map; what they are in the picture is off by half a pixel at most.
    """
    tile = max(tile_px, side)
    if not tile_px or length <= tile:
        return [((0, length), 0)], side
    whole = round(length * side / tile)
    count = math.ceil((length - tile) / (tile * (1 - overlap))) + 1
    places = [round(index * (whole - side) / (count - 1)) for index in range(count)]
    starts = [min(round(place * length / whole), length - tile) for place in places]
    return [((start, start + tile), place) for start, place in zip(starts, places, strict=True)], whole


def joined(maps: Sequence[torch.Tensor], cut: Grid, overlap: float) -> torch.Tensor:
    """One map from those of the tiles; where they overlap, a mean that fades from one into the other.

    Args:
        maps: ``(L, h, w)`` for each tile.
        cut: where they lie.
        overlap: as the grid was made with.

    Returns:
        ``(L, *cut.size)``; the only map itself where there is one tile.
    """
    if len(maps) == 1:
        return maps[0]
    height, width = maps[0].shape[1:]
    weight = (_fade(height, overlap)[:, None] * _fade(width, overlap)).to(maps[0].device)
    total, weights = maps[0].new_zeros(len(maps[0]), *cut.size), maps[0].new_zeros(cut.size)
    for values, tile in zip(maps, cut.tiles, strict=True):
        place = (slice(tile.corner[0], tile.corner[0] + height), slice(tile.corner[1], tile.corner[1] + width))
        total[:, *place] += values * weight
        weights[place] += weight
    return total.div_(weights).clamp_(0, 1)  # the sum of a mean's weights may be off in the last bit


def _fade(side: int, overlap: float) -> torch.Tensor:
    """Rises from each end over the overlap, 1 between."""
    reach = max(1.0, overlap * side)
    at = torch.arange(side) + 0.5
    return torch.minimum(at, at.flip(0)).div(reach).clamp(max=1)
