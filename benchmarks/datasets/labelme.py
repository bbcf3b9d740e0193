"""labelme: one ``.json`` with ``shapes`` for each picture, beside it or in a folder of its own.

Format: github.com/wkentaro/labelme, ``labelme/label_file.py`` and ``labelme/utils/shape.py``. Shapes are polygons,
rectangles, circles and masks (a PNG and the box it lies in). ``imagePath`` is relative to the JSON file. A file without
shapes says that there is nothing to find: who saved it has looked. A picture without a file was not labelled yet,
is left out, and a note gives their number. ``__ignore__`` counts for nothing, ``_background_`` is no object, and
subfolders that are all named like splits are splits. Classes are the labels that occur, sorted.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.documents import END_BYTES, ends, files_below, is_text, read_json, told
from benchmarks.datasets.entries import GUESSES, Entry, Findings, build_dataset
from benchmarks.datasets.paths import SPLIT_NAME, PathRefusedError, inside, list_pictures, shown
from benchmarks.datasets.polygons import (
    Outlines,
    Shape,
    ShapeRefusedError,
    as_text,
    check_polygon,
    circle,
    is_number,
    pack,
    rectangle,
)
from benchmarks.datasets.settings import read_settings_of_outlines
from benchmarks.datasets.targets import header_size
from pipelines.errors import DatasetError

IGNORE, BACKGROUND = "__ignore__", "_background_"
NO_AREA = frozenset(("point", "points", "line", "linestrip"))
FOLDERS_LOOKED_AT, FILES_LOOKED_AT = 50, 200
LARGEST_SIDE = 1_000_000
_SHAPES = re.compile(r'"shapes"\s*:\s*\[')
_OTHERS = re.compile(r'"(imagePath|imageData|shape_type|imageHeight)"\s*:')


def claims(root: Path) -> str | None:
    """The first file, relative to the folder, that is labelme's, by the keys at both ends of it; None if none is."""
    for number, path in enumerate(files_below(root, ".json", FOLDERS_LOOKED_AT)):
        if _is_labelme(path):
            return path.relative_to(root).as_posix()
        if number >= FILES_LOOKED_AT:
            break
    return None


def _is_labelme(path: Path) -> bool:
    text = ends(path)
    kinds = set(_OTHERS.findall(text))
    whole = bool(_SHAPES.search(text)) or len(text) > END_BYTES  # shapes may lie between the ends
    return text.lstrip().startswith("{") and bool(kinds) and (whole or "imagePath" in kinds)


def open_labelme(spec: str) -> Dataset | None:
    """The labelme dataset in a folder, or None if it is none.

    Raises:
        DatasetError: the folder holds no file that can be read.
    """
    root = Path(spec)
    if not root.is_dir() or claims(root) is None:
        return None
    root = root.resolve()
    files, found, labels = list(files_below(root, ".json")), Findings(), set[str]()
    settings, seen, others = read_settings_of_outlines(root, "labelme"), dict[Path, str](), 0
    splits = all(len(p.relative_to(root).parts) > 1 and SPLIT_NAME.match(p.relative_to(root).parts[0]) for p in files)
    for path in files:
        entry = _entry(path, root, found, seen, labels)
        if isinstance(entry, Entry):
            split = path.relative_to(root).parts[0] if splits else None
            found.entries.append(replace(entry, split=split))
        others += entry is False
    if others:
        found.notes.append(f"{others} JSON files are not labelme's and are not read.")
    listed = set(seen)
    rest = sum(path.resolve() not in listed for path in list_pictures(root, root).pictures)
    if rest:
        found.notes.append(f"{rest} pictures have no labelme file: they are taken as not labelled, and left out.")
    return build_dataset(root, "labelme", settings, found, sorted(labels))


def _entry(path: Path, root: Path, found: Findings, seen: dict[Path, str], labels: set[str]) -> Entry | bool:
    """The picture and outlines of one file; True with a problem noted, False if it is another program's file."""
    row = path.relative_to(root).as_posix()
    try:
        document = read_json(path, root)
    except DatasetError as error:
        found.problem(row, error.message, error.cure)
        return True
    if not isinstance(document, dict) or not {"shapes", "imagePath"} & document.keys():
        return False
    try:
        picture = _picture(document, path, root, guess=len(found.problems) < GUESSES)
        if earlier := seen.get(picture.resolve()):
            raise PathRefusedError(f"its picture is also that of {earlier}.", "Keep one of the two files.")
        seen[picture.resolve()] = row
        size = _size(document, picture)
        if not isinstance(document.get("shapes"), list):
            raise PathRefusedError(f"its shapes are {told(document.get('shapes'))}.", "Save it again with labelme.")
    except (PathRefusedError, DatasetError) as refused:
        reason = refused.reason if isinstance(refused, PathRefusedError) else refused.message
        found.problem(row, reason, refused.cure)
        return True
    objects = _objects(document["shapes"], row, size, found, labels)
    return True if objects is None else Entry(row, picture, Outlines(size, pack(objects), row))


def _picture(document: Mapping[str, Any], path: Path, root: Path, *, guess: bool) -> Path:
    """The file that imagePath names, with ``/`` or ``\\``, from the JSON file's folder and inside the root."""
    name = document.get("imagePath")
    if not isinstance(name, str) or not name.strip():
        raise PathRefusedError(f"its imagePath is {told(name)}.", "Give the picture's path, relative to this file.")
    plain = name.replace("\\", "/")
    if plain.startswith(("/", "~")) or ":" in plain.split("/")[0]:
        return inside(root, plain)  # refuses it
    joined = os.path.normpath(f"{path.parent.relative_to(root).as_posix()}/{plain}")
    try:
        return inside(root, joined, guess=guess)
    except PathRefusedError as refused:
        if "does not exist" in refused.reason and document.get("imageData"):
            cure = (
                f"The JSON holds it as imageData: save that as {shown(joined)}, with labelme_export_json for example."
            )
            raise PathRefusedError(refused.reason, cure) from refused
        raise


def _size(document: Mapping[str, Any], picture: Path) -> tuple[int, int]:
    """``(H, W)`` as the file says, or of the picture where it is silent."""
    h, w = document.get("imageHeight"), document.get("imageWidth")
    if h is None and w is None:
        return header_size(picture)
    if type(h) is int and type(w) is int and 0 < h < LARGEST_SIDE and 0 < w < LARGEST_SIDE:
        return h, w
    raise PathRefusedError(f"its imageHeight is {told(h)} and its imageWidth {told(w)}.",
                           "Give both in pixels, as whole numbers, or neither.")  # fmt: skip


def _objects(shapes: list[Any], row: str, size: tuple[int, int], found: Findings, labels: set[str]) -> list[str] | None:
    """Label and shape of each object as JSON, or None with the problems of shapes noted."""
    objects, sound = list[str](), True
    for number, shape in enumerate(shapes, 1):
        try:
            if not isinstance(shape, dict) or not is_text(shape.get("label")):
                raise ShapeRefusedError("has no label.", "Give it one, or remove it.")
            label = shape["label"].strip()
            if label == BACKGROUND:
                continue
            drawn = outline(shape, size)
        except ShapeRefusedError as refused:
            found.problem(f"{row} shape {number}", refused.reason, refused.cure)
            sound = False
            continue
        if label != IGNORE:
            labels.add(label)
        objects.append(as_text(None if label == IGNORE else label, drawn))
    return objects if sound else None


def outline(shape: Mapping[str, Any], size: tuple[int, int]) -> Shape:
    """What one shape encloses.

    Args:
        shape: its record.
        size: ``(H, W)`` of the picture.

    Raises:
        ShapeRefusedError: it has no area, another number of points than its kind has, or leaves the picture.
    """
    kind, points = shape.get("shape_type") or "polygon", _points(shape.get("points"))
    if kind == "polygon":
        return [check_polygon([value for point in points for value in point], size)]
    if kind in ("rectangle", "oriented_rectangle") and len(points) in (2, 4):
        return [check_polygon(rectangle(points), size)]
    if kind == "circle" and len(points) == 2:
        return [_circle(points, size)]
    if kind == "mask" and len(points) == 2:
        return _mask(shape.get("mask"), points, size)
    if isinstance(kind, str) and kind in NO_AREA:
        raise ShapeRefusedError(f"is a {kind}, which has no area.", "Draw a polygon instead, or remove it.")
    if kind in ("rectangle", "oriented_rectangle", "circle", "mask"):
        raise ShapeRefusedError(f"is a {kind} with {len(points)} points.", "Draw it again in labelme.")
    raise ShapeRefusedError(f"is of the kind {told(kind)}.", "Use polygon, rectangle, circle or mask.")


def _points(value: object) -> list[tuple[float, float]]:
    rows: list[Any] = value if isinstance(value, list) else [value]
    for row in rows:
        if not (isinstance(row, list) and len(row) == 2 and all(is_number(v) for v in row)):
            inner: object = next((v for v in row if not is_number(v)), row) if isinstance(row, list) else row
            raise ShapeRefusedError(f"has a point with {told(inner)} where [x, y] is expected.",
                                    "Write its points as [[x, y], ...], finite numbers.")  # fmt: skip
    return [(float(row[0]), float(row[1])) for row in rows]


def _circle(points: list[tuple[float, float]], size: tuple[int, int]) -> list[float]:
    """A circle may leave the picture by far: all of it must be drawn, and its centre and edge be near."""
    check_polygon([value for point in (*points, points[0]) for value in point], size)
    return circle(*points)


def _mask(text: object, points: list[tuple[float, float]], size: tuple[int, int]) -> dict[str, Any]:
    """A PNG and its place; its box in labelme ends at the last pixel."""
    cure = "Draw it again in labelme, or remove it."
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
        h, w = header_size(data)
    except (binascii.Error, ValueError, DatasetError) as error:
        raise ShapeRefusedError("has a mask that is no PNG in base64.", cure) from error
    (x, y), (x1, y1) = ((int(a), int(b)) for a, b in points)
    if (h, w) not in ((y1 - y + 1, x1 - x + 1), (y1 - y, x1 - x)):
        raise ShapeRefusedError(f"has a mask of {w} x {h} pixels in a box from ({x}, {y}) to ({x1}, {y1}).", cure)
    if not (0 <= x <= size[1] - w and 0 <= y <= size[0] - h):
        raise ShapeRefusedError(f"has a mask of {w} x {h} pixels at ({x}, {y}), which leaves the picture.", cure)
    return {"png": text, "at": [x, y]}
