"""S-measure: how alike a probability map and a mask are in structure (Fan et al. 2017, arXiv 1708.00786)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.metrics.case import Soft
from benchmarks.metrics.region import Bits, Region

EPSILON = float(np.spacing(1))
NARROW = 0.1
"""Values that lie closer are taken from the least of them, or their variance would be lost beside the mean."""


@dataclass(frozen=True)
class Moments:
    """Number, mean and sample variance of what is looked at; a variance of 0 is exact."""

    count: int
    mean: float
    variance: float


def s_measure(soft: Soft, target: Region) -> float:
    """Half object, half region; constants as in PySODMetrics (MIT), but a quadrant without pixels has no say.

    Where the target is empty it is 1 - mean(p), where it is full mean(p). Ignored pixels count nowhere, also not in
    the areas that weigh the quadrants.

    Args:
        soft: probability in [0, 1], float32 or float64 ``(H, W)``, 0 where ignored.
        target: of the same size.
    """
    share = target.area / max(target.pixels, 1)
    if share in (0.0, 1.0):
        mean = float(soft.sum(dtype=np.float64)) / max(target.pixels, 1)
        return mean if share else 1 - mean
    inside, outside = _moments(soft, target.bits), _moments(soft, _counted(target) - target.bits)
    alike = share * _object(inside) + (1 - share) * _object(Moments(outside.count, 1 - outside.mean, outside.variance))
    return max(0.0, alike / 2 + _regions(soft, target) / 2)


def _counted(target: Region) -> Bits:
    return np.ones_like(target.bits) if target.ignore is None else (~target.ignore).view(np.uint8)


def _moments(soft: Soft, among: Bits | None = None) -> Moments:
    count = soft.size if among is None else cv2.countNonZero(among)
    if not count:
        return Moments(0, 0.0, 0.0)
    low, high = cv2.minMaxLoc(soft, among)[:2]
    if low == high:  # else rounding would give it a variance, which decides between 0 and 1 below
        return Moments(count, low, 0.0)
    origin = low if high - low < NARROW else 0.0
    mean, deviation = (value.item() for value in cv2.meanStdDev(soft - origin if origin else soft, mask=among))
    return Moments(count, origin + mean, deviation**2 * count / (count - 1))


def _object(x: Moments) -> float:
    return 2 * x.mean / (x.mean**2 + 1 + math.sqrt(x.variance) + EPSILON)


def _regions(soft: Soft, target: Region) -> float:
    """Likeness of the four quadrants around the centre of the target, weighed by their pixels."""
    moments = cv2.moments(target.bits, binaryImage=True)
    x, y = (round(moments[name] / moments["m00"]) + 1 for name in ("m10", "m01"))
    total = 0.0
    for rows in (slice(0, y), slice(y, None)):
        for columns in (slice(0, x), slice(x, None)):
            bits = target.bits[rows, columns]
            counted = None if target.ignore is None else (~target.ignore[rows, columns]).view(np.uint8)
            pixels = bits.size if counted is None else cv2.countNonZero(counted)
            if pixels:
                total += pixels / target.pixels * _likeness(soft[rows, columns], bits, counted, pixels)
    return total


def _likeness(soft: Soft, bits: Bits, counted: Bits | None, pixels: int) -> float:
    """4 x y cov / ((x² + y²)(var x + var y)) of one quadrant; 0/0 is 1."""
    p, area = _moments(soft, counted), cv2.countNonZero(bits)
    truth = area / pixels
    varies = 0 < area < pixels
    spread = area * (1 - truth) / (pixels - 1) if varies else 0.0
    shared = area * (cv2.mean(soft, mask=bits)[0] - p.mean) / (pixels - 1) if varies and p.variance else 0.0
    top = 4 * p.mean * truth * shared
    bottom = (p.mean**2 + truth**2) * (p.variance + spread)
    if top:
        return top / (bottom + EPSILON)
    return 0.0 if bottom else 1.0
