"""From uploads to the folder of a batch: pictures or one archive, counted, hashed, and with room on the disk."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from benchmarks.datasets.paths import PICTURES as ENDINGS
from pipelines.errors import ResourceError, UsageError
from workbench.archives.extract import extract, kind_of
from workbench.archives.members import CHUNK, ArchiveLimits
from workbench.archives.writing import HEAD
from workbench.batches.folder import KEPT, PICTURES, Asked, Given, Ticket, write_ticket
from workbench.catalogue import Order
from workbench.given.uploads import opened

SPARE_BYTES = 100_000_000
TIMES = {"mask": 0.3, "cut_out": 5.0, "soft": 2.0}
"""How much room a file of a result takes at most as a rule, in files of its picture, which is mostly a JPEG."""


@dataclass(frozen=True)
class BatchLimits:
    """What batches may take.

    Attributes:
        pictures: of one batch.
        bytes: of its pictures together.
        all_bytes: of all batches, with their results.
        keep_s: seconds after its last change for which a batch is kept.
        looks: of one batch: pictures times pipelines.
        waiting: batches that wait for their turn at one time.
        waiting_each: of them, those of one visitor.
        loaded: pipelines that are kept loaded at one time.
    """

    pictures: int = 500
    bytes: int = 500_000_000
    all_bytes: int = 10_000_000_000
    keep_s: float = 86_400.0
    looks: int = 2000
    waiting: int = 8
    waiting_each: int = 2
    loaded: int = 3

    @property
    def archive(self) -> ArchiveLimits:
        """The same of an archive."""
        return ArchiveLimits(bytes=self.bytes, pictures=self.pictures)


@dataclass(frozen=True)
class Wanted:
    """What somebody wants of a batch.

    Attributes:
        orders: pipelines, presets and fields.
        texts: to look for.
        keeps: of `workbench.batches.folder.KEPT`, beside the mask.
    """

    orders: Sequence[Order]
    texts: tuple[str, ...] = ()
    keeps: Sequence[str] = ()


def take_in(paths: Sequence[str], uploads: Path, folder: Path, wanted: Wanted, limits: BatchLimits) -> Ticket:
    """Make the folder of a batch; where that fails, whatever was written is left to the caller to remove.

    Args:
        paths: of uploads: one archive, or pictures.
        uploads: folder in which they lie.
        folder: of the batch, which is not there yet.
        wanted: of it.
        limits: to keep to.

    Raises:
        UsageError: nothing was given or chosen, or too much of it.
        WorkbenchError: an archive or an upload is refused, or there is no room on the disk.
    """
    if not paths:
        raise UsageError("There is no picture yet.", "Drop pictures, or a ZIP of them.")
    if not wanted.orders:
        raise UsageError("No pipeline is chosen.", "Tick one.")
    unknown = set(wanted.keeps) - set(KEPT)
    if unknown:
        raise UsageError(f"{min(unknown)!r} is no file that is kept.", f"Choose of {', '.join(KEPT)}.")
    keeps = tuple(kind for kind in KEPT if kind == "mask" or kind in wanted.keeps)
    folder.mkdir(parents=True, mode=0o700)
    check_room(folder, sum(_size(path, uploads) for path in paths), len(wanted.orders), keeps)
    pictures, skipped = _pictures(paths, uploads, folder / PICTURES, limits)
    _check_looks(len(pictures), len(wanted.orders), limits)
    check_room(folder, sum(one.bytes for one in pictures), len(wanted.orders), keeps)
    asked = tuple(Asked(pipeline=one.pipeline, preset=one.preset, fields=dict(one.fields or {}))
                  for one in wanted.orders)  # fmt: skip
    ticket = Ticket(created=datetime.now(UTC).isoformat(timespec="seconds"), asked=asked, texts=wanted.texts,
                    keeps=keeps, pictures=pictures, skipped=skipped)  # fmt: skip
    write_ticket(folder, ticket)
    return ticket


def _check_looks(pictures: int, pipelines: int, limits: BatchLimits) -> None:
    if pictures * pipelines > limits.looks:
        raise UsageError(f"{pictures} pictures by {pipelines} pipelines are {pictures * pipelines} looks; at most "
                         f"{limits.looks} are taken.", "Take fewer pictures or fewer pipelines.")  # fmt: skip


def check_room(folder: Path, picture_bytes: int, pipelines: int, keeps: Sequence[str]) -> None:
    """Refuse a batch that the disk has no room for, before any work is done.

    Args:
        folder: on the disk.
        picture_bytes: of all pictures.
        pipelines: their number.
        keeps: files of each result.

    Raises:
        ResourceError: with what is needed and what is there.
    """
    each = pipelines * sum(TIMES[kind] for kind in keeps)
    needed = SPARE_BYTES + int(picture_bytes * (1 + 2 * each))  # results lie there twice: as files and in the ZIP
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ResourceError(
            f"The disk has {free / 1e6:,.0f} MB left, and this batch may need {needed / 1e6:,.0f}.",
            "Take fewer pictures, fewer pipelines, or fewer kinds of files.",
        )


def _size(path: str, uploads: Path) -> int:
    with opened(path, uploads) as file:
        return os.fstat(file.fileno()).st_size


def _pictures(paths: Sequence[str], uploads: Path, folder: Path, limits: BatchLimits
              ) -> tuple[tuple[Given, ...], dict[str, str]]:  # fmt: skip
    archives = [path for path in paths if _is_archive(path, uploads)]
    if archives and len(paths) > 1:
        raise UsageError("There is an archive beside other files.", "Give one archive, or pictures.")
    if archives:
        with opened(archives[0], uploads) as file:
            found = extract(file, folder, limits.archive)
        return (tuple(Given(name=one.name, file=one.file, sha256=one.sha256, bytes=one.bytes)
                      for one in found.pictures), found.skipped)  # fmt: skip
    if len(paths) > limits.pictures:
        raise UsageError(f"There are {len(paths)} pictures; at most {limits.pictures} are taken.",
                         "Take fewer, in several batches.")  # fmt: skip
    folder.mkdir()
    return _copied(paths, uploads, folder, limits), {}


def _is_archive(path: str, uploads: Path) -> bool:
    with opened(path, uploads) as file:
        return kind_of(file.read(HEAD)) is not None or path.lower().endswith((".zip", ".tar", ".gz", ".tgz"))


def _copied(paths: Sequence[str], uploads: Path, folder: Path, limits: BatchLimits) -> tuple[Given, ...]:
    pictures: list[Given] = []
    for number, path in enumerate(paths):
        suffix = PurePosixPath(path).suffix.lower()
        file = f"{number:05d}{suffix if suffix in ENDINGS else ''}"
        left = limits.bytes - sum(one.bytes for one in pictures)
        with opened(path, uploads) as source, (folder / file).open("xb") as out:
            digest, size = _copy(source, out, left, limits)
        name = _unlike(PurePosixPath(path).name, {one.name for one in pictures})
        pictures.append(Given(name=name, file=file, sha256=digest, bytes=size))
    return tuple(pictures)


def _copy(source: BinaryIO, out: BinaryIO, left: int, limits: BatchLimits) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while piece := source.read(CHUNK):
        size += len(piece)
        if size > left:
            raise UsageError(f"The pictures have more than {limits.bytes / 1e6:,.0f} MB together.",
                             "Take fewer, in several batches.")  # fmt: skip
        digest.update(piece)
        out.write(piece)
    return digest.hexdigest(), size


def _unlike(name: str, taken: set[str]) -> str:
    """The name, with a number where another picture has it: two folders may hold pictures of one name."""
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    number = 2
    while name in taken:
        name, number = f"{stem} ({number}){suffix}", number + 1
    return name
