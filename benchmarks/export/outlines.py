"""Exact outlines of masks: polygons along the edges of pixels, joined into one by slits of no width."""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.types import Mask, tight_box

Points = npt.NDArray[np.integer[Any]]
"""Corners ``(n, 2)`` as x, y on the grid between the pixels: pixel (0, 0) lies between (0, 0) and (1, 1)."""

Numbers = npt.NDArray[np.intp]


def outline(mask: Mask) -> Points:
    """One closed polygon whose inside, by the even-odd rule at the centres of pixels, is the mask.

    Holes and separate parts are loops of their own; each is reached by a slit that is walked to and fro, as in the
    one-polygon lines of YOLO (docs.ultralytics.com/datasets/segment). A slit encloses nothing, so that the polygon is
    exact for whoever fills by that rule, as pycocotools does.

    Args:
        mask: ``bool (H, W)``.

    Returns:
        Corners ``int (n, 2)``; none for an empty mask.
    """
    corners, ends = _loops(mask)
    return corners[_path(corners, ends)] if len(ends) > 1 else corners


def loops(mask: Mask) -> list[Points]:
    """The closed lines between foreground and background; pixels that touch at a corner are one part."""
    corners, ends = _loops(mask)
    return np.split(corners, ends[:-1]) if len(ends) else []


def _loops(mask: Mask) -> tuple[Points, Numbers]:
    """Corners of all loops, one loop after another, and where each ends.

    Every corner ends one horizontal and one vertical edge, so that sorting the corners by rows and by columns pairs
    them; where two foreground pixels touch at a corner there are two corners in one place.
    """
    x0, y0, x1, y1 = tight_box(mask)
    if x1 == 0:
        return np.empty((0, 2), np.int32), np.empty(0, np.intp)
    padded = np.pad(mask[y0:y1, x0:x1], 1)
    top_left, top_right, low_left, low_right = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    double = (top_left == low_right) & (top_right == low_left) & (top_left != top_right)
    ys, xs = np.nonzero(double | (top_left ^ top_right ^ low_left ^ low_right))
    twice = double[ys, xs]
    repeats = 1 + twice.astype(np.intp)
    second = np.zeros(int(repeats.sum()), np.bool_)
    second[np.cumsum(repeats)[twice] - 1] = True
    # The left one of two corners goes on below where the pixel above left is foreground, and above otherwise.
    below = np.repeat(twice, repeats) & (np.repeat(top_left[ys, xs], repeats) ^ second)
    corners = np.column_stack((np.repeat(xs, repeats), np.repeat(ys, repeats))).astype(np.int32)
    walk, ends = _cycles(np.lexsort((below, corners[:, 1], corners[:, 0])))
    return corners[walk] + np.array((x0, y0), np.int32), ends


def _cycles(by_column: Numbers) -> tuple[Numbers, Numbers]:
    """Loops of corner numbers: along a row to the other of a pair, along a column to the other of a pair, and so on.

    Numbers are held in arrays, for speckle has millions of corners.
    """
    across = np.empty(len(by_column), np.int64)
    across[by_column[0::2]], across[by_column[1::2]] = by_column[1::2], by_column[0::2]
    partner, seen = array("q", across.tobytes()), bytearray(len(by_column) // 2)
    walk, ends = array("q"), array("q")
    for start in range(0, len(by_column), 2):
        if seen[start >> 1]:
            continue
        corner = start
        while not seen[corner >> 1]:
            seen[corner >> 1] = 1
            walk.append(corner)
            walk.append(corner ^ 1)  # corners are numbered row by row, so pairs of a row are 2k, 2k + 1
            corner = partner[corner ^ 1]
        ends.append(len(walk))
    return np.array(walk, np.intp), np.array(ends, np.intp)


def _path(corners: Points, ends: Numbers) -> Numbers:
    """Numbers of the corners in the order of one polygon: around each loop, on to the next, and straight back."""
    lengths = np.diff(ends, prepend=0)
    starts = ends - lengths
    order = _along_strips(corners[starts])
    lengths, starts = lengths[order], starts[order]
    steps = np.arange(int((lengths + 1).sum())) - np.repeat(np.cumsum(lengths + 1) - lengths - 1, lengths + 1)
    around = np.repeat(starts, lengths + 1) + steps % np.repeat(lengths, lengths + 1)
    return np.concatenate((around, starts[-2:0:-1]))


def _along_strips(points: Points) -> Numbers:
    """An order that visits all points by short ways: to and fro in strips, each about as high as points lie apart.

    The way is at most about 0.92 sqrt(n area) long (Few, "The shortest path and the shortest road through n points",
    Mathematika 2, 1955), which keeps the polygon cheap to fill, and finding it takes no triangulation.
    """
    width, height = (np.ptp(points, axis=0) + 1).tolist()
    strips = max(1, round(math.sqrt(len(points) * height / width / 2)))
    xs, ys = points.astype(np.intp).T
    strip = (ys - ys.min()) * strips // height
    return np.lexsort((ys, np.where(strip % 2, -xs, xs), strip))
