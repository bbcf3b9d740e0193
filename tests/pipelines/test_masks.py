"""Masks: what every kind of file means, what is refused, and where the line between ids and soft edges lies."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image as PILImage

from pipelines.errors import ImageFormatError, ParameterError
from pipelines.images import OWN_FOLDER, image_size, load_mask

RNG = np.random.default_rng(11)
IDS = np.zeros((40, 50), np.uint8)
IDS[5:20, 5:25], IDS[18:35, 20:45] = 1, 2


def encoded(image, form="PNG", **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def saved(array, form="PNG", **options):
    return encoded(PILImage.fromarray(array), form, **options)


def paletted(ids, palette, form="PNG", **options):
    image = PILImage.fromarray(ids).convert("L")
    image = PILImage.frombytes("P", image.size, image.tobytes())
    image.putpalette(palette)
    return encoded(image, form, **options)


def png(rows, depth, colour):
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    head = struct.pack(">IIBBBBB", len(rows[0]) * 8 // depth // channels, len(rows), depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b))
        for k, b in ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    )


def disc(size=96, radius=30, blur=0, scale=8):
    """An anti-aliased disc, 0 to 255, drawn large and shrunk by area."""
    y, x = np.mgrid[: size * scale, : size * scale] / scale
    hard = ((x - size / 2) ** 2 + (y - size / 2) ** 2 < radius**2).astype(np.float32)
    soft = hard.reshape(size, scale, size, scale).mean((1, 3))
    if blur:
        soft = cv2.GaussianBlur(soft, (0, 0), blur)
    return np.rint(soft * 255).astype(np.uint8)


def instances(count, size, gap, value=lambda i: i + 1, seed=0):
    """Squares of ``size`` pixels on a grid with a gap between."""
    side = int(np.ceil(np.sqrt(count)))
    out = np.zeros((side * (size + gap) + gap,) * 2, np.uint16)
    for i in range(count):
        y, x = (gap + n * (size + gap) for n in divmod(i, side))
        out[y : y + size, x : x + size] = value(i)
    return out


def check(source, expected, dtype=np.uint8, **options):
    got = load_mask(source, **options)
    assert got.dtype == dtype and np.array_equal(got, expected)
    assert image_size(source, options.get("limits", OWN_FOLDER)) == got.shape


VOC = bytes([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])


def test_a_palette_gives_its_indices_never_its_greys():
    check(paletted(IDS, VOC), IDS)
    check(paletted(IDS, VOC, transparency=0), IDS)
    check(paletted(IDS, VOC, "TIFF"), IDS)
    check(paletted(IDS, VOC, "BMP"), IDS)
    check(paletted(IDS, VOC, "GIF"), IDS, limits=OWN_FOLDER)
    assert np.unique(np.asarray(PILImage.open(io.BytesIO(paletted(IDS, VOC))).convert("L"))).tolist() == [0, 38, 75]
    edges = IDS + 0
    edges[4, 4:30] = 255
    check(paletted(edges, VOC + bytes(756)), edges)


def test_one_bit_is_0_and_1():
    for form in ("PNG", "TIFF", "BMP"):
        check(saved(IDS > 0, form), IDS > 0)


@pytest.mark.parametrize(("depth", "top"), [(2, 3), (4, 15)])
def test_few_bits_give_the_stored_number(depth, top):
    values = upscaled(RNG.integers(0, top + 1, (3, 8)).astype(np.uint8), 6)
    bits = (values[..., None] >> np.arange(depth)[::-1].astype(np.uint8) & 1).reshape(len(values), -1)
    check(png([np.packbits(row).tobytes() for row in bits], depth, 0), values)


@pytest.mark.parametrize(
    "values", [(0, 1), (0, 255), (0, 1, 2, 255), (3, 7), (0, 100, 200), (0, 128, 255), (5,), (0,), (255,)]
)
@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_grey_gives_its_values(values, form):
    mask = np.array(values, np.uint8)[IDS % len(values)]
    check(saved(mask, form), mask)


def test_a_void_border_beside_classes_is_no_soft_edge():
    mask = np.zeros((80, 80), np.uint8)
    for i, (y, x) in enumerate([(5, 5), (5, 40), (40, 5), (45, 45)]):
        mask[y - 2 : y + 27, x - 2 : x + 27] = 255
        mask[y : y + 25, x : x + 25] = 1 + 5 * i
    check(saved(mask), mask)
    thin = np.zeros((80, 80), np.uint8)
    thin[30:36], thin[32:34] = 255, 15  # a bottle of two pixels between void
    check(saved(thin), thin)


@pytest.mark.parametrize(
    ("count", "size", "gap"), [(250, 6, 2), (250, 5, 0), (250, 2, 4), (100, 12, 1), (255, 3, 1), (60, 4, 0)]
)
def test_many_instances_are_ids(count, size, gap):
    mask = instances(count, size, gap).astype(np.uint8)
    check(saved(mask), mask)
    shuffled = instances(count, size, gap, np.random.default_rng(3).permutation(np.arange(1, 256))[:count].__getitem__)
    if size > 2:
        check(saved(shuffled.astype(np.uint8)), shuffled)


def test_wide_values():
    wide = instances(400, 6, 1, lambda i: 24000 + 37 * i)
    check(saved(wide), wide, np.uint16)
    check(saved(wide, "TIFF"), wide, np.uint16)
    check(saved(wide.astype(np.int32) * 1000, "TIFF"), wide.astype(np.int32) * 1000, np.int32)
    with pytest.raises(ImageFormatError, match="down to -3"):
        load_mask(saved(np.array([[-3, 1]], np.int32), "TIFF"))


def test_grey_saved_as_colour_is_grey():
    mask = np.array([0, 1, 255], np.uint8)[IDS]
    check(saved(np.repeat(mask[..., None], 3, axis=2)), mask)


COLOURS = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 200)], np.uint8)


def test_a_colour_map_is_numbered_in_order():
    check(saved(COLOURS[IDS]), np.array([0, 2, 1])[IDS])  # (0, 0, 200) sorts before (255, 0, 0)
    check(saved(COLOURS[IDS], "WEBP", lossless=True), np.array([0, 2, 1])[IDS])
    no_black = np.array([(9, 9, 9), (255, 0, 0), (0, 0, 200)], np.uint8)
    check(saved(no_black[IDS]), np.array([2, 3, 1])[IDS])
    rgba = np.dstack([COLOURS[IDS], np.full_like(IDS, 255)])
    check(saved(rgba), np.array([0, 2, 1])[IDS])
    many = np.stack([RNG.integers(0, 256, 256), np.arange(256), RNG.integers(0, 256, 256)], axis=1).astype(np.uint8)
    ids = np.repeat(np.repeat(np.arange(256).reshape(16, 16), 6, 0), 6, 1)
    order = np.argsort([(int(r) << 16) + (int(g) << 8) + int(b) for r, g, b in many])
    rank = np.empty(256, int)
    rank[order] = np.arange(256) + (0 if not many[order[0]].any() else 1)
    check(saved(many[ids]), rank[ids], np.uint16 if rank.max() > 255 else np.uint8)


def test_photographs_and_blended_colours_are_refused():
    with pytest.raises(ImageFormatError, match="photograph"):
        load_mask(saved(RNG.integers(0, 256, (30, 30, 3), np.uint8)))
    red = np.zeros((96, 96, 3), np.uint8)
    red[..., 0] = disc()
    three = red.copy()
    three[:20, :20], three[70:, 70:] = (0, 255, 0), (0, 0, 255)
    for mask in (red, three):
        with pytest.raises(ImageFormatError, match="blended"):
            load_mask(saved(mask))


def test_a_mask_in_the_alpha_alone():
    for colour in (0, 255, 90):
        rgba = np.dstack([np.full((40, 50, 3), colour, np.uint8), (IDS > 0) * np.uint8(255)])
        check(saved(rgba), IDS > 0)
    la = np.dstack([np.full((40, 50), 255, np.uint8), (IDS > 0) * np.uint8(255)])
    check(png([row.tobytes() for row in la], 8, 4), IDS > 0)
    two = np.dstack([COLOURS[IDS], (IDS > 0) * np.uint8(255)])
    check(saved(two), np.array([0, 2, 1])[IDS])
    check(saved(np.zeros((4, 4, 4), np.uint8)), np.zeros((4, 4)))


def test_alpha_that_leaves_a_doubt_is_refused():
    black_and_clear = np.dstack([COLOURS[IDS], (IDS != 2) * np.uint8(255)])
    with pytest.raises(ImageFormatError, match="both black and transparent"):
        load_mask(saved(black_and_clear))
    with pytest.raises(ImageFormatError, match="transparent everywhere"):
        load_mask(saved(np.dstack([COLOURS[IDS], np.zeros_like(IDS)])))
    half = np.dstack([np.full((96, 96, 3), 255, np.uint8), disc()])
    with pytest.raises(ImageFormatError, match="half-transparent") as caught:
        load_mask(saved(half))
    assert "mask_threshold: 128" in caught.value.cure
    check(saved(half), disc() >= 128, threshold=128)


def upscaled(mask, times):
    return np.repeat(np.repeat(mask, times, axis=0), times, axis=1)


RAMP = np.tile(np.repeat(np.arange(256, dtype=np.uint8), 4), (20, 1))
half_covered = np.zeros((30, 30), np.uint8)
half_covered[10:20, 10:20], half_covered[10:20, 9] = 255, 128
SOFT = {
    "anti-aliased": disc(), "small": disc(24, 5), "blurred": disc(blur=3), "very blurred": disc(blur=9),
    "shrunk by two": disc(scale=2), "enlarged by two": upscaled(disc(48, 15), 2), "one half-covered column": half_covered,
    "a ramp": RAMP, "a smooth ramp": RAMP[:, ::4].copy(), "noise": RNG.integers(0, 256, (40, 40), np.uint8),
    "dim": (disc() * 0.7).astype(np.uint8),
}  # fmt: skip


@pytest.mark.parametrize("name", SOFT)
def test_soft_masks_are_refused_unless_a_threshold_is_declared(name):
    mask = SOFT[name]
    for data in (saved(mask), saved(np.repeat(mask[..., None], 3, axis=2)), saved(mask.astype(np.uint16) * 257)):
        with pytest.raises(ImageFormatError, match="soft") as caught:
            load_mask(data)
        assert "mask_threshold: 128" in caught.value.cure
        for threshold in (1, 128, 255):
            check(data, mask >= threshold, threshold=threshold)


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "AVIF"])
def test_lossy_masks_are_refused_unless_a_threshold_is_declared(form):
    mask = upscaled((IDS > 0) * np.uint8(255), 4)
    for array in (mask, np.repeat(mask[..., None], 3, axis=2)):
        data = saved(array, form)
        with pytest.raises(ImageFormatError, match="lossy") as caught:
            load_mask(data, OWN_FOLDER)
        assert "mask_threshold: 128" in caught.value.cure
        check(data, mask == 255, limits=OWN_FOLDER, threshold=128)


def test_lossy_inside_a_tiff_is_lossy():
    with pytest.raises(ImageFormatError, match="lossy"):
        load_mask(saved(np.repeat(IDS[..., None] * np.uint8(120), 3, axis=2), "TIFF", compression="jpeg"))


def test_float_masks_need_a_threshold():
    soft = disc().astype(np.float32) / 255
    with pytest.raises(ImageFormatError, match="float") as caught:
        load_mask(saved(soft, "TIFF"))
    assert "mask_threshold" in caught.value.cure
    check(saved(soft, "TIFF"), disc() >= 128, threshold=128)
    with pytest.raises(ImageFormatError, match="0 to 1"):
        load_mask(saved(soft * 255, "TIFF"), threshold=128)


def test_a_threshold_meets_masks_that_are_ids_already():
    check(paletted(IDS, VOC), IDS, threshold=128)
    check(saved(IDS > 0), IDS > 0, threshold=128)
    check(saved((IDS > 0) * np.uint8(255)), IDS > 0, threshold=128)
    with pytest.raises(ImageFormatError, match="all of which"):  # else every object would vanish in silence
        load_mask(saved((IDS > 0).astype(np.uint8)), threshold=128)
    check(saved((IDS > 0).astype(np.uint8)), IDS > 0, threshold=1)
    with pytest.raises(ImageFormatError, match="coloured"):
        load_mask(saved(COLOURS[IDS]), threshold=128)


@pytest.mark.parametrize("threshold", [0, -1, 256])
def test_a_threshold_out_of_bounds(threshold):
    with pytest.raises(ParameterError, match="1 to 255"):
        load_mask(saved(IDS), threshold=threshold)


def test_kinds_that_are_no_ids():
    for mode, size in (("CMYK", 4), ("LAB", 3)):
        with pytest.raises(ImageFormatError, match=mode):
            load_mask(encoded(PILImage.frombytes(mode, (4, 4), bytes(16 * size)), "TIFF"))
    wide = np.zeros((4, 12), ">u2")
    with pytest.raises(ImageFormatError, match="16-bit colour"):
        load_mask(png([row.tobytes() for row in wide], 16, 2))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_masks_are_turned_as_pictures_are(orientation):
    exif = PILImage.Exif()
    exif[274] = orientation
    columns = orientation in (2, 3, 7, 8)
    rows = orientation in (3, 4, 6, 7)
    turned = IDS[:: -1 if rows else 1, :: -1 if columns else 1]
    check(saved(IDS, exif=exif), turned.T if orientation > 4 else turned)
    check(paletted(IDS, VOC, exif=exif), turned.T if orientation > 4 else turned)


TABLE = {(0, 0, 0): 0, (255, 0, 0): 7, (0, 0, 200): 300}


def test_declared_colours_give_declared_ids():
    expected = np.array([0, 7, 300])[IDS]
    check(saved(COLOURS[IDS]), expected, np.uint16, colours=TABLE)
    check(saved(COLOURS[IDS] * (IDS == 1)[..., None]), (IDS == 1) * 7, colours={**TABLE, (0, 0, 200): 9})
    rgba = np.dstack([COLOURS[IDS], (IDS > 0) * np.uint8(255)])
    check(saved(rgba), expected, np.uint16, colours=TABLE)
    check(paletted(IDS, COLOURS.tobytes()), expected, np.uint16, colours=TABLE)
    check(paletted(IDS, COLOURS.tobytes()), IDS, colours=TABLE, keep_indices=True)
    check(paletted(IDS, VOC), IDS, colours=TABLE)  # a palette that tools put under any ids
    check(paletted(IDS, VOC), np.array([0, 5, 4])[IDS], colours={(0, 0, 0): 0, (128, 0, 0): 5, (0, 128, 0): 4})
    check(saved(IDS), IDS, colours=TABLE)
    check(saved(IDS * np.uint8(100)), IDS, colours={(0, 0, 0): 0, (100,) * 3: 1, (200,) * 3: 2})


def test_an_index_of_void_is_void_whatever_its_colour():
    edges = IDS + 0
    edges[4, 4:30] = 255
    table = {(0, 0, 0): 0, (255, 0, 0): 1, (0, 0, 200): 2, (224, 224, 192): 255}
    check(paletted(edges, COLOURS.tobytes() + bytes(759)), edges, colours=table)


def test_colours_that_are_not_declared():
    for data in (saved(COLOURS[IDS]), paletted(IDS, COLOURS.tobytes())):
        with pytest.raises(ImageFormatError, match=r"the colour \(0, 0, 200\), which is not declared"):
            load_mask(data, colours={(0, 0, 0): 0, (255, 0, 0): 1})
    with pytest.raises(ImageFormatError, match="lossy"):
        load_mask(saved(COLOURS[IDS], "JPEG"), colours=TABLE)
    with pytest.raises(ImageFormatError, match="half-transparent"):
        load_mask(saved(np.dstack([COLOURS[IDS], np.full_like(IDS, 90)])), colours=TABLE)
    for wrong in ({(0, 0, 256): 1}, {(0, 0, 0): -1}, {(0, 0, 0): 65536}):
        with pytest.raises(ParameterError, match="out of bounds"):
            load_mask(saved(IDS), colours=wrong)
    with pytest.raises(ParameterError, match="exclude each other"):
        load_mask(saved(IDS), threshold=128, colours=TABLE)
