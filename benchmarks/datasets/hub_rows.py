"""Rows of a table of Hugging Face ``datasets``: which columns are pictures and masks, and the sample of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from benchmarks.datasets.hub_bytes import Blob, Cell, Homes, RowRefusedError, cell_bytes
from benchmarks.datasets.meaning import Meaning
from benchmarks.datasets.paths import shown
from benchmarks.datasets.prompts import COLUMNS, Asked, parse_asked
from benchmarks.datasets.sample import FOREGROUND, Sample, Truth
from benchmarks.datasets.settings import Settings, parse_threshold
from benchmarks.datasets.targets import hash_masks, header_size, mask_fault, read_masks
from pipelines.errors import DatasetError, ImageError

PICTURE_NAMES = ("image", "img", "picture", "photo", "pixel_values")
MASK_NAMES = (
    "mask", "masks", "label", "labels", "annotation", "annotations", "segmentation", "segmentation_mask", "seg", "gt",
    "ground_truth", "groundtruth", "target", "alpha",
)  # fmt: skip
READ = frozenset({"id", "file_name", "group", "split", "mask_threshold", *COLUMNS})


@dataclass(frozen=True)
class Columns:
    """Columns by what they are for.

    Attributes:
        image: the picture's.
        masks: column → label.
        values: columns with texts and numbers, and lists where they have a meaning.
        unread: the others.
    """

    image: str
    masks: Mapping[str, str]
    values: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def pictures(self) -> tuple[str, ...]:
        """Columns that hold files of pictures or masks."""
        return self.image, *self.masks


def columns_of(features: Mapping[str, Any]) -> Columns:
    """Tell pictures, masks and values apart by type and name.

    Raises:
        DatasetError: no column of pictures, or several that could be it.
    """
    pictures = [name for name, feature in features.items() if _holds_pictures(name, feature)]
    image = next((name for name in PICTURE_NAMES if name in pictures), None)
    others = [name for name in pictures if name not in MASK_NAMES]
    if image is None and len(others) != 1:
        what = f"several that could be the picture: {', '.join(others)}" if others else "no column of pictures"
        listed = ", ".join(map(shown, features))
        raise DatasetError(f"It has {what}; its columns are {listed[:300]}.",
                           "Call the picture's column image, of the type datasets.Image().")  # fmt: skip
    image = image or others[0]
    masks = [name for name in pictures if name != image]
    labels = {name: _label(name, len(masks) == 1) for name in masks}
    values = [name for name, feature in features.items() if name not in pictures and _holds_values(name, feature)]
    unread = [name for name in features if name not in {*pictures, *values}]
    return Columns(image, labels, tuple(values), tuple(unread))


def _label(name: str, alone: bool) -> str:
    if name == "mask" or (alone and name in MASK_NAMES):
        return FOREGROUND
    return name.removesuffix("_mask") or name


def _holds_pictures(name: str, feature: Any) -> bool:
    """An Image, or the bytes of one as other writers of parquet store them."""
    import datasets

    if isinstance(feature, datasets.Image):
        return True
    if isinstance(feature, dict):
        return set(feature) == {"bytes", "path"}
    is_bytes = isinstance(feature, datasets.Value) and feature.dtype in ("binary", "large_binary")
    return is_bytes and name in (*PICTURE_NAMES, *MASK_NAMES)


def _holds_values(name: str, feature: Any) -> bool:
    import datasets

    if isinstance(feature, (datasets.Value, datasets.ClassLabel)):
        return getattr(feature, "dtype", "") not in ("binary", "large_binary")
    return name in COLUMNS


@dataclass(frozen=True)
class MaskBlobs:
    """Masks of one row, by label."""

    blobs: Mapping[str, Blob]
    threshold: int | None = field(default=None)
    meaning: Meaning | None = field(default=None)

    def read(self) -> Truth:
        """Masks by label or class; raises ImageError where a file is refused."""
        return read_masks({label: blob.read() for label, blob in self.blobs.items()}, self.threshold, self.meaning)

    def hash(self) -> str:
        """sha256 of everything that decides the masks; the same as of files with these bytes."""
        return hash_masks({label: blob.hash() for label, blob in self.blobs.items()}, self.threshold, self.meaning)


def sample_of(values: Mapping[str, Any], cells: Mapping[str, Cell], columns: Columns, settings: Settings,
              homes: Homes, where: str, name: str, split: str | None) -> Sample:  # fmt: skip
    """The sample of one row, its masks' sizes checked by their headers.

    Args:
        values: column → text, number or list.
        cells: column of pictures → its cell.
        columns: what they are for.
        settings: of ``dataset.yaml``.
        homes: where a path in a cell may lead.
        where: the row, for messages.
        name: its id.
        split: of a row that names none.

    Raises:
        RowRefusedError: no picture, no mask, another size, or a value of another form than its column asks for.
    """
    blobs = {column: Blob(cell, homes, where) for column, cell in cells.items()}
    size = _size(cells[columns.image](), homes)
    masks = _masks(cells, columns, homes, size)
    try:
        threshold, asked = parse_threshold(values.get("mask_threshold")), parse_asked(values, settings.prompt)
        asked.check(size)
    except ValueError as error:
        raise RowRefusedError(f"{error}", getattr(error, "cure", "Correct the value.")) from error
    target = MaskBlobs({label: blobs[column] for label, column in masks.items()},
                       threshold or settings.mask_threshold, settings.meaning) if masks else None  # fmt: skip
    return _assembled(values, size, blobs[columns.image], target, asked, settings, name, split)


def _assembled(values: Mapping[str, Any], size: tuple[int, int], picture: Blob, target: MaskBlobs | None, asked: Asked,
               settings: Settings, name: str, split: str | None) -> Sample:  # fmt: skip
    return Sample(
        id=name,
        size=size,
        read_image=picture.image,
        hash_image=picture.hash,
        read_truth=target.read if target else None,
        hash_target=target.hash if target else None,
        prompt=asked.prompt or settings.prompt,
        absent=asked.absent,
        group=text_of(values.get("group")),
        split=text_of(values.get("split")) or split,
        tags={k: text_of(v) for k, v in values.items() if k not in READ},
    )


def _size(cell: Any, homes: Homes) -> tuple[int, int]:
    if cell is None:
        raise RowRefusedError("it has no picture", "Add the picture, or remove the row.")
    try:
        return header_size(cell_bytes(cell, homes))
    except (DatasetError, ImageError) as error:
        raise RowRefusedError(f"its picture is refused: {error.message.rstrip('.')}", error.cure) from error


def _masks(cells: Mapping[str, Cell], columns: Columns, homes: Homes,
           size: tuple[int, int]) -> dict[str, str]:  # fmt: skip
    """Label → column of the masks that the row has, each of the picture's size."""
    found = {}
    for column, label in columns.masks.items():
        cell = cells[column]()
        if cell is not None:
            _check_mask(column, cell, homes, size)
            found[label] = column
    if columns.masks and not found:
        raise RowRefusedError("it has no mask", "Add its mask (all black if there is nothing), or remove the row.")
    return found


def _check_mask(column: str, cell: Any, homes: Homes, size: tuple[int, int]) -> None:
    try:
        fault = mask_fault(shown(column), partial(header_size, cell_bytes(cell, homes)), size)
    except ImageError as error:
        fault = f"{shown(column)} is refused: {error.message}", error.cure
    if fault:
        raise RowRefusedError(fault[0].rstrip("."), fault[1])


def named(values: Mapping[str, Any], path: str | None) -> str | None:
    """The id of a row by its ``id``, its ``file_name`` or its picture's path, less the extension and ``images/``."""
    own = text_of(values.get("id"))
    if own:
        return own
    name = text_of(values.get("file_name")) or (path or "")
    parts = PurePosixPath(name).with_suffix("").parts if name and name != "." else ()
    return "/".join(parts[1:] if len(parts) > 1 and parts[0] == "images" else parts) or None


def text_of(value: object) -> str:
    """Text of a value; None is blank, lists and numbers are JSON."""
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
