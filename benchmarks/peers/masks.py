"""Masks and maps that the contests of metrics are held on: the same at every call."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.types import Mask

Pair = tuple[Mask, Mask]
BLUR = 0.02
"""Width of the soft edge of a map, as a share of its side."""


def pair(side: int, index: int) -> Pair:
    """Coins on a table, predicted a little off, and as they are."""
    chance = np.random.default_rng(index)
    target, pred = np.zeros((2, side, side), np.uint8)
    for _ in range(12):
        x, y, radius = (int(v) for v in chance.uniform([0, 0, side / 30], [side, side, side / 8]))
        cv2.circle(target, (x, y), radius, (1,), -1)
        cv2.circle(pred, (x + side // 60, y), round(radius * 1.05), (1,), -1)
    return pred.astype(np.bool_), target.astype(np.bool_)


def soft(pred: Mask, index: int) -> npt.NDArray[np.float32]:
    """A probability map with soft edges and a little noise, so that every threshold cuts another mask."""
    noise = np.random.default_rng(index).random(pred.shape, np.float32)
    blurred = cv2.GaussianBlur(pred.astype(np.float32), (0, 0), BLUR * pred.shape[0])
    return np.asarray(np.clip(0.9 * blurred + 0.1 * noise, 0, 1), np.float32)
