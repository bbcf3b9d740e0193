"""Masks as ids: what a file means by its values, and the refusal of those that mean none."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage

from pipelines.errors import ImageFormatError, ParameterError
from pipelines.images.colour_table import MOST_IDS, Rgb, by_table, is_decoration
from pipelines.images.container import Container, guarded
from pipelines.images.decode import WIDE, unit_floats
from pipelines.images.limits import UPLOAD, Limits
from pipelines.images.samples import load_samples, pixels, upright
from pipelines.images.sniff import inspect
from pipelines.images.soft import is_blended
from pipelines.images.source import Source, read_source

Ids = npt.NDArray[np.integer[Any]]
MOST_COLOURS = 256
VOID = 255
CURE_SOFT = "Write `mask_threshold: 128` into the dataset's dataset.yaml, or save masks of plain ids as PNG."
CURE_PLAIN = "Save the mask as PNG with a palette, or as grey with one value per id."
CURE_COLOUR = "Declare the colour where the classes are declared, or correct the mask."


def load_mask(source: Source, limits: Limits = UPLOAD, threshold: int | None = None,
              colours: Mapping[Rgb, int] | None = None, *, keep_indices: bool = False) -> Ids:  # fmt: skip
    """Read a mask as ids. It is turned as EXIF says, as pictures are; no colour is ever turned into grey.

    ============================  ====================================================================================
    palette, also of a GIF        the index of the palette; its colours and its transparency are not looked at
    1 bit                         0 and 1 (1 is white)
    grey of 2 or 4 bits           the stored number, 0 to 3 or 0 to 15
    grey of 8 or 16 bits          the value, also 255
    32-bit integers               the value, 0 or more
    colour, all three equal       the value, as grey
    colour                        black is 0, the other colours 1, 2, 3 ... in the order of (R, G, B); at most 256. The
                                  numbers are those of this file: another file may number its colours otherwise
    alpha, opaque everywhere      left off
    alpha, 0 or 255               transparent is 0; the colour that is opaque is 1, or several 1, 2, 3 ... as above;
                                  refused where black is one of several, for it could mean either
    lossy, float, soft            refused without a threshold; lossy is JPEG, AVIF, HEIF, and WebP or TIFF so compressed
    CMYK, Lab, 16-bit colour      refused
    ============================  ====================================================================================

    **Soft** is a grey or colour map with blended edges (see :func:`.soft.is_blended`): values that occur only
    in a thin band between a lower and a higher one; or a ramp of more than 16 values in steps of at most 3.
    ``{0, 255}``, ``{0, 1}``, small ids beside 255 for "ignore", and maps of many solid instances are ids.

    **Declared colours.** With a table of colours, a colour mask gives the ids that were declared, and a colour that was
    not is an error; transparent is 0. A palette is taken at its colours in the same way, unless it is decoration (see
    :func:`.colour_table.is_decoration`): VOC's colour map or a ramp of grey under ids that are declared by other
    colours keeps its indices; and where 255 is an id that is declared, index 255 is it. Grey keeps its values, unless
    all declared colours are grey.

    Args:
        source: path, bytes, or a binary file object, read from its start.
        limits: what is accepted.
        threshold: 1 to 255 on the scale of 8 bits, as the data set declares it. Then ids are 1 where the value is at
            least the threshold (16 bits: value / 257; floats: value * 255), for grey, equal colours, floats, and alpha
            over one colour. Palettes and 1-bit masks hold ids already and stay as they are.
        colours: (R, G, B) → id from 0 to 65535, as the data set declares it; not together with a threshold.
        keep_indices: palettes are indices whatever their colours, also where colours are declared.

    Returns:
        ``uint8``, ``uint16`` or ``int32 (H, W)``, as wide as the file's samples.

    Raises:
        ImageFormatError: the file is no picture, or its values are no ids.
        ImageLimitError: a limit is passed, or there are too many colours.
        ImageDamagedError: cut off or corrupt.
        ParameterError: the threshold is not in 1..255, an id is not in 0..65535, or both are given.
    """
    _check_arguments(threshold, colours)
    header = inspect(*read_source(source, limits), limits)
    if header.lossy and threshold is None:
        raise _refused(header, f"is lossy {header.format}: its values are not those that were saved", CURE_SOFT)
    image = upright(load_samples(header), header)
    if image.mode in ("P", "PA"):
        return _palette(image, None if keep_indices else colours, header)
    if image.mode == "1":
        return pixels(image).astype(np.uint8)
    if image.mode == "F":
        return _cut(unit_floats(pixels(image), header), 1.0, threshold, header)
    if image.mode == "L" or image.mode in WIDE:
        values = _grey(_stored(pixels(image), header), _top(image, header), threshold, header)
        is_grey = colours and image.mode == "L" and header.bits == 8 and all(r == g == b for r, g, b in colours)
        return _declared(values.astype(np.intp) * 0x10101, colours, header) if colours and is_grey else values
    if image.mode in ("RGB", "RGBX", "RGBA", "LA") and header.bits <= 8:
        return _colour(image, threshold, header, colours)
    what = "16-bit colour or alpha" if header.bits == 16 else f"{image.mode} samples"
    raise _refused(header, f"holds {what}, which are no ids", CURE_PLAIN)


def _check_arguments(threshold: int | None, colours: Mapping[Rgb, int] | None) -> None:
    if threshold is not None and not 1 <= threshold <= 255:
        raise ParameterError(f"A mask threshold of {threshold} is out of bounds.", "Give 1 to 255.")
    if threshold is not None and colours is not None:
        raise ParameterError("A mask threshold and declared colours exclude each other.", "Give one of them.")
    for colour, id_ in (colours or {}).items():
        if not 0 <= id_ < MOST_IDS or len(colour) != 3 or not all(0 <= value <= 255 for value in colour):
            raise ParameterError(f"The colour {colour} with the id {id_} is out of bounds.",
                                 "Give three values from 0 to 255 and an id from 0 to 65535.")  # fmt: skip


def _palette(image: PILImage.Image, colours: Mapping[Rgb, int] | None, header: Container) -> Ids:
    indices = pixels(image.getchannel("P") if image.mode == "PA" else image)
    if colours is None:
        return indices
    palette = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    void = next((np.array(colour, np.uint8) for colour, id_ in colours.items() if id_ == VOID), None)
    used = np.flatnonzero(np.bincount(indices.ravel(), minlength=256))
    if is_decoration(palette, used if void is None else used[used != VOID], colours):
        return indices
    full = np.zeros((256, 3), np.uint8)
    full[: len(palette)] = palette
    if void is not None:
        full[VOID] = void
    return _declared(_codes(full)[indices], colours, header)


def _declared(codes: npt.NDArray[np.intp], colours: Mapping[Rgb, int], header: Container) -> Ids:
    ids, undeclared = by_table(codes, colours)
    if undeclared is not None:
        raise _refused(header, f"holds the colour {undeclared}, which is not declared", CURE_COLOUR)
    return ids


def _refused(header: Container, what: str, cure: str) -> ImageFormatError:
    return ImageFormatError(f"{header.name} cannot be read as a mask: it {what}.", cure)


def _stored(values: Ids, header: Container) -> Ids:
    if header.bits in (2, 4):  # decoded to 0..255, while the ids are the numbers in the file
        return values // np.uint8(255 // (2**header.bits - 1))
    if values.dtype.itemsize == 4:
        if int(values.min()) < 0:
            raise _refused(header, f"holds values down to {int(values.min())}, expected ids of 0 or more", CURE_PLAIN)
        return values
    if header.white_is_zero:
        values = 65535 - values
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _top(image: PILImage.Image, header: Container) -> int:
    if image.mode == "L":
        return 2**header.bits - 1 if header.bits in (2, 4) else 255
    return 4095 if header.bits == 12 else 65535


def _grey(values: Ids, top: int, threshold: int | None, header: Container) -> Ids:
    if threshold is not None:
        if top == 255 and threshold > 1 and int(values.max()) == 1:
            raise _refused(header, f"holds 0 and 1, all of which a threshold of {threshold} would call background",
                           "Take `mask_threshold` out of dataset.yaml, or save the mask with 0 and 255.")  # fmt: skip
        return _cut(values, top, threshold, header)
    if values.dtype.itemsize < 4 and is_blended(values, top):
        raise _refused(header, "is soft: values occur only along edges, between lower and higher ones", CURE_SOFT)
    return values


def _cut(values: npt.NDArray[Any], top: float, threshold: int | None, header: Container) -> Ids:
    if threshold is None:
        raise _refused(header, "holds float samples, which are no ids", CURE_SOFT)
    if isinstance(top, float):
        return (values * np.float32(255) >= threshold).astype(np.uint8)
    return (values >= -(-threshold * top // 255)).astype(np.uint8)  # value * 255 / top >= threshold, in whole numbers


def _colour(image: PILImage.Image, threshold: int | None, header: Container,
            table: Mapping[Rgb, int] | None) -> Ids:  # fmt: skip
    alpha: npt.NDArray[np.uint8] | None = None
    with guarded(header.name):
        if image.mode in ("RGBA", "LA"):
            alpha = None if image.getextrema()[-1] == (255, 255) else pixels(image.getchannel("A"))
        image = image.convert("RGB")
    colours = pixels(image)
    if table is not None:
        return _by_table(colours, alpha, table, header)
    if alpha is not None:
        return _behind_alpha(colours, alpha, threshold, header)
    if _equal(colours, 3 if header.lossy else 0):  # a lossy codec leaves grey a little coloured
        return _grey(np.ascontiguousarray(colours[..., 1]), 255, threshold, header)
    if threshold is not None:
        raise _refused(header, "is coloured: a threshold needs one value per pixel", CURE_PLAIN)
    ids, _ = _numbered(colours, header)
    if is_blended(ids, None):
        raise _refused(header, "is a colour map with blended edges", CURE_PLAIN)
    return ids


def _by_table(colours: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8] | None, table: Mapping[Rgb, int],
              header: Container) -> Ids:  # fmt: skip
    if alpha is None:
        return np.concatenate([_declared(_codes(band), table, header) for band in _bands(colours)])
    opaque = alpha == 255
    if not (opaque | (alpha == 0)).all():
        raise _refused(header, "has half-transparent pixels", CURE_PLAIN)
    ids = np.zeros(alpha.shape, np.uint16)
    ids[opaque] = _declared(_codes(colours[opaque]), table, header)
    return ids


def _equal(colours: npt.NDArray[np.uint8], tolerance: int) -> bool:
    # By bands: a photograph is told by its first rows.
    return all(int((band.max(axis=2) - band.min(axis=2)).max()) <= tolerance for band in _bands(colours))


def _numbered(colours: npt.NDArray[np.uint8], header: Container, first: int | None = None) -> tuple[Ids, bool]:
    """Colours ``(H, W, 3)`` as numbers in the order of (R, G, B), and whether there is black.

    The lowest number is ``first``, or else 0 for black and 1 for any other colour.
    """
    seen = np.zeros(1 << 24, np.bool_)  # a table is faster than sorting 25 million pixels
    for band in _bands(colours):
        seen[_codes(band)] = True
    found = np.flatnonzero(seen)
    if len(found) > MOST_COLOURS:
        what = f"has {len(found)} colours, more than {MOST_COLOURS}: is it a photograph, or blended at its edges?"
        raise _refused(header, what, CURE_PLAIN)
    first = int(found[0] != 0) if first is None else first
    kind = np.uint8 if first + len(found) <= 256 else np.uint16
    numbers = np.zeros(1 << 24, kind)
    numbers[found] = np.arange(first, first + len(found))
    ids = np.concatenate([numbers[_codes(band)] for band in _bands(colours)])
    return ids, bool(found[0] == 0)


def _bands(colours: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.uint8]]:
    return np.array_split(colours, max(1, colours.size // 2**20)) if len(colours) > 1 else [colours]


def _codes(band: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    codes = band[..., 0].astype(np.intp)  # the type of an index: no other needs converting
    for channel in (1, 2):
        codes <<= 8
        codes |= band[..., channel]
    return codes


def _behind_alpha(colours: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8], threshold: int | None,
                  header: Container) -> Ids:  # fmt: skip
    opaque = alpha == 255
    if not opaque.all() and not (opaque | (alpha == 0)).all():
        visible = colours[alpha > 0]
        if threshold is None or not (visible == visible[0]).all():
            raise _refused(header, "has half-transparent pixels", CURE_SOFT if threshold is None else CURE_PLAIN)
        return _cut(alpha, 255, threshold, header)
    if not opaque.any():
        if colours.any():  # colours under full transparency: a broken export, or an empty mask?
            raise _refused(header, "is transparent everywhere and yet holds colours", "Save the mask without alpha.")
        return np.zeros(alpha.shape, np.uint8)
    numbers, black = _numbered(colours[opaque][:, None], header, 1)
    if black and int(numbers.max()) > 1:
        raise _refused(header, "has both black and transparent pixels: either could be the background",
                       "Save the mask without alpha.")  # fmt: skip
    ids = np.zeros(alpha.shape, numbers.dtype)
    ids[opaque] = numbers[:, 0]
    return ids
