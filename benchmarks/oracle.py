"""Points and boxes taken from the target masks: what a person would click who knows the answer."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.datasets import Truth
from pipelines.types import Mask, Prompt, tight_box

MOST_OBJECTS = 300
"""The largest of an image; beyond them lie specks."""


def points_of(truth: Truth) -> tuple[tuple[float, float, int], ...]:
    """One positive point an object: its pixel that is farthest from everything else, as the centre of the pixel.

    An object is a connected region of the mask of one label; touching objects of one label are one.
    """
    return tuple((x + 0.5, y + 0.5, 1) for x, y in (_innermost(mask) for mask in _objects(truth)))


def boxes_of(truth: Truth) -> tuple[tuple[float, float, float, float], ...]:
    """The tightest box around each object."""
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in map(tight_box, _objects(truth)))


def with_points(prompt: Prompt, truth: Truth | None) -> Prompt:
    """The prompt with points alone as its places: its own, else those of the masks."""
    return Prompt(prompt.texts, (), prompt.points or (points_of(truth) if truth else ()))


def with_boxes(prompt: Prompt, truth: Truth | None) -> Prompt:
    """The prompt with boxes alone as its places: its own, else those of the masks."""
    return Prompt(prompt.texts, prompt.boxes or (boxes_of(truth) if truth else ()), ())


def _objects(truth: Truth) -> list[Mask]:
    """Connected regions of all labels, the largest first."""
    found: list[tuple[int, Mask]] = []
    for mask in truth.masks.values():
        n, ids, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
        areas = [(int(stats[i, cv2.CC_STAT_AREA]), i) for i in range(1, n)]
        found += [(area, np.asarray(ids == i)) for area, i in sorted(areas, reverse=True)[:MOST_OBJECTS]]
    return [mask for _, mask in sorted(found, key=lambda pair: -pair[0])[:MOST_OBJECTS]]


def _innermost(mask: Mask) -> tuple[int, int]:
    """``(x, y)`` of the pixel with the greatest distance from what is not the object; the border counts as outside."""
    padded = cv2.copyMakeBorder(mask.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(x), int(y)
