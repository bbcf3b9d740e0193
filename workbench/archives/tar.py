"""The members of a TAR, plain or behind gzip, read with no trust in any number that it holds."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from workbench.archives.guarded import Guarded
from workbench.archives.members import CHUNK, ArchiveLimits, Member, broken, check_number, check_total, refused

_HEADERS_EACH = 4096
_SLIGHT = 1_000_000
_BAD = (tarfile.TarError, ValueError, OverflowError, RecursionError, EOFError)


def plain_tar(file: BinaryIO, path: Path, limits: ArchiveLimits) -> BinaryIO:
    """What gzip holds, in a file of its own, counted while it grows.

    Args:
        file: of gzip.
        path: of the new file, which the caller closes.
        limits: of bytes and of their ratio.

    Raises:
        ArchiveRefusedError: it is a bomb, or damaged.
    """
    packed, total = file.seek(0, 2), 0
    file.seek(0)
    most = limits.bytes + limits.members * _HEADERS_EACH
    with gzip.GzipFile(fileobj=file) as unpacked, path.open("wb") as out:
        try:
            while piece := unpacked.read(CHUNK):
                total += len(piece)
                if total > max(_SLIGHT, limits.ratio * packed):
                    raise broken(f"unpacked it is more than {limits.ratio} times as large, as a bomb is")
                check_total(total - (most - limits.bytes), limits)
                out.write(piece)
        except (OSError, EOFError, zlib.error) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of our own disk
                raise
            raise broken("it is damaged and cannot be unpacked") from error
    return path.open("rb")


def tar_members(file: BinaryIO, limits: ArchiveLimits) -> list[Member]:
    """All members, none of them unpacked.

    Args:
        file: that can be sought in.
        limits: of which the number of members is held here.

    Raises:
        ArchiveRefusedError: it is broken, or a member is no plain file.
    """
    size = file.seek(0, 2)
    file.seek(0)
    guarded = Guarded(file)
    try:
        archive = tarfile.TarFile(fileobj=cast(BinaryIO, guarded))
        found = list(_infos(archive, size, limits))
    except _BAD as error:
        raise broken("it is damaged, or no TAR of plain files") from error
    guarded.listing = False
    _check_rest(file, archive.offset)
    return [Member(info.name, info.size, info.size, info.isdir(), partial(_bytes, archive, info)) for info in found]


def _infos(archive: tarfile.TarFile, size: int, limits: ArchiveLimits) -> Iterator[tarfile.TarInfo]:
    number = 0
    while (info := archive.next()) is not None:
        number += 1
        check_number(number, limits)
        _check_kind(info)
        if info.size < 0 or info.offset_data + info.size > size:
            raise refused(info.name, "lies about its size")
        info.pax_headers = {}  # else all that every header said stays in memory
        yield info


def _check_kind(info: tarfile.TarInfo) -> None:
    if info.issym() or info.islnk():
        raise refused(info.name, "is a link")
    if info.isdev():
        raise refused(info.name, "is a device or a pipe, not a file")
    if info.issparse() or not (info.isreg() or info.isdir()):
        raise refused(info.name, "is a kind of file that is not read here")


def _check_rest(file: BinaryIO, place: int) -> None:
    """After the last member there are zeros alone: tarfile takes a damaged header for the end."""
    file.seek(place)
    while piece := file.read(CHUNK):
        if piece.count(0) != len(piece):
            raise broken("it is damaged after its last member")


def _bytes(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[bytes]:
    found = archive.extractfile(info)
    assert found is not None  # it is a plain file
    with found:
        while piece := found.read(CHUNK):
            yield piece
