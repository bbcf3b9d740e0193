"""PNG: every chunk is checked, and only those that make the first frame's pixels are kept."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

from PIL.PngImagePlugin import PngImageFile

from pipelines.images.container import Container, damaged, plugin
from pipelines.images.limits import MAX_PROFILE_BYTES, Limits
from pipelines.images.tags import orientation

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
GREY, RGB = 0, 2
MAX_TEXT_BYTES = 2**20
Parts = dict[bytes, list[memoryview]]
"""Kind of chunk → what it holds; of IDAT the whole chunks, checked when they are decoded."""


def inspect(name: str, data: bytes, limits: Limits) -> Container:
    """Read the header and the chunks.

    Raises:
        ImageDamagedError: a chunk is cut off or fails its checksum.
        ImageLimitError: a limit is passed.
    """
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise damaged(name, "its header is missing or cut off")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    limits.check_size(name, width, height)
    parts, exif, xmp, profile = _collect(name, data)
    key = None
    if colour in (GREY, RGB):  # Pillow compares this key with samples that it has already scaled
        key = _key(b"".join(parts.pop(b"tRNS", [])), colour)
    return Container(name, "PNG", (width, height), plugin(PngImageFile, name, lambda: _rebuilt(name, parts)),
                     orientation(exif, xmp), profile, depth, key)  # fmt: skip


def _rebuilt(name: str, parts: Parts) -> BytesIO:
    """The same picture with nothing in the file but its pixels, in one piece."""
    chunks: list[bytes | memoryview] = [SIGNATURE]
    for kind in KEPT:
        if kind == b"IDAT":
            # Pillow does not test the checksum of IDAT: its pieces are tested here, and the whole needs none.
            bodies = [_checked(name, chunk) for chunk in parts[kind]]
            chunks += [struct.pack(">I4s", sum(map(len, bodies)), kind), *bodies, bytes(4)]
        elif kind in parts:
            chunks.append(_chunk(kind, bytes(parts[kind][0])))
    return BytesIO(b"".join([*chunks, _chunk(b"IEND", b"")]))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _checked(name: str, chunk: memoryview) -> memoryview:
    if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
        raise damaged(name, f"the checksum of its {bytes(chunk[4:8]).decode('latin-1')} part is wrong")
    return chunk[8:-4]


def _chunks(name: str, data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view, at = memoryview(data), len(SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        stop = at + 12 + length
        if stop > len(data):
            break
        if kind == b"IEND":
            return
        yield kind, view[at:stop]
        at = stop
    raise damaged(name, "it is cut off before its end")


def _collect(name: str, data: bytes) -> tuple[Parts, bytes, bytes, bytes]:
    parts: Parts = {}
    exif = xmp = profile = b""
    for kind, chunk in _chunks(name, data):
        body = chunk[8:-4]
        if kind == b"IDAT":
            parts.setdefault(kind, []).append(chunk)
        elif kind in KEPT:
            parts.setdefault(kind, [_checked(name, chunk)])
        elif kind == b"eXIf":
            exif = exif or bytes(body)
        elif kind == b"iCCP":
            profile = profile or _inflate(bytes(body).partition(b"\0")[2][1:], MAX_PROFILE_BYTES)
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            keyword, _, rest = bytes(body[: MAX_TEXT_BYTES + 80]).partition(b"\0")
            if keyword in (b"Raw profile type exif", b"Raw profile type APP1"):  # as ImageMagick writes it
                exif = exif or _raw_profile(_inflate(rest[1:], MAX_TEXT_BYTES) if kind == b"zTXt" else rest)
            elif keyword == b"XML:com.adobe.xmp":
                xmp = xmp or rest
    if b"IDAT" not in parts:
        raise damaged(name, "it holds no pixels")
    return parts, exif, xmp, profile


def _inflate(packed: bytes, most: int) -> bytes:
    """At most ``most`` bytes of a zlib stream; nothing where it is longer or broken, for a bomb is no metadata."""
    unpacker = zlib.decompressobj()
    try:
        out = unpacker.decompress(packed, most + 1)
    except zlib.error:
        return b""
    return out if len(out) <= most else b""


def _raw_profile(text: bytes) -> bytes:
    try:  # a line break, the name, the length, then hexadecimal digits
        return bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    except ValueError:
        return b""


def _key(body: bytes | bytearray, colour: int) -> tuple[int, ...] | None:
    count = 1 if colour == GREY else 3
    return struct.unpack_from(f">{count}H", body) if len(body) >= 2 * count else None
