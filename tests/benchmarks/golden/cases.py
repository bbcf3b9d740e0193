"""Probability maps and masks that are made anew from their seed, so that only numbers have to be kept.

Nothing but integers, uniform numbers and plain arithmetic of numpy: both are the same across its versions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]
COUNT = 300
TARGETS = ("blob", "blob", "noise", "pixel", "full", "empty", "border", "stripe", "frame", "half")
MAPS = ("near", "near", "noise", "flat", "right", "wrong", "quantised", "faint", "mask")
FLAT = (0.0, 0.25, 0.5, 1.0)  # their sums are exact, so that nobody's rounding decides between 0/0 and 0


def case(seed: int) -> tuple[Map, Mask]:
    """Probability ``(H, W)``, float32 or float64, and target ``(H, W)``."""
    chance = np.random.default_rng(seed)
    shape = _shape(chance, seed)
    target = _target(chance, shape, TARGETS[seed % len(TARGETS)])
    soft = _map(chance, target, MAPS[seed // len(TARGETS) % len(MAPS)])
    return soft.astype(np.float32 if seed % 3 else np.float64), target


def digest(soft: Map, target: Mask) -> list[float]:
    """Whether a case was made again as it was: its size, the sum of its map, and the pixels of its target."""
    return [*soft.shape, float(soft.sum(dtype=np.float64)), int(target.sum())]


def _shape(chance: np.random.Generator, seed: int) -> tuple[int, int]:
    height, width = (int(side) for side in chance.integers(2, 64, 2))
    if seed % 13 == 5:
        return 1, width
    if seed % 13 == 8:
        return height, 1
    return (97, 131) if seed % 26 == 3 else (height, width)


def blurred(values: npt.NDArray[np.float64], radius: int) -> npt.NDArray[np.float64]:
    """A running mean over ``2 radius + 1`` pixels along both axes, edges repeated."""
    for axis in (0, 1):
        margin = [(radius + 1, radius) if axis == i else (0, 0) for i in (0, 1)]
        sums = np.cumsum(np.pad(values, margin, mode="edge"), axis=axis)
        length = values.shape[axis]
        ends, starts = (np.take(sums, np.arange(s, s + length), axis=axis) for s in (2 * radius + 1, 0))
        values = (ends - starts) / (2 * radius + 1)
    return values


def _target(chance: np.random.Generator, shape: tuple[int, int], kind: str) -> Mask:
    rows, columns = np.indices(shape)
    if kind in ("full", "empty"):
        return np.full(shape, kind == "full")
    if kind == "noise":
        return chance.random(shape) < chance.random()
    if kind == "pixel":
        return rows * shape[1] + columns == chance.integers(shape[0] * shape[1])
    if kind == "border":
        return (rows >= shape[0] // 2) & (columns >= shape[1] // 3)
    if kind == "stripe":
        return (rows + columns) % 7 < 3
    if kind == "frame":
        return (rows == 0) | (columns == 0) | (rows == shape[0] - 1) | (columns == shape[1] - 1)
    if kind == "half":
        return columns < shape[1] // 2
    field = blurred(chance.random(shape), int(chance.integers(1, 6)))
    return field > np.median(field)


def _map(chance: np.random.Generator, target: Mask, kind: str) -> npt.NDArray[np.float64]:
    if kind == "noise":
        return chance.random(target.shape)
    if kind == "flat":
        return np.full(target.shape, FLAT[int(chance.integers(len(FLAT)))])
    if kind in ("right", "wrong"):
        return (target == (kind == "right")).astype(np.float64)
    if kind == "mask":
        return (chance.random(target.shape) < 0.5).astype(np.float64)
    near = 0.7 * blurred(target.astype(np.float64), 2) + 0.3 * chance.random(target.shape)
    if kind == "quantised":
        return np.floor(near * 8) / 8
    return near * (1e-3 if kind == "faint" else 1.0)
