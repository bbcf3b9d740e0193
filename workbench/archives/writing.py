"""From an archive to the disk: each member counted as it comes, all of them there at the end or none."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.archives.members import ArchiveLimits, Member, check_bytes, check_ratio, check_total, refused

HEAD = 512
"""Bytes by which a file says what it is."""


@contextmanager
def at_once(folder: Path) -> Iterator[Path]:
    """A hidden folder beside one that is not there yet; it takes its place in one step, or goes where the block fails.

    Args:
        folder: that is there at the end.
    """
    staging = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    staging.mkdir(parents=True)
    try:
        yield staging
        staging.rename(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def write(member: Member, path: Path, before: int, limits: ArchiveLimits) -> tuple[int, str]:
    """Write one member; its bytes are counted as they come, and those of all before it.

    Args:
        member: whose bytes are read.
        path: of a file that is not there yet.
        before: bytes of all members that were written.
        limits: to keep to.

    Returns:
        Number of bytes, and their SHA-256.

    Raises:
        ArchiveRefusedError: they are more or fewer than the archive says, or no file of their kind, or too many.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as out:
        for piece in member.chunks():
            if not size:
                check_bytes(member.name, piece[:HEAD])
            size += len(piece)
            if size > member.size:
                raise refused(member.name, "is larger than the archive says, as a bomb is")
            check_ratio(member, size, limits)
            check_total(before + size, limits)
            digest.update(piece)
            out.write(piece)
    if size != member.size:
        raise refused(member.name, "is smaller than the archive says")
    return size, digest.hexdigest()
