"""One COCO file: categories, pictures and their annotations, each checked and named by its id where it is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard

from benchmarks.datasets.documents import is_text, read_json, told
from benchmarks.datasets.entries import GUESSES, Entry, Findings
from benchmarks.datasets.paths import PathRefusedError, inside_any, shown
from benchmarks.datasets.polygons import Outlines, Shape, ShapeRefusedError, as_text, check_polygon, pack
from benchmarks.datasets.prompts import COLUMNS, parse_asked
from benchmarks.datasets.runlengths import CURE, RunLengthError, check_runs
from benchmarks.datasets.settings import Settings
from pipelines.errors import DatasetError

STANDARD = frozenset(("id", "file_name", "width", "height", "license", "flickr_url", "coco_url", "date_captured"))
READ = STANDARD | {"group", "split", *COLUMNS}
"""Keys of an image with a meaning; the others are tags."""

LARGEST_SIDE = 1_000_000
Id = int | str


@dataclass
class Picture:
    """One image of the file while its annotations are gathered.

    Attributes:
        row: how messages name it.
        path: the picture, inside the root.
        size: ``(H, W)`` as the file says.
        values: its record.
        objects: label and shape, as JSON each, so that the parsed file need not be held.
        sound: False once one of its annotations is refused: masks with a gap would be false.
    """

    row: str
    path: Path
    size: tuple[int, int]
    values: Mapping[str, Any]
    objects: list[str] = field(default_factory=list)
    sound: bool = True


@dataclass
class CocoFile:
    """Reads one COCO file into findings.

    Attributes:
        path: the file, below the root.
        root: the dataset's folder, resolved.
        split: the split that the file is, or None.
        settings: what ``dataset.yaml`` says.
        found: where entries and problems go.
        seen: picture → the row that named it, over all files of the dataset.
    """

    path: Path
    root: Path
    split: str | None
    settings: Settings
    found: Findings
    seen: dict[Path, str]

    @cached_property
    def name(self) -> str:
        """Path below the root, for messages."""
        return self.path.relative_to(self.root).as_posix()

    def read(self, folders: list[str]) -> list[str]:
        """Note what the file holds; the names of its classes, in its order.

        Args:
            folders: where pictures may be, relative to the root.

        Raises:
            DatasetError: it is no COCO file, or its categories cannot be used.
        """
        document = read_json(self.path, self.root)
        lists = {key: self._list(document, key) for key in ("images", "annotations", "categories")}
        del document
        categories, names = self._categories(lists["categories"])
        pictures = self._pictures(lists.pop("images"), folders)
        annotations = lists.pop("annotations")
        annotations.reverse()
        ids, position = set[Id](), 0
        while annotations:  # each is let go once it is read, so that both forms are not held at once
            position += 1
            self._annotation(annotations.pop(), position, pictures, categories, ids)
        for picture in pictures.values():
            if picture is not None and picture.sound:
                self._entry(picture)
        return names

    def _list(self, document: object, key: str) -> list[Any]:
        value = document.get(key) if isinstance(document, dict) else None
        if isinstance(value, list) and (value or key != "categories"):
            return value
        if not isinstance(document, dict):
            raise DatasetError(f"{self.name} holds {told(document)} and no COCO instances.",
                               "Give one with images, annotations and categories; results are no dataset.")  # fmt: skip
        what = f"has no {key}" if value is None or value == [] else f"has {told(value)} for {key}"
        raise DatasetError(f"{self.name} {what}, so that it is no COCO file of instances.",
                           f"Export it again with the list {key!r}.")  # fmt: skip

    def _categories(self, rows: list[Any]) -> tuple[dict[Id, str], list[str]]:
        """Id → name, and the names that are classes: Roboflow's category that only heads the others is none."""
        names: dict[Id, str] = {}
        for number, row in enumerate(rows, 1):
            if not isinstance(row, dict) or not is_text(row.get("name")) or not _is_id(row.get("id")):
                raise DatasetError(f"{self.name} category number {number} has no id and name that can be used.",
                                   "Give each category an id, a whole number, and a name.")  # fmt: skip
            if row["id"] in names:
                raise DatasetError(f"{self.name} has the category id {row['id']!r} twice.", "Give each its own.")
            names[row["id"]] = row["name"].strip()
        above = {row.get("supercategory") for row in rows if is_text(row.get("supercategory"))}
        classes = [row["name"].strip() for row in rows
                   if not (row.get("supercategory") == "none" and row["name"] in above)]  # fmt: skip
        for name in classes:
            if classes.count(name) > 1:
                raise DatasetError(f"{self.name} has two categories of the name {shown(name)}.",
                                   "Rename one, or give their annotations one category.")  # fmt: skip
        return names, classes

    def _pictures(self, rows: list[Any], folders: list[str]) -> dict[Id, Picture | None]:
        """Id → picture; None for one that is refused, so that its annotations are not blamed too."""
        pictures: dict[Id, Picture | None] = {}
        for number, row in enumerate(rows, 1):
            id_ = row.get("id") if isinstance(row, dict) else None
            if not _is_id(id_):
                self.found.problem(f"{self.name} image number {number}", f"its id is {told(id_)}.",
                                   "Give each image an id, a whole number, and a file_name.")  # fmt: skip
            elif id_ in pictures:
                pictures[id_] = None
                self.found.problem(f"{self.name} image {told(id_)}", "two images have this id.", "Give each its own.")
            else:
                pictures[id_] = self._picture(row, f"{self.name} image {told(id_)}", folders)
        return pictures

    def _picture(self, row: dict[str, Any], where: str, folders: list[str]) -> Picture | None:
        try:
            name, size = row.get("file_name"), (row.get("height"), row.get("width"))
            if not isinstance(name, str):
                raise PathRefusedError(f"its file_name is {told(name)}.", "Give the picture's path as text.")
            where = f"{where} ({shown(name)})"
            if not all(type(n) is int and 0 < n < LARGEST_SIDE for n in size):
                raise PathRefusedError(f"its height is {told(size[0])} and its width {told(size[1])}.",
                                       "Give both in pixels, as whole numbers.")  # fmt: skip
            path = inside_any(self.root, folders, name, guess=len(self.found.problems) < GUESSES)
        except PathRefusedError as refused:
            self.found.problem(where, refused.reason, refused.cure)
            return None
        if earlier := self.seen.get(path.resolve()):
            self.found.problem(where, f"it is the same picture as {earlier}.", "Keep one of the two.")
            return None
        self.seen[path.resolve()] = where
        return Picture(where, path, size, {key: value for key, value in row.items() if key not in STANDARD})  # type: ignore[arg-type]

    def _annotation(self, row: Any, position: int, pictures: dict[Id, Picture | None], categories: dict[Id, str],
                    ids: set[Id]) -> None:  # fmt: skip
        """Add one annotation to its picture, or note why it is refused, and that the picture misses it."""
        values = row if isinstance(row, dict) else {}
        id_, of = values.get("id"), values.get("image_id")
        where = f"{self.name} annotation {told(id_)}" if _is_id(id_) else f"{self.name} annotation number {position}"
        picture = pictures.get(of) if _is_id(of) else None
        try:
            if not isinstance(row, dict):
                raise ShapeRefusedError(f"is {told(row)} and no object.", "Export the file again.")
            _check_ids(values, pictures, categories, ids)
            if picture is not None:
                shape = segmentation(values, picture.size)
                crowd = _is_crowd(values.get("iscrowd", 0))
                picture.objects.append(as_text(None if crowd else categories[values["category_id"]], shape))
        except ShapeRefusedError as refused:
            self.found.problem(where, refused.reason, refused.cure)
            if picture is not None:
                picture.sound = False

    def _entry(self, picture: Picture) -> None:
        values = {key: _cell(value) for key, value in picture.values.items()}
        try:
            asked = parse_asked(picture.values, self.settings.prompt)
            asked.check(picture.size)
        except ValueError as error:
            self.found.problem(picture.row, f"{error}.", "Correct the key.")
            return
        if odd := next((key for key, value in values.items() if value is not None and not value.isprintable()), None):
            self.found.problem(picture.row, f"its key {odd!a} holds what cannot be printed.", "Correct or remove it.")
            return
        self.found.entries.append(Entry(
            picture.row, picture.path, Outlines(picture.size, pack(picture.objects), self.name), asked.prompt,
            asked.absent, values.get("group") or "", values.get("split") or self.split,
            {key: value for key, value in values.items()
             if key not in READ and not key.endswith("_file_name") and value is not None and key.isprintable()},
        ))  # fmt: skip
        picture.objects.clear()


def _cell(value: object) -> str | None:
    """Text of a tag; None for lists and objects, which are none."""
    if isinstance(value, str):
        return value.strip()
    return None if value is None or isinstance(value, (list, dict)) else json.dumps(value)


def _is_id(value: object) -> TypeGuard[Id]:
    return type(value) is int or (isinstance(value, str) and is_text(value))


def _check_ids(values: dict[str, Any], pictures: Mapping[Id, object], categories: Mapping[Id, str],
               ids: set[Id]) -> None:  # fmt: skip
    id_, of, category = values.get("id"), values.get("image_id"), values.get("category_id")
    if "id" in values and not _is_id(id_):
        raise ShapeRefusedError(f"has the id {told(id_)}, which is no whole number.", "Number the annotations.")
    if id_ in ids:
        raise ShapeRefusedError("has an id that an earlier annotation has.", "Give each its own.")
    if id_ is not None:
        ids.add(id_)
    if not _is_id(of) or of not in pictures:
        raise ShapeRefusedError(f"belongs to the image_id {told(of)}, which is not among the images.",
                                "Correct image_id, or add the image.")  # fmt: skip
    if not _is_id(category) or category not in categories:
        known = ", ".join(f"{key} {shown(name)}" for key, name in list(categories.items())[:10])
        raise ShapeRefusedError(f"has the category_id {told(category)}, which is not among the categories.",
                                f"Correct it, or add the category; there are {known}.")  # fmt: skip


def _is_crowd(value: object) -> bool:
    if value not in (0, 1) or isinstance(value, float):
        raise ShapeRefusedError(f"has iscrowd {told(value)}.", "Write 0 for an object, 1 for a crowd.")
    return bool(value)


def segmentation(values: Mapping[str, Any], size: tuple[int, int]) -> Shape:
    """The shape of one annotation.

    Args:
        values: its record.
        size: ``(H, W)`` of its picture.

    Raises:
        ShapeRefusedError: it is no mask, or one that does not fit the picture.
    """
    value = values.get("segmentation")
    if isinstance(value, dict):
        try:
            return check_runs(value, size)
        except RunLengthError as error:
            raise ShapeRefusedError(str(error), CURE) from error
    if isinstance(value, list) and value and all(isinstance(polygon, list) for polygon in value):
        return [check_polygon(polygon, size) for polygon in value]
    if value is None or value == []:
        kind = next((key for key in ("segments_info", "keypoints", "caption", "bbox") if key in values), None)
        what = {"bbox": "only a box", "keypoints": "only keypoints", "caption": "only a caption",
                "segments_info": "the segments of a panoptic picture"}.get(kind or "", "no segmentation")  # fmt: skip
        raise ShapeRefusedError(f"has {what}, and that is no mask.",
                                "Export instance segmentation: polygons or run lengths as 'segmentation'.")  # fmt: skip
    raise ShapeRefusedError(f"has {told(value)} as its segmentation.",
                            "Write a list of polygons, [[x0, y0, x1, y1, ...], ...], or run lengths.")  # fmt: skip
