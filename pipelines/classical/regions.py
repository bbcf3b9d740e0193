"""From a score map to one clean mask, with no pixels: cut, smooth, close, fill holes, open, drop small regions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.classical.scores import Score, enclosed

if TYPE_CHECKING:
    from pipelines.classical.parameters import ClassicalParams

LARGEST_KERNEL = 21  # pixels; the cost of a kernel grows with its area

Binary = npt.NDArray[np.uint8]
"""Mask as OpenCV takes it: ``uint8 (H, W)``, 0 or 255."""


def cut_and_clean(soft: Score, params: ClassicalParams) -> Binary:
    """The mask that a score map gives.

    Args:
        soft: ``float32 (H, W)`` in [0, 1], at the size of the image.
        params: the decide fields.
    """
    mask = smoothed(cut(soft, params.threshold), params)
    longer = max(mask.shape)
    mask = morphed(mask, cv2.MORPH_CLOSE, params.closing * longer)
    if params.max_hole:
        mask = filled(mask, params.max_hole * mask.size)
    mask = morphed(mask, cv2.MORPH_OPEN, params.opening * longer)
    if params.min_area or params.largest:
        mask = kept(mask, params.min_area * mask.size, params.largest)
    return mask


def cut(values: npt.NDArray[Any], least: float) -> Binary:
    """255 from a value on, 0 below."""
    return np.multiply(values >= least, 255, dtype=np.uint8)  # cv2.compare takes a 1x1 picture for a scalar


def smoothed(mask: Binary, params: ClassicalParams) -> Binary:
    """Blur the mask; then take what is more than half, or ("refill") all that the blur reached, holes filled."""
    size = params.mask_kernel
    if size > 1:
        sigma_x, sigma_y = params.mask_sigma_x, params.mask_sigma_y
        mask = np.asarray(cv2.GaussianBlur(mask, (size, size), sigma_x, sigmaY=sigma_y), np.uint8)
    if params.refill:
        reached = np.asarray(cv2.threshold(mask, 0, 255, cv2.THRESH_BINARY)[1], np.uint8)
        return enclosed(reached).view(np.uint8) * np.uint8(255)
    return cut(mask, 128) if size > 1 else mask


def morphed(mask: Binary, operation: int, diameter: float) -> Binary:
    """Opening or closing with a disc, its diameter in pixels; below 2 nothing is done."""
    size = round(diameter)
    if size < 2:
        return mask
    if size <= LARGEST_KERNEL:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size | 1, size | 1))
        return np.asarray(cv2.morphologyEx(mask, operation, disc), np.uint8)
    if operation == cv2.MORPH_CLOSE:
        return shrunk_by(grown_by(mask, size / 2), size / 2)
    return grown_by(shrunk_by(mask, size / 2), size / 2)


def shrunk_by(mask: Binary, radius: float) -> Binary:
    """Erosion with a disc by the distance to the background, whose cost does not grow with the radius."""
    return cut(cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5), radius)


def grown_by(mask: Binary, radius: float) -> Binary:
    """Dilation with a disc, likewise."""
    return cv2.bitwise_not(shrunk_by(cv2.bitwise_not(mask), radius))  # type: ignore[arg-type,return-value]


def filled(mask: Binary, largest: float) -> Binary:
    """Fill holes of up to an area in pixels. What touches the border of the picture is no hole."""
    holes = cut(enclosed(mask), 1) ^ mask
    if not cv2.hasNonZero(holes):
        return mask
    _, labels, stats, _ = cv2.connectedComponentsWithStats(holes, connectivity=4)
    fill = stats[:, cv2.CC_STAT_AREA] <= largest
    fill[0] = False  # what is no hole
    return mask | cut(fill[labels], 1)


def kept(mask: Binary, least: float, largest: int) -> Binary:
    """Drop regions below an area in pixels, then all but the largest few; 0 keeps any number."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA].copy()
    area[0] = 0
    keep = (area >= least) & (area > 0)
    if largest:
        keep[np.argsort(-area, kind="stable")[largest:]] = False
    if keep[1:].all():
        return mask
    return np.asarray(np.where(keep[labels], np.uint8(255), np.uint8(0)), np.uint8)
