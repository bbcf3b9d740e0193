"""Copies of pictures that were cut: windows of each picture are held against all other pictures.

`benchmarks.leaks.pairs` finds copies that were cut by some 3 % a side, with hashes of the whole picture. Here each
picture is also known by windows of it, so that a copy that was cut by up to a fifth of its sides is nearly one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.leaks.fingerprints import SIDE, Fingerprint
from benchmarks.profile.cores import cores

KEPT, KEPT_OF_MANY = (0.92, 0.83), (0.88,)
"""Shares of the sides that windows keep; a copy may lie between two of them. Of many pictures there are fewer."""

MANY = 30_000

WAVES = 8
LIKE = 0.80
"""Least cosine of the low waves of a window and of a copy of it."""

MOST_EACH = 8
"""Candidates for one picture: more say that they have no detail to tell them by."""

FLAT = 2.0
ASPECT = 0.35
_BLOCK = 1024
_ROWS, _COLUMNS = 128, 2048
Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]
Window = tuple[float, float, float]
"""Left and top of a window, and the share of the sides that it keeps."""


@dataclass(frozen=True)
class Candidate:
    """A picture that may be cut out of another.

    Attributes:
        whole: place of the picture that it may be cut from.
        part: place of the copy.
        window: where it may lie in the whole.
        likeness: cosine of their low waves.
    """

    whole: int
    part: int
    window: Window
    likeness: float


def windows(kept: Sequence[float] = KEPT) -> list[Window]:
    """The whole picture, and windows in its corners, at its sides and in its middle."""
    found: list[Window] = [(0.0, 0.0, 1.0)]
    for share in kept:
        places = (0.0, (1 - share) / 2, 1 - share)
        found += [(left, top, share) for left, top in product(places, places)]
    return found


def cut_copies(prints: Sequence[Fingerprint]) -> list[Candidate]:
    """Pairs of pictures of which one may be cut out of the other, with the likeliest window of each pair.

    Time grows with the square of the number of pictures; memory with their number.

    Args:
        prints: fingerprints; copies of the same bytes should be left out.

    Returns:
        Candidates, the likeliest first; a pair may be there both ways.
    """
    greys = np.array([one.grey for one in prints], np.uint8).reshape(-1, SIDE, SIDE)
    own, flat = waves(greys)
    own[flat] = 0
    aspect = np.log(np.array([one.size[1] / one.size[0] for one in prints], np.float32).reshape(-1))
    chosen = windows(KEPT if len(prints) <= MANY else KEPT_OF_MANY)
    parts = list[npt.NDArray[np.float64]]()
    with ThreadPoolExecutor(cores()) as threads:
        for number, (rows, columns, likeness) in enumerate(threads.map(partial(_of_window, greys, own), chosen)):
            fits = (rows != columns) & (np.abs(aspect[rows] - aspect[columns]) <= ASPECT) & ~flat[rows]
            parts.append(np.stack([rows, columns, likeness, np.full(len(rows), number)], axis=1)[fits])
    found = _few_each(np.concatenate([np.zeros((0, 4)), *parts]))
    return [Candidate(int(row), int(column), chosen[int(window)], float(like)) for row, column, like, window in found]


def _few_each(found: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The likeliest of each pair, and of these a few for each picture, the likeliest first.

    Args:
        found: whole, part, likeness and window, ``(N, 4)``.
    """
    found = found[np.lexsort((-found[:, 2], found[:, 1], found[:, 0]))]
    found = found[np.append(True, (np.diff(found[:, :2], axis=0) != 0).any(axis=1))[: len(found)]]
    found = found[np.lexsort((-found[:, 2], found[:, 0]))]
    starts = np.flatnonzero(np.append(True, np.diff(found[:, 0]) != 0)[: len(found)])
    place = np.arange(len(found)) - np.repeat(starts, np.diff(np.append(starts, len(found))))
    kept = found[place < MOST_EACH]
    return np.asarray(kept[np.argsort(-kept[:, 2], kind="stable")], np.float64)


def _of_window(greys: npt.NDArray[np.uint8], own: Floats, window: Window) -> tuple[Places, Places, Floats]:
    """Pairs of a picture whose window is like another picture, by tiles that stay in the cache; a few for each."""
    blocks = (greys[start : start + _BLOCK] for start in range(0, len(greys), _BLOCK))
    shown = np.concatenate([waves(windowed(block, window))[0] for block in blocks] or [own])
    tile = np.empty((_ROWS, _COLUMNS), np.float32)
    rows, columns, values = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)], [np.zeros(0, np.float32)]
    for start in range(0, len(own), _ROWS):
        for left in range(0, len(own), _COLUMNS):
            part, other = shown[start : start + _ROWS], own[left : left + _COLUMNS]
            like = np.matmul(part, other.T, out=tile[: len(part), : len(other)])
            if like.max() >= LIKE:
                row, column = _likely(like)
                rows.append(row + start)
                columns.append(column + left)
                values.append(like[row, column])
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(values)


def _likely(like: Floats) -> tuple[Places, Places]:
    """Rows and columns of what is alike, of each row no more than a few, the picture itself beside them."""
    hits = like >= LIKE
    if hits.sum(axis=1).max() > MOST_EACH + 1:
        most = np.argpartition(-like, MOST_EACH, axis=1)[:, : MOST_EACH + 1]
        few = np.zeros_like(hits)
        np.put_along_axis(few, most, True, axis=1)
        hits &= few
    row, column = np.nonzero(hits)
    return row, column


def windowed(greys: npt.NDArray[np.uint8], window: Window) -> npt.NDArray[np.uint8]:
    """A window of each small picture ``(N, 32, 32)``, brought up to the same size."""
    left, top, kept = window
    if kept == 1.0:
        return greys
    at = np.arange(SIDE, dtype=np.float32) * kept + (kept - 1) / 2
    x, y = np.meshgrid(at + left * SIDE, at + top * SIDE)
    return np.array(
        [cv2.remap(one, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for one in greys], np.uint8
    )


def waves(greys: npt.NDArray[np.uint8]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Low waves of small pictures ``(N, 32, 32)`` as unit vectors ``(N, 35)``, and which have no detail.

    The first waves of a cosine transform, as in pHash (Zauner, 2010), each by its frequency: in photographs amplitudes
    fall with it (Field, 1987), and unweighed the lowest would decide alone.
    """
    basis = np.cos(np.pi / SIDE * np.outer(np.arange(WAVES), np.arange(SIDE) + 0.5)).astype(np.float32)
    found = np.empty((len(greys), WAVES, WAVES), np.float32)
    spread = np.empty(len(greys))
    for start in range(0, len(greys), _BLOCK):
        block = greys[start : start + _BLOCK].astype(np.float32)
        found[start : start + _BLOCK] = basis @ block @ basis.T
        spread[start : start + _BLOCK] = block.std(axis=(1, 2))
    y, x = np.mgrid[:WAVES, :WAVES]
    low = np.flatnonzero((y + x < WAVES) & (y + x > 0))
    weighed = (found * np.hypot(y, x)).reshape(len(greys), WAVES * WAVES)[:, low]
    lengths = np.linalg.norm(weighed, axis=1, keepdims=True)
    return np.asarray(weighed / np.maximum(lengths, 1e-6), np.float32), spread < FLAT
