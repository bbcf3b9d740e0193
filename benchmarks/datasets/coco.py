"""COCO instances: ``annotations.json`` beside ``images/``, ``annotations/instances_<split>.json``, or one a split.

Format: cocodataset.org/#format-data. Found are, in this order: the one COCO file of a folder, or one for each split
(``train.json``); ``annotations/instances_train2017.json``; ``train/_annotations.coco.json``, as Roboflow exports it. A
picture is looked for beside its file, in ``images/`` there, and in ``images/``, ``<split>/`` and ``images/<split>/``
of the dataset. One without annotations has nothing to find. ``iscrowd`` pixels count for nothing, unless an object
lies there. Beyond COCO, ``group``, ``split``, ``prompt``, ``absent``, ``points`` and ``boxes`` of an image are read
as in ``metadata.jsonl``, and every other text or number is a tag.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks.datasets.coco_file import CocoFile
from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.documents import ends, leaves
from benchmarks.datasets.entries import Findings, build_dataset
from benchmarks.datasets.paths import SPLIT_NAME, as_splits, list_pictures, shown
from benchmarks.datasets.settings import read_settings_of_outlines
from pipelines.errors import DatasetError

FOLDER, ROBOFLOW = "annotations", "_annotations.coco.json"
KNOWN = re.compile(r"^(annotations|_annotations\.coco|instances_.*)\.json$")
"""Files of these names are COCO's; a link of such a name that leaves the dataset is refused, not passed over."""

_KEYS = re.compile(r'"(images|annotations|categories)"\s*:\s*\[')
_OTHER = re.compile(r'"(imagePath|shapes)"\s*:')


@dataclass(frozen=True)
class Source:
    """A COCO file of a dataset.

    Attributes:
        path: where it is, below the root.
        split: the split that it is, or None.
    """

    path: Path
    split: str | None = None


def claims(root: Path) -> str | None:
    """The file, relative to the folder, that makes it COCO; both ends of JSON files are looked at. None if none."""
    try:
        found = _sources(root)
    except OSError:
        return None
    return found[0].path.relative_to(root).as_posix() if found else None


def open_coco(spec: str) -> Dataset | None:
    """The COCO dataset in a folder or of one ``.json`` file, or None if it is none.

    Raises:
        DatasetError: a file cannot be read at all, or there are several that are no splits.
    """
    path = Path(spec)
    if path.suffix.lower() == ".json" and path.is_file():
        home = path.parent.resolve()
        root = home.parent if home.name == FOLDER else home
        other = not leaves(home / path.name, root) and _OTHER.search(ends(path))
        sources = [] if other else [Source(home / path.name)]
    else:
        root = path.resolve() if path.is_dir() else path
        sources = _sources(root) if path.is_dir() else []
    return _opened(root, sources) if sources else None


def _opened(root: Path, sources: list[Source]) -> Dataset:
    _check_splits(root, sources)
    settings, found = read_settings_of_outlines(root, "COCO"), Findings()
    names: dict[str, None] = {}
    seen: dict[Path, str] = {}
    for source in sources:
        file = CocoFile(source.path, root, source.split, settings, found, seen)
        names |= dict.fromkeys(file.read(_folders(source, root)))
    listed = {path.resolve() for path in seen}
    rest = sum(path.resolve() not in listed for path in list_pictures(root, root).pictures)
    if rest:
        found.notes.append(f"{rest} pictures that no COCO file lists are not read.")
    if not found.entries and not found.problems:
        file_name = sources[0].path.relative_to(root).as_posix()
        raise DatasetError(f"{file_name} lists no images.", "Export it again, with the list 'images' filled.")
    return build_dataset(root, "COCO", settings, found, list(names))


def _folders(source: Source, root: Path) -> list[str]:
    """Where pictures may be, relative to the root."""
    beside = source.path.parent.relative_to(root).as_posix()
    stem = source.path.stem.removeprefix("instances_")
    return list(dict.fromkeys((beside, f"{beside}/images", ".", "images", stem, f"images/{stem}")))


def _sources(root: Path) -> list[Source]:
    """The COCO files of a folder: its own, those of ``annotations/``, or those of its splits."""
    own = _coco_files(root, root)
    if own:
        return [Source(path, _split_of(path) if len(own) > 1 else None) for path in own]
    below = _coco_files(root / FOLDER, root)
    instances = [path for path in below if path.name.startswith("instances_")]
    if below:
        return [Source(path, _split_of(path)) for path in instances or below]
    parts = [p for p in sorted(root.iterdir()) if p.is_dir() and not p.is_symlink() and not p.name.startswith(".")]
    return [
        Source(path, part.name) for part in parts for path in _coco_files(part, root)
        if path.name == ROBOFLOW or SPLIT_NAME.match(part.name)
    ]  # fmt: skip


def _coco_files(folder: Path, root: Path) -> list[Path]:
    if not folder.is_dir() or leaves(folder, root):
        return []
    return [path for path in sorted(folder.glob("*.json")) if not path.name.startswith(".") and _is_coco(path, root)]


def _is_coco(path: Path, root: Path) -> bool:
    if leaves(path, root):
        return KNOWN.match(path.name) is not None
    text = ends(path)
    return text.lstrip().startswith("{") and bool(_KEYS.search(text)) and not _OTHER.search(text)


def _split_of(path: Path) -> str | None:
    """``train2017`` of ``instances_train2017.json``, ``test`` of ``test.json``, None of ``annotations.json``."""
    stem = path.stem.removeprefix("instances_")
    if stem == "default":  # CVAT's name for what is in no subset
        return None
    return stem if stem != path.stem or SPLIT_NAME.match(stem) else None


def _check_splits(root: Path, sources: list[Source]) -> None:
    as_splits(root, [s.path.parent for s in sources if s.path.name == ROBOFLOW and s.path.parent != root])
    splits = [source.split for source in sources]
    if len(sources) > 1 and (None in splits or len(set(splits)) < len(splits)):
        names = [source.path.relative_to(root).as_posix() for source in sources]
        raise DatasetError(
            f"{shown(root.name)} holds {len(names)} COCO files that are no splits: {', '.join(names[:5])}.",
            f"Open one by its path, such as {shown(str(sources[0].path))}, or name them train.json and so on.",
        )
