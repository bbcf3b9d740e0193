"""The parts of a mask and their holes, from one pass over its outlines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Outlines:
    """Parts of a mask, which touch by side or corner, and their holes.

    Attributes:
        areas: pixels of each part, without its holes, ``int64 (N,)``.
        apart: whether it lies apart from the edge of the picture, ``bool (N,)``.
        holes: pixels of each hole and of what lies in it, ``int64 (M,)``; what reaches the picture's edge is no hole.
        filled: area within the outlines of all parts, through the centres of their pixels.
        hulls: the same of their convex hulls.
        round: area of the parts, each times 4 pi area / perimeter².
    """

    areas: Counts
    apart: npt.NDArray[np.bool_]
    holes: Counts
    filled: float
    hulls: float
    round: float


def outlines_of(mask: Bytes) -> Outlines:
    """The parts of a mask ``uint8 (H, W)`` of 0 and 1.

    Pixels are counted by the theorem of Pick (1899): within an outline of B pixels that encloses the area A there are
    A + B / 2 + 1, and A - B / 2 + 1 in a hole whose surrounding pixels enclose A.
    """
    contours, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if not contours:
        none = np.zeros(0, np.int64)
        return Outlines(none, np.zeros(0, np.bool_), none, 0.0, 0.0, 0.0)
    parents = tree[0][:, 3]
    areas = np.array([cv2.contourArea(contour) for contour in contours])
    steps = np.array([len(contour) for contour in contours])
    halves = np.where(steps > 1, steps, 0) / 2  # round a lone pixel there is no step
    outer, inner = np.flatnonzero(parents < 0), np.flatnonzero(parents >= 0)
    holes = np.rint(areas[inner] - halves[inner] + 1).astype(np.int64)
    pixels = np.rint(areas + halves + 1).astype(np.int64)
    np.subtract.at(pixels, parents[inner], holes)
    kept = [contours[int(place)] for place in outer]
    rims = np.array([cv2.arcLength(contour, True) for contour in kept])
    circles = np.minimum(1.0, 4 * np.pi * areas[outer] / np.maximum(rims, 1) ** 2)
    hulls = sum(cv2.contourArea(cv2.convexHull(contour)) for contour in kept)
    apart = np.array([_apart(contour, mask.shape) for contour in kept], np.bool_)
    return Outlines(pixels[outer], apart, holes, float(areas[outer].sum()), float(hulls),
                    float(areas[outer] @ circles))  # fmt: skip


def _apart(contour: npt.NDArray[Any], shape: tuple[int, ...]) -> bool:
    left, top, width, height = cv2.boundingRect(contour)
    return left > 0 and top > 0 and left + width < shape[1] and top + height < shape[0]
