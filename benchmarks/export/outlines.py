"""Exact outlines of masks: polygons along the edges of pixels, joined into one by slits of no width."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.types import Mask, tight_box

Points = npt.NDArray[np.integer[Any]]
"""Corners ``(n, 2)`` as x, y on the grid between the pixels: pixel (0, 0) lies between (0, 0) and (1, 1)."""


def outline(mask: Mask, tolerance_px: float = 0) -> Points:
    """One closed polygon whose inside, by the even-odd rule at the centres of pixels, is the mask.

    Holes and separate parts are loops of their own; each is reached by a slit that is walked to and fro, as in the
    one-polygon lines of YOLO (docs.ultralytics.com/datasets/segment). A slit encloses nothing, so that the polygon is
    exact for whoever fills by that rule, as pycocotools does. The slits are the shortest that join all loops.

    Args:
        mask: ``bool (H, W)``.
        tolerance_px: how far a corner that is left out may lie from the outline (Douglas-Peucker); 0 = exact.

    Returns:
        Corners ``int (n, 2)``; none for an empty mask.
    """
    return join([simplify(loop, tolerance_px) for loop in loops(mask)])


def loops(mask: Mask) -> list[Points]:
    """The closed lines between foreground and background; pixels that touch at a corner are one part.

    Every corner ends one horizontal and one vertical edge, so that sorting the corners by rows and by columns pairs
    them; where two foreground pixels touch at a corner there are two corners in one place.
    """
    x0, y0, x1, y1 = tight_box(mask)
    if x1 == 0:
        return []
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
    corners = np.column_stack((np.repeat(xs, repeats), np.repeat(ys, repeats)))
    return [corners[loop] + (x0, y0) for loop in _cycles(np.lexsort((below, corners[:, 1], corners[:, 0])))]


def _cycles(by_column: npt.NDArray[np.intp]) -> list[list[int]]:
    """Loops of corner numbers: along a row to the other of a pair, along a column to the other of a pair, and so on."""
    across = np.empty(len(by_column), np.intp)
    across[by_column[0::2]], across[by_column[1::2]] = by_column[1::2], by_column[0::2]
    partner, seen, found = across.tolist(), bytearray(len(by_column)), []
    for start in range(0, len(partner), 2):
        corner, loop = start, list[int]()
        while not seen[corner]:
            seen[corner] = seen[corner ^ 1] = 1  # corners are numbered row by row, so pairs of a row are 2k, 2k + 1
            loop += (corner, corner ^ 1)
            corner = partner[corner ^ 1]
        if loop:
            found.append(loop)
    return found


def simplify(loop: Points, tolerance_px: float) -> Points:
    """A loop without the corners that lie within the tolerance; as it is where no area would be left."""
    if not tolerance_px:
        return loop
    import cv2

    fewer: Points = cv2.approxPolyDP(loop.astype(np.int32)[:, None], tolerance_px, True)[:, 0].astype(np.intp)
    return fewer if len(fewer) > 2 else loop


def join(parts: Sequence[Points]) -> Points:
    """One polygon through all loops."""
    if len(parts) < 2:
        return parts[0] if parts else np.empty((0, 2), np.intp)
    corners = np.concatenate(parts)
    stops = np.cumsum([len(part) for part in parts]).tolist()
    part_of = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    slits = _slits(corners, part_of)
    path, pending = list[int](), list(range(stops[0] - 1, -1, -1))
    while pending:
        here = pending.pop()
        path.append(here)
        while slits[here]:
            there = slits[here].pop()
            slits[there].remove(here)
            stop, start = stops[part_of[there]], stops[part_of[there]] - len(parts[part_of[there]])
            around = [*range(there, stop), *range(start, there + 1)]
            pending += (here, *reversed(around))
    return corners[path]


def _slits(corners: Points, part_of: npt.NDArray[np.intp]) -> dict[int, list[int]]:
    """Corner → corners of other loops: the shortest tree over all loops, both ways."""
    slits: dict[int, list[int]] = defaultdict(list)
    home = list(range(int(part_of[-1]) + 1))

    def root(part: int) -> int:
        while home[part] != part:
            home[part] = home[home[part]]
            part = home[part]
        return part

    # What no slit of the first kind reaches is joined to the first loop, however far.
    rest = [(0, int(start)) for start in np.flatnonzero(np.diff(part_of)) + 1]
    for a, b in (*_candidates(corners, part_of), *rest):
        one, other = root(int(part_of[a])), root(int(part_of[b]))
        if one != other:
            home[one] = other
            slits[a].append(b)
            slits[b].append(a)
    return slits


def _candidates(corners: Points, part_of: npt.NDArray[np.intp]) -> list[tuple[int, int]]:
    """Pairs of corners of different loops, nearest first: the shortest tree is part of Delaunay's triangulation."""
    from scipy.spatial import Delaunay

    places, first, place_of = np.unique(corners, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(place_of, kind="stable")
    same = place_of[order[1:]] == place_of[order[:-1]]
    triangles = first[Delaunay(places).simplices]
    pairs = np.concatenate(
        [np.column_stack((order[:-1], order[1:]))[same], *(triangles[:, [i, i - 1]] for i in range(3))]
    )
    pairs = pairs[part_of[pairs[:, 0]] != part_of[pairs[:, 1]]]
    lengths = ((corners[pairs[:, 0]] - corners[pairs[:, 1]]) ** 2).sum(axis=1)
    nearest: list[tuple[int, int]] = [(a, b) for a, b in pairs[np.argsort(lengths, kind="stable")].tolist()]
    return nearest
