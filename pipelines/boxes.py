"""Boxes as arrays: IoU, and which of those that overlap are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.intp]


def iou_of(boxes: Floats, others: Floats) -> Floats:
    """IoU of every pair, ``(N, M)``; a box without an area overlaps nothing.

    Args:
        boxes: ``(N, 4)`` xyxy.
        others: ``(M, 4)`` xyxy.
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    union = _areas(boxes)[:, None] + _areas(others)[None] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0))


def suppressed(boxes: Floats, scores: Floats, labels: npt.NDArray[np.integer[Any]], most_iou: float) -> Indices:
    """Non-maximum suppression within each label, as of Girshick et al. 2014.

    Args:
        boxes: ``(K, 4)`` xyxy.
        scores: ``(K,)``.
        labels: ``(K,)``; boxes of different labels leave each other alone.
        most_iou: of two boxes that overlap more, the one of the lower score goes; 1 keeps all.

    Returns:
        Indices of what is kept, the highest score first; of equal scores the first comes first.
    """
    order = np.argsort(-scores, kind="stable")
    if most_iou >= 1 or not len(order):
        return order
    rivals = (iou_of(boxes[order], boxes[order]) > most_iou) & (labels[order][:, None] == labels[order][None])
    kept = np.ones(len(order), np.bool_)
    for index in range(len(order)):
        if kept[index]:
            kept[index + 1 :] &= ~rivals[index, index + 1 :]
    return order[kept]


def _areas(boxes: Floats) -> Floats:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
