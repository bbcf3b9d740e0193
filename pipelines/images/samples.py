"""Decoding to samples: the loaded Pillow image, its pixels as an array, 16 bits in full, and the EXIF turn."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage
from PIL.Image import Transpose

from pipelines.images.container import Container, damaged, guarded

BAND_ROWS = 256
TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM, 5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90,
}  # fmt: skip
OTHER_END = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}


def load_samples(header: Container, swapped: bool = False) -> PILImage.Image:
    """Decode the first frame.

    Args:
        header: from ``inspect``.
        swapped: read 16-bit colour with its bytes exchanged: Pillow, which keeps the high byte, then gives the low one.

    Raises:
        ImageDamagedError: it cannot be decoded, or has another size than its header says.
    """
    image = header.open()
    with guarded(header.name):
        if image.size != header.size:
            raise damaged(header.name, f"it says {header.size} and then {image.size}")
        if swapped:
            image.tile = [tile._replace(args=_swap(tile.args)) for tile in image.tile]
        image.load()
        vars(image).pop("_decoder", None)  # that of WebP keeps two more pictures in memory
    if image.size != header.size:
        raise damaged(header.name, f"it says {header.size} and decodes to {image.size}")
    if header.verify and not np.asarray(image.crop((0, image.height - 1, *image.size))).any():
        header.verify()
    return image


def upright(image: PILImage.Image, header: Container) -> PILImage.Image:
    """The picture turned as EXIF says."""
    turn = TURNS.get(header.orientation)
    return image if turn is None else image.transpose(turn)


def upright_array(values: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """The array ``(H, W, C)`` turned as EXIF says, contiguous."""
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)


def pixels(image: PILImage.Image) -> npt.NDArray[Any]:
    """The samples as an array of one's own, ``(H, W)`` or ``(H, W, C)``.

    ``np.asarray(image)`` collects the bytes twice and gives a read-only array; by bands it takes half the time and
    half the memory.
    """
    if image.height <= BAND_ROWS:
        return np.array(image)
    first = np.asarray(image.crop((0, 0, image.width, BAND_ROWS)))
    out = np.empty((image.height, *first.shape[1:]), first.dtype)
    for row in range(0, image.height, BAND_ROWS):
        stop = min(row + BAND_ROWS, image.height)
        out[row:stop] = np.asarray(image.crop((0, row, image.width, stop)))
    return out


def reads_twice(header: Container) -> bool:
    """Whether this is 16-bit colour of which Pillow keeps the high bytes and can be made to give the low ones too.

    Not so with premultiplied alpha, nor with planes; the high bytes then have to do, which are at most 1 off.
    """
    rawmode = _rawmode(header)
    return ";16" in rawmode and "a" not in rawmode and not header.planar


def round_sixteen(
    high: npt.NDArray[np.uint8], header: Container
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_] | None]:
    """Colour of 16 bits, rounded from all of them, in the place of its high bytes.

    Args:
        high: ``(H, W, C)``, overwritten.
        header: of the file, which is decoded a second time.

    Returns:
        The samples ``(H, W, C)``, C = 2 for grey with alpha; and where they equal the transparent colour,
        ``(H, W)``, or None.
    """
    low = load_samples(header, swapped=True)
    grey_alpha = _rawmode(header) == "LA;16B"
    out = np.empty((*high.shape[:2], 2), np.uint8) if grey_alpha else high
    hidden = None if header.key is None else np.zeros(high.shape[:2], np.bool_)
    for row in range(0, low.height, BAND_ROWS):
        rows = slice(row, min(row + BAND_ROWS, low.height))
        band = np.asarray(low.crop((0, rows.start, low.width, rows.stop))).astype(np.uint16)
        # Grey with alpha is four bytes, and was read as such; else the bytes come from two readings.
        values = band[..., [0, 2]] << 8 | band[..., [1, 3]] if grey_alpha else high[rows].astype(np.uint16) << 8 | band
        out[rows] = to_eight_bits(values.astype(np.uint16, copy=False))
        if hidden is not None:
            hidden[rows] = equal(values, header.key or ())
    return out, hidden


def to_eight_bits(values: npt.NDArray[np.uint16], bits: int = 16) -> npt.NDArray[np.uint8]:
    """``round(v * 255 / (2**bits - 1))``; for 16 bits that is ``round(v / 257)``. In bands, for memory."""
    out = np.empty(values.shape, np.uint8)
    for row in range(0, len(values), BAND_ROWS):
        band = values[row : row + BAND_ROWS].astype(np.uint32) * 255
        # For 16 bits a shift in place of the division: the same for all 65536 values, and several times as fast.
        out[row : row + BAND_ROWS] = (band + 2047) // 4095 if bits == 12 else (band + 32895) >> 16
    return out


def equal(values: npt.NDArray[Any], key: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Where the samples ``(H, W)`` or ``(H, W, C)`` are those of the key, ``(H, W)``."""
    planes = values[..., None] if values.ndim == 2 else values
    out = np.ones(planes.shape[:2], np.bool_)
    for channel, value in enumerate(key):
        out &= planes[..., channel] == value
    return out


def _rawmode(header: Container) -> str:
    with guarded(header.name):
        args = header.open().tile[0].args
    return args if isinstance(args, str) else str(args[0]) if args else ""


def _swap(args: Any) -> Any:
    rawmode, rest = (args, None) if isinstance(args, str) else (args[0], args[1:])
    swapped = "RGBA" if rawmode == "LA;16B" else rawmode[:-1] + OTHER_END[rawmode[-1]]
    return swapped if rest is None else (swapped, *rest)
