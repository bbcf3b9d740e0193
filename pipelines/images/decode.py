"""Pictures as upright 8-bit RGB: the rules for depth, alpha, colour and orientation."""

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage

from pipelines.errors import ImageFormatError
from pipelines.images.colour import is_srgb, to_srgb
from pipelines.images.container import Container, damaged, guarded
from pipelines.images.limits import UPLOAD, Limits
from pipelines.images.samples import (
    BAND_ROWS,
    equal,
    load_samples,
    pixels,
    reads_twice,
    round_sixteen,
    to_eight_bits,
    upright,
    upright_array,
)
from pipelines.images.sniff import inspect
from pipelines.images.source import Source, read_source
from pipelines.types import Image

WIDE = ("I", "I;16", "I;16L", "I;16B", "I;16N")
EIGHT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB")


def load_image(source: Source, limits: Limits = UPLOAD) -> Image:
    """Read a picture.

    - Orientation: turned as EXIF (or else XMP) says, once. First frame of an animation; first picture of an MPO.
    - Alpha, a transparent palette entry or a transparent colour: laid on white,
      ``round((a * c + (255 - a) * 255) / 255)``.
    - 16 bits, grey or colour: ``round(v / 257)``, which is exact at both ends and has no ties. A TIFF that declares 12
      bits: ``round(v * 255 / 4095)``. 12-bit values in a 16-bit file are 16-bit values, and therefore dark.
      In a TIFF with premultiplied alpha or with planes, colour keeps its high byte instead, at most 1 off.
    - 32-bit integers: 0 to 65535 as 16 bits, else refused. Floats: 0 to 1, ``round(v * 255)``, else refused.
      Nothing is ever stretched to its own minimum and maximum, and nothing is clipped.
    - Colour: an ICC profile is applied (8 bits, perceptual intent) and brings RGB, grey, CMYK and Lab to sRGB; one that
      is broken, larger than 4 MiB or of another colour space is left aside. PNG's gAMA and cHRM are not read.

    Args:
        source: path, bytes, or a binary file object, read from its start.
        limits: ``UPLOAD`` (strict) unless told otherwise; ``OWN_FOLDER`` for a person's own files.

    Returns:
        ``uint8 (H, W, 3)`` RGB, contiguous, writable, owned by the caller.

    Raises:
        ImageFormatError: not a picture, a format that is not accepted, or samples without an agreed brightness.
        ImageLimitError: too many pixels or bytes, a side too long; found in the header, before decoding.
        ImageDamagedError: cut off or corrupt.
    """
    return decoded(inspect(*read_source(source, limits), limits))


def decoded(header: Container) -> Image:
    """The picture of a file whose header was read, as `load_image` gives it.

    Args:
        header: from ``inspect``.

    Raises:
        ImageError: as ``load_image``.
    """
    if header.rgb and (not header.profile or is_srgb(header.profile, "RGB")) and (quick := header.rgb()) is not None:
        return upright_array(quick, header.orientation)
    image, alpha = _eight_bits(header)
    return _rgb(upright(image, header), alpha and upright(alpha, header), header)


def image_size(source: Source, limits: Limits = UPLOAD) -> tuple[int, int]:
    """``(H, W)`` that ``load_image`` and ``load_mask`` would give, from the header alone.

    Args:
        source: path, bytes, or a binary file object, read from its start.
        limits: what is accepted.

    Raises:
        ImageError: as ``load_image``, as far as the header shows it.
    """
    header = inspect(*read_source(source, limits), limits)
    width, height = header.size
    return (width, height) if header.orientation >= 5 else (height, width)


def _eight_bits(header: Container) -> tuple[PILImage.Image, PILImage.Image | None]:
    """The picture at 8 bits, and the alpha that a transparent colour makes."""
    image = load_samples(header)
    if image.mode == "F":
        return PILImage.fromarray(_from_float(pixels(image), header)), None
    if image.mode in WIDE:
        values = wide_values(pixels(image), header)
        return PILImage.fromarray(to_eight_bits(values, header.bits)), _key_alpha(values, header)
    if image.mode not in EIGHT:
        raise ImageFormatError(f"{header.name} holds {image.mode} samples, which are not read.", "Save it as PNG.")
    if header.bits == 16 and reads_twice(header):
        mode, high = image.mode, pixels(image)
        del image  # its memory is needed for the second reading
        samples, hidden = round_sixteen(high, header)
        return as_image(samples, mode), None if hidden is None else _alpha(hidden)
    return image, _key_alpha(pixels(image), header) if header.key else None


def as_image(samples: npt.NDArray[np.uint8], mode: str) -> PILImage.Image:
    """A Pillow image over samples ``(H, W, C)``; two channels are grey and alpha."""
    mode = "LA" if samples.shape[2] == 2 else mode
    return PILImage.frombuffer(mode, samples.shape[1::-1], samples, "raw", mode, 0, 1)


def _from_float(values: npt.NDArray[np.float32], header: Container) -> npt.NDArray[np.uint8]:
    scaled: npt.NDArray[np.float32] = unit_floats(values, header) * np.float32(255)
    return np.rint(scaled).astype(np.uint8)


def unit_floats(values: npt.NDArray[np.float32], header: Container) -> npt.NDArray[np.float32]:
    """Float samples, checked.

    Raises:
        ImageFormatError: one is not in 0..1, or is no number.
    """
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):  # also false where there is a NaN
        raise ImageFormatError(
            f"{header.name} holds float samples from {low:g} to {high:g}, expected 0 to 1: no brightness is agreed.",
            "Map the tones yourself and save it as PNG, or divide by the value of white.",
        )
    return np.float32(1) - values if header.white_is_zero else values


def wide_values(values: npt.NDArray[np.integer], header: Container) -> npt.NDArray[np.uint16]:
    """16- or 32-bit integer samples, checked, as 16 bits.

    Raises:
        ImageFormatError: one is below 0 or above 65535.
    """
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ImageFormatError(
            f"{header.name} holds samples from {low} to {high}, expected 0 to 65535: no brightness is agreed.",
            "Map the tones yourself and save it as PNG with 8 or 16 bits.",
        )
    small = values.astype(np.uint16, copy=False)
    return 65535 - small if header.white_is_zero else small


def _key_alpha(values: npt.NDArray[np.integer], header: Container) -> PILImage.Image | None:
    if header.key is None:
        return None
    # Grey of 1, 2 or 4 bits is decoded to the whole range; its key is as stored.
    scale = 255 // (2**header.bits - 1) if header.bits < 8 else 1
    if values.dtype == np.bool_:
        scale = 1
    return _alpha(equal(values, [value * scale for value in header.key]))


def _alpha(hidden: npt.NDArray[np.bool_]) -> PILImage.Image:
    return PILImage.fromarray(np.where(hidden, np.uint8(0), np.uint8(255)))


def _rgb(image: PILImage.Image, alpha: PILImage.Image | None, header: Container) -> Image:
    with guarded(header.name):
        if image.mode in ("P", "PA"):
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        if image.mode in ("LA", "RGBA"):
            alpha = image.getchannel("A")
        if image.mode in ("1", "LA"):
            image = image.convert("L")
        elif image.mode in ("RGBA", "RGBX"):
            image = image.convert("RGB")  # leaves the alpha off, and composites nothing
        image = to_srgb(image, header.profile, header.name)
    out = pixels(image)
    if alpha is not None and alpha.getextrema() != (255, 255):
        _lay_on_white(out, alpha)
    if out.shape != (image.height, image.width, 3):
        raise damaged(header.name, f"it decodes to {out.shape}")
    return out


def _lay_on_white(out: Image, alpha: PILImage.Image) -> None:
    opacity = pixels(alpha)[..., None].astype(np.uint16)
    for row in range(0, len(out), BAND_ROWS):  # in bands: 16 bits for the whole picture would take twice its memory
        a, c = opacity[row : row + BAND_ROWS], out[row : row + BAND_ROWS]
        # With x = a * c + (255 - a) * 255 and y = x + 128, round(x / 255) is (y + (y >> 8)) >> 8: 16 bits do.
        y = a * c + (255 - a) * np.uint16(255) + np.uint16(128)
        c[:] = (y + (y >> 8)) >> 8
