"""Outlines of objects and how they are drawn: coordinates are pixel corners on whole numbers, as in COCO.

The pixel in the upper left corner lies between (0, 0) and (1, 1). An object is a list of polygons, which are united;
``{"size": [H, W], "counts": ...}``, COCO's run lengths; or ``{"png": base64, "at": [x, y]}``, a small mask at a place.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.datasets.dataset import RefusedError
from benchmarks.datasets.documents import told
from benchmarks.datasets.paths import text_hash
from benchmarks.datasets.runlengths import as_mask, decoded
from benchmarks.datasets.sample import Truth, truth_of_labels
from benchmarks.datasets.targets import Fault
from pipelines.types import Mask

Shape = list[list[float]] | dict[str, Any]
"""One object: polygons ``[x0, y0, x1, y1, ...]``, run lengths or a small mask."""

OVERSHOOT = 0.5
"""So many widths or heights of the picture an outline may leave it, and is clipped; beyond that, it is a mistake."""

MOST = 1e15
"""A number beyond it, or NaN, is no coordinate of anything."""

LONGEST_PX = 10_000_000
"""No outline of a picture that can be opened is as long; drawing takes memory by the length."""


class ShapeRefusedError(RefusedError):
    """An object that is no mask; the reason is a sentence without its subject."""


@dataclass(frozen=True)
class Outlines:
    """The objects of one picture, drawn on use by pycocotools.

    Attributes:
        size: ``(H, W)`` in pixels for which the coordinates are written.
        objects: label and shape of each, as one JSON text; see :func:`pack`.
        source: the file that says so, for messages.
    """

    size: tuple[int, int]
    objects: str
    source: str

    def check(self, size: tuple[int, int], root: object) -> Fault | None:
        """Whether the picture has another size than its outlines are written for."""
        if size == self.size:
            return None
        (h, w), (own_h, own_w) = size, self.size
        reason = f"the picture is {w} x {h} and {self.source} says {own_w} x {own_h} pixels."
        if (own_w, own_h) == size:
            return reason, ("The two are swapped: the picture is read upright, as its EXIF rotation says. Export the "
                            "outlines for the upright picture, or correct the rotation.")  # fmt: skip
        return reason, "Outlines are never resized: put back the picture that was annotated, or export them again."

    def read(self) -> Truth:
        """The masks by label; what counts for nothing is where no object lies.

        Raises:
            ImageError: a small mask within the objects cannot be decoded.
        """
        by_label: dict[str | None, list[Shape]] = {}
        for label, shape in json.loads(self.objects):
            by_label.setdefault(label, []).append(shape)
        void = by_label.pop(None, None)
        labelled = ((str(label), draw(shapes, self.size)) for label, shapes in by_label.items())
        return truth_of_labels(self.size, labelled, draw(void, self.size) if void else None)

    def hash(self) -> str:
        """Of the size, and of labels and shapes."""
        return text_hash(json.dumps(self.size), self.objects)


def as_text(label: str | None, shape: Shape) -> str:
    """One object as JSON, to be held and hashed.

    Args:
        label: its class; None says that its pixels count for nothing.
        shape: checked before.
    """
    return json.dumps([label, shape], sort_keys=True, separators=(",", ":"), allow_nan=False)


def pack(objects: Iterable[str]) -> str:
    """Objects as one JSON text, the same whatever their order."""
    return f"[{','.join(sorted(objects))}]"


def draw(shapes: Sequence[Shape], size: tuple[int, int]) -> Mask:
    """The union of shapes, ``bool (H, W)``; a pixel belongs to a polygon as pycocotools decides.

    Args:
        shapes: each checked before.
        size: ``(H, W)``.
    """
    from pycocotools import mask

    runs = [rle for shape in shapes for rle in _runs(shape, size)]
    # pycocotools' own decode warns under NumPy 2, and warnings can only be silenced for all threads at once
    drawn = as_mask(decoded(mask.merge(runs)["counts"].decode()), size) if runs else np.zeros(size, np.bool_)
    for shape in shapes:
        if isinstance(shape, dict) and "png" in shape:
            x, y = shape["at"]
            patch = decode_patch(shape["png"])
            drawn[y : y + patch.shape[0], x : x + patch.shape[1]] |= patch
    return drawn


def _runs(shape: Shape, size: tuple[int, int]) -> Iterator[dict[str, Any]]:
    """Run lengths of a shape, as pycocotools takes them."""
    from pycocotools import mask

    if isinstance(shape, list):
        yield from mask.frPyObjects(shape, *size)
    elif isinstance(shape.get("counts"), list):
        yield mask.frPyObjects(shape, *size)
    elif "counts" in shape:
        yield shape


def decode_patch(text: str) -> Mask:
    """A small mask, ``bool (h, w)``, from base64 of a PNG; raises ImageError."""
    from pipelines.images import OWN_FOLDER, load_mask

    return load_mask(base64.b64decode(text), OWN_FOLDER) > 0


def check_polygon(values: object, size: tuple[int, int]) -> list[float]:
    """Coordinates of one polygon that is safe to draw; where it leaves the picture, drawing clips it.

    Args:
        values: ``[x0, y0, x1, y1, ...]`` in pixels.
        size: ``(H, W)`` of the picture.

    Raises:
        ShapeRefusedError: no list of numbers, an odd count, under 3 points, or far outside of the picture.
    """
    if not isinstance(values, list) or not _are_numbers(values):
        odd = next((v for v in values if not is_number(v)), None) if isinstance(values, list) else values
        raise ShapeRefusedError(f"has {told(odd)} where a coordinate is expected.",
                                "Write each polygon as a list of finite numbers, [x0, y0, x1, y1, ...].")  # fmt: skip
    if len(values) % 2:
        raise ShapeRefusedError(f"has a polygon of {len(values)} numbers, so that an x has no y.",
                                "Write x and y of each point in turn.")  # fmt: skip
    if len(values) < 6:
        n = len(values) // 2
        raise ShapeRefusedError(f"has a polygon of {n} point{'s' * (n != 1)}, which encloses nothing.",
                                "Give it 3 points or more, or remove it.")  # fmt: skip
    _check_place(values[0::2], values[1::2], size)
    return [float(value) for value in values]


def _check_place(xs: Sequence[float], ys: Sequence[float], size: tuple[int, int]) -> None:
    for values, name, extent in ((xs, "x", size[1]), (ys, "y", size[0])):
        for value in (min(values), max(values)):
            if not -OVERSHOOT * extent <= value <= (1 + OVERSHOOT) * extent:
                raise ShapeRefusedError(
                    f"has the coordinate {name} = {value:.6g}, far outside of its {size[1]} x {size[0]} pixels.",
                    "Check that it belongs to this picture and was not scaled, or remove it.",
                )
    pairs = zip(xs, [*xs[1:], xs[0]], ys, [*ys[1:], ys[0]], strict=True)
    if len(xs) > 50 and sum(max(abs(a - b), abs(c - d)) for a, b, c, d in pairs) > LONGEST_PX:
        raise ShapeRefusedError(f"has an outline longer than {LONGEST_PX} pixels.", "Simplify or remove it.")


def _are_numbers(values: list[Any]) -> bool:
    """As :func:`is_number` of each, for the millions of coordinates of a large dataset."""
    return set(map(type, values)) <= {int, float} and all(-MOST < value < MOST for value in values)


def is_number(value: object) -> bool:
    """Whether it is a finite number that coordinates can be; booleans are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return -MOST < value < MOST


def rectangle(points: Sequence[tuple[float, float]]) -> list[float]:
    """The polygon of a rectangle from two opposite corners, or from its four."""
    if len(points) == 2:
        (x0, y0), (x1, y1) = points
        points = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    return [value for point in points for value in point]


def circle(centre: tuple[float, float], edge: tuple[float, float]) -> list[float]:
    """A polygon with the area of the circle around a point through another one, off its line by under 0.1 pixels."""
    radius = math.dist(centre, edge)
    n = min(4096, max(32, math.ceil(8 * math.sqrt(radius))))
    step = 2 * math.pi / n
    reach = radius * math.sqrt(step / math.sin(step))
    return [
        value
        for i in range(n)
        for value in (centre[0] + reach * math.cos(i * step), centre[1] + reach * math.sin(i * step))
    ]
