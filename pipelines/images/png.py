"""PNG: every chunk is checked, and only those that make the first frame's pixels are kept."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

from PIL.PngImagePlugin import PngImageFile

from pipelines.images.container import Container, check_parts, damaged, plugin
from pipelines.images.limits import MAX_PROFILE_BYTES, Limits
from pipelines.images.tags import orientation

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
METADATA = (b"eXIf", b"iCCP", b"tEXt", b"zTXt", b"iTXt")
EXIF, PROFILE, XMP = b"eXIf", b"iCCP", b"XML:com.adobe.xmp"
RAW_EXIF = (b"Raw profile type exif", b"Raw profile type APP1")
"""Where ImageMagick puts EXIF: in a text."""

GREY, RGB = 0, 2
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""The passes of an interlaced picture: first column, first row, and the steps."""
MAX_TEXT_BYTES = 2**20
Parts = dict[bytes, list[memoryview]]
"""Kind of chunk → what it holds; of IDAT the whole chunks, checked when they are decoded."""


def inspect(name: str, data: bytes, limits: Limits) -> Container:
    """Read the header and the chunks.

    Raises:
        ImageDamagedError: a chunk is cut off or fails its checksum.
        ImageLimitError: a limit is passed.
    """
    if len(data) < 33 or data[8:16] != b"\0\0\0\x0dIHDR":
        raise damaged(name, "its header is missing or cut off")
    width, height, depth, colour = struct.unpack_from(">IIBB", _checked(name, memoryview(data)[8:33]))
    limits.check_size(name, width, height)
    parts, metadata = _collect(name, data)
    key = None
    if colour in (GREY, RGB):  # Pillow compares this key with samples that it has already scaled
        key = _key(b"".join(parts.pop(b"tRNS", [])), colour)
    return Container(name, "PNG", (width, height), plugin(PngImageFile, name, lambda: _rebuilt(name, parts)),
                     orientation(metadata.get(EXIF, b""), metadata.get(XMP, b"")), metadata.get(PROFILE, b""), depth,
                     key, verify=lambda: _check_length(name, parts))  # fmt: skip


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


def _check_length(name: str, parts: Parts) -> None:
    """Refuse a picture whose data end too soon: Pillow leaves the rest black and says nothing."""
    width, height, depth, colour, interlaced = struct.unpack_from(">IIBBxxB", parts[b"IHDR"][0])
    bits = depth * CHANNELS.get(colour, 1)
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes)
    missing = sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns > 0 and rows > 0)
    unpacker, packed = zlib.decompressobj(), b"".join(chunk[8:-4] for chunk in parts[b"IDAT"])
    while missing > 0 and (out := unpacker.decompress(packed, min(missing, 2**20))):
        missing -= len(out)
        packed = unpacker.unconsumed_tail
    if missing > 0:
        raise damaged(name, f"{missing} bytes of its pixels are missing")


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


def _collect(name: str, data: bytes) -> tuple[Parts, dict[bytes, bytes]]:
    parts: Parts = {}
    metadata: dict[bytes, bytes] = {}
    for count, (kind, chunk) in enumerate(_chunks(name, data)):
        check_parts(name, count)
        if kind == b"IDAT":
            parts.setdefault(kind, []).append(chunk)
        elif kind in KEPT:
            parts.setdefault(kind, [_checked(name, chunk)])
        elif kind in METADATA:
            body = bytes(chunk[8 : MAX_PROFILE_BYTES + 8 if kind == b"iCCP" else MAX_TEXT_BYTES + 8])[: len(chunk) - 12]
            _read_metadata(kind, body, metadata)
    if b"IDAT" not in parts:
        raise damaged(name, "it holds no pixels")
    return parts, metadata


def _read_metadata(kind: bytes, body: bytes, metadata: dict[bytes, bytes]) -> None:
    """Add what is of use, and of each kind the first alone: to inflate thousands of them would take minutes."""
    if kind == b"eXIf":
        metadata.setdefault(EXIF, body)
        return
    keyword, _, rest = body.partition(b"\0")
    if kind == b"iCCP" and PROFILE not in metadata:
        metadata[PROFILE] = _inflate(rest[1:], MAX_PROFILE_BYTES)
    elif keyword == XMP:
        metadata.setdefault(XMP, rest)
    elif keyword in RAW_EXIF and EXIF not in metadata:
        metadata[EXIF] = _raw_profile(_inflate(rest[1:], MAX_TEXT_BYTES) if kind == b"zTXt" else rest)


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
