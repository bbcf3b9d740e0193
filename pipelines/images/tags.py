"""Directories of TIFF tags, as in TIFF files and EXIF blocks; no value is decoded that is not asked for."""

import re
import struct
from typing import NamedTuple

ORIENTATION = 274
MAX_TAGS = 65535
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:\s*=\s*"|>)\s*([1-8])')


class Entry(NamedTuple):
    """One tag: where its values lie in the file, and the entry itself as stored."""

    kind: int
    values: int
    start: int
    stop: int
    stored: bytes


class Directory(NamedTuple):
    """The first directory of a TIFF file.

    Attributes:
        order: ``<`` or ``>``.
        big: whether it is a BigTIFF, with 64-bit offsets.
        entries: tag → entry; of a tag that occurs twice the first.
    """

    order: str
    big: bool
    entries: dict[int, Entry]


def read_directory(data: bytes) -> Directory:
    """The first directory of ``data``.

    Raises:
        ValueError: it is not a TIFF directory, or it reaches beyond the end.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        raise ValueError("no TIFF header")
    try:
        big = struct.unpack_from(order + "H", data, 2)[0] == 43
        offset = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
        count_code, entry_code = ("Q", "HHQ") if big else ("H", "HHI")
        (count,) = struct.unpack_from(order + count_code, data, offset)
    except (struct.error, OverflowError) as error:
        raise ValueError("its directory of tags lies beyond its end") from error
    first, width = offset + struct.calcsize("<" + count_code), 20 if big else 12
    if count > MAX_TAGS or first + count * width > len(data):
        raise ValueError("its directory of tags is cut off")
    entries: dict[int, Entry] = {}
    for at in range(first, first + count * width, width):
        tag, kind, values = struct.unpack_from(order + entry_code, data, at)
        entries.setdefault(tag, _entry(data, order, big, at, kind, values))
    return Directory(order, big, entries)


def _entry(data: bytes, order: str, big: bool, at: int, kind: int, count: int) -> Entry:
    inline = 8 if big else 4
    length = SIZES.get(kind, 1) * count
    start = at + (12 if big else 8)
    stored = data[start : start + inline]
    if length > inline:
        (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, start)
    return Entry(kind, count, start, start + length, stored)


def integers(data: bytes, directory: Directory, tag: int, most: int) -> tuple[int, ...]:
    """The values of a tag of whole numbers; empty where it is missing or of another kind.

    Raises:
        ValueError: there are more than ``most``, or they lie beyond the end of the file.
    """
    entry = directory.entries.get(tag)
    if entry is None or entry.kind not in INTEGERS:
        return ()
    if entry.values > most:
        raise ValueError(f"tag {tag} has {entry.values} values, expected at most {most}")
    if entry.stop > len(data):
        raise ValueError(f"the values of tag {tag} lie beyond its end")
    return struct.unpack_from(f"{directory.order}{entry.values}{INTEGERS[entry.kind]}", data, entry.start)


def orientation(exif: bytes, xmp: bytes = b"") -> int:
    """The orientation that an EXIF block, or else an XMP block, declares: 1 to 8.

    A block that cannot be read counts as absent, as in every viewer: it says nothing about the pixels.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    value: tuple[int, ...] = ()
    try:
        value = integers(exif, read_directory(exif), ORIENTATION, 1)
    except ValueError:
        value = ()
    if not value and (found := XMP_ORIENTATION.search(xmp)):
        value = (int(found.group(1)),)
    return value[0] if value and 1 <= value[0] <= 8 else 1
