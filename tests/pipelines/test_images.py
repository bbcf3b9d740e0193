"""Pictures: every rule of the loader against pixels that are worked out by hand."""

import io
import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as PILImage
from PIL import ImageCms, ImageOps

from pipelines.errors import ImageDamagedError, ImageError, ImageFormatError, ImageLimitError
from pipelines.images import OWN_FOLDER, UPLOAD, Limits, image_size, load_image

RNG = np.random.default_rng(7)
PHOTO = RNG.integers(0, 256, (11, 17, 3), np.uint8)


def encoded(image, form="PNG", **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def saved(array, form="PNG", **options):
    return encoded(PILImage.fromarray(array), form, **options)


def png(rows, depth, colour, *extra):
    """A PNG by hand: ``rows`` are packed bytes, one per line; ``extra`` are (kind, body) before the pixels."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    width = len(rows[0]) * 8 // (depth * channels)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    head = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), *extra, (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks
    )


def tiff(array, **options):
    out = io.BytesIO()
    tifffile.imwrite(out, array, metadata=None, **options)
    return out.getvalue()


def on_white(colour, alpha):
    a = alpha[..., None].astype(np.int64)
    return ((2 * (a * colour + (255 - a) * 255) + 255) // 510).astype(np.uint8)  # rounded half up, in whole numbers


def grey3(array):
    return np.repeat(np.asarray(array, np.uint8)[..., None], 3, axis=2)


def over_257(values):
    return np.rint(np.asarray(values, np.float64) / 257).astype(np.uint8)


def srgb(linear):
    linear = np.clip(np.asarray(linear, np.float64), 0, 1)
    return np.rint(255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def check(source, expected, limits=UPLOAD, tolerance=0):
    got = load_image(source, limits)
    assert got.dtype == np.uint8 and got.shape == expected.shape and got.flags.c_contiguous and got.flags.writeable
    assert np.abs(got.astype(int) - expected.astype(int)).max() <= tolerance
    assert image_size(source, limits) == got.shape[:2]


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_plain_pictures_keep_every_pixel(form):
    check(saved(PHOTO, form), PHOTO)


def test_lossless_webp_keeps_every_pixel():
    check(saved(PHOTO, "WEBP", lossless=True), PHOTO)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0, "quality": 100}])
def test_jpeg_is_what_pillow_decodes(options):
    data = saved(np.kron(PHOTO, np.ones((30, 30, 1), np.uint8)), "JPEG", comment=b"x" * 60000, **options)
    check(data, np.asarray(PILImage.open(io.BytesIO(data))))


def test_path_string_bytes_and_file_are_one(tmp_path):
    path = tmp_path / "one.png"
    path.write_bytes(saved(PHOTO))
    with open(path, "rb") as file:
        file.read(5)  # it is read from the start all the same
        check(file, PHOTO)
    for source in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), io.BytesIO(path.read_bytes())):
        check(source, PHOTO)


def test_a_small_file_takes_little_room_however_large_it_might_be(tmp_path):
    """Threads of a profile would else take a gigabyte each for as long as they read."""
    path = tmp_path / "a.png"
    path.write_bytes(saved(PHOTO))
    tracemalloc.start()
    try:
        load_image(path)
        with open(path, "rb") as file:
            load_image(file)
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


def test_a_stream_that_cannot_seek_is_read():
    class Pipe(io.RawIOBase):
        def __init__(self, data):
            self.inner = io.BytesIO(data)

        def readable(self):
            return True

        def read(self, size=-1):
            return self.inner.read(size)

        def seekable(self):
            return False

    assert np.array_equal(load_image(Pipe(saved(PHOTO))), PHOTO)


TURNED = {
    1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1), 6: lambda a: a[::-1].swapaxes(0, 1), 7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}  # fmt: skip


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(form, orientation):
    exif = PILImage.Exif()
    exif[274] = orientation
    blocks = np.kron(PHOTO, np.ones((16, 16, 1), np.uint8))
    data = saved(blocks, form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
    upright = np.asarray(PILImage.open(io.BytesIO(saved(blocks, "JPEG")))) if form == "JPEG" else blocks
    check(data, TURNED[orientation](upright))


def test_orientation_in_xmp_counts_where_exif_has_none():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    check(png([PHOTO.tobytes()[:51], PHOTO.tobytes()[51:102]], 8, 2, (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)),
          TURNED[6](PHOTO[:2]))  # fmt: skip


def test_orientation_in_a_text_of_imagemagick():
    exif = PILImage.Exif()
    exif[274] = 3
    block = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
    text = b"\nexif\n%8d\n%s\n" % (len(block), block.hex().encode())
    extra = (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))
    check(png([row.tobytes() for row in PHOTO], 8, 2, extra), PHOTO[::-1, ::-1])


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"nonsense"]
)
def test_a_broken_exif_block_stops_nothing(exif):
    data = saved(PHOTO, "JPEG")
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    check(data, np.asarray(PILImage.open(io.BytesIO(saved(PHOTO, "JPEG")))))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_laid_on_white(form):
    rgba = RNG.integers(0, 256, (9, 256, 4), np.uint8)
    rgba[..., 3] = np.arange(256)
    data = saved(rgba, form, **({"lossless": True, "exact": True} if form == "WEBP" else {}))
    check(data, on_white(rgba[..., :3], rgba[..., 3]))


def test_colours_under_full_transparency_do_not_show():
    rgba = np.zeros((4, 4, 4), np.uint8)
    check(saved(rgba), np.full((4, 4, 3), 255, np.uint8))


def test_grey_with_alpha_is_laid_on_white():
    la = RNG.integers(0, 256, (6, 8, 2), np.uint8)
    check(png([row.tobytes() for row in la], 8, 4), on_white(grey3(la[..., 0]), la[..., 1]))


PALETTE = bytes([10, 20, 30, 200, 100, 0, 0, 255, 0, 9, 9, 9])


def test_palette_and_its_transparency():
    rows = [bytes([0b00011011]), bytes([0b11100100])]
    colours = np.frombuffer(PALETTE, np.uint8).reshape(4, 3)[np.array([[0, 1, 2, 3], [3, 2, 1, 0]])]
    check(png(rows, 2, 3, (b"PLTE", PALETTE)), colours)
    alpha = np.array([255, 128, 0, 255], np.uint8)[np.array([[0, 1, 2, 3], [3, 2, 1, 0]])]
    check(png(rows, 2, 3, (b"PLTE", PALETTE), (b"tRNS", bytes([255, 128, 0]))), on_white(colours, alpha))


@pytest.mark.parametrize(("depth", "top"), [(1, 1), (2, 3), (4, 15)])
def test_few_bits_of_grey_and_their_transparent_value(depth, top):
    values = RNG.integers(0, top + 1, (5, 16))
    bits = (values[..., None] >> np.arange(depth)[::-1] & 1).reshape(5, -1)
    rows = [np.packbits(row).tobytes() for row in bits]
    grey = values * 255 // top
    check(png(rows, depth, 0), grey3(grey))
    check(png(rows, depth, 0, (b"tRNS", struct.pack(">H", top - 1))), grey3(np.where(values == top - 1, 255, grey)))


def test_a_transparent_colour_of_8_and_16_bits():
    rgb = np.array([[[1, 2, 3], [1, 2, 4]]], np.uint8)
    check(
        png([rgb[0].tobytes()], 8, 2, (b"tRNS", struct.pack(">3H", 1, 2, 3))),
        np.array([[[255] * 3, [1, 2, 4]]], np.uint8),
    )
    wide = np.array([[[300, 2, 3], [301, 2, 3]]], ">u2")  # differ in the low byte alone
    expected = np.array([[[255] * 3, [1, 0, 0]]], np.uint8)
    check(png([wide[0].tobytes()], 16, 2, (b"tRNS", struct.pack(">3H", 300, 2, 3))), expected)
    grey = np.array([[300, 301]], ">u2")
    check(png([grey[0].tobytes()], 16, 0, (b"tRNS", struct.pack(">H", 300))), grey3([[255, 1]]))


EVERY_16 = np.arange(65536, dtype=np.uint16).reshape(256, 256)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_grey_is_divided_by_257(form):
    check(saved(EVERY_16, form), grey3(over_257(EVERY_16)))
    assert load_image(saved(EVERY_16, form)).max() == 255


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_16_bit_tiff_of_either_byte_order_and_count_from_white(byteorder):
    check(tiff(EVERY_16, byteorder=byteorder), grey3(over_257(EVERY_16)))
    check(tiff(EVERY_16, byteorder=byteorder, photometric="miniswhite"), grey3(over_257(65535 - EVERY_16.astype(int)))) \
        if byteorder == "<" else None  # Pillow does not know it in the other order  # fmt: skip


def test_16_bit_colour_uses_all_bits():
    rgb = np.stack([EVERY_16, EVERY_16[::-1], EVERY_16.T], axis=2)
    check(png([row.astype(">u2").tobytes() for row in rgb], 16, 2), over_257(rgb))
    for byteorder in "<>":
        check(tiff(rgb, byteorder=byteorder, photometric="rgb"), over_257(rgb))
    check(tiff(rgb, photometric="rgb", bigtiff=True, compression="deflate", tile=(64, 64)), over_257(rgb))
    planes = np.ascontiguousarray(np.moveaxis(rgb, 2, 0))
    for compression in (None, "deflate"):  # the high byte, as documented
        check(tiff(planes, photometric="rgb", planarconfig="separate", compression=compression), rgb >> 8)


def test_16_bit_alpha_colour_and_grey():
    rgba = RNG.integers(0, 65536, (7, 9, 4)).astype(np.uint16)
    check(
        png([row.astype(">u2").tobytes() for row in rgba], 16, 6),
        on_white(over_257(rgba[..., :3]), over_257(rgba[..., 3])),
    )
    la = rgba[..., :2]
    check(
        png([row.astype(">u2").tobytes() for row in la], 16, 4),
        on_white(grey3(over_257(la[..., 0])), over_257(la[..., 1])),
    )


def test_twelve_bits_in_sixteen_are_not_stretched():
    twelve = RNG.integers(0, 4096, (8, 8)).astype(np.uint16)
    check(tiff(twelve), grey3(over_257(twelve)))
    assert load_image(tiff(twelve)).max() <= 16


def test_a_tiff_that_declares_twelve_bits_has_its_own_white():
    data = bytearray(tiff(np.zeros((1, 3), np.uint16)))
    start = struct.unpack_from("<I", data, 4)[0]
    for at in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", data, start)[0], 12):
        tag = struct.unpack_from("<H", data, at)[0]
        if tag == 258:
            struct.pack_into("<H", data, at + 8, 12)
        if tag == 273:
            offset = struct.unpack_from("<I", data, at + 8)[0]
    data[offset : offset + 5] = bytes([0xFF, 0xF0, 0x00, 0x80, 0x00])  # 4095, 0, 2048, packed
    check(bytes(data), grey3([[255, 0, round(2048 * 255 / 4095)]]))


def test_float_in_0_to_1():
    values = np.linspace(0, 1, 511, dtype=np.float32).reshape(7, 73)
    check(saved(values, "TIFF"), grey3(np.rint(values.astype(np.float64) * 255)), tolerance=1)
    assert load_image(saved(np.array([[0, 1]], np.float32), "TIFF"))[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("value", [1.001, -0.01, 255.0, np.nan, np.inf])
def test_other_floats_are_refused(value):
    with pytest.raises(ImageFormatError, match="expected 0 to 1"):
        load_image(saved(np.array([[0.5, value]], np.float32), "TIFF"))


def test_32_bit_integers():
    values = np.array([[0, 256, 65535]], np.int32)
    check(saved(values, "TIFF"), grey3([[0, 1, 255]]))
    for bad in (-1, 65536):
        with pytest.raises(ImageFormatError, match="expected 0 to 65535"):
            load_image(saved(np.array([[0, bad]], np.int32), "TIFF"))


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk_is_paper_times_ink(form):
    cmyk = np.zeros((64, 64, 4), np.uint8)
    cmyk[:, :16, 0], cmyk[:, 16:32, 1], cmyk[:, 32:48, 3] = 255, 128, 200
    data = encoded(
        PILImage.frombytes("CMYK", (64, 64), cmyk.tobytes()), form
    )  # a JPEG of Pillow is inverted as Adobe's
    c = cmyk.astype(float)
    expected = np.rint((255 - c[..., :3]) * (255 - c[..., 3:]) / 255)
    check(data, expected, tolerance=4 if form == "JPEG" else 1)


def test_adobe_marker_decides_over_ycck():
    """A CMYK JPEG with transform 0 holds inverted inks; white paper stays white."""
    white = PILImage.new("CMYK", (16, 16), (0, 0, 0, 0))
    data = encoded(white, "JPEG")
    assert b"Adobe" in data
    check(data, np.full((16, 16, 3), 255, np.uint8))


def test_ycbcr_tiff():
    ycc = np.zeros((4, 4, 3), np.uint8)
    ycc[..., 0], ycc[..., 1], ycc[..., 2] = 120, 90, 200
    y, cb, cr = 120.0, 90 - 128.0, 200 - 128.0
    expected = np.rint([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb])
    data = tiff(ycc, photometric="ycbcr", extratags=[(530, 3, 2, (1, 1), True)])
    check(data, np.broadcast_to(expected, (4, 4, 3)), tolerance=2)


def test_lab_tiff():
    lab = RNG.integers((90, 113, 113), (220, 143, 143), (5, 6, 3)).astype(np.uint8)  # all inside sRGB
    data = encoded(PILImage.frombytes("LAB", (6, 5), (lab ^ np.array([0, 128, 128], np.uint8)).tobytes()), "TIFF")
    lightness, a, b = lab[..., 0] * (100 / 255), lab[..., 1] - 128.0, lab[..., 2] - 128.0
    f = np.stack([(lightness + 16) / 116 + a / 500, (lightness + 16) / 116, (lightness + 16) / 116 - b / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.9642, 1.0, 0.8249]
    to_rgb = np.linalg.inv(SRGB_D50.T)
    check(data, srgb(xyz @ to_rgb.T), tolerance=2)


SRGB_D50 = np.array([[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.7141]])
"""XYZ of the primaries of sRGB under D50, a row each."""


def profile(space, tags, kind=b"mntr", pcs=b"XYZ "):
    """A minimal ICC profile of version 2.4."""
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"\0" * 4, 0x02400000, kind, space, pcs) + bytes(12) + b"acsp" + bytes(28)
    head += struct.pack(">3i", *(round(v * 65536) for v in (0.9642, 1.0, 0.8249)))
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + body


def xyz(values):
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))


def gamma(value):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def swapped_profile():
    """The primaries of sRGB with red and blue exchanged, and a gamma of 2."""
    tags = {b"wtpt": xyz((0.9642, 1, 0.8249))}
    for name, row in zip(b"bgr", SRGB_D50, strict=True):
        tags[bytes([name]) + b"XYZ"] = xyz(row)
        tags[bytes([name]) + b"TRC"] = gamma(2)
    return profile(b"RGB ", tags)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_an_rgb_profile_is_converted_to_srgb(form):
    options = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}[form]
    blocks = np.kron(PHOTO, np.ones((8, 8, 1), np.uint8))
    plain = load_image(saved(blocks, form, **options))
    data = saved(blocks, form, icc_profile=swapped_profile(), **options)
    check(data, srgb((plain / 255.0) ** 2)[..., ::-1], tolerance=2)


def test_a_profile_leaves_alpha_alone():
    rgba = RNG.integers(0, 256, (9, 9, 4), np.uint8)
    expected = on_white(srgb((rgba[..., :3] / 255.0) ** 2)[..., ::-1], rgba[..., 3])
    check(saved(rgba, icc_profile=swapped_profile()), expected, tolerance=2)


def test_a_grey_profile():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    bright = profile(b"GRAY", {b"wtpt": xyz((0.9642, 1, 0.8249)), b"kTRC": gamma(1.8)})
    check(saved(ramp, icc_profile=bright), grey3(srgb((ramp / 255.0) ** 1.8)), tolerance=2)


def test_a_cmyk_profile():
    corners = [(255 if black == 0 else 0, 128, 128) for _ in range(8) for black in (0, 1)]  # only K darkens
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut += bytes(range(256)) * 4 + bytes(v for corner in corners for v in corner) + bytes(range(256)) * 3
    icc = profile(b"CMYK", {b"wtpt": xyz((0.9642, 1, 0.8249)), b"A2B0": lut}, b"prtr", b"Lab ")
    cmyk = np.zeros((4, 256, 4), np.uint8)
    cmyk[..., 0], cmyk[..., 3] = 180, np.arange(256)
    data = encoded(PILImage.frombytes("CMYK", (256, 4), cmyk.tobytes()), "TIFF", icc_profile=icc)
    lightness = 100 * (1 - np.arange(256) / 255)
    luminance = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
    check(data, np.broadcast_to(srgb(luminance)[None, :, None], (4, 256, 3)), tolerance=3)


def test_srgb_profiles_change_nothing():
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    check(saved(PHOTO, icc_profile=icc), PHOTO)


@pytest.mark.parametrize(
    "icc", [b"broken", bytes(5000), swapped_profile()[:200], profile(b"CMYK", {}), os.urandom(128), bytes(6_000_000)]
)
def test_a_profile_that_cannot_be_used_stops_nothing(icc, caplog):
    check(saved(PHOTO, icc_profile=icc), PHOTO)
    assert len(icc) > 4 * 2**20 or "colour profile cannot be used" in caplog.text  # said, not swallowed


@pytest.mark.parametrize("icc", [b"broken", bytes(5000), swapped_profile()[:200]])
def test_nor_does_one_in_a_jpeg(icc):  # which is decoded another way
    plain = load_image(saved(PHOTO, "JPEG", quality=95))
    assert np.array_equal(load_image(saved(PHOTO, "JPEG", quality=95, icc_profile=icc)), plain)


def test_the_first_frame_is_read():
    frames = [PILImage.fromarray(np.full((6, 5, 3), v, np.uint8)) for v in (10, 200)]
    expected = np.full((6, 5, 3), 10, np.uint8)
    for form, limits in (("PNG", UPLOAD), ("TIFF", UPLOAD), ("WEBP", UPLOAD), ("GIF", OWN_FOLDER)):
        options = {"lossless": True} if form == "WEBP" else {}
        check(encoded(frames[0], form, save_all=True, append_images=frames[1:], **options), expected, limits)


def test_a_first_frame_smaller_than_its_canvas():
    small = saved(np.zeros((2, 2, 3), np.uint8), "WEBP", lossless=True)[12:]
    frame = struct.pack("<6I", 0, 0, 0, 0, 0, 0)[:3] + b"\1\0\0" + b"\1\0\0" + b"\1\0\0" + b"\x64\0\0\2" + small
    body = b"VP8X" + struct.pack("<II", 10, 2) + (7).to_bytes(3, "little") + (5).to_bytes(3, "little")
    body += b"ANIM" + struct.pack("<IIH", 6, 0, 0) + b"ANMF" + struct.pack("<I", len(frame)) + frame
    data = b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
    expected = np.full((6, 8, 3), 255, np.uint8)
    expected[:2, 2:4] = 0
    got = load_image(data)
    assert got.shape == expected.shape == (*image_size(data), 3)


def test_mpo_is_its_first_picture_also_for_uploads():
    frames = [PILImage.fromarray(np.full((32, 32, 3), v, np.uint8)) for v in (10, 200)]
    data = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert PILImage.open(io.BytesIO(data)).format == "MPO"
    check(data, np.full((32, 32, 3), 10, np.uint8), tolerance=1)
    with pytest.raises(ImageFormatError, match="MPO"):
        load_image(data, Limits(frozenset({"JPEG"}), 10**6, 1000, 10**6))


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
def test_heif_and_avif_are_for_a_persons_own_folder(form):
    import pillow_heif

    blocks = np.full((32, 48, 3), (200, 60, 20), np.uint8)
    if form == "HEIF":
        out = io.BytesIO()
        pillow_heif.from_pillow(PILImage.fromarray(blocks)).save(out, quality=95)
        data = out.getvalue()
    else:
        data = saved(blocks, "AVIF", quality=95)
    check(data, blocks, OWN_FOLDER, tolerance=6)
    with pytest.raises(ImageFormatError, match=form):
        load_image(data)


def test_the_limits_stand_in_the_message(tmp_path):
    small = Limits(UPLOAD.formats, 100, 15, 1000)
    for array, what in ((np.zeros((2, 16), np.uint8), "16 x 2"), (np.zeros((15, 15), np.uint8), "15 x 15")):
        for reader in (load_image, image_size):
            with pytest.raises(ImageLimitError, match=what):
                reader(saved(array), small)
    path = tmp_path / "large.png"
    path.write_bytes(bytes(1001))
    for source in (path, path.read_bytes(), io.BytesIO(bytes(1001))):
        with pytest.raises(ImageLimitError, match="MiB"):
            load_image(source, small)
    check(
        saved(np.zeros((10, 10, 3), np.uint8)), np.zeros((10, 10, 3), np.uint8), Limits(UPLOAD.formats, 100, 10, 1000)
    )


def test_importing_the_loader_is_light():
    code = (
        "import sys, pipelines.images; print([m for m in ('cv2', 'pillow_heif', 'torch', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


REFUSED = {
    "made_empty.jpg": (ImageDamagedError, "empty"),
    "made_text_named.png": (ImageFormatError, "not a picture"),
    "made_truncated_half.jpg": (ImageDamagedError, "truncated"),
    "pillow_broken.png": (ImageDamagedError, "header"),
    "pillow_broken_data_stream.png": (ImageDamagedError, "cut off"),
    "pillow_decompression_bomb.gif": (ImageLimitError, "x"),
    "pillow_hopper_webp.tif": (ImageFormatError, "WebP"),
    "pillow_truncated_image.png": (ImageDamagedError, "cut off"),
    "pillow_truncated_jpeg.jpg": (ImageDamagedError, "truncated"),
    "pillow_zero_width.gif": (ImageLimitError, "0 x"),
}
ODD = os.environ.get("WORKBENCH_ODD_IMAGES", "")


def odd_files():
    return sorted(p for p in Path(ODD).iterdir() if p.suffix not in ("", ".md", ".txt")) if ODD else [None]


def plain_reading(path):
    """The picture as a plain use of Pillow reads it, with alpha, depth and ink worked out in numpy."""
    if path.suffix == ".heif":
        import pillow_heif

        return np.asarray(pillow_heif.open_heif(path).to_pillow().convert("RGB"))
    with PILImage.open(path) as image:
        image.load()
        icc = image.info.get("icc_profile")
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):
            return grey3(over_257(np.asarray(image)))
        if icc or image.mode == "LAB":
            source = ImageCms.ImageCmsProfile(io.BytesIO(icc)) if icc else ImageCms.createProfile("LAB")
            return np.asarray(
                ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            )
        if image.mode == "CMYK":
            c = np.asarray(image).astype(float)
            return np.rint((255 - c[..., :3]) * (255 - c[..., 3:]) / 255)
        rgba = np.asarray(image.convert("RGBA"))
        return on_white(rgba[..., :3], rgba[..., 3])


@pytest.mark.skipif(not ODD, reason="set WORKBENCH_ODD_IMAGES to a folder of odd pictures to try each of them")
@pytest.mark.parametrize("path", odd_files(), ids=lambda path: path.name if path else "none")
@pytest.mark.filterwarnings(
    "ignore:.*EXIF.*:UserWarning", "ignore:Truncated File Read:UserWarning"
)  # of Pillow's own reading
def test_odd_pictures(path):
    if path.name in REFUSED:
        kind, words = REFUSED[path.name]
        with pytest.raises(kind, match=words) as caught:
            load_image(path, OWN_FOLDER)
        assert path.name in caught.value.message and caught.value.cure
        return
    check(path, plain_reading(path), OWN_FOLDER, tolerance=1)
    if path.suffix in (".gif", ".avif", ".heif"):
        with pytest.raises(ImageError, match="not read here"):
            load_image(path)
    else:
        check(path, plain_reading(path), UPLOAD, tolerance=1)
