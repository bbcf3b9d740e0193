"""Where the bytes of a cell lie: in the row, below the dataset's folder or the cache, or in its repository."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.datasets.dataset import RefusedError
from benchmarks.datasets.paths import shown
from pipelines.errors import DatasetError
from pipelines.types import Image

Cell = Callable[[], Any]
"""Gives ``{"bytes": ..., "path": ...}`` or None."""

_SAVE = "Save the dataset with save_to_disk, which puts the bytes into the rows."


class RowRefusedError(RefusedError):
    """A row that is not used."""


@dataclass(frozen=True)
class Homes:
    """Where a path in a cell may lead.

    Attributes:
        folders: below which files are read; the first is what relative paths start from.
        repository: ``OWNER/NAME`` on the hub, or None.
    """

    folders: tuple[Path, ...]
    repository: str | None = None

    def own(self, address: str) -> bool:
        """Whether an address lies in the repository: ``hf://datasets/OWNER/NAME@REVISION/...``, or an archive there."""
        *members, last = address.split("::")
        archived = all(re.fullmatch(r"(zip|tar)://[^:]+", member) for member in members) and len(members) < 2
        place = re.escape(f"hf://datasets/{self.repository}")
        return bool(self.repository and archived and re.match(rf"{place}[@/]", last) and ".." not in last.split("/"))

    def below(self, path: str | None) -> str | None:
        """A path in a cell, from the folder or the repository on; its last part where it leads elsewhere."""
        if not path:
            return None
        if "://" in path:
            return re.sub(r"^(zip|tar)://|^hf://datasets/[^/]+/[^/]+/", "", path.partition("::")[0])
        inside = next((home for home in self.folders if Path(path).is_relative_to(home)), None)
        return Path(path).relative_to(inside).as_posix() if inside else Path(path).name


def cell_bytes(cell: Any, homes: Homes) -> bytes:
    """The file that a cell holds, or names.

    Args:
        cell: ``{"bytes": ..., "path": ...}``.
        homes: folders that a path may lie in.

    Raises:
        RowRefusedError: it holds nothing, or a path that is not opened.
        ImageError: the file cannot be read.
    """
    from pipelines.images import OWN_FOLDER
    from pipelines.images.source import read_source

    data, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (None, None)
    if data is not None:
        return bytes(data)
    if not path:
        raise RowRefusedError("it holds no bytes", "Write the picture into the row, or remove the row.")
    if "::" in path or "://" in path:
        return _fetched(path, homes)
    file = (homes.folders[0] / path) if homes.folders else Path(path)
    if not any(file.resolve().is_relative_to(home.resolve()) for home in homes.folders):
        raise RowRefusedError(f"{shown(path)} lies outside of the dataset's folder and of the cache", _SAVE)
    return read_source(file, OWN_FOLDER)[1]


def _fetched(address: str, homes: Homes) -> bytes:
    """The file at an address below the dataset's own repository, as streams of folders of pictures name them."""
    import fsspec

    from pipelines.images import OWN_FOLDER

    if not homes.own(address):
        raise RowRefusedError(f"{shown(address)} is an address outside of the dataset's repository", _SAVE)
    try:
        with fsspec.open(address, "rb") as file:
            data: bytes = file.read(OWN_FOLDER.max_bytes + 1)  # one more, so that the loader says what is too large
    except Exception as error:  # each file system has errors of its own
        reason = f"{shown(address)} cannot be fetched ({error})"
        raise RowRefusedError(reason, "Try again, or save the dataset to disk.") from error
    return data


@dataclass(frozen=True)
class Blob:
    """The bytes of one cell, fetched at each use."""

    cell: Cell
    homes: Homes
    where: str

    def read(self) -> bytes:
        """The bytes; raises DatasetError where there are none."""
        try:
            return cell_bytes(self.cell(), self.homes)
        except RowRefusedError as refused:
            raise DatasetError(f"{self.where}: {refused.reason}.", refused.cure) from refused

    def hash(self) -> str:
        """sha256 of the bytes."""
        return hashlib.sha256(self.read()).hexdigest()

    def image(self) -> Image:
        """The picture, ``uint8 (H, W, 3)``; raises ImageError."""
        from pipelines.images import OWN_FOLDER, load_image

        return load_image(self.read(), OWN_FOLDER)
