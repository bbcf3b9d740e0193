"""TIFF: the first picture's directory is checked and written anew with nothing but the tags that its pixels need."""

import struct
from io import BytesIO

from PIL.ImageFile import ImageFile, _Tile
from PIL.TiffImagePlugin import TiffImageFile

from pipelines.errors import ImageDamagedError, ImageFormatError, ImageLimitError
from pipelines.images.container import Container, damaged, plugin
from pipelines.images.limits import MAX_PROFILE_BYTES, Limits
from pipelines.images.tags import INTEGERS, SIZES, Directory, integers, orientation, read_directory

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, PLANAR, FORMAT = 256, 257, 258, 259, 262, 277, 284, 339
STRIPS, STRIP_BYTES, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, JPEG_TABLES = 273, 279, 322, 323, 324, 325, 347
XMP, PROFILE, SUBFILE, SUB_DIRECTORIES, DNG = 700, 34675, 254, 330, 50706
PIECES = frozenset({STRIPS, STRIP_BYTES, TILES, TILE_BYTES})
CODING = {266, 278, 292, 293, 317, 320, 332, 338, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532}
NEEDED = PIECES | CODING | {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, PLANAR, FORMAT,
                            TILE_WIDTH, TILE_HEIGHT, JPEG_TABLES}  # fmt: skip
MAX_PIECES = 100_000
"""Strips or tiles; 25 megapixels in tiles of 16 x 16 have 97,656."""

MAX_VALUES = 3 * 2**16
"""Of any other tag: a colour map of 16 bits, or the tables of a JPEG."""

MAX_CHANNELS = 6
LOSSY = frozenset({6, 7, 33003, 33005, 34712, 34892, 50001})
UNREADABLE = {33003: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000", 34887: "LERC", 34892: "lossy DNG",
              50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL"}  # fmt: skip


def inspect(name: str, data: bytes, limits: Limits) -> Container:
    """Read the first directory.

    Raises:
        ImageDamagedError: a tag that the pixels need is missing or lies beyond the end.
        ImageFormatError: a camera's raw file, or a compression or sample that is not read.
        ImageLimitError: a limit is passed.
    """
    try:
        directory = read_directory(data)
        numbers = {tag: integers(data, directory, tag, MAX_PIECES if tag in PIECES else MAX_VALUES)
                   for tag in NEEDED | {SUBFILE, DNG}}  # fmt: skip
        needed = _needed(data, directory)
    except ValueError as error:
        raise damaged(name, error) from error
    size = (numbers[WIDTH] or (0,))[0], (numbers[HEIGHT] or (0,))[0]
    limits.check_size(name, *size)
    _check_kind(name, data, directory, numbers)
    _check_pieces(name, numbers, size, limits)
    bits = max(numbers[BITS] or (1,))
    white_is_zero = numbers[PHOTOMETRIC][:1] == (0,) and bits > 8

    def open_image() -> ImageFile:
        try:
            image = plugin(TiffImageFile, name, lambda: BytesIO(_rewrite(data, directory, needed)))()
        except ImageDamagedError as error:
            if "unknown pixel mode" not in error.message:
                raise
            raise _unread(name, numbers) from error  # it may be a perfect file of measurements
        return _through_libtiff(image, numbers)

    compression, planar = numbers[COMPRESSION], numbers[PLANAR][:1] == (2,)
    return Container(name, "TIFF", size, open_image, orientation(data, _value(data, directory, XMP)),
                     _value(data, directory, PROFILE), bits, lossy=bool(LOSSY & set(compression)), planar=planar,
                     white_is_zero=white_is_zero)  # fmt: skip


def _needed(data: bytes, directory: Directory) -> list[int]:
    tags = sorted(NEEDED & directory.entries.keys())
    for tag in tags:
        entry = directory.entries[tag]
        if entry.kind not in SIZES or entry.stop > len(data):
            raise ValueError(f"the values of tag {tag} lie beyond its end")
        if entry.kind not in INTEGERS and entry.values > MAX_VALUES:
            raise ValueError(f"tag {tag} has {entry.values} values")
    return tags


def _value(data: bytes, directory: Directory, tag: int) -> bytes:
    entry = directory.entries.get(tag)
    length = entry.stop - entry.start if entry else 0
    return data[entry.start : entry.stop] if entry and 8 < length <= MAX_PROFILE_BYTES else b""


def _check_kind(name: str, data: bytes, directory: Directory, numbers: dict[int, tuple[int, ...]]) -> None:
    preview = numbers[SUBFILE][:1] and numbers[SUBFILE][0] & 1 and SUB_DIRECTORIES in directory.entries
    if DNG in directory.entries or data[8:10] == b"CR" or preview:  # what would open is a preview of another size
        raise ImageFormatError(f"{name} is a camera's raw file.", "Develop it and save it as PNG or JPEG.")
    compression = (numbers[COMPRESSION] or (1,))[0]
    if compression in UNREADABLE:
        raise ImageFormatError(
            f"{name} is a TIFF with {UNREADABLE[compression]} inside, which is not read.",
            "Save it as PNG, or as TIFF with LZW.",
        )
    if (numbers[SAMPLES] or (1,))[0] > MAX_CHANNELS:
        raise _unread(name, numbers)
    if (numbers[FORMAT] or (1,))[0] == 2 and (numbers[BITS] or (1,))[0] == 8:
        raise _unread(name, numbers)  # Pillow would take -1 for 255


def _unread(name: str, numbers: dict[int, tuple[int, ...]]) -> ImageFormatError:
    kind = {2: "signed", 3: "float", 5: "complex", 6: "complex"}.get((numbers[FORMAT] or (1,))[0], "unsigned")
    channels, bits = (numbers[SAMPLES] or (1,))[0], max(numbers[BITS] or (1,))
    return ImageFormatError(
        f"{name} is a TIFF of {channels} channel{'s' * (channels != 1)} of {bits} bits ({kind}), which is not read.",
        "Choose one or three channels, map them to 8 or 16 bits, and save them as PNG.",
    )


def _check_pieces(name: str, numbers: dict[int, tuple[int, ...]], size: tuple[int, int], limits: Limits) -> None:
    width, height = (numbers[TILE_WIDTH] or (0,))[0], (numbers[TILE_HEIGHT] or (0,))[0]
    if width * height > max(limits.max_pixels, 65536):  # a decoder takes the memory of a whole tile
        raise ImageLimitError(f"{name} has tiles of {width} x {height} pixels.", "Save it again in strips.")
    pieces = numbers[TILES] or numbers[STRIPS]
    if not pieces and not numbers[513]:
        raise damaged(name, "it does not say where its pixels are")
    samples = max((numbers[SAMPLES] or (1,))[0], 1)
    most = size[1] * samples
    if numbers[TILES] and width and height:
        most = -(-size[0] // width) * -(-size[1] // height) * samples
    if len(pieces) > most:
        raise damaged(name, f"it has {len(pieces)} pieces for {size[0]} x {size[1]} pixels")


def _rewrite(data: bytes, directory: Directory, tags: list[int]) -> bytes:
    """The same file with a directory of these tags behind it; the values stay where they are."""
    order, big = directory.order, directory.big
    entry, number, offset = ("HHQ", "Q", "Q") if big else ("HHI", "H", "I")
    at = len(data) + (-len(data) % 8)
    table = [struct.pack(order + number, len(tags))]
    for tag in tags:
        found = directory.entries[tag]
        table.append(struct.pack(order + entry, tag, found.kind, found.values) + found.stored)
    head = 8 if big else 4
    return b"".join([data[:head], struct.pack(order + offset, at), data[head + struct.calcsize("<" + offset) :],
                     bytes(at - len(data)), *table, bytes(8)])  # fmt: skip


def _through_libtiff(image: ImageFile, numbers: dict[int, tuple[int, ...]]) -> ImageFile:
    """Have libtiff read what Pillow's own decoder of uncompressed files reads wrongly: YCbCr, and planes of 16 bits."""
    uncompressed = (numbers[COMPRESSION] or (1,))[0] == 1
    planes = (numbers[PLANAR] or (1,))[0] == 2 and max(numbers[BITS] or (1,)) == 16
    if uncompressed and isinstance(image, TiffImageFile) and ((numbers[PHOTOMETRIC] or (0,))[0] == 6 or planes):
        rawmode = f"{image.mode};16N" if planes else "RGBX"
        image.use_load_libtiff = True
        image.tile = [_Tile("libtiff", (0, 0, *image.size), 0, (rawmode, "raw", False, image.tag_v2.offset))]
    return image
