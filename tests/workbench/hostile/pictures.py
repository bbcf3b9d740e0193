"""The 123 hostile pictures of ten kinds, made by code, each with what must come of it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image as Pillow

Pixels = npt.NDArray[np.uint8]
MIB = 2**20
UPLOADED = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
PHOTO: Pixels = np.kron(np.random.default_rng(5).integers(0, 256, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
"""48 x 64; blocks of 8, so that nothing of it is lost in a JPEG's grid."""


@dataclass(frozen=True)
class Hostile:
    """A file that somebody sends.

    Attributes:
        kind: of the ten.
        name: that it is sent under.
        make: its bytes.
        outcome: "refused", "accepted", or "either" where bytes were flipped at random.
        expected: pixels where it must be accepted; None where there is nothing that says which are right.
        words: part of the refusal.
        slack: how far pixels may lie from those expected, as a lossy format's do.
    """

    kind: str
    name: str
    make: Callable[[], bytes]
    outcome: str = "refused"
    expected: Pixels | None = None
    words: str = ""
    slack: int = 0


def saved(form: str, pixels: npt.NDArray[np.generic] = PHOTO, mode: str | None = None, **options: object) -> bytes:
    """A file of Pillow."""
    out, image = io.BytesIO(), Pillow.fromarray(pixels)
    (image.convert(mode) if mode else image).save(out, form, **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, *chunks: bytes) -> bytes:
    """A PNG by hand."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + b"".join([head, *chunks, chunk(b"IEND", b"")])


@cache
def zeros(size: int) -> bytes:
    """So many zero bytes, packed."""
    packer = zlib.compressobj(1)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(size // MIB)), packer.flush()])


def rows(width: int, height: int, row_bytes: int) -> bytes:
    """An IDAT of black rows."""
    packer = zlib.compressobj(1)
    return chunk(b"IDAT", b"".join([*(packer.compress(bytes(1 + row_bytes)) for _ in range(height)), packer.flush()]))


def tiff_tags(**changes: tuple[int, int, int]) -> bytes:
    """An 8 x 8 grey TIFF by hand; ``changes`` replace tags."""
    tags = {256: (3, 1, 8), 257: (3, 1, 8), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 8),
            277: (3, 1, 1), 278: (3, 1, 8), 279: (4, 1, 64)}  # fmt: skip
    tags |= {int(name[1:]): value for name, value in changes.items()}
    table = b"".join(struct.pack("<HHII", tag, *value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<I", 72) + bytes(range(64)) + struct.pack("<H", len(tags)) + table + bytes(4)


def headed(jpeg: bytes, *segments: bytes, marker: int = 0xE1) -> bytes:
    """A JPEG with segments at its start."""
    extra = b"".join(bytes([255, marker]) + struct.pack(">H", len(one) + 2) + one for one in segments)
    return jpeg[:2] + extra + jpeg[2:]


def sized(jpeg: bytes, width: int, height: int) -> bytes:
    """A JPEG that announces another size."""
    at = jpeg.index(b"\xff\xc0")
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def pixel_bombs() -> Iterator[Hostile]:
    """Few bytes, many pixels: 6."""

    def bomb(name: str, make: Callable[[], bytes], words: str = "pixels") -> Hostile:
        return Hostile("pixel bombs", name, make, words=words)

    yield bomb("one-bit.png", lambda: png(13_370, 13_370, 1, 0, rows(13_370, 13_370, 1672)))
    yield bomb("announced.png", lambda: png(2**31 - 1, 2**31 - 1, 16, 6, chunk(b"IDAT", b"")))
    yield bomb("announced.jpg", lambda: sized(saved("JPEG"), 65_535, 65_535))
    yield bomb("announced.tif", lambda: tiff_tags(t256=(4, 1, 2**31), t257=(4, 1, 2**31)))
    yield bomb("tile.tif", lambda: tiff_tags(t322=(4, 1, 2**20), t323=(4, 1, 2**20), t324=(4, 1, 8), t325=(4, 1, 8)))
    yield bomb("announced.webp", lambda: b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<II", 10, 0)
               + b"\xff\xff\xff" * 2 + b"VP8 " + bytes(4))  # fmt: skip


def byte_bombs() -> Iterator[Hostile]:
    """Few bytes, much to unpack beside the pixels: 8. The picture itself is whole, and is what comes of it."""
    one: Pixels = np.zeros((1, 1, 3), np.uint8)
    raw, dot = b"Raw profile type exif\0\0", rows(1, 1, 3)

    def bomb(name: str, make: Callable[[], bytes], expected: Pixels | None, slack: int = 0) -> Hostile:
        return Hostile("byte bombs", name, make, "accepted", expected, slack=slack)

    yield bomb("ztxt.png", lambda: png(1, 1, 8, 2, chunk(b"zTXt", b"k\0\0" + zeros(200 * MIB)), dot), one)
    yield bomb("itxt.png", lambda: png(1, 1, 8, 2, chunk(b"iTXt", b"k\0\1\0\0\0" + zeros(200 * MIB)), dot), one)
    yield bomb("ztxt-exif.png", lambda: png(1, 1, 8, 2, chunk(b"zTXt", raw + zeros(200 * MIB)), dot), one)
    yield bomb("icc.png", lambda: png(1, 1, 8, 2, *[chunk(b"iCCP", b"k\0\0" + zeros(5 * MIB))] * 100, dot), one)
    yield bomb("exif.png", lambda: png(
        1, 1, 8, 2, chunk(b"eXIf", b"II*\0\x08\0\0\0" + b"\xff" * 15 * MIB), dot), one)  # fmt: skip
    yield bomb(
        "exif.jpg",
        lambda: headed(saved("JPEG", quality=95, subsampling=0), *[b"Exif\0\0" + bytes(65_000)] * 250),
        PHOTO,
        12,
    )
    yield bomb("icc.jpg", lambda: headed(
        saved("JPEG", quality=95, subsampling=0), *(b"ICC_PROFILE\0" + bytes([i, 255]) + bytes(65_000) for i in range(1, 256)),
        marker=0xE2), PHOTO, 12)  # fmt: skip
    yield bomb("pixels.png", lambda: png(1, 1, 8, 2, chunk(b"IDAT", zeros(200 * MIB))), one)


def truncated() -> Iterator[Hostile]:
    """Cut off: 12."""
    for form in (*UPLOADED, "PNG interlaced"):
        for share in (0.4, 0.93):

            def make(form: str = form, share: float = share) -> bytes:
                data = saved("PNG", interlace=1) if " " in form else saved(form)
                return data[: int(len(data) * share)]

            name = f"cut-{100 * share:.0f}.{form.lower().replace(' ', '.')}"
            yield Hostile("truncation", name, make)


def fuzzed() -> Iterator[Hostile]:
    """Bytes flipped at random, seeded: 40. Refused, or read; a PNG's checksums let nothing wrong through."""
    for form in UPLOADED:
        for seed in range(8):

            def make(form: str = form, seed: int = seed) -> bytes:
                data, rng = bytearray(saved(form)), np.random.default_rng(seed)
                for at in rng.integers(0, len(data), 1 + seed):
                    data[at] = int(rng.integers(0, 256))
                return bytes(data)

            yield Hostile("byte-fuzz", f"fuzz-{seed}.{form.lower()}", make, "either", PHOTO if form == "PNG" else None)


def misnamed() -> Iterator[Hostile]:
    """A name that says another format than the bytes: 10. Content counts."""
    for form, end in (("PNG", "jpg"), ("JPEG", "png"), ("WEBP", "bmp"), ("BMP", "webp"), ("TIFF", "png")):
        slack = 40 if form == "JPEG" else 0
        options = {"lossless": True} if form == "WEBP" else {"quality": 95, "subsampling": 0} if form == "JPEG" else {}
        yield Hostile("wrong extension", f"{form.lower()}.{end}", lambda form=form, options=options: saved(
            form, **options), "accepted", PHOTO, slack=slack)  # fmt: skip
    for name, data in (("text.png", b"hello"), ("page.jpg", b"<!DOCTYPE html><script>alert(1)</script>"),
                       ("program.png", b"\x7fELF" + bytes(200)), ("zip.png", b"PK\3\4" + bytes(200)),
                       ("gif.png", saved("GIF"))):  # fmt: skip
        yield Hostile("wrong extension", name, lambda data=data: data)


def forbidden() -> Iterator[Hostile]:
    """Formats that are not read: 12."""
    psd = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 4, 4, 8, 3) + bytes(80)
    fits = b"SIMPLE  =                    T".ljust(2880)
    heic = struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic" + bytes(100)
    tga = bytes([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 4, 0, 24, 0]) + bytes(48)
    files: dict[str, Callable[[], bytes]] = {
        "a.eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
        "a.pdf": lambda: b"%PDF-1.7\n1 0 obj <</OpenAction <</S /JavaScript /JS (app.alert(1))>>>> endobj\n",
        "a.psd": lambda: psd,
        "a.svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        "a.ico": lambda: saved("ICO"),
        "a.jp2": lambda: saved("JPEG2000"),
        "a.fits": lambda: fits,
        "a.gif": lambda: saved("GIF"),
        "a.avif": lambda: saved("AVIF"),
        "a.ppm": lambda: saved("PPM"),
        "a.tga": lambda: tga,
        "a.heic": lambda: heic,
    }
    for name, make in files.items():
        yield Hostile("forbidden formats", name, make, words="PNG or JPEG")


def extreme() -> Iterator[Hostile]:
    """Sides: 8."""

    def of(width: int, height: int) -> Pixels:
        return np.full((height, width, 3), 7, np.uint8)

    for width, height in ((1, 1), (8192, 1), (1, 8192)):
        yield Hostile("extreme sizes", f"{width}x{height}.png", lambda w=width, h=height: saved("PNG", of(w, h)),
                      "accepted", of(width, height))  # fmt: skip
    yield Hostile("extreme sizes", "25mp.png", lambda: saved("PNG", of(5000, 5000), compress_level=1), "accepted",
                  of(5000, 5000))  # fmt: skip
    for width, height in ((8193, 1), (5001, 5000), (0, 5), (1, 100_000)):
        yield Hostile("extreme sizes", f"{width}x{height}.png",
                      lambda w=width, h=height: png(w, h, 8, 2, chunk(b"IDAT", b"")), words="pixels")  # fmt: skip


def modes() -> Iterator[Hostile]:
    """Kinds of samples: 14, with the pixels that their rule gives."""
    grey = PHOTO[..., 0]
    wide = grey.astype(np.uint16) * 257
    alpha = np.full_like(grey, 255)
    alpha[:24] = 0
    shown, hidden = np.dstack([grey] * 3), PHOTO.copy()
    shown_hidden = shown.copy()
    hidden[:24], shown_hidden[:24] = 255, 255
    binary = (grey > 100) * np.uint8(255)
    palette = Pillow.fromarray(PHOTO).quantize(256)

    def of(name: str, make: Callable[[], bytes], expected: Pixels | None, slack: int = 0) -> Hostile:
        return Hostile("modes", name, make, "accepted", expected, slack=slack)

    def big_endian() -> bytes:
        out = io.BytesIO()
        tifffile.imwrite(out, wide, byteorder=">", metadata=None)
        return out.getvalue()

    def deep() -> bytes:
        samples = np.insert((PHOTO.astype(np.uint16) * 257).astype(">u2").view(np.uint8).reshape(48, -1), 0, 0, axis=1)
        return png(64, 48, 16, 2, chunk(b"IDAT", zlib.compress(samples.tobytes())))

    def from_palette(mode: str) -> bytes:
        out, image = io.BytesIO(), palette
        image.save(out, "PNG", **({"transparency": 0} if mode == "PA" else {}))
        return out.getvalue()

    drawn = np.asarray(palette.convert("RGB"))
    clear = np.where((np.asarray(palette) == 0)[..., None], np.uint8(255), drawn)
    yield of("1.png", lambda: saved("PNG", binary, "1"), np.dstack([binary] * 3))
    yield of("l.png", lambda: saved("PNG", grey), shown)
    yield of("la.png", lambda: saved("PNG", np.dstack([grey, alpha])), shown_hidden)
    yield of("p.png", lambda: from_palette("P"), drawn)
    yield of("pa.png", lambda: from_palette("PA"), clear)
    yield of("rgba.png", lambda: saved("PNG", np.dstack([PHOTO, alpha])), hidden)
    yield of("cmyk.tif", lambda: saved("TIFF", PHOTO, "CMYK"), PHOTO, 1)
    yield of("ycbcr.jpg", lambda: saved("JPEG", PHOTO, quality=95, subsampling=0), PHOTO, 12)
    yield of("i.tif", lambda: saved("TIFF", wide.astype(np.int32)), shown)
    yield of("i16.png", lambda: saved("PNG", wide), shown)
    yield of("i16b.tif", big_endian, shown)
    yield of("f.tif", lambda: saved("TIFF", grey.astype(np.float32) / 255), shown)
    yield Hostile("modes", "f-beyond.tif", lambda: saved("TIFF", grey.astype(np.float32)), words="brightness")
    yield of("rgb16.png", deep, PHOTO)


def frames() -> Iterator[Hostile]:
    """More than one picture in a file: 5. The first counts."""

    def several(form: str, **options: object) -> bytes:
        out, first, other = io.BytesIO(), Pillow.fromarray(PHOTO), Pillow.fromarray(255 - PHOTO)
        first.save(out, form, save_all=True, append_images=[other, other], **options)
        return out.getvalue()

    yield Hostile("frames", "pages.tif", lambda: several("TIFF"), "accepted", PHOTO)
    yield Hostile("frames", "moving.png", lambda: several("PNG"), "accepted", PHOTO)
    yield Hostile("frames", "moving.webp", lambda: several("WEBP", lossless=True), "accepted", PHOTO)
    yield Hostile(
        "frames", "stereo.jpg", lambda: several("MPO", quality=95, subsampling=0), "accepted", PHOTO, slack=12
    )
    yield Hostile("frames", "moving.gif", lambda: several("GIF"), words="PNG or JPEG")


def turned() -> Iterator[Hostile]:
    """Every EXIF orientation: 8, each turned once."""
    back = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
            5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, -1), 7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
            8: lambda a: np.rot90(a, 1)}  # fmt: skip
    for number, turn in back.items():
        exif = Pillow.Exif()
        exif[274] = number
        yield Hostile("orientation", f"turn-{number}.png", lambda exif=exif: saved("PNG", exif=exif), "accepted",
                      np.ascontiguousarray(turn(PHOTO)))  # fmt: skip


@cache
def all_pictures() -> tuple[Hostile, ...]:
    """All 123."""
    kinds = (pixel_bombs, byte_bombs, truncated, fuzzed, misnamed, forbidden, extreme, modes, frames, turned)
    return tuple(one for kind in kinds for one in kind())
