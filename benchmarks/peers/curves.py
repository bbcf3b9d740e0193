"""The IoU at 256 thresholds from one histogram against a loop that cuts the map 256 times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.metrics import iou_curve_of
from benchmarks.metrics.curve import LEVELS
from benchmarks.peers import masks
from benchmarks.peers.interleave import Contest
from pipelines.types import Mask

Soft = npt.NDArray[np.floating[Any]]


def contests(side: int) -> Iterator[Contest]:
    """The contest at one size.

    Args:
        side: of the square map, in pixels.
    """
    pred, target = masks.pair(side, 0)
    soft = masks.soft(pred, 0)
    yield Contest(
        f"IoU at 256 thresholds, {side} px",
        "iou_curve_of",
        "naive loop",
        lambda: iou_curve_of(soft, target),
        lambda: loop(soft, target),
        lambda: np.array_equal(iou_curve_of(soft, target), loop(soft, target)),
        100,
    )


def loop(soft: Soft, target: Mask) -> npt.NDArray[np.float64]:
    """IoU of 255 p >= k for k = 0 to 255, one mask after the other, float64 ``(256,)``.

    Args:
        soft: probability ``(H, W)``.
        target: of the same size.
    """
    levels, curve = soft * 255, np.ones(LEVELS)
    for k in range(LEVELS):
        pred = levels >= k
        union = (pred | target).sum()
        if union:
            curve[k] = (pred & target).sum() / union
    return curve
