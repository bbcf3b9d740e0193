"""Imagefolder: a ``metadata.csv`` or ``metadata.jsonl`` that names each picture, its masks and what is known of it.

Columns: ``file_name``; ``mask_file_name``, or ``<label>_file_name`` for one mask per label; optional ``group``,
``split``, ``prompt``, ``absent`` (texts of what is not in the picture), ``points`` (``[[x, y, label], ...]``, label 1
inside, which is the default, 0 outside), ``boxes`` (``[[x0, y0, x1, y1], ...]``) and ``mask_threshold``; every other
column is a tag. Paths are relative to the manifest's folder. A cell ``a; b`` is two texts; JSONL may hold lists.
Where several masks are columns, an empty cell says that the label is not in the picture; where ``mask_file_name`` is
the only one, it is a missing mask. Subfolders that hold manifests of their own (``train/metadata.csv``) are splits of
that name.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.entries import GUESSES, Entry, Findings, build_dataset
from benchmarks.datasets.manifest import FILE_NAME, FILES, Row, read_manifest
from benchmarks.datasets.paths import PathRefusedError, as_splits, inside, own_file, shown
from benchmarks.datasets.prompts import COLUMNS, Asked, parse_asked
from benchmarks.datasets.sample import FOREGROUND
from benchmarks.datasets.settings import Settings, parse_threshold, read_settings
from benchmarks.datasets.targets import MaskFiles, header_size
from pipelines.errors import DatasetError

MASK_SUFFIX = "_file_name"
LONGEST_LABEL = 100
READ = frozenset({FILE_NAME, "group", "split", "mask_threshold", *COLUMNS})
"""Columns with a meaning; those of masks and these are not tags."""


def open_imagefolder(spec: str) -> Dataset | None:
    """The dataset that a manifest describes, or None if the spec is not a folder with one.

    Raises:
        DatasetError: the manifest cannot be read at all.
    """
    root = Path(spec)
    manifests = _manifests(root) if root.is_dir() else []
    if not manifests:
        return None
    settings, found, seen = read_settings(root), Findings(), dict[Path, str]()
    labels = set[str]()
    for path, split in manifests:
        labels |= _read_rows(path, split, settings, seen, found)
    return build_dataset(root.resolve(), "imagefolder", settings, found, class_names(labels, settings))


def class_names(labels: Collection[str], settings: Settings) -> list[str]:
    """Classes that are declared, where there are masks of ids, and then the labels that masks have of their own."""
    declared = settings.class_names if FOREGROUND in labels else ()
    return [*declared, *sorted(set(labels) - {FOREGROUND, *declared})]


def _read_rows(path: Path, split: str | None, settings: Settings, seen: dict[Path, str],
               found: Findings) -> set[str]:  # fmt: skip
    """Note the entries of one manifest; its labels."""
    rows = read_manifest(path, found.problems)
    columns = _mask_columns(rows)
    for row in rows:
        entry = _entry(row, path.parent.resolve(), columns, split, settings, found)
        if entry and _is_new(entry, seen, found):
            found.entries.append(entry)
    if not columns and (path.parent / "masks").is_dir():  # or quality would silently not be measured
        reason, cure = (
            "it names no masks, but there is a folder masks/.",
            "Add the column mask_file_name, or take it away.",
        )
        found.problem(path.name, reason, cure)
    return set(columns.values())


def _manifests(root: Path) -> list[tuple[Path, str | None]]:
    """Manifests with the split that each one is: the root's own, or those of its subfolders."""
    own = _of_folder(root)
    if len(own) > 1:
        raise DatasetError(f"The folder {str(root)!r} has both {FILES[0]} and {FILES[1]}.", "Remove one of them.")
    if own:
        return [(own[0], None)]
    parts = [p for p in sorted(root.iterdir()) if p.is_dir() and not p.is_symlink() and _of_folder(p)]
    return [(_of_folder(folder)[0], folder.name) for folder in as_splits(root, parts)]


def _of_folder(folder: Path) -> list[Path]:
    return [path for name in FILES if (path := own_file(folder, name))]


def _mask_columns(rows: list[Row]) -> dict[str, str]:
    """Column → label, for the columns of masks in which any cell is filled."""
    names = {name for row in rows for name, value in row.values.items() if name.endswith(MASK_SUFFIX) and value}
    labels = {name: name.removesuffix(MASK_SUFFIX) for name in sorted(names)}
    for name, label in labels.items():
        if not label.strip() or len(label) > LONGEST_LABEL:
            raise DatasetError(f"The column {shown(name)} names no label.", f"Call it LABEL{MASK_SUFFIX}.")
    return {name: FOREGROUND if label == "mask" else label for name, label in labels.items()}


def _entry(row: Row, root: Path, columns: Mapping[str, str], split: str | None, settings: Settings,
           found: Findings) -> Entry | None:  # fmt: skip
    """The files of one row, each inside the root, or None with a problem noted."""
    values, image = row.values, None
    try:
        guess = len(found.problems) < GUESSES
        image = inside(root, _path(values, FILE_NAME), guess=guess)
        masks = {
            label: inside(root, _path(values, name), guess=guess) for name, label in columns.items() if values.get(name)
        }
        if columns and not masks:
            raise PathRefusedError(f"{shown(values[FILE_NAME])} has no mask.",
                              "Name its mask (all black if there is nothing to find), or remove the row.")  # fmt: skip
        if image in masks.values():
            raise PathRefusedError(
                f"{shown(values[FILE_NAME])} is named as its own mask.", "Name the file of the mask."
            )
        asked = _asked(values, image, settings)
        return Entry(
            row=f"{row.where} ({shown(values[FILE_NAME])})",
            image=image,
            target=MaskFiles(masks, _threshold(values, settings), settings.meaning) if masks else None,
            prompt=asked.prompt,
            absent=asked.absent,
            group=_cell(values.get("group")),
            split=_cell(values.get("split")) or split,
            tags={k: _cell(v) for k, v in values.items() if k not in READ and not k.endswith(MASK_SUFFIX)},
        )
    except PathRefusedError as refused:
        found.problem(row.where, refused.reason, refused.cure, image)
    except ValueError as error:
        found.problem(row.where, f"{error}.", getattr(error, "cure", "Correct the cell."), image)
    return None


def _asked(values: Mapping[str, Any], image: Path, settings: Settings) -> Asked:
    asked = parse_asked(values, settings.prompt)
    if asked.prompt and (asked.prompt.points or asked.prompt.boxes):
        with suppress(DatasetError):  # a picture that is refused is told of with the others
            asked.check(header_size(image))
    return asked


def _threshold(values: Mapping[str, Any], settings: Settings) -> int | None:
    own = parse_threshold(values.get("mask_threshold"))
    return settings.mask_threshold if own is None else own


def _path(values: Mapping[str, Any], column: str) -> str:
    if not isinstance(values[column], str):
        raise PathRefusedError(f"{column} is {values[column]!r}, not a path.", "Give one path as text.")
    return str(values[column])


def _cell(value: object) -> str:
    """Text of a tag; lists and objects of JSONL as JSON."""
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _is_new(entry: Entry, seen: dict[Path, str], found: Findings) -> bool:
    """Whether the picture was not named by an earlier row."""
    key = entry.image.resolve()
    if key in seen:
        found.problem(entry.row, f"names the same picture as {seen[key]}.", "Remove one of the two rows.")
        return False
    seen[key] = entry.row
    return True
