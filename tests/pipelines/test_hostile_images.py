"""Files that were damaged, forged or made to hurt: each is read rightly or refused with its reason, soon and in little memory."""

import io
import json
import os
import resource
import socket
import struct
import subprocess
import sys
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as PILImage

from pipelines.errors import ImageDamagedError, ImageError, ImageFormatError, ImageLimitError
from pipelines.images import OWN_FOLDER, UPLOAD, image_size, load_image, load_mask

PHOTO = np.kron(np.random.default_rng(5).integers(0, 256, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
SLOWEST_S = 5.0
LEAST_CURE = 10
UPLOADS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")


def saved(form, array=PHOTO, **options):
    out = io.BytesIO()
    PILImage.fromarray(array).save(out, form, **options)
    return out.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, depth, colour, *chunks):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + b"".join([head, *chunks, chunk(b"IEND", b"")])


def tiff(tags, body=b"", order="<"):
    """A TIFF by hand: ``tags`` are (tag, kind, count, value or offset)."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(body))
    table = b"".join(struct.pack(order + "HHII", *tag) for tag in sorted(tags))
    return head + body + struct.pack(order + "H", len(tags)) + table + bytes(4)


def attempt(source, limits=None):
    """The picture, or the refusal; anything else, or more than five seconds, fails the test."""
    start = time.perf_counter()
    try:
        result = load_image(source) if limits is None else load_image(source, limits)
        assert result.dtype == np.uint8 and result.ndim == 3 and result.shape[2] == 3
    except ImageError as error:
        assert len(error.message) > 10 and len(error.cure) > LEAST_CURE and "0x" not in error.message
        result = error
    assert time.perf_counter() - start < SLOWEST_S
    return result


def check_refused(source, kind, words, limits=None):
    result = attempt(source, limits)
    assert isinstance(result, kind), result
    assert words in result.message, result.message


@pytest.mark.parametrize("form", UPLOADS)
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
def test_truncated_files_are_refused(form, share):
    data = saved(form)
    result = attempt(data[: int(len(data) * share)])
    assert isinstance(result, ImageError)
    assert isinstance(attempt(data), np.ndarray)


FUZZED = [(form, seed) for form in (*UPLOADS, "GIF", "AVIF") for seed in range(12)]


@pytest.mark.parametrize(("form", "seed"), FUZZED)
def test_flipped_bytes_are_refused_or_harmless(form, seed):
    data = bytearray(saved(form))
    rng = np.random.default_rng(seed)
    for at in rng.integers(0, len(data), 1 + seed):
        data[at] = rng.integers(0, 256)
    with warnings.catch_warnings():  # of uploads no warning of Pillow is left; those for a person's own folder may warn
        warnings.simplefilter("error" if form in UPLOADS else "ignore")
        result = attempt(bytes(data), OWN_FOLDER)
    if isinstance(result, np.ndarray):
        assert result.shape[:2] == image_size(bytes(data), OWN_FOLDER)
        # A PNG has checksums: what passes has the right pixels.
        assert form != "PNG" or np.array_equal(result, PHOTO)


@pytest.mark.parametrize("form", UPLOADS)
def test_damaged_masks_are_ids_or_refused(form):
    rng = np.random.default_rng(1)
    mask = (PHOTO[..., 0] > 100).astype(np.uint8)
    for _ in range(20):
        data = bytearray(saved(form, mask))
        for at in rng.integers(0, len(data), 2):
            data[at] = rng.integers(0, 256)
        try:
            assert load_mask(bytes(data)).ndim == 2
        except ImageError as error:
            assert error.cure


def test_many_threads_at_once():
    jobs = [saved(form) for form in ("PNG", "TIFF", "BMP")] * 20 + [b"broken", png(9999, 9999, 8, 0)] * 10
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(attempt, jobs))
    assert all(np.array_equal(r, PHOTO) for r in results[:60]) and all(isinstance(r, ImageError) for r in results[60:])


@pytest.mark.parametrize("seed", range(10))
def test_noise_behind_a_right_signature_is_refused(seed):
    noise = np.random.default_rng(seed).integers(0, 256, 5000, np.uint8).tobytes()
    for head in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\x80\x13\0\0WEBP", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"GIF89a",
                 b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypavif", b""):  # fmt: skip
        assert isinstance(attempt(head + noise, OWN_FOLDER), ImageError)


@pytest.mark.parametrize(("head", "named"), [
    (b"%PDF-1.7\n", "PDF"), (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"), (b"\xc5\xd0\xd3\xc6", "EPS"), (b"8BPS\0\1", "Photoshop"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"), (b"\n <?xml version='1.0'?><svg/>", "SVG"), (b"\0\0\1\0\1\0", "ICO"),
    (b"SIMPLE  =                    T", "FITS"), (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"), (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"P6 2 2 255\n", "PNM"), (b"P7\n", "PNM"), (b"qoif", "QOI"), (b"DDS ", "DDS"), (b"icns", "ICNS"), (b"PK\3\4", "ZIP"),
    (b"\x1f\x8b\x08", "gzip"), (b"v/1\x01\2\0\0\0", "OpenEXR"), (b"#?RADIANCE\n", "Radiance"), (b"<!DOCTYPE html>", "HTML"),
    (b"\xff\x0a", "JPEG XL"), (b"\0\0\2\0", "CUR"), (b"\x93NUMPY", "NumPy"), (b"GIF89a\1\0\1\0", "GIF"),
    (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIF"), (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "AVIF"), (b"\x7fELF", "not a picture"),
    (b"\0" * 100, "not a picture"), (b"MZ", "not a picture"), (b"hello", "not a picture"),
])  # fmt: skip
def test_forbidden_formats_are_named(head, named):
    check_refused(head + bytes(200), ImageFormatError, named)


@pytest.mark.parametrize("form", UPLOADS)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".pdf", ".txt", ""])
def test_the_extension_means_nothing(form, suffix, tmp_path):
    path = tmp_path / f"name{suffix}"
    path.write_bytes(saved(form))
    assert attempt(path).shape == PHOTO.shape


def test_paths_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket"))
    server.close()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    cases = [
        (tmp_path, "folder"), (tmp_path / "missing.png", "no file 'missing.png'"), (tmp_path / "gone", "no file"),
        (tmp_path / "pipe", "not an ordinary file"), (tmp_path / "socket", "not an ordinary file"), ("/dev/zero", "not an ordinary"),
        ("a\0b.png", "null byte"), (tmp_path / ("x" * 300), "name too long"), (tmp_path / "loop", "cannot be opened"), ("", "no file"),
        ("https://example.org/a.png", "no file"), ("data:image/png;base64,AAAA", "no file"),
    ]  # fmt: skip
    for source, words in cases:
        result = attempt(source)
        assert isinstance(result, ImageFormatError) and words.lower() in result.message.lower(), result


def test_names_are_shown_safely(tmp_path):
    for name in (
        "line\nbreak.png",
        "bell\a.png",
        "back\x1b[2J.png",
        "x" * 200 + ".png",
        "ü \u202e.png",
        "\udcff.png",
        "-rf",
    ):
        path = tmp_path / name
        path.write_bytes(b"nothing")
        message = attempt(path).message
        assert message.isprintable() and len(message) < 200


def test_an_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "secret.png"
    path.write_bytes(saved("PNG"))

    def forbidden(*_):  # the superuser, as who tests often run, may read every file
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", forbidden)
    check_refused(path, ImageFormatError, "Permission denied")


def test_sources_that_are_no_files():
    closed = io.BytesIO(b"x")
    closed.close()
    for source in (io.StringIO("text"), None, 5, PHOTO, closed):
        assert isinstance(attempt(source), ImageFormatError)
    check_refused(b"", ImageDamagedError, "empty")
    check_refused(io.BytesIO(), ImageDamagedError, "empty")


def jpeg_of(width, height, scans=1, extra=b""):
    data = saved("JPEG")
    frame = data.index(b"\xff\xc0")
    return data[:2] + extra + data[2 : frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]


def test_headers_that_announce_too_much():
    huge = 13_370
    cases = [
        png(huge, huge, 1, 0, chunk(b"IDAT", zlib.compress(bytes(1 + huge // 8 + 1) * huge, 9))),
        png(8193, 1, 8, 0, chunk(b"IDAT", b"")), png(2**31 - 1, 2**31 - 1, 16, 6, chunk(b"IDAT", b"")),
        png(0, 5, 8, 0, chunk(b"IDAT", b"")), jpeg_of(8000, 8000), jpeg_of(65535, 65535), jpeg_of(0, 5),
        b"BM" + struct.pack("<IIIIiiHHIIiiII", 60, 0, 54, 40, 100_000, 100_000, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(6),
        b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + b"\xff\xff\xff" * 2 + b"VP8 " + bytes(4),
        tiff([(256, 4, 1, 2**31), (257, 4, 1, 2**31), (273, 4, 1, 8), (279, 4, 1, 8)]),
        tiff([(256, 4, 1, 9000), (257, 4, 1, 10), (273, 4, 1, 8), (279, 4, 1, 8)], order=">"),
    ]  # fmt: skip
    for data in cases:
        result = attempt(data)
        assert isinstance(result, ImageLimitError) and " x " in result.message, result
        with pytest.raises(ImageLimitError):
            image_size(data)
    gif = (
        b"GIF89a"
        + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
        + b","
        + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0)
        + b"\2\0;"
    )
    check_refused(gif, ImageLimitError, "65535 x 65535", OWN_FOLDER)


def test_headers_that_lie():
    small = png(8, 8, 8, 0, chunk(b"IDAT", zlib.compress(bytes(9 * 4))))
    check_refused(small, ImageDamagedError, "36 bytes of its pixels are missing")
    interlaced = bytearray(png(9, 9, 8, 0, chunk(b"IDAT", zlib.compress(bytes(40)))))
    interlaced[28:33] = b"\1" + struct.pack(">I", zlib.crc32(interlaced[12:28] + b"\1"))
    check_refused(bytes(interlaced), ImageDamagedError, "are missing")
    check_refused(png(4, 4, 8, 0), ImageDamagedError, "no pixels")
    check_refused(png(4, 4, 3, 7, chunk(b"IDAT", zlib.compress(bytes(99)))), ImageDamagedError, "damaged")
    bad = bytearray(saved("PNG"))
    bad[20] ^= 1
    check_refused(bytes(bad), ImageDamagedError, "checksum of its IHDR")
    bad = bytearray(saved("PNG"))
    bad[bad.index(b"IDAT") + 20] ^= 1
    check_refused(bytes(bad), ImageDamagedError, "checksum of its IDAT")
    jpeg = saved("JPEG")
    check_refused(jpeg.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c"), ImageFormatError, "12 bits")
    check_refused(b"\xff\xd8\xff\xd9" + bytes(40), ImageDamagedError, "cut off")
    webp = bytearray(saved("WEBP", lossless=True))
    webp[20] ^= 1
    assert isinstance(attempt(bytes(webp)), ImageError)


def baseline(**changes):
    """An 8 x 8 grey TIFF; ``changes`` replace tags."""
    tags = {256: (3, 1, 8), 257: (3, 1, 8), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 8), 277: (3, 1, 1),
            278: (3, 1, 8), 279: (4, 1, 64)}  # fmt: skip
    tags |= {int(k[1:]): v for k, v in changes.items()}
    return tiff([(tag, *value) for tag, value in tags.items() if value], bytes(range(64)))


def test_forged_tiffs():
    assert np.array_equal(attempt(baseline())[..., 0], np.arange(64).reshape(8, 8))
    unread = {
        "t270": (2, 2**31, 8),
        "t34675": (7, 2**30, 8),
        "t700": (1, 2**32 - 1, 0),
        "t34665": (4, 1, 2**32 - 1),
        "t37500": (7, 9**9, 5),
    }
    assert np.array_equal(attempt(baseline(**unread))[..., 0], np.arange(64).reshape(8, 8))
    for changes, words in (
        ({"t273": (4, 10**6, 8)}, "tag 273 has 1000000 values"), ({"t273": (4, 50, 8)}, "tag 273"), ({"t258": (3, 2**31, 8)}, "tag 258"),
        ({"t273": None}, "where its pixels are"), ({"t320": (3, 700, 2**31)}, "tag 320"), ({"t273": (4, 1, 10**6)}, ""),
        ({"t259": (3, 1, 999)}, ""), ({"t273": (4, 9, 0)}, "9 pieces"),
    ):  # fmt: skip
        check_refused(baseline(**changes), ImageDamagedError, words)
    check_refused(
        baseline(t322=(4, 1, 2**20), t323=(4, 1, 2**20), t324=(4, 1, 8), t325=(4, 1, 8)), ImageLimitError, "tiles"
    )
    check_refused(baseline(t277=(3, 1, 60000)), ImageFormatError, "60000 channels")
    check_refused(baseline(t258=(3, 1, 99)), ImageFormatError, "99 bits")
    check_refused(baseline(t50706=(1, 4, 1)), ImageFormatError, "raw file")
    check_refused(baseline(t254=(4, 1, 1), t330=(4, 1, 8)), ImageFormatError, "raw file")
    check_refused(baseline(t259=(3, 1, 34712)), ImageFormatError, "JPEG 2000")
    check_refused(baseline(t339=(3, 1, 2)), ImageFormatError, "signed")
    check_refused(b"II*\0" + struct.pack("<I", 2**32 - 5) + bytes(50), ImageDamagedError, "directory")


def test_more_modes_that_hold_no_picture():
    for array, words in ((np.zeros((4, 4), np.float64), "64 bits (float)"), (np.zeros((4, 4), np.complex64), "complex"),
                         (np.zeros((4, 4), np.int8), "8 bits (signed)"), (np.zeros((4, 4), np.uint64), "64 bits (unsigned)"),
                         (np.zeros((4, 4, 5), np.uint16), "5 channels"), (np.zeros((4, 4, 200), np.uint8), "200 channels"),
                         (np.zeros((4, 4, 3), np.float32), "3 channels of 32 bits (float)")):  # fmt: skip
        out = io.BytesIO()
        photometric = "rgb" if array.ndim == 3 and array.shape[2] == 3 else "minisblack"
        tifffile.imwrite(
            out, array, metadata=None, photometric=photometric, planarconfig="contig" if array.ndim == 3 else None
        )
        check_refused(out.getvalue(), ImageFormatError, words)


# What follows is made and read in processes of its own, so that the peak of each is its own: this file is also a script.

MIB = 2**20
SIDE = 5000
MAX_PEAK_MB = 600
WORKERS = 2


def zeros(size):
    packer = zlib.compressobj(1)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(size // MIB)), packer.flush()])


def idat(row_bytes, rows=SIDE):
    packer = zlib.compressobj(1)
    return chunk(b"IDAT", b"".join([*(packer.compress(bytes(1 + row_bytes)) for _ in range(rows)), packer.flush()]))


def dot(*chunks):
    """A PNG of one pixel, and what is put before it."""
    return png(1, 1, 8, 2, *chunks, idat(3, 1))


def large(form, mode, **options):
    out = io.BytesIO()
    PILImage.new(mode, (SIDE, SIDE)).save(out, form, **options)
    return out.getvalue()


def segments(*bodies, marker=0xE1):
    """A JPEG and segments at its start."""
    extra = b"".join(bytes([255, marker]) + struct.pack(">H", len(body) + 2) + body for body in bodies)
    return saved("JPEG").replace(b"\xff\xd8", b"\xff\xd8" + extra, 1)


def scans(count):
    data = large("JPEG", "L", progressive=True)
    last = b"\xff\xda" + data.split(b"\xff\xda")[-1][:-2]
    return data[:-2] + last * count + b"\xff\xd9"


def run_length(kind, body):
    head = struct.pack("<IIIIiiHHIIiiII", 0, 0, 1078, 40, SIDE, SIDE, 1, 8 if kind == 1 else 4, kind, 0, 0, 0, 0, 0)
    return b"BM" + head + bytes(1024) + body


def webp_frames(count):
    frame = bytes(6) + (15).to_bytes(3, "little") * 2 + bytes(4) + saved("WEBP", PHOTO[:16, :16], lossless=True)[12:]
    body = b"VP8X" + struct.pack("<II", 10, 2) + (SIDE - 1).to_bytes(3, "little") * 2
    body += b"ANIM" + struct.pack("<IIH", 6, 0, 0) + (b"ANMF" + struct.pack("<I", len(frame)) + frame) * count
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def greedy_tags():
    tags = {f"t{tag}": (7, 19 * MIB, 8) for tag in range(40_000, 50_000)}
    return baseline(**tags) + bytes(19 * MIB)


def strips(count):
    tags = {256: (3, 1, SIDE), 257: (3, 1, SIDE), 258: (3, 1, 8), 262: (3, 1, 1), 273: (4, count, 8), 277: (3, 1, 1), 278: (3, 1, 1),
            279: (4, count, 8)}  # fmt: skip
    return tiff([(tag, *value) for tag, value in tags.items()], struct.pack("<I", SIDE) * count)


def one_strip():
    """16 bits, four channels, 200 MB in a single strip."""
    body = zlib.compress(bytes(SIDE * SIDE * 8), 1)
    tags = {256: (3, 1, SIDE), 257: (3, 1, SIDE), 258: (3, 4, 8), 259: (3, 1, 8), 262: (3, 1, 2), 273: (4, 1, 16), 277: (3, 1, 4),
            278: (3, 1, SIDE), 279: (4, 1, len(body)), 338: (3, 1, 2)}  # fmt: skip
    return tiff([(tag, *value) for tag, value in tags.items()], struct.pack("<4H", 16, 16, 16, 16) + body)


def ramp():
    return saved("PNG", np.tile(np.arange(SIDE) // 20 % 256, (SIDE, 1)).astype(np.uint8), compress_level=1)


def a_profile():
    """A minimal ICC profile that is not sRGB."""
    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, 512)
    primaries = ((0.14, 0.06, 0.71), (0.39, 0.72, 0.10), (0.43, 0.22, 0.01))
    points = [b"XYZ \0\0\0\0" + struct.pack(">3i", *(int(v * 65536) for v in p)) for p in primaries]
    names = (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")
    bodies = [*points, curve, curve, curve]
    at, table = 128 + 4 + 72, b""
    for name, body in zip(names, bodies, strict=True):
        table += name + struct.pack(">II", at, len(body))
        at += len(body)
    head = struct.pack(">I4sI4s4s4s", at, bytes(4), 0x02400000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp"
    head = (head + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)).ljust(128, b"\0")
    return head + struct.pack(">I", 6) + table + b"".join(bodies)


RAW = b"Raw profile type exif\0\0"
BOMBS = {
    "1-bit png of 13370 x 13370": (ImageLimitError, lambda: png(13370, 13370, 1, 0, idat(1672, 13370))),
    "zTXt of 200 MiB": (None, lambda: dot(chunk(b"zTXt", b"k\0\0" + zeros(200 * MIB)))),
    "zTXt exif of 200 MiB": (None, lambda: dot(chunk(b"zTXt", RAW + zeros(200 * MIB)))),
    "500 iCCP of 5 MiB": (None, lambda: dot(*[chunk(b"iCCP", b"k\0\0" + zeros(5 * MIB))] * 500)),
    "1500 zTXt exif of 2 MiB": (None, lambda: dot(*[chunk(b"zTXt", RAW + zeros(2 * MIB))] * 1500)),
    "a million chunks": (ImageLimitError, lambda: dot(*[chunk(b"IDAT", b"")] * 1_000_000)),
    "eXIf of 19 MiB": (None, lambda: dot(chunk(b"eXIf", b"II*\0\x08\0\0\0" + b"\xff" * 19 * MIB))),
    "pixels of 200 MiB for one": (None, lambda: png(1, 1, 8, 2, chunk(b"IDAT", zeros(200 * MIB)))),
    "jpeg with 19 MiB of exif": (None, lambda: segments(*[b"Exif\0\0" + bytes(65000)] * 300)),
    "jpeg with 16 MiB of profile": (None, lambda: segments(
        *(b"ICC_PROFILE\0" + bytes([i, 255]) + bytes(65000) for i in range(1, 256)), marker=0xE2)),
    "5 million comments": (ImageLimitError, lambda: saved("JPEG").replace(b"\xff\xd8", b"\xff\xd8" + b"\xff\xfe\0\2" * 5_000_000, 1)),
    "19 MiB of fill bytes": (None, lambda: b"\xff\xd8" + b"\xff" * 19 * MIB + saved("JPEG")[2:]),
    "5000 scans": (ImageLimitError, lambda: scans(5000)),
    "60 scans": (None, lambda: scans(53)),
    "progressive cmyk jpeg": (None, lambda: large("JPEG", "CMYK", progressive=True)),
    "png with alpha and profile": (None, lambda: large("PNG", "RGBA", compress_level=1, icc_profile=a_profile())),
    "png with alpha and 16 bits": (None, lambda: png(SIDE, SIDE, 16, 6, idat(8 * SIDE))),
    "palette png with alpha": (None, lambda: png(
        SIDE, SIDE, 8, 3, chunk(b"PLTE", bytes(768)), chunk(b"tRNS", bytes(256)), idat(SIDE))),
    "colour map": (None, lambda: large("PNG", "RGB", compress_level=1)),
    "ramp": (None, ramp),
    "lossless webp with alpha": (None, lambda: large("WEBP", "RGBA", lossless=True, method=0, quality=0)),
    "webp of 50,000 frames": (None, lambda: webp_frames(50_000)),
    "tiff with alpha and 16 bits in one strip": (None, one_strip),
    "tiff of 10,000 tags of 19 MiB": (None, greedy_tags),
    "tiff of 2 million strips": (ImageDamagedError, lambda: strips(2_000_000)),
    "run-length bmp of many runs": (ImageLimitError, lambda: run_length(1, b"\1\1" * 9_000_000)),
    "run-length bmp of empty lines": (ImageLimitError, lambda: run_length(1, b"\0\0" * 6000)),
    "run-length bmp of 4 bits": (ImageLimitError, lambda: run_length(2, b"\xff\x12" * 200_000)),
}  # fmt: skip
MASKS = {
    "colour map",
    "ramp",
    "palette png with alpha",
    "png with alpha and profile",
    "webp of 50,000 frames",
    "zTXt of 200 MiB",
}
"""Those that are read as masks, too."""


def measure(reader, path):
    """Seconds, peak above what the process had before in 10**6 bytes, and what came of it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()  # of the processor: other programs must not fail this test
    try:
        got = list(reader(path).shape)
    except ImageError as error:
        got = f"{type(error).__name__}: {error}"
    seconds = time.process_time() - start
    return {"s": seconds, "mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6, "got": got}


def in_a_fork(work):
    """Run ``work`` in a copy of this process, and give what it returned."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(read)
        with os.fdopen(write, "w") as out:
            json.dump(work(), out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as result:
        text = result.read()
    os.wait()
    return json.loads(text)


def main(folder, part):
    path = Path(folder) / f"bomb{part}"
    for name, (_, make) in list(BOMBS.items())[int(part) :: WORKERS]:
        start = time.perf_counter()
        in_a_fork(lambda make=make: path.write_bytes(make()))
        found = {"made_s": time.perf_counter() - start}
        readers = (load_image, load_mask) if name in MASKS else (load_image,)
        found |= {reader.__name__: in_a_fork(lambda reader=reader: measure(reader, path)) for reader in readers}
        print(json.dumps({"name": name, "bytes": path.stat().st_size, **found}), flush=True)


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    folder = str(tmp_path_factory.mktemp("bombs"))
    workers = [subprocess.Popen([sys.executable, __file__, folder, str(part)], stdout=subprocess.PIPE, text=True, env=environment)
               for part in range(WORKERS)]  # fmt: skip
    lines = [line for worker in workers for line in worker.communicate(timeout=300)[0].splitlines()]
    return {row["name"]: row for row in map(json.loads, lines)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the peak of memory is measured in forked processes")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_take_little_memory_and_time(bombs, name):
    expected, row = BOMBS[name][0], bombs[name]
    assert row["bytes"] <= UPLOAD.max_bytes
    for reader in {"load_image", "load_mask"} & row.keys():
        assert row[reader]["mb"] < MAX_PEAK_MB and row[reader]["s"] < SLOWEST_S, row
    got = row["load_image"]["got"]
    assert isinstance(got, list) if expected is None else got.startswith(expected.__name__), got


if __name__ == "__main__":
    main(*sys.argv[1:])
