"""PASCAL VOC and CVAT's "Segmentation mask 1.1": ``JPEGImages/``, ``SegmentationClass/`` and lists of ids.

    JPEGImages/2007_000032.jpg             the pictures, of any format that is read
    SegmentationClass/2007_000032.png      their masks: a palette, grey ids, or colours
    ImageSets/Segmentation/train.txt       ids, one a line; the file's name is the split; optional
    labelmap.txt                           labels and their colours, as CVAT writes it; optional

The same may lie in ``VOCdevkit/VOC2012/``. Id 255, and the colour (224, 224, 192), is void and ignored. Classes are
those of labelmap.txt, or else of ``dataset.yaml``, or else VOC's twenty. Without labelmap.txt the indices of a palette
are the ids. ``default.txt``, which CVAT writes for tasks without subsets, is no split, and neither is ``trainval.txt``
beside train and val. Reference: Everingham et al., The PASCAL VOC Development Kit, 2012.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.entries import GUESSES, Entry, Findings, build_dataset
from benchmarks.datasets.labelmap import BLACK, VOID, VOID_COLOUR, read_labelmap
from benchmarks.datasets.meaning import Meaning
from benchmarks.datasets.paths import PathRefusedError, inside, list_pictures, shown
from benchmarks.datasets.sample import FOREGROUND
from benchmarks.datasets.settings import Settings, read_settings
from benchmarks.datasets.targets import MaskFiles
from pipelines.errors import DatasetError
from pipelines.images.colour_table import voc_colours

IMAGES, MASKS, OBJECTS, LISTS = "JPEGImages", "SegmentationClass", "SegmentationObject", "ImageSets/Segmentation"
NO_SPLIT = "default"
TWENTY = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""Classes 1 to 20 of PASCAL VOC."""


@dataclass(frozen=True)
class Listed:
    """An id of a list: where it stands, and its split."""

    row: str
    id: str
    split: str | None


def claims(root: Path) -> str | None:
    """The folder that makes this a dataset of the format, or None."""
    homes = _homes(root) if root.is_dir() else []
    return f"{(homes[0] / MASKS).relative_to(root).as_posix()}/" if homes else None


def open_voc(spec: str) -> Dataset | None:
    """The dataset of a folder that holds ``SegmentationClass/``, or None if the spec is none.

    Raises:
        DatasetError: there are several of them, no pictures, or a labelmap.txt that cannot be read.
    """
    root = Path(spec)
    homes = _homes(root) if root.is_dir() else []
    if not homes:
        return None
    if len(homes) > 1:
        names = " and ".join(shown(str(home)) for home in homes[:2])
        raise DatasetError(f"{shown(spec)} holds several datasets, {names}.", "Open one of them by its own path.")
    home = homes[0]
    if not (home / IMAGES).is_dir():
        raise DatasetError(f"{shown(str(home))} has {MASKS}/ but no {IMAGES}/.",
                           "Put the pictures there; in CVAT, export with 'Save images'.")  # fmt: skip
    settings, found = read_settings(root), Findings()
    meaning = read_labelmap(home, found) or _undescribed(settings, found)
    meaning = _with_ignored(meaning, settings, found)
    _read_entries(home, root, meaning, found)
    if (home / OBJECTS).is_dir():
        found.notes.append(f"{OBJECTS}/ is not read: objects of one class are judged together.")
    return build_dataset(root, "PASCAL VOC", settings, found, meaning.names)


def _homes(root: Path) -> list[Path]:
    """Folders of the layout: the root, or ``VOC<year>`` in it or in its ``VOCdevkit``."""
    below = [*root.glob("VOC[0-9]*"), *root.glob("VOCdevkit/VOC[0-9]*")]
    homes = [home for home in (root, *sorted(below)) if (home / MASKS).is_dir()]
    return [home for home in homes if (home / IMAGES).is_dir() or not (home / "images").is_dir()]


def _undescribed(settings: Settings, found: Findings) -> Meaning:
    """What ids stand for without a labelmap.txt."""
    declared = settings.meaning
    if declared and declared.colours is not None:
        return replace(declared, colours={**declared.colours, VOID_COLOUR: VOID}, keep_indices=True)
    classes, where = dict(declared.classes) if declared else {}, "dataset.yaml"
    if not classes:
        classes, where = dict(enumerate(TWENTY, 1)), "dataset.yaml or labelmap.txt, and there are none of classes"
        found.notes.append("No classes are declared: those of the masks are assumed to be the twenty of PASCAL VOC.")
    colours = {voc_colours()[id_]: id_ for id_ in classes if id_ < VOID} | {BLACK: 0, VOID_COLOUR: VOID}
    return Meaning(classes, frozenset(), colours, keep_indices=True, where=where)


def _with_ignored(meaning: Meaning, settings: Settings, found: Findings) -> Meaning:
    """Void is ignored whatever ``dataset.yaml`` says, and so is what it adds."""
    if VOID in meaning.classes:
        raise DatasetError(f"{meaning.where} declares the class {VOID}, which is void in PASCAL VOC.",
                           "Give the class another id.")  # fmt: skip
    declared = settings.meaning if meaning.where == "dataset.yaml" or not _by_colours(settings) else None
    more = declared.ignore if declared else frozenset()
    clash = more & meaning.classes.keys()
    if clash and meaning.where != "dataset.yaml":
        found.notes.append(f"The id {min(clash)} that dataset.yaml ignores is a class of {meaning.where}: not scored.")
    classes = {id_: name for id_, name in meaning.classes.items() if id_ not in more}
    return replace(meaning, classes=classes, ignore=meaning.ignore | more | {VOID})


def _by_colours(settings: Settings) -> bool:
    return settings.meaning is not None and settings.meaning.colours is not None


def _read_entries(home: Path, root: Path, meaning: Meaning, found: Findings) -> None:
    images, masks = _by_stem(home / IMAGES, root, found), _by_stem(home / MASKS, root, found)
    lists = sorted((home / LISTS).glob("*.txt")) if (home / LISTS).is_dir() else []
    rows = _listed(lists, root, found) if lists else _masked(images, masks, home.relative_to(root), found)
    seen: dict[str, str] = {}
    for row in rows:
        if row.id in seen:
            found.problem(row.row, f"{shown(row.id)} is listed already in {seen[row.id]}.", "Remove one of the two.")
            continue
        seen[row.id] = row.row
        entry = _entry(row, home, images, masks, meaning, found)
        if entry:
            found.entries.append(entry)
    left = len(images.keys() - seen.keys())
    if left:
        why = "are in no list" if lists else f"have no mask in {MASKS}/"
        found.notes.append(f"{left} pictures {why} and are left out.")


def _by_stem(folder: Path, root: Path, found: Findings) -> Mapping[str, list[Path]]:
    """Path below a folder without extension → files of that name."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for path in found.take(list_pictures(folder, root)):
        groups[unicodedata.normalize("NFC", path.relative_to(folder).with_suffix("").as_posix())].append(path)
    return dict(groups)


def _listed(lists: list[Path], root: Path, found: Findings) -> Iterator[Listed]:
    """Ids of all lists; those of trainval only where neither train nor val is listed."""
    names = {path.stem for path in lists}
    for path in lists:
        if path.stem == "trainval" and names & {"train", "val"}:
            continue
        name = path.relative_to(root).as_posix()
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            found.problem(name, f"it cannot be read: {error}.", "Save it as text in UTF-8, one id a line.")
            continue
        for number, line in enumerate(lines, 1):
            if line.strip():
                id_ = unicodedata.normalize("NFC", line.strip())
                yield Listed(f"{name} line {number}", id_, None if path.stem == NO_SPLIT else path.stem)


def _masked(images: Mapping[str, list[Path]], masks: Mapping[str, list[Path]], home: Path,
            found: Findings) -> Iterator[Listed]:  # fmt: skip
    """Without lists: the pictures that have a mask."""
    for stem in sorted(masks):
        row = (home / MASKS / masks[stem][0].name).as_posix()
        if stem in images:
            yield Listed(row, stem, None)
        else:
            cure = f"Add the picture {IMAGES}/{stem}.jpg, or remove the mask."
            found.problem(row, f"is a mask without a picture in {IMAGES}/.", cure)


def _entry(row: Listed, home: Path, images: Mapping[str, list[Path]], masks: Mapping[str, list[Path]],
           meaning: Meaning, found: Findings) -> Entry | None:  # fmt: skip
    try:
        image = _one(row.id, images, home / IMAGES, ".jpg", found)
        mask = _one(row.id, masks, home / MASKS, ".png", found)
    except PathRefusedError as refused:
        found.problem(row.row, refused.reason, refused.cure)
        return None
    return Entry(f"{row.row} ({shown(row.id)})", image, MaskFiles({FOREGROUND: mask}, None, meaning), split=row.split)


def _one(id_: str, known: Mapping[str, list[Path]], folder: Path, suffix: str, found: Findings) -> Path:
    """The file of an id; raises PathRefusedError where there is none, several, or the id is no name."""
    try:
        files = known.get(id_) or [inside(folder.resolve(), id_ + suffix, guess=len(found.problems) < GUESSES)]
    except PathRefusedError as refused:
        raise PathRefusedError(f"{shown(id_)} in {folder.name}/: {refused.reason}", refused.cure) from refused
    if len(files) > 1:
        names = " and ".join(f"{folder.name}/{path.name}" for path in files[:2])
        raise PathRefusedError(f"{shown(id_)} could be {names}.", "Keep one of the two files.")
    return files[0]
