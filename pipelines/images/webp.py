"""WebP: size, orientation, profile and kind of compression from its chunks."""

import struct
from collections.abc import Iterator
from io import BytesIO

from PIL.WebPImagePlugin import WebPImageFile

from pipelines.images.container import Container, check_parts, damaged, plugin
from pipelines.images.limits import MAX_PROFILE_BYTES, Limits
from pipelines.images.tags import orientation


def inspect(name: str, data: bytes, limits: Limits) -> Container:
    """Read the chunks.

    Raises:
        ImageDamagedError: it is cut off or holds no picture.
        ImageLimitError: a limit is passed.
    """
    if len(data) < 30 or int.from_bytes(data[4:8], "little") + 8 > len(data) + 1:  # the padding byte may be missing
        raise damaged(name, "it is cut off before its end")
    sizes: dict[bytes, tuple[int, int]] = {}
    metadata = {b"EXIF": b"", b"XMP ": b"", b"ICCP": b""}
    for count, (kind, start, stop) in enumerate(_chunks(data, 12)):
        check_parts(name, count)
        if kind == b"ANMF" and not sizes.keys() & {b"VP8 ", b"VP8L"}:
            frame = data[start + 16 : stop]  # its own chunks follow 16 bytes about its place and duration
            inner = ((k, frame[s : s + 10]) for k, s, _ in _chunks(frame, 0) if k in (b"VP8 ", b"VP8L"))
            sizes.update((k, _bitstream_size(k, head)) for k, head in inner)
        elif kind in (b"VP8X", b"VP8 ", b"VP8L"):
            sizes.setdefault(kind, _bitstream_size(kind, data[start : start + 10]))
        elif kind in metadata:
            metadata[kind] = metadata[kind] or data[start:stop]
    if not sizes:
        raise damaged(name, "it holds no picture")
    size = sizes.get(b"VP8X", next(iter(sizes.values())))
    limits.check_size(name, *size)
    profile = metadata[b"ICCP"] if len(metadata[b"ICCP"]) <= MAX_PROFILE_BYTES else b""
    return Container(name, "WEBP", size, plugin(WebPImageFile, name, lambda: BytesIO(data)),
                     orientation(metadata[b"EXIF"], metadata[b"XMP "]), profile, lossy=b"VP8 " in sizes)  # fmt: skip


def _chunks(data: bytes, at: int) -> Iterator[tuple[bytes, int, int]]:
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, at + 8, at + 8 + length
        at += 8 + length + (length & 1)


def _bitstream_size(kind: bytes, head: bytes) -> tuple[int, int]:
    if len(head) < 10:
        return 0, 0
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", head, 6)
    return width & 0x3FFF, height & 0x3FFF
