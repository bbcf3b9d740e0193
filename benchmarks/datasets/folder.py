"""Folders of pictures: ``images/`` beside ``masks/``, paired by path, or pictures without any masks.

A mask belongs to the picture of the same path below ``images/`` and ``masks/``, extensions aside. Subfolders that hold
``images/`` themselves (``train/images``, ``test/images``) are splits of that name. A folder without ``images/`` is
read as pictures without masks, at any depth, and the first subfolder becomes the tag ``folder``.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.entries import GUESSES, Entry, Findings, build_dataset
from benchmarks.datasets.paths import as_splits, list_pictures, near
from benchmarks.datasets.sample import FOREGROUND
from benchmarks.datasets.settings import Settings, read_settings
from benchmarks.datasets.targets import MaskFiles, Target
from pipelines.errors import DatasetError

IMAGES, MASKS = "images", "masks"
MASK_LIKE = frozenset(
    ("mask", "msks", "label", "labels", "annotation", "annotations", "gt", "groundtruth", "ground_truth", "targets",
     "segmentation", "segmentations", "segmentationclass", "segmentationobject", "alpha")
)  # fmt: skip


def open_folder(spec: str) -> Dataset | None:
    """The dataset in a folder of pictures, or None if the spec is not a folder.

    Raises:
        DatasetError: it holds no pictures, or is laid out so that masks could be taken for pictures.
    """
    root = Path(spec)
    if not root.is_dir():
        return None
    settings, found = read_settings(root), Findings()
    parts = _parts(root)
    for folder, split in parts:
        _read_pairs(folder, root, split, settings, found)
    if not parts:
        _read_flat(root, found)
    masked = any(entry.target for entry in found.entries)
    names = settings.class_names if masked else ()
    return build_dataset(root, "images + masks" if masked else "pictures", settings, found, names)


def _parts(root: Path) -> list[tuple[Path, str | None]]:
    """Folders that hold ``images/``, with the split that each one is: the root alone, or some of its subfolders."""
    if (root / IMAGES).is_dir():
        return [(root, None)]
    parts = [folder for folder in _subfolders(root) if (folder / IMAGES).is_dir()]
    return [(folder, folder.name) for folder in as_splits(root, parts)]


def _subfolders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _read_pairs(folder: Path, root: Path, split: str | None, settings: Settings, found: Findings) -> None:
    images = _by_stem(found.take(list_pictures(folder / IMAGES, root)), folder / IMAGES)
    beside = len(list_pictures(folder, root, deep=False).pictures)
    if beside:
        found.notes.append(f"{beside} pictures beside {IMAGES}/ are not read.")
    has_masks = (folder / MASKS).is_dir()
    if not has_masks:
        _refuse_mask_like(folder, f"a folder {MASKS}/")
    masks = _by_stem(found.take(list_pictures(folder / MASKS, root)), folder / MASKS) if has_masks else {}
    if has_masks and not masks:
        found.problem(MASKS, f"the folder {MASKS}/ holds no pictures.", "Put the masks into it, or remove it.")
        return
    for row, image, mask in _pair(images, masks, root, found):
        found.entries.append(Entry(row, image, _target(mask, settings), split=split))
    _orphans(images, masks, root, found)


def _target(mask: Path | None, settings: Settings) -> Target | None:
    return MaskFiles({FOREGROUND: mask}, settings.mask_threshold, settings.meaning) if mask else None


def _pair(images: Mapping[str, list[Path]], masks: Mapping[str, list[Path]], root: Path,
          found: Findings) -> Iterator[tuple[str, Path, Path | None]]:  # fmt: skip
    """Row, picture and mask of each picture that has, where there are masks at all, exactly one."""
    orphans = sorted(masks.keys() - images.keys())
    for stem, files in images.items():
        row, ours = str(files[0].relative_to(root)), masks.get(stem, [])
        if len(files) > 1:
            found.problem(row, f"differs from {files[1].relative_to(root)} in its extension alone.",
                          "Rename or remove one, so that the mask belongs to one picture.")  # fmt: skip
        elif len(ours) > 1:
            names = " and ".join(str(path.relative_to(root)) for path in ours[:2])
            found.problem(row, f"has two masks, {names}.", "Keep one.")
        elif masks and not ours:
            cure = f"Add {MASKS}/{stem}.png (all black if there is nothing to find), or remove the picture."
            found.problem(row, "has no mask.", _hint(stem, orphans, found) + cure, files[0])
        else:
            yield row, files[0], ours[0] if ours else None


def _orphans(images: Mapping[str, list[Path]], masks: Mapping[str, list[Path]], root: Path, found: Findings) -> None:
    lonely = sorted(images.keys() - masks.keys())
    for stem in sorted(masks.keys() - images.keys()):
        row = str(masks[stem][0].relative_to(root))
        cure = f"Add the picture {IMAGES}/{stem}, or remove the mask."
        found.problem(row, f"is a mask without a picture in {IMAGES}/.", _hint(stem, lonely, found) + cure)


def _hint(stem: str, known: list[str], found: Findings) -> str:
    return near(stem, known) if len(found.problems) < GUESSES else ""


def _by_stem(pictures: list[Path], folder: Path) -> dict[str, list[Path]]:
    """Path below a folder without extension → the files of that name."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for path in pictures:
        stem = path.relative_to(folder).with_suffix("").as_posix()
        groups[unicodedata.normalize("NFC", stem)].append(
            path
        )  # an archive made on a Mac may hold é as e and an accent
    return dict(groups)


def _read_flat(root: Path, found: Findings) -> None:
    _refuse_mask_like(root, f"{IMAGES}/ and {MASKS}/ in it")
    home = root.resolve()
    if home.name == IMAGES and (home.parent / MASKS).is_dir():
        found.notes.append(f"There are {MASKS}/ beside this folder; to use them, open {str(home.parent)!r}.")
    for path in found.take(list_pictures(root, root)):
        parts = path.relative_to(root).parts
        tags = {"folder": parts[0]} if len(parts) > 1 else {}
        found.entries.append(Entry(str(path.relative_to(root)), path, tags=tags))


def _refuse_mask_like(folder: Path, wanted: str) -> None:
    """Masks under another name would be taken for pictures, or silently be left out."""
    for sub in _subfolders(folder):
        name = sub.name.lower()
        close = difflib.get_close_matches(name, [MASKS], cutoff=0.8) or name in MASK_LIKE
        listing = list_pictures(sub, sub) if close else None
        if listing and (listing.pictures or listing.others):
            raise DatasetError(
                f"The folder {str(folder)!r} has {sub.name}/, which looks like masks, but not {wanted}.",
                f"Name the folder of pictures {IMAGES}/ and that of their masks {MASKS}/, or write a metadata.csv.",
            )
