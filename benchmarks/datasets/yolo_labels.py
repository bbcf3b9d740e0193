"""Label files of YOLO-seg: ``class x1 y1 x2 y2 ...`` a line, coordinates as fractions of width and height."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from benchmarks.datasets.documents import read_bytes
from benchmarks.datasets.entries import Findings
from benchmarks.datasets.paths import shown
from benchmarks.datasets.polygons import ShapeRefusedError, as_text, check_polygon
from pipelines.errors import DatasetError

IMAGES, LABELS = "images", "labels"
ROUNDING = 1e-3
"""A coordinate may leave 0 to 1 by so much, and is clipped: programs round."""


def label_path(picture: Path, root: Path) -> Path:
    """The label file of a picture: the last folder ``images`` replaced by ``labels``, or beside it where none is."""
    parts = list(picture.relative_to(root).with_suffix(".txt").parts)
    for i in range(len(parts) - 2, -1, -1):
        if parts[i] == IMAGES:
            parts[i] = LABELS
            break
    return root.joinpath(*parts)


def read_labels(path: Path, root: Path, size: tuple[int, int], names: Mapping[int, str], found: Findings,
                corners: set[int]) -> list[str] | None:  # fmt: skip
    """The objects of one label file, or None with its problems noted.

    Args:
        path: below the root.
        root: the dataset's folder, resolved.
        size: ``(H, W)`` of the picture.
        names: id → class.
        found: where problems go.
        corners: gets the numbers of corners that outlines have.
    """
    row = path.relative_to(root).as_posix()
    try:
        text = read_bytes(path, root).decode("utf-8-sig")
    except DatasetError as error:
        found.problem(row, error.message, error.cure)
        return None
    except UnicodeDecodeError:
        found.problem(row, "is not UTF-8.", "Save it as plain text, one object a line.")
        return None
    objects, sound = list[str](), True
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            class_id, values = _parsed(line.split(), names)
            polygon = check_polygon(
                [v * extent for v, extent in zip(values, _extents(size, len(values)), strict=True)], size
            )
        except ShapeRefusedError as refused:
            found.problem(f"{row} line {number}", refused.reason, refused.cure)
            sound = False
            continue
        corners.add(len(values) // 2)
        objects.append(as_text(names[class_id], [polygon]))
    return objects if sound else None


def _extents(size: tuple[int, int], n: int) -> list[int]:
    return [size[1], size[0]] * (n // 2)


def _parsed(cells: list[str], names: Mapping[int, str]) -> tuple[int, list[float]]:
    """Class and coordinates of one line, clipped to 0 to 1."""
    numbers = [_number(cell) for cell in cells]
    class_id = numbers[0]
    if class_id not in names:
        known = ", ".join(f"{id_} {shown(name)}" for id_, name in list(names.items())[:10])
        raise ShapeRefusedError(f"has the class {shown(cells[0])}, which names do not have.",
                                f"Correct it, or add it to names; there are {known}.")  # fmt: skip
    if len(numbers) == 5:
        raise ShapeRefusedError("has a class and 4 numbers: a box, and that is no mask.",
                                "Export it as YOLO segmentation: class x1 y1 x2 y2 x3 y3 and so on.")  # fmt: skip
    if len(numbers) % 2 == 0:
        raise ShapeRefusedError(f"has a class and {len(numbers) - 1} numbers, so that an x has no y.",
                                "Write class x1 y1 x2 y2 ...; keypoints and scores are not read.")  # fmt: skip
    if len(numbers) < 7:
        raise ShapeRefusedError(f"has {(len(numbers) - 1) // 2} points, which enclose nothing.",
                                "Give the outline 3 points or more, or remove the line.")  # fmt: skip
    for cell, value in zip(cells[1:], numbers[1:], strict=True):
        if not -ROUNDING <= value <= 1 + ROUNDING:
            raise ShapeRefusedError(f"has the coordinate {shown(cell)}, which is not from 0 to 1.",
                                    "Divide x by the picture's width and y by its height.")  # fmt: skip
    return int(class_id), [min(1.0, max(0.0, value)) for value in numbers[1:]]


def _number(cell: str) -> float:
    try:
        value = float(cell) if cell.isascii() and "_" not in cell else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ShapeRefusedError(f"has {shown(cell)}, which is no number.", "Write class x1 y1 x2 y2 ... with spaces.")
    return value
