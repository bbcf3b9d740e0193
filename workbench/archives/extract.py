"""Pictures out of an archive that a stranger sent: all of them, or none and a reason that names the member."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

from workbench.archives.members import ArchiveLimits, ArchiveRefusedError, Member, check, passed_over
from workbench.archives.tar import plain_tar, tar_members
from workbench.archives.writing import HEAD, at_once, write
from workbench.archives.zip import zip_members

Kind = Literal["zip", "tar", "tar.gz"]
_TAR = ".unpacked.tar"


@dataclass(frozen=True)
class Taken:
    """A picture that was unpacked.

    Attributes:
        name: as the archive has it.
        file: below the folder: a number, and the ending that the picture had.
        sha256: of its bytes.
        bytes: their number.
    """

    name: str
    file: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Extracted:
    """What came of an archive.

    Attributes:
        pictures: in its order.
        skipped: name → why, of what lay beside them.
    """

    pictures: tuple[Taken, ...]
    skipped: dict[str, str]


def kind_of(head: bytes) -> Kind | None:
    """Which archive begins so, or None.

    Args:
        head: the first 512 bytes.
    """
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        return "tar.gz"
    return "tar" if head[257:262] == b"ustar" else None


def extract(file: BinaryIO, folder: Path, limits: ArchiveLimits | None = None) -> Extracted:
    """Unpack the pictures of an archive into a new folder, which is there at the end or not at all.

    Nothing on the disk has a name that the archive chose: pictures are numbered. Everything is written into a hidden
    folder beside, which takes its place in one step, and of which nothing stays where the archive is refused.

    Args:
        file: the archive, which can be sought in.
        folder: that is not there yet.
        limits: to keep to.

    Raises:
        ArchiveRefusedError: anything in it is not as it has to be, or it holds no picture.
    """
    held = limits or ArchiveLimits()
    with at_once(folder) as staging, _members(file, staging, held) as members:
        check(members, held)
        return _unpacked(members, staging, held)


@contextmanager
def _members(file: BinaryIO, staging: Path, limits: ArchiveLimits) -> Iterator[list[Member]]:
    file.seek(0)
    kind = kind_of(file.read(HEAD))
    if kind is None:
        raise ArchiveRefusedError("This is neither a ZIP nor a TAR or TAR.GZ.", "Pack the pictures as a ZIP.")
    if kind == "zip":
        yield zip_members(file, limits)
    elif kind == "tar":
        yield tar_members(file, limits)
    else:
        with plain_tar(file, staging / _TAR, limits) as plain:
            yield tar_members(plain, limits)
        (staging / _TAR).unlink()


def _unpacked(members: list[Member], staging: Path, limits: ArchiveLimits) -> Extracted:
    files = [member for member in members if not member.is_folder]
    skipped = {member.name: why for member in files if (why := passed_over(member))}
    wanted = [member for member in files if member.name not in skipped]
    if not wanted:
        raise ArchiveRefusedError("There is no picture in the archive.", "Pack PNG, JPEG, WebP, BMP or TIFF files.")
    if len(wanted) > limits.pictures:
        raise ArchiveRefusedError(f"The archive holds {len(wanted)} pictures; at most {limits.pictures} are taken.",
                                  "Pack fewer, or in several archives.")  # fmt: skip
    taken, total = [], 0
    for number, member in enumerate(wanted):
        name = f"{number:05d}{PurePosixPath(member.name).suffix.lower()}"
        size, digest = write(member, staging / name, total, limits)
        taken.append(Taken(member.name, name, digest, size))
        total += size
    return Extracted(tuple(taken), skipped)
