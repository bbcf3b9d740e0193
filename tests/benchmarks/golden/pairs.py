"""Random pairs of masks and maps that several tests hold against other implementations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]
Map = npt.NDArray[np.float64]
PAIRS = 2000


def mask(chance: np.random.Generator, shape: tuple[int, int]) -> Mask:
    """Empty, full, noise, one pixel, or blobs."""
    kind = chance.integers(6)
    if kind < 2:
        return np.full(shape, bool(kind))
    if kind == 2:
        return np.asarray(chance.random(shape) < chance.random())
    if kind == 3:  # one pixel
        return np.asarray(np.arange(shape[0] * shape[1]).reshape(shape) == chance.integers(shape[0] * shape[1]))
    return np.asarray(ndimage.gaussian_filter(chance.random(shape), 2) > 0.5)


@cache
def pairs() -> list[tuple[Mask, Mask]]:
    """Two masks each, equal every fiftieth time; a few are one pixel wide or high."""
    chance = np.random.default_rng(0)
    found = []
    for index in range(PAIRS):
        height, width = (int(v) for v in chance.integers(1, 40, 2))
        shape = [(height, width), (1, width), (height, 1), (1, 1)][index % 8 % 4 if index % 8 < 4 else 0]
        pred, target = mask(chance, shape), mask(chance, shape)
        found.append((target.copy() if index % 50 == 0 else pred, target))
    return found


@cache
def soft_pairs() -> list[tuple[Map, Mask]]:
    """A map each, near its target, random, in steps, flat, or the mask of another; and the target."""
    return list(_soft_pairs(np.random.default_rng(4)))


def _soft_pairs(chance: np.random.Generator) -> Iterator[tuple[Map, Mask]]:
    for index, (pred, target) in enumerate(pairs()):
        kind = index % 6
        noise = chance.random(target.shape)
        if kind == 0:
            yield noise, target
        elif kind == 1:
            yield np.floor(noise * 6) / 6, target
        elif kind == 2:
            yield np.full(target.shape, chance.integers(5) / 4), target
        elif kind == 3:
            yield pred.astype(np.float64), target
        else:
            near = ndimage.uniform_filter(target.astype(np.float64), 3)
            yield np.clip(0.7 * near + 0.3 * noise, 0, 1), target
