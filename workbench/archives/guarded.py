"""A TAR as the standard library reads it, of which nothing is read that would cost much time or memory.

A header may be followed by a body: a long name, or attributes as ``LENGTH KEY=VALUE`` lines. Older versions of Python
take a time that grows with the square of the digits in a body, hold all that the bodies say, and follow tables of
sparse files as long as they go on.
"""

from __future__ import annotations

import re
from tarfile import (
    GNUTYPE_LONGLINK,
    GNUTYPE_LONGNAME,
    GNUTYPE_SPARSE,
    SOLARIS_XHDTYPE,
    XGLTYPE,
    XHDTYPE,
    ReadError,
)
from typing import BinaryIO

from workbench.archives.members import refused

MOST_AT_ONCE = 1_000_000
MOST_BODY, MOST_BODIES, MOST_FOR_ALL = 8192, 4_000_000, 1024
"""Bytes of one body, of all that are larger than a block, and of what is said of all members at once."""

MOST_IN_ROW = 3
"""Bodies before one member: a long name, a long link and attributes."""

BLOCK = 512
_ATTRIBUTES = frozenset((XHDTYPE, XGLTYPE, SOLARIS_XHDTYPE))
_WITH_BODY = _ATTRIBUTES | {GNUTYPE_LONGNAME, GNUTYPE_LONGLINK}
_DIGITS = re.compile(rb"[0-9]{32}")
_LENGTH = re.compile(rb"([0-9]{1,5}) ")


class Guarded:
    """A file that tarfile reads from.

    Attributes:
        file: it.
        listing: whether headers are read, and not yet the bytes of members.
        kind: of the header whose body comes next; empty where a header does.
        bodies: bytes of those that are larger than a block.
        for_all: bytes of attributes of all members.
        in_row: bodies since the last member.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.listing = file, True
        self.kind = b""
        self.bodies = self.for_all = self.in_row = 0

    def read(self, size: int = -1) -> bytes:
        """Bytes as they are asked for.

        Raises:
            ReadError: too many of them, or of a header that no TAR of pictures has.
            ArchiveRefusedError: the header of a sparse file, whose table may go on for ever.
        """
        if not 0 <= size <= (MOST_BODY if self.listing else MOST_AT_ONCE):
            raise ReadError("a header that is too long")
        found = self.file.read(size)
        if self.listing and size != 1:  # one byte is read to see that a file goes on
            if self.kind:
                self._check_body(found)
                self.kind = b""
            else:
                self._check_header(found)
        return found

    def seek(self, place: int) -> int:
        """Go to a place from the start."""
        return self.file.seek(place)

    def tell(self) -> int:
        """The place where it is."""
        return self.file.tell()

    def _check_header(self, header: bytes) -> None:
        kind = header[156:157]
        if kind == GNUTYPE_SPARSE:
            raise refused(
                header[:100].rstrip(b"\0").decode(errors="replace"), "is a kind of file that is not read here"
            )
        self.kind = kind if kind in _WITH_BODY else b""
        self.in_row = self.in_row + 1 if self.kind else 0
        if self.in_row > MOST_IN_ROW:
            raise ReadError("too many headers before one member")

    def _check_body(self, body: bytes) -> None:
        self.bodies += len(body) if len(body) > BLOCK else 0
        self.for_all += len(body) if self.kind == XGLTYPE else 0
        if self.bodies > MOST_BODIES or self.for_all > MOST_FOR_ALL:
            raise ReadError("headers that are too long together")
        if self.kind in _ATTRIBUTES:
            _check_attributes(body)


def _check_attributes(body: bytes) -> None:
    """Refuse attributes that are not written as the standard has them, or that tell of a sparse file."""
    if _DIGITS.search(body) or b"GNU.sparse" in body:
        raise ReadError("attributes that no picture has")
    at = 0
    while at < len(body) and body[at]:
        found = _LENGTH.match(body, at)
        end = at + int(found[1]) if found else 0
        if found is None or end > len(body) or b"=" not in body[found.end() : end] or body[end - 1] != 10:
            raise ReadError("attributes that cannot be read")
        at = end
