"""Files below the root of a dataset: which are pictures, which names are refused, and what a sample is called."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from benchmarks.datasets.dataset import Problem, RefusedError
from pipelines.errors import DatasetError

PICTURES = frozenset(
    (".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif", ".heic",
     ".heif", ".hif", ".avif", ".mpo")
)  # fmt: skip
"""Extensions of files that are read as pictures, in lower case."""

SPLIT_NAME = re.compile(r"^(train|val|test|tune|dev|hold|eval|calib|fold|split|part)", re.IGNORECASE)
"""How folders that are splits begin: train, training, val, valid, validation, test, fold0 and so on."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters, and what stands for bytes that are not UTF-8."""

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_RELATIVE = "Write the path relative to the dataset's folder, such as images/a.jpg."


class PathRefusedError(RefusedError):
    """A name in a manifest that is not opened."""


@dataclass
class Listing:
    """What lies below a folder.

    Attributes:
        pictures: files with the extension of a picture, sorted.
        others: number of other files by extension, hidden ones left out.
        problems: links that are not followed, names that cannot be printed.
    """

    pictures: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)


def list_pictures(folder: Path, root: Path, *, deep: bool = True) -> Listing:
    """Pictures below a folder, sorted; hidden files and folders are passed over.

    Args:
        folder: where to look.
        root: the dataset's folder, which no link may leave.
        deep: look into subfolders too.

    Raises:
        DatasetError: a folder cannot be read.
    """
    found, home = Listing(), root.resolve()
    if folder != root and not folder.resolve().is_relative_to(home):
        row = folder.relative_to(root).as_posix()
        found.problems.append(Problem(row, "is a link that leaves the dataset's folder.", "Copy the files into it."))
        return found
    for current, folders, files in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if deep else []
        here = Path(current)
        links = [name for name in (*folders, *files) if (here / name).is_symlink() and not name.startswith(".")]
        refused = {name for name in links if _link_problem(here / name, root, home, found.problems)}
        for name in sorted(name for name in files if not name.startswith(".") and name not in refused):
            suffix = Path(name).suffix.lower()
            if suffix in PICTURES and _UNPRINTABLE.search(name):
                found.problems.append(Problem(ascii(name), "has a name that cannot be printed.", "Rename the file."))
            elif suffix in PICTURES:
                found.pictures.append(here / name)
            else:
                found.others[suffix or "no extension"] += 1
    found.pictures.sort()
    return found


def _unreadable(error: OSError) -> None:
    raise DatasetError(f"The folder {error.filename!r} cannot be read ({error.strerror}).", "Correct its permissions.")


def _link_problem(link: Path, root: Path, home: Path, problems: list[Problem]) -> bool:
    """Note a link that leaves the root, leads nowhere or is a folder; True if it is not to be read."""
    target = Path(os.path.realpath(link))
    if not target.is_relative_to(home):
        reason, cure = "is a link that leaves the dataset's folder.", "Copy the file to where the link is."
    elif target.is_file():
        return False
    else:
        reason, cure = "is a link to a folder or to nothing.", "Remove the link, or put the files in its place."
    problems.append(Problem(str(link.relative_to(root)), reason, cure))
    return True


def own_file(root: Path, name: str) -> Path | None:
    """A file that describes the dataset, or None where there is none.

    Raises:
        DatasetError: it is a link that leaves the folder.
    """
    path = root / name
    if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
        raise DatasetError(f"{name} is a link that leaves the dataset's folder.", "Copy the file to where the link is.")
    return path if path.is_file() else None


def inside(root: Path, name: str, *, guess: bool = True) -> Path:
    """The file that a manifest names.

    Args:
        root: the dataset's folder, resolved.
        name: path as written, relative to it, with ``/``.
        guess: look for the name that could have been meant; slow in large folders.

    Raises:
        PathRefusedError: not a relative path, leaves the root, or is not a file.
    """
    reason = _forbidden(name)
    if reason:
        raise PathRefusedError(f"the path {shown(name)} {reason}.", _RELATIVE)
    path = root / PurePosixPath(name)
    try:
        if not path.resolve().is_relative_to(root):
            raise PathRefusedError(
                f"the path {name!r} is a link that leaves the dataset's folder.", "Copy the file into it."
            )
        if path.is_file():
            return path
        kind = "is a folder" if path.is_dir() else "does not exist"
    except (OSError, RuntimeError) as error:  # a name that is too long, or links in a circle
        why = getattr(error, "strerror", None) or "links in a circle"
        raise PathRefusedError(f"the path {shown(name)} cannot be opened ({why}).", _RELATIVE) from error
    hint = near(name, _neighbours(root, path)) if guess else ""
    raise PathRefusedError(f"the file {shown(name)} {kind}.", f"{hint}Correct the name, or add the file.")


def inside_any(root: Path, folders: Iterable[str], name: str, *, guess: bool = True) -> Path:
    """The file that a manifest names, in the first of several folders that has it.

    Args:
        root: the dataset's folder, resolved.
        folders: paths below the root, in the order in which they are looked into; ``"."`` is the root.
        name: path as written, relative to any of them.
        guess: look for the name that could have been meant.

    Raises:
        PathRefusedError: not a relative path, leaves the root, or is in none of them.
    """
    reason = _forbidden(name)
    if reason:
        raise PathRefusedError(f"the path {shown(name)} {reason}.", _RELATIVE)
    below = [(PurePosixPath(folder) / name).as_posix() for folder in folders]
    found = next((path for path in below if os.path.lexists(root / path)), below[0])
    return inside(root, found, guess=guess)


def _forbidden(name: str) -> str | None:
    if not name.strip():
        return "is empty"
    if _UNPRINTABLE.search(name):
        return "has control characters"
    if _SCHEME.match(name):
        return "is an address or names a drive, not a file below the dataset's folder"
    if name.startswith(("/", "\\", "~")):
        return "is absolute"
    if "\\" in name:
        return "has backslashes"
    return "leaves the dataset's folder" if ".." in PurePosixPath(name).parts else None


def _neighbours(root: Path, path: Path) -> list[str]:
    """Names that could have been meant: the pictures of the same folder, or those of the root's folders."""
    folder = path.parent if path.parent.is_dir() and path != root else root
    return [str(p.relative_to(root)) for p in list_pictures(folder, root, deep=folder == root).pictures[:5000]]


def shown(name: str) -> str:
    """A name as it may stand in a message: quoted, and not endless."""
    return repr(name if len(name) <= 120 else f"{name[:57]} ... {name[-57:]}")


def near(name: str, known: Iterable[str]) -> str:
    """The question "Did you mean …?" with the nearest known name, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}? " if close else ""


def sample_ids(names: Sequence[str]) -> list[str]:
    """Ids of samples: paths below their longest common folder, without extension.

    The same pictures get the same ids from ``images/`` + ``masks/`` and from a manifest. Where two names differ in
    their extension alone, both keep it.

    Args:
        names: paths with ``/``, below one root.
    """
    folders = [str(PurePosixPath("/", name).parent) for name in names]
    shared = len(PurePosixPath(os.path.commonpath(folders)).parts) - 1 if folders else 0
    short = [PurePosixPath(*PurePosixPath(name).parts[shared:]) for name in names]
    stems = [path.with_suffix("").as_posix() for path in short]
    count = Counter(stems)
    return [stem if count[stem] == 1 else path.as_posix() for stem, path in zip(stems, short, strict=True)]


def as_splits(root: Path, folders: Sequence[Path]) -> list[Path]:
    """The folders, if each has the name of a split.

    Raises:
        DatasetError: one has another name, so that these are datasets of their own.
    """
    for folder in folders:
        if not SPLIT_NAME.match(folder.name):
            raise DatasetError(
                f"{shown(root.resolve().name)} holds a dataset in its folder {shown(folder.name)}, which is no split.",
                f"Open {shown(str(folder))}, or name it train, val, test or tune.",
            )
    return list(folders)


def file_hash(*paths: Path) -> str:
    """sha256 of the bytes of one file; of several, that of their hashes."""
    hashes = []
    for path in paths:
        with path.open("rb") as file:
            hashes.append(hashlib.file_digest(file, "sha256").hexdigest())
    return hashes[0] if len(hashes) == 1 else text_hash(*hashes)


def text_hash(*parts: str) -> str:
    """sha256 of a sequence of texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
