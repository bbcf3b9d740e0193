"""Weighted F-measure: errors near the target's edge weigh less, and those far off more (Margolin et al., CVPR 2014)."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.metrics.case import Soft
from benchmarks.metrics.region import Bits, Box, Region

EPSILON = float(np.spacing(1))
SMOOTHING = 3
"""Half the side of the 7 x 7 Gaussian."""

SIGMA = 5.0
HALVING = 5.0
"""Pixels over which the weight of a background error comes half as near to 2."""

HORIZON = np.float32(256)
"""Pixels beyond which the weight is 2 at single precision, and squares of distances need not be exact."""

Floats = npt.NDArray[np.float32]
MARGIN = math.isqrt(2 * SMOOTHING**2)
"""The longest offset below along an axis."""

NEAREST = sorted(
    (
        (dy, dx)
        for dy in range(-MARGIN, MARGIN + 1)
        for dx in range(-MARGIN, MARGIN + 1)
        if 0 < dy**2 + dx**2 <= 2 * SMOOTHING**2
    ),
    key=lambda offset: (offset[0] ** 2 + offset[1] ** 2, offset[1], offset[0]),
)
"""Offsets (y, x) by length; of equal ones the leftmost, then the topmost is first, as scipy's transform chooses."""


def weighted_f(soft: Soft, target: Region) -> float:
    """F of a probability map with weights by place, beta 1; 0 where the target is empty.

    As in PySODMetrics (MIT). The smoothed error matters on the target alone, so that only the pixels within 3 of it
    need their nearest one of the target. Ignored pixels have no error; the filter takes them for background.

    Args:
        soft: probability in [0, 1], float ``(H, W)``, 0 where ignored.
        target: of the same size.
    """
    if not target.area:
        return 0.0
    error = np.abs(soft - target.bits).astype(np.float32, copy=False)
    inside = _inside(error, target)
    outside = float(np.sum(error * _weights(target.bits), dtype=np.float64, where=target.bits == 0))
    right = target.area - inside
    recall, precision = 1 - inside / target.area, right / (right + outside + EPSILON)
    return 2 * recall * precision / (recall + precision + EPSILON)


def _weights(bits: Bits) -> Floats:
    """2 - 0.5 ** (distance to the target / 5) of each pixel."""
    distances = np.asarray(cv2.distanceTransform(1 - bits, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
    np.minimum(distances, HORIZON, out=distances)
    squares = np.rint(np.square(distances))  # exact; the last bit of the root varies from call to call in OpenCV
    return 2 - np.exp(np.float32(math.log(0.5) / HALVING) * np.sqrt(squares, out=squares))


def _inside(error: Floats, target: Region) -> float:
    """Sum over the target of the error, or of the smoothed one where that is less."""
    y, x = _around(target.box, error.shape)
    bits, error = target.bits[y, x], error[y, x]
    kernel = cv2.getGaussianKernel(2 * SMOOTHING + 1, SIGMA, cv2.CV_32F)
    smooth = cv2.sepFilter2D(_extended(error, bits), cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_CONSTANT)
    return float(np.sum(np.minimum(error, smooth), dtype=np.float64, where=bits != 0))


def _around(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The box and what the filter sees beyond it."""
    x0, y0, x1, y1 = box
    return (slice(max(0, y0 - SMOOTHING), min(shape[0], y1 + SMOOTHING)),
            slice(max(0, x0 - SMOOTHING), min(shape[1], x1 + SMOOTHING)))  # fmt: skip


def _extended(error: Floats, bits: Bits) -> Floats:
    """The error where each background pixel that the filter sees takes that of the nearest pixel of the target."""
    square = np.ones((2 * SMOOTHING + 1, 2 * SMOOTHING + 1), np.uint8)
    there, seen, values = (np.pad(part, MARGIN) for part in (bits, cv2.dilate(bits, square) > bits, error))
    left: npt.NDArray[np.intp] = np.flatnonzero(seen)
    target, found = there.ravel(), values.ravel()
    for dy, dx in NEAREST:
        source = left + (dy * values.shape[1] + dx)
        hit = target[source] != 0
        found[left[hit]] = found[source[hit]]
        left = left[~hit]
    return np.ascontiguousarray(values[MARGIN:-MARGIN, MARGIN:-MARGIN])
