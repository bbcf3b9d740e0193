"""Pictures that tell whose they are: a number as bright and dark fields, which every rendering of them still shows."""

from __future__ import annotations

import io
import zipfile

import cv2
import numpy as np
import numpy.typing as npt

ROWS, COLUMNS, FIELD, BITS = 5, 10, 16, 24  # bytes of a photo would only take time
DARK, BRIGHT, PAPER = 30, 230, 30
Pixels = npt.NDArray[np.uint8]


class MixedUpError(AssertionError):
    """Somebody was shown what is another's."""


def bits(number: int) -> list[bool]:
    """A leading one, the number, and all of it the other way round."""
    half = [True, *(bool(number >> place & 1) for place in range(BITS))]
    return half + [not one for one in half]


def marked(number: int) -> Pixels:
    """The picture of a number, ``uint8 (H, W, 3)``."""
    fields = np.array(bits(number)).reshape(ROWS, COLUMNS)
    grey = np.where(np.kron(fields, np.ones((FIELD, FIELD))) > 0, BRIGHT, DARK).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def encoded(number: int) -> bytes:
    """The same as PNG."""
    return bytes(cv2.imencode(".png", marked(number))[1])


def number_in(picture: Pixels) -> int:
    """The number that a rendering shows, bright or inverted.

    Raises:
        MixedUpError: it shows none.
    """
    grey = picture if picture.ndim == 2 else picture[..., :3].mean(axis=2)
    fields = grey.reshape(ROWS, FIELD, COLUMNS, FIELD)[:, 4:-4, :, 4:-4].mean(axis=(1, 3)).ravel()
    found = fields > (fields.max() + fields.min()) / 2
    half = found[: BITS + 1] if found[0] else ~found[: BITS + 1]
    if (found[: BITS + 1] == found[BITS + 1 :]).any():
        raise MixedUpError("a picture shows no number")
    return sum(1 << place for place in range(BITS) if half[1 + place])


def decoded(data: bytes) -> Pixels:
    """Pixels of a PNG."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise MixedUpError("what came is no picture")
    return np.asarray(found, np.uint8)


def check_rendering(data: bytes, number: int) -> None:
    """Make sure that a picture on the screen is of a number."""
    found = number_in(decoded(data))
    if found != number:
        raise MixedUpError(f"{number} was shown {found}")


def check_mask(data: bytes, number: int) -> None:
    """Make sure that a mask is that of the bright fields of a number, pixel by pixel."""
    if not np.array_equal(decoded(data) > 0, marked(number)[..., 0] == BRIGHT):
        raise MixedUpError(f"{number} got another mask")


def check_picture(data: bytes, number: int) -> None:
    """Make sure that a picture is that of a number, pixel by pixel."""
    if not np.array_equal(decoded(data), marked(number)):
        raise MixedUpError(f"{number} got another picture")


def check_zip(data: bytes, number: int) -> None:
    """Make sure that all pictures and the mask of `acting` in a ZIP are of a number."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        for name in names:
            if name.endswith("picture.png"):
                check_picture(archive.read(name), number)
            if "acting" in name and name.endswith("/mask.png"):
                check_mask(archive.read(name), number)
        if not any(name.endswith("mask.png") for name in names):
            raise MixedUpError(f"{number} got a ZIP without a mask: {names}")
