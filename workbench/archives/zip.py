"""The members of a ZIP, as its list says and as its bytes are; where the two differ it is refused (APPNOTE.TXT)."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import BinaryIO

from workbench.archives.members import CHUNK, ArchiveLimits, Member, broken, check_number, refused

_END, _LOCATOR, _LOCAL = b"PK\x05\x06", b"PK\x06\x07", b"PK\x03\x04"
_END_BYTES, _LOCATOR_BYTES, _LOCAL_BYTES, _MOST_COMMENT = 22, 20, 30, 65_535
_MOST_LIST_BYTES_EACH = 3 * 65_535
_MOST_LIST_BYTES = 16_000_000
"""A list is held in memory, some ten times as large as it is on the disk."""

_ENCRYPTED, _DESCRIPTOR, _UTF8 = 0x2041, 0x8, 0x800
_WHOLE = 0xFFFFFFFF
_STORED, _DEFLATED = 0, 8


def zip_members(file: BinaryIO, limits: ArchiveLimits) -> list[Member]:
    """All members, none of them unpacked.

    Args:
        file: that can be sought in.
        limits: of which the number of members is held here, before their list is read.

    Raises:
        ArchiveRefusedError: the list is broken, or a member is no plain file that is stored or deflated.
    """
    number, list_start = _end(file)
    check_number(number, limits)
    try:
        with zipfile.ZipFile(file) as archive:
            found = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OverflowError, EOFError) as error:
        raise broken("the list of its members cannot be read") from error
    if len(found) != number:
        raise broken(f"it says that it has {number} members, and lists {len(found)}")
    for info in found:
        _check_kind(info)
    starts = _data_starts(file, found, list_start)
    return [Member(info.orig_filename, info.file_size, info.compress_size, _is_folder(info),
                   partial(_unpacked, file, info, start))
            for info, start in zip(found, starts, strict=True)]  # fmt: skip


def _end(file: BinaryIO) -> tuple[int, int]:
    """Number of members and where their list begins; the list must be all that lies between there and the end."""
    size = file.seek(0, 2)
    at = file.seek(max(0, size - _END_BYTES - _MOST_COMMENT))
    tail = file.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_BYTES:
        raise broken("it has no end, as if it was cut off")
    here, first, on_disk, number, length, start, comment = struct.unpack_from("<4x4H2LH", tail, place)
    if tail[max(0, place - _LOCATOR_BYTES) : place].startswith(_LOCATOR) or number == 0xFFFF or length == _WHOLE:
        raise broken("it is a ZIP64, which archives of this size do not need")
    if (here, first) != (0, 0) or on_disk != number:
        raise broken("it is a part of several")
    if place + _END_BYTES + comment != len(tail) or start + length != at + place:
        raise broken("the list of its members is not where it says")
    if length > min(_MOST_LIST_BYTES, number * _MOST_LIST_BYTES_EACH):
        raise broken("the list of its members is too long")
    return number, start


def _check_kind(info: zipfile.ZipInfo) -> None:
    name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise refused(name, "is a link")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise refused(name, "is a device or a pipe, not a file")
    if info.flag_bits & _ENCRYPTED:
        raise refused(name, "is encrypted", "Pack the pictures without a password.")
    if info.compress_type not in (_STORED, _DEFLATED):
        raise refused(name, f"is packed in a way that is not read here (number {info.compress_type})",
                      "Pack the pictures as an ordinary ZIP.")  # fmt: skip
    if _is_folder(info) and info.file_size:
        raise refused(name, "is a folder with bytes in it")
    if info.compress_type == _STORED and info.file_size != info.compress_size:
        raise refused(name, "lies about its size")


def _is_folder(info: zipfile.ZipInfo) -> bool:
    return info.orig_filename.endswith("/")


def _data_starts(file: BinaryIO, found: list[zipfile.ZipInfo], list_start: int) -> list[int]:
    """Where the bytes of each member begin; no two members may share any (David Fifield, "A better zip bomb", 2019)."""
    starts = [_data_start(file, info) for info in found]
    spans = sorted((info.header_offset, start + info.compress_size, info.orig_filename)
                   for info, start in zip(found, starts, strict=True))  # fmt: skip
    for (_, end, name), (next_start, _, _) in pairwise([*spans, (list_start, 0, "")]):
        if end > next_start:
            raise refused(name, "shares bytes with another member or with the list, as a bomb does")
    return starts


def _data_start(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    file.seek(info.header_offset)
    head = file.read(_LOCAL_BYTES)
    if len(head) < _LOCAL_BYTES or not head.startswith(_LOCAL):
        raise refused(info.orig_filename, "is not where the list says")
    flags, method, packed, size, name_length, extra_length = struct.unpack("<6x2H8x2L2H", head)
    raw = file.read(name_length)
    if raw.decode("utf-8" if flags & _UTF8 else "cp437", errors="replace") != info.orig_filename:
        raise refused(info.orig_filename, "has another name than the list says")
    if method != info.compress_type or flags & _ENCRYPTED:
        raise refused(info.orig_filename, "is packed otherwise than the list says")
    said = ((packed, info.compress_size), (size, info.file_size))
    if not flags & _DESCRIPTOR and any(here not in (_WHOLE, listed) for here, listed in said):
        raise refused(info.orig_filename, "lies about its size")
    return info.header_offset + _LOCAL_BYTES + int(name_length) + int(extra_length)


def _unpacked(file: BinaryIO, info: zipfile.ZipInfo, start: int) -> Iterator[bytes]:
    """The bytes as they come, however many the list says; in the end they have to be those that it says."""
    crc = 0
    pieces = _pieces(file, start, info.compress_size, info.orig_filename)
    for piece in pieces if info.compress_type == _STORED else _inflated(pieces, info.orig_filename):
        crc = zlib.crc32(piece, crc)
        yield piece
    if crc != info.CRC:
        raise refused(info.orig_filename, "is damaged: its checksum is another", "Pack it anew, or send it again.")


def _pieces(file: BinaryIO, start: int, left: int, name: str) -> Iterator[bytes]:
    while left:
        file.seek(start)
        piece = file.read(min(CHUNK, left))
        if not piece:
            raise refused(name, "is cut off", "Send the archive again.")
        start, left = start + len(piece), left - len(piece)
        yield piece


def _inflated(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in pieces:
            left, out = piece, b"-"
            while out and not unpack.eof:
                out = unpack.decompress(left, CHUNK)
                left = unpack.unconsumed_tail
                yield out
            if unpack.eof and (unpack.unused_data or next(pieces, b"")):
                raise refused(name, "lies about its size")
    except zlib.error as error:
        raise refused(name, "is damaged and cannot be unpacked", "Pack it anew, or send it again.") from error
    if not unpack.eof:
        raise refused(name, "is cut off", "Pack it anew, or send it again.")
