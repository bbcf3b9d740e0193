"""A dataset that a visitor sent as a ZIP: its tree of pictures, masks and lists, unpacked whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from benchmarks.datasets.paths import PICTURES
from pipelines.errors import ImageError, ImageFormatError, ImageLimitError, UsageError
from pipelines.images import OWN_FOLDER, image_size
from pipelines.images import UPLOAD as LIMITS
from workbench.archives.members import ArchiveLimits, ArchiveRefusedError, Member, check, passed_over, refused
from workbench.archives.writing import at_once, write
from workbench.archives.zip import zip_members
from workbench.files.downloads import stem

COINS, UPLOAD = "coins", "upload"
DATA = "data"
LISTS = frozenset((".json", ".jsonl", ".csv", ".txt", ".yaml", ".yml", ".xml"))
"""Endings of files that say what pictures are and what is in them; nothing else is unpacked beside pictures."""

MOST_LISTS_BYTES, MOST_YAML_BYTES = 20_000_000, 100_000
"""Of all lists together, and of one in YAML: the app reads them in its own process, and YAML is slow to read."""

MOST_SETS = 2
"""Datasets of one study whose pictures are kept, so that the run before the last can still show them."""

_FORM = "Send one ZIP of a folder with images/ and masks/, or of a dataset in COCO, YOLO, VOC or labelme form."


def named(folders: Iterable[str]) -> dict[str, Path]:
    """Folders of datasets on this machine by the names that visitors know them by.

    Args:
        folders: as whoever starts the app names them.

    Raises:
        UsageError: one is no folder, or two have one name.
    """
    found: dict[str, Path] = {}
    for path in (Path(folder).expanduser().resolve() for folder in folders):
        if not path.is_dir():
            raise UsageError(f"--data {path} is not a folder.", "Name the folder of a dataset.")
        if path.name in (*found, COINS, UPLOAD):
            raise UsageError(f"Two datasets are called {path.name}.", "Rename one of the folders.")
        found[path.name] = path
    return found


def taken_in(upload: Path | None, folder: Path, most_mb: int) -> tuple[str, str]:
    """Unpack a dataset below the folder of a study, beside those before, of which none is touched.

    Args:
        upload: the ZIP.
        folder: of the study.
        most_mb: of all files unpacked, in 10**6 bytes.

    Returns:
        What the dataset is called, and its folder relative to that of the study.

    Raises:
        UsageError: there is no ZIP.
        ArchiveRefusedError: it is not as it has to be, and which of its members is the reason.
        ImageError: a picture in it is none that is opened for strangers.
    """
    if upload is None:
        raise UsageError("There is no file yet.", _FORM)
    sets = folder / DATA
    sets.mkdir(exist_ok=True)
    target = sets / f"{max((int(one.name) for one in _sets(sets)), default=0) + 1:03d}"
    name = stem(upload.name)
    with at_once(target) as staging:
        _unpack(upload, staging / name, ArchiveLimits(bytes=most_mb * 10**6))
        check_pictures(_inner(staging / name))
    inner = _inner(target / name)
    return name if inner == target / name else inner.name, str(inner.relative_to(folder))


def prune(folder: Path, data: str) -> None:
    """Remove the oldest datasets of a study, but never the one that its record names.

    Args:
        folder: of the study.
        data: of the record: relative to the folder, or empty.
    """
    for old in _sets(folder / DATA)[:-MOST_SETS]:
        if not (folder / data).is_relative_to(old):
            shutil.rmtree(old, ignore_errors=True)


def _sets(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.name.isdecimal())


def _unpack(upload: Path, root: Path, limits: ArchiveLimits) -> None:
    with upload.open("rb") as file:
        members = zip_members(file, limits)
        check(members, limits)
        wanted = [member for member in members if _is_wanted(member)]
        if not any(_suffix(member) in PICTURES for member in wanted):
            raise ArchiveRefusedError("There is no picture in the ZIP.", _FORM)
        _check_lists(wanted)
        total = 0
        for member in wanted:
            path = root / member.name  # `check` has refused every name that leaves the root
            path.parent.mkdir(parents=True, exist_ok=True)
            total += write(member, path, total, limits)[0]


def _check_lists(wanted: Iterable[Member]) -> None:
    """By the sizes that the ZIP says, which `write` holds every member to."""
    lists = [member for member in wanted if _suffix(member) in LISTS]
    for member in lists:
        if _suffix(member) in (".yaml", ".yml") and member.size > MOST_YAML_BYTES:
            raise refused(member.name, f"has more than {MOST_YAML_BYTES // 1000} kB, as no list in YAML needs",
                          "Leave out of it what is not of the dataset.")  # fmt: skip
    if sum(member.size for member in lists) > MOST_LISTS_BYTES:
        raise ArchiveRefusedError(f"The ZIP is refused: the lists in it ({', '.join(sorted(LISTS))}) have more than "
                                  f"{MOST_LISTS_BYTES // 10**6} MB together.",
                                  "Send fewer pictures with their part of the lists.")  # fmt: skip


def _is_wanted(member: Member) -> bool:
    """Whether it is a picture or a list, and no file of a system."""
    as_picture = replace(member, name=f"{member.name}.png")  # of which only hidden ones are passed over
    known = _suffix(member) in PICTURES or _suffix(member) in LISTS
    return not member.is_folder and known and passed_over(as_picture) is None


def _suffix(member: Member) -> str:
    return PurePosixPath(member.name.lower()).suffix


def _inner(folder: Path) -> Path:
    """The folder that holds the dataset: many pack one folder, which then stands alone in the ZIP."""
    inside = list(folder.iterdir())
    lone = len(inside) == 1 and inside[0].is_dir() and inside[0].name.lower() not in ("images", "masks")
    return _inner(inside[0]) if lone else folder


def check_pictures(folder: Path) -> None:
    """Refuse pictures that are not opened for strangers; one that is damaged is for the profile to find.

    Args:
        folder: of the dataset.

    Raises:
        ImageError: too large, or of a format that is read from a person's own folder alone; with its name.
    """
    for path in _pictures(folder):
        try:
            image_size(path, LIMITS)
        except (ImageLimitError, ImageFormatError) as error:
            if isinstance(error, ImageLimitError) or _is_read_at_home(path):
                where = path.relative_to(folder).as_posix()
                raise type(error)(f"{where}: {error.message}", error.cure) from error
        except ImageError:
            continue


def _is_read_at_home(path: Path) -> bool:
    try:
        image_size(path, OWN_FOLDER)
    except ImageError:
        return False
    return True


def _pictures(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (Path(root) / name for name in names if PurePosixPath(name.lower()).suffix in PICTURES)
