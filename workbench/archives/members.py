"""What may be in an archive that a stranger sent, and in which words one that holds anything else is refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

from benchmarks.datasets.paths import PICTURES, shown
from pipelines.errors import UsageError

CURE = "Pack the pictures anew, and nothing else."
LONGEST_NAME, LONGEST_PART = 1000, 255
"""Bytes of a path, and of one of its parts, as most file systems take them."""

MOST_PARTS = 32
"""Of a path: folders are files too, and one small member may ask for hundreds of them."""

CHUNK = 1 << 16
_SLIGHT = 1_000_000
"""Bytes up to which nothing is a bomb, however well it was packed."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DRIVE = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_ARCHIVES = frozenset((".zip", ".tar", ".tgz", ".gz", ".bz2", ".tbz2", ".xz", ".txz", ".7z", ".rar", ".zst", ".lz",
                       ".lzma", ".cab", ".jar", ".cpio", ".ar", ".iso"))  # fmt: skip
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\xfd7zXZ\x00", b"BZh",
          b"\x28\xb5\x2f\xfd")  # fmt: skip
_OF_SYSTEMS = frozenset(("thumbs.db", "desktop.ini", "__macosx"))


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may come to.

    Attributes:
        members: files and folders, at most.
        bytes: of all of them, unpacked.
        ratio: bytes unpacked by bytes packed.
        pictures: at most.
    """

    members: int = 20_000
    bytes: int = 2_000_000_000
    ratio: int = 100
    pictures: int = 500


class ArchiveRefusedError(UsageError):
    """An archive of which nothing is unpacked."""

    code = "archive"


@dataclass(frozen=True)
class Member:
    """A file or a folder in an archive.

    Attributes:
        name: as written there.
        size: bytes unpacked, as the archive says.
        packed: bytes that they take there.
        is_folder: whether it is one.
        chunks: its bytes, piece by piece, as they really are.
    """

    name: str
    size: int
    packed: int
    is_folder: bool
    chunks: Callable[[], Iterator[bytes]]


def refused(name: str, why: str, cure: str = CURE) -> ArchiveRefusedError:
    """Why an archive is refused, by the name of the member that is the reason."""
    return ArchiveRefusedError(f"The archive is refused: {shown(name)} {why}.", cure)


def broken(why: str) -> ArchiveRefusedError:
    """Why an archive as a whole is refused."""
    return ArchiveRefusedError(f"The archive is refused: {why}.", "Pack it anew, or send it again.")


def check(members: Sequence[Member], limits: ArchiveLimits) -> None:
    """Go by what an archive says of itself, before anything of it is unpacked.

    Args:
        members: all of them.
        limits: to keep to.

    Raises:
        ArchiveRefusedError: a name, a size or their number; it names the member.
    """
    for member in members:
        _check_name(member.name)
        if not member.is_folder and _suffix(member) in _ARCHIVES and not _is_hidden(member):
            raise refused(member.name, "is an archive in an archive")
        check_ratio(member, member.size, limits)
    _check_collisions(members)
    check_total(sum(member.size for member in members), limits)
    packed = sum(member.packed for member in members)
    if sum(member.size for member in members) > max(_SLIGHT, limits.ratio * packed):
        raise broken(f"unpacked it is more than {limits.ratio} times as large, as a bomb is")


def check_number(number: int, limits: ArchiveLimits) -> None:
    """Refuse an archive of too many members, as soon as it is known.

    Raises:
        ArchiveRefusedError: there are too many.
    """
    if number > limits.members:
        raise ArchiveRefusedError(f"The archive is refused: it has more than {limits.members} members.",
                                  "Pack the pictures alone, or in several archives.")  # fmt: skip


def check_total(total: int, limits: ArchiveLimits) -> None:
    """Refuse what is too large unpacked.

    Raises:
        ArchiveRefusedError: it is.
    """
    if total > limits.bytes:
        raise ArchiveRefusedError(f"The archive is refused: unpacked it has more than {limits.bytes / 1e6:,.0f} MB.",
                                  "Pack fewer pictures, or smaller ones.")  # fmt: skip


def check_ratio(member: Member, size: int, limits: ArchiveLimits) -> None:
    """Refuse a member that grows as no picture does.

    Args:
        member: that is or will be unpacked.
        size: bytes of it, said or counted.
        limits: to keep to.

    Raises:
        ArchiveRefusedError: it is a bomb.
    """
    if size > max(_SLIGHT, limits.ratio * member.packed):
        raise refused(member.name, f"is more than {limits.ratio} times as large unpacked, as a bomb is")


def check_bytes(name: str, head: bytes) -> None:
    """Refuse an archive that goes by the name of a picture.

    Args:
        name: of the member.
        head: its first 512 bytes.

    Raises:
        ArchiveRefusedError: it is one.
    """
    if head.startswith(_MAGIC) or head[257:262] == b"ustar":
        raise refused(name, "is an archive in an archive, under the name of a picture")


def passed_over(member: Member) -> str | None:
    """Why a member is not unpacked, which is no reason to refuse the others; None for a picture."""
    if _is_hidden(member):
        return "a hidden file, or one that a system keeps for itself"
    suffix = _suffix(member)
    return None if suffix in PICTURES else f"no picture ({suffix or 'no ending'})"


def _is_hidden(member: Member) -> bool:
    parts = PurePosixPath(member.name).parts
    return any(part.lower() in _OF_SYSTEMS or part.startswith(".") for part in parts)


def _suffix(member: Member) -> str:
    return PurePosixPath(member.name.lower()).suffix


def _check_name(name: str) -> None:
    parts = name.split("/")
    problems = {
        "has no name": not name.strip(),
        "has control characters in its name": bool(_UNPRINTABLE.search(name)),
        "names a drive or is an address": bool(_DRIVE.match(name)),
        "has an absolute name": name.startswith(("/", "\\", "~")),
        "has .. in its name, which leads out of its folder": ".." in name.replace("\\", "/").split("/"),
        "has backslashes in its name": "\\" in name,
        "has a very long name": len(name.encode(errors="replace")) > LONGEST_NAME
        or any(len(part.encode(errors="replace")) > LONGEST_PART for part in parts),
        "lies in too many folders": len(PurePosixPath(name).parts) > MOST_PARTS,
    }
    for why, is_so in problems.items():
        if is_so:
            raise refused(name, why, "Pack a plain folder of pictures with relative names.")


def _check_collisions(members: Iterable[Member]) -> None:
    """No two members may be one file somewhere: by upper and lower case, by ways to write a letter, by final dots.

    They are sorted so that whatever has the name of a file, or lies below it, comes right after it: the folders of
    every path need then not be held in memory, of which there may be some hundred thousand.
    """
    found = [(_path(member), member.is_folder, member.name) for member in members]
    for (path, is_folder, name), (after, after_is_folder, other) in pairwise(sorted(found, key=lambda one: one[:2])):
        if is_folder:
            continue
        if after == path and not after_is_folder:
            raise refused(other, f"has the name of {shown(name)}, to one system or another")
        if after == path or after.startswith(f"{path}\0"):
            raise refused(name, "is a file and a folder at once")


def _path(member: Member) -> str:
    """As the least particular of all systems knows it; no name has the sign that parts are joined by."""
    return "\0".join(_folded(part) for part in member.name.split("/") if part not in ("", "."))


def _folded(part: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", part).casefold()).rstrip(". ")
