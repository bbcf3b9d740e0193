"""What the header of a file says, and the guard through which Pillow is called."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage
from PIL.ImageFile import ImageFile

from pipelines.errors import ImageDamagedError, ImageLimitError, ResourceError, WorkbenchError

CURE_DAMAGED = "Copy or export the file again."
MAX_PARTS = 200_000
"""Chunks or tags in one file: they are walked in Python, and a file of 20 MiB could hold millions of empty ones."""


@dataclass(frozen=True)
class Container:
    """A file whose header was read and found within the limits; nothing is decoded yet.

    Attributes:
        name: for messages, quoted.
        format: such as PNG.
        size: ``(width, height)`` as stored, before the EXIF turn.
        open: makes an undecoded Pillow image; each call a new one.
        orientation: EXIF, 1 to 8.
        profile: ICC profile, or nothing.
        bits: per sample, as stored.
        key: the grey or colour that is transparent, at the stored depth (PNG).
        lossy: the stored values are not those that were saved.
        planar: a TIFF that holds each channel apart; of 16 bits Pillow gives the high byte alone.
        white_is_zero: a 16-bit or float TIFF that counts from white.
        rgb: decodes to the RGB array that `open` gives, faster, or answers None; None where there is no such way.
        verify: raises where there are too few pixels and the decoder says nothing; called if the last row is all zero.
    """

    name: str
    format: str
    size: tuple[int, int]
    open: Callable[[], ImageFile]
    orientation: int = 1
    profile: bytes = b""
    bits: int = 8
    key: tuple[int, ...] | None = None
    lossy: bool = False
    planar: bool = False
    white_is_zero: bool = False
    rgb: Callable[[], npt.NDArray[np.uint8] | None] | None = None
    verify: Callable[[], None] | None = None


def damaged(name: str, reason: object) -> ImageDamagedError:
    """The refusal of a file that breaks off or contradicts itself."""
    words = str(reason).strip().rstrip(".") or "it cannot be decoded"
    if words == "not identified by this driver":  # as Pillow says it
        words = "its header gives no size or no kind of pixels"
    return ImageDamagedError(f"{name} is damaged: {words}.", CURE_DAMAGED)


def check_parts(name: str, count: int, most: int = MAX_PARTS) -> None:
    """Refuse a file of endless parts.

    Raises:
        ImageLimitError: there are more than ``most``.
    """
    if count > most:
        raise ImageLimitError(f"{name} consists of more than {most} parts.", "Save it again.")


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Turn whatever Pillow and its codecs raise into an error that names the file and the cure.

    Raises:
        ImageDamagedError: the file cannot be decoded.
        ImageLimitError: Pillow's own limit on pixels is passed.
        ResourceError: there is not enough memory.
    """
    try:
        yield
    except WorkbenchError:
        raise
    except MemoryError as error:
        raise ResourceError(f"There is not enough memory to decode {name}.", "Scale it down.") from error
    except (PILImage.DecompressionBombError, PILImage.DecompressionBombWarning) as error:
        raise ImageLimitError(f"{name} has too many pixels: {error}", "Scale it down or cut it into tiles.") from error
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error and more
        raise damaged(name, error or type(error).__name__) from error


def plugin(kind: Callable[..., ImageFile], name: str, source: Callable[[], object]) -> Callable[[], ImageFile]:
    """An opener that calls one decoder of Pillow.

    ``Image.open`` is passed by: it tries every plug-in on the list, and it warns about pixels through global state.
    """

    def open_image() -> ImageFile:
        with guarded(name):
            return kind(source())

    return open_image
