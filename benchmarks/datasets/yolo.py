"""YOLO-seg: ``data.yaml`` with names and splits, ``images/...`` and ``labels/...txt`` beside it, one outline a line.

Format: docs.ultralytics.com/datasets/segment. ``train``, ``val`` and ``test`` name folders of pictures, or a ``.txt``
list of them, relative to ``path`` or to the file's folder; ``../train/images``, as Roboflow writes it, means
``train/images``. The label file has the picture's path with the last ``images`` replaced by ``labels``. An empty label
file, and a missing one where others exist, say that there is nothing to find. Nothing outside the folder is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.documents import ends, files_below, leaves
from benchmarks.datasets.entries import Entry, Findings, build_dataset
from benchmarks.datasets.paths import list_pictures
from benchmarks.datasets.polygons import Outlines, pack
from benchmarks.datasets.settings import FILE as SETTINGS
from benchmarks.datasets.settings import Settings, read_settings_of_outlines
from benchmarks.datasets.targets import header_size
from benchmarks.datasets.yolo_labels import label_path, read_labels
from benchmarks.datasets.yolo_yaml import Part, read_yaml
from pipelines.errors import DatasetError

SUFFIXES = (".yaml", ".yml")
USUAL = ("data.yaml", "data.yml")
NOT_LABELS = frozenset(("classes.txt", "notes.txt", "readme.txt"))
"""What labelling programs and Roboflow put beside label files."""

_KEY = re.compile(r"^['\"]?(names|nc|train|val|test)['\"]?\s*:", re.MULTILINE)


@dataclass
class Seen:
    """What was read so far: the split of each picture, and label files that belong to one."""

    pictures: dict[Path, str] = field(default_factory=dict)
    labels: set[Path] = field(default_factory=set)
    folders: set[Path] = field(default_factory=set)
    missing: int = 0
    corners: set[int] = field(default_factory=set)


def claims(root: Path) -> str | None:
    """The file, relative to the folder, that makes it YOLO-seg: ``data.yaml``, or one with its keys. None if none."""
    try:
        files = [path for path in sorted(root.iterdir()) if path.suffix.lower() in SUFFIXES and path.is_file()]
    except OSError:
        return None
    files.sort(key=lambda path: path.name not in USUAL)
    return next((path.name for path in files if not path.name.startswith(".") and _is_yolo(path, root)), None)


def _is_yolo(path: Path, root: Path) -> bool:
    if leaves(path, root):
        return path.name in USUAL
    keys = set(_KEY.findall(ends(path)))
    return bool(keys) if path.name in USUAL else "names" in keys and bool(keys & {"train", "val", "test"})


def open_yolo(spec: str) -> Dataset | None:
    """The YOLO-seg dataset in a folder or of one ``data.yaml``, or None if it is none.

    Raises:
        DatasetError: the file cannot be used at all, or there is no label file.
    """
    path = Path(spec)
    if path.is_file():
        root = path.parent.resolve()
        name = path.name if path.suffix.lower() in SUFFIXES and _is_yolo(root / path.name, root) else None
    else:
        root = path.resolve() if path.is_dir() else path
        name = claims(root) if path.is_dir() else None
    if name is None:
        return None
    found, seen = Findings(), Seen()
    names, parts = read_yaml(root / name, root, found)
    settings = _settings(root, name)
    for part in parts:
        _read_part(part, root, names, found, seen)
    _orphans(root, seen, found)
    _check_labels(name, found, seen)
    return build_dataset(root, "YOLO-seg", settings, found, list(names.values()))


def _settings(root: Path, name: str) -> Settings:
    """What our ``dataset.yaml`` says, unless the file of that name is YOLO's."""
    return Settings(root.name or "dataset") if name == SETTINGS else read_settings_of_outlines(root, "YOLO-seg")


def _read_part(part: Part, root: Path, names: Mapping[int, str], found: Findings, seen: Seen) -> None:
    for picture in _pictures(part, root, found):
        row, key = picture.relative_to(root).as_posix(), picture.resolve()
        earlier = seen.pictures.get(key)
        if earlier is None:
            seen.pictures[key] = part.split
            _read_picture(picture, row, part.split, root, names, found, seen)
        elif earlier != part.split:
            found.problem(row, f"is in the splits {earlier} and {part.split}.", "Keep it in one of them.")


def _pictures(part: Part, root: Path, found: Findings) -> Iterator[Path]:
    if part.folder is None:
        yield from part.pictures
        return
    seen_others, listing = len(found.notes), list_pictures(part.folder, root)
    yield from found.take(listing)
    del found.notes[seen_others:]  # label files beside pictures are read, and no others matter


def _read_picture(picture: Path, row: str, split: str, root: Path, names: Mapping[int, str], found: Findings,
                  seen: Seen) -> None:  # fmt: skip
    labels = label_path(picture, root)
    seen.folders.add(labels.parent)
    labelled = labels.is_symlink() or labels.exists()
    if labelled:
        seen.labels.add(labels)
    try:
        size = header_size(picture)
    except DatasetError:
        found.entries.append(Entry(row, picture, split=split))  # it is told of with the others
        return
    objects: list[str] | None = []
    if labelled:
        objects = read_labels(labels, root, size, names, found, seen.corners)
    else:
        seen.missing += 1
    if objects is not None:
        target = Outlines(size, pack(objects), labels.relative_to(root).as_posix())
        found.entries.append(Entry(row, picture, target, split=split))


def _orphans(root: Path, seen: Seen, found: Findings) -> None:
    """Label files without a picture; those of several folders that lie in one another are told of once."""
    tops = [folder for folder in seen.folders if not seen.folders & set(folder.parents)]
    for folder in sorted(tops):
        for path in files_below(folder, ".txt") if folder.is_dir() and folder != root else ():
            if path not in seen.labels and path.name.lower() not in NOT_LABELS:
                row = path.relative_to(root).as_posix()
                found.problem(row, "is a label file without a picture.", "Add its picture, or remove it.")


def _check_labels(name: str, found: Findings, seen: Seen) -> None:
    if seen.pictures and not seen.labels:
        found.entries.clear()
        found.problem(name, f"none of its {len(seen.pictures)} pictures has a label file.",
                      "Put NAME.txt of each picture into labels/, where its picture is in images/.")  # fmt: skip
    elif seen.missing:
        found.notes.append(f"{seen.missing} pictures have no label file, which says that there is nothing to find.")
    if seen.corners == {4}:
        found.notes.append("Every outline has four corners: if they are rotated boxes (OBB), they are no masks.")
