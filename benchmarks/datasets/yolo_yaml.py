"""``data.yaml`` of YOLO: names of classes, and where each split's pictures are, below the dataset's own folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from benchmarks.datasets.documents import is_text, leaves, read_bytes, told
from benchmarks.datasets.entries import GUESSES, Findings
from benchmarks.datasets.paths import PathRefusedError, inside_any, near, shown
from pipelines.errors import DatasetError

SPLITS = ("train", "val", "test")
CURE_NAMES = "Write names: [coin, leaf], or names: {0: coin, 1: leaf}."


@dataclass(frozen=True)
class Part:
    """Pictures of one split.

    Attributes:
        split: its name, a key of the file.
        folder: where they are, or None for a list.
        pictures: those of a list.
    """

    split: str
    folder: Path | None
    pictures: tuple[Path, ...] = ()


def read_yaml(path: Path, root: Path, found: Findings) -> tuple[dict[int, str], list[Part]]:
    """Id → name, and the parts of the splits.

    Raises:
        DatasetError: it cannot be parsed, has no names, other names than ``nc`` says, or no split at all.
    """
    values = _parsed(path, root)
    if values.get("kpt_shape") is not None:
        raise DatasetError(f"{path.name} has kpt_shape: its labels are keypoints, and those are no masks.",
                           "Export the dataset as YOLO segmentation.")  # fmt: skip
    names = _names(values, path.name)
    places = {split: values[split] for split in SPLITS if values.get(split)}
    if not places:
        raise DatasetError(f"{path.name} names no split.", "Write train: images/train, val: images/val or test: ....")
    bases = _bases(values.get("path"), root, found)
    parts = [part for split, place in places.items() for part in _parts(split, place, path.name, root, bases, found)]
    return names, list(_once(parts, path.name, found))


def _parsed(path: Path, root: Path) -> dict[Any, Any]:
    import yaml

    try:
        values = yaml.safe_load(read_bytes(path, root))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:150]
        raise DatasetError(f"{path.name} cannot be read: {why}.", "Correct it, one 'key: value' a line.") from error
    if not isinstance(values, dict):
        raise DatasetError(f"{path.name} holds {told(values)} and no keys.", f"{CURE_NAMES} Then write the splits.")
    return values


def _names(values: dict[Any, Any], file: str) -> dict[int, str]:
    given = values.get("names")
    pairs = (
        list(given.items()) if isinstance(given, dict) else list(enumerate(given)) if isinstance(given, list) else []
    )
    if not pairs:
        what = "has no names" if given is None else f"has {told(given)} for names"
        raise DatasetError(f"{file} {what}, so that classes cannot be told apart.", CURE_NAMES)
    names: dict[int, str] = {}
    for id_, name in pairs:
        if type(id_) is not int or id_ < 0 or not is_text(name):
            raise DatasetError(f"{file} has {told(name)} as the name of the class {told(id_)}.", CURE_NAMES)
        if name.strip() in names.values():
            raise DatasetError(f"{file} has the name {shown(name)} twice.", "Rename one, or give them one class.")
        names[id_] = name.strip()
    n = values.get("nc")
    if n is not None and (type(n) is not int or n != len(names)):
        raise DatasetError(f"{file} says nc: {told(n)}, and has {len(names)} names.", "Correct nc or names.")
    return names


def _bases(path: object, root: Path, found: Findings) -> list[str]:
    """Folders that places are relative to, below the root: ``path`` where it lies there, and the root itself."""
    if path is None or path in ("", ".", "./"):
        return ["."]
    below = _below(path, root) if isinstance(path, str) else None
    if below is not None and (root / below).is_dir():
        return [below, "."]
    found.notes.append(f"path: {told(path)} is not below the dataset's folder; places are looked for in this folder.")
    return ["."]


def _below(place: str, root: Path) -> str | None:
    """A place as a path below the root, leading ``../`` taken off, or None where it cannot lie there."""
    text = place.strip().replace("\\", "/")
    if text.startswith("/"):
        absolute = PurePosixPath(text)
        return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else None
    parts = [part for part in PurePosixPath(text).parts if part != "."]
    while parts and parts[0] == "..":
        parts.pop(0)
    bad = (
        ".." in parts
        or ":" in text
        or text.startswith("~")
        or not text.isprintable()
        or any(len(part.encode()) > 255 for part in parts)
    )
    return None if bad else PurePosixPath(*parts).as_posix()


def _parts(split: str, place: object, file: str, root: Path, bases: list[str], found: Findings) -> Iterator[Part]:
    for one in place if isinstance(place, list) else [place]:
        below = _below(one, root) if isinstance(one, str) and one.strip() else None
        row = f"{file} {split}"
        if below is None:
            found.problem(row, f"{told(one)} is no folder below the dataset's own.",
                          "Write the folder of the pictures relative to this file, such as images/train.")  # fmt: skip
            continue
        paths = list(dict.fromkeys(root / base / below for base in bases))
        path = next((p for p in paths if p.exists()), paths[0])
        if path.exists() and leaves(path, root):
            found.problem(row, f"{told(one)} is a link that leaves the dataset's folder.", "Copy the files into it.")
        elif path.is_dir():
            yield Part(split, path)
        elif path.is_file() and path.suffix == ".txt":
            yield Part(split, None, tuple(_listed(path, root, bases, found)))
        else:
            known = [p.relative_to(root).as_posix() for p in (*root.glob("*/"), *root.glob("*/*/")) if p.is_dir()]
            found.problem(row, f"the folder {told(one)} does not exist.",
                          f"{near(below, known)}Correct the path, or add the folder.")  # fmt: skip


def _listed(path: Path, root: Path, bases: list[str], found: Findings) -> Iterator[Path]:
    """Pictures of a list, one path a line."""
    name = path.relative_to(root).as_posix()
    try:
        lines = read_bytes(path, root).decode("utf-8-sig").splitlines()
    except (DatasetError, UnicodeDecodeError):
        found.problem(name, "the list of pictures cannot be read as UTF-8.", "Save it as UTF-8, one path a line.")
        return
    folders = list(dict.fromkeys((path.parent.relative_to(root).as_posix(), *bases)))
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield inside_any(root, folders, line.strip(), guess=len(found.problems) < GUESSES)
        except PathRefusedError as refused:
            found.problem(f"{name} line {number}", refused.reason, refused.cure)


def _once(parts: list[Part], file: str, found: Findings) -> Iterator[Part]:
    """Each folder once: the same one as two splits is one mistake, and not one for each picture."""
    seen: dict[Path, str] = {}
    for part in parts:
        earlier = seen.setdefault(part.folder, part.split) if part.folder else part.split
        if earlier != part.split:
            found.problem(f"{file} {part.split}", f"it is the same folder as {earlier}.",
                          "Remove one of the two, or give each pictures of its own.")  # fmt: skip
        else:
            yield part
