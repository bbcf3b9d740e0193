"""What a picture looks like, in some 1.5 kB of text, so that copies of it are known again."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.errors import ParameterError
from pipelines.types import Image

SIDE = 32
VERSION = "1"
_REDUCED = 64

Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What is kept of a picture.

    Attributes:
        sha256: of its bytes.
        size: ``(H, W)``.
        bits: pHash and dHash, ``uint64 (2,)``.
        grey: the picture in 32 x 32 grey values, ``uint8 (32, 32)``.
    """

    sha256: str
    size: tuple[int, int]
    bits: npt.NDArray[np.uint64]
    grey: Grey

    def to_text(self) -> str:
        """All of it but the hash of the bytes, as one word; `from_text` reads it."""
        height, width = self.size
        phash, dhash = (f"{int(one):016x}" for one in self.bits)
        return f"{VERSION}:{width}x{height}:{phash}:{dhash}:{base64.b64encode(self.grey.tobytes()).decode()}"


def fingerprint(image: Image, sha256: str = "") -> Fingerprint:
    """What is kept of a picture: pHash and dHash as imagehash computes them, and a small grey copy.

    A copy that was made smaller or larger, encoded again, made brighter or cut a little at its sides has nearly the
    same one. Colours are not looked at, and a copy that is mirrored or turned is another picture.

    Args:
        image: ``uint8 (H, W, 3)``.
        sha256: of its bytes.
    """
    import imagehash
    from PIL import Image as Pillow

    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    reduced = _resized(grey, _REDUCED)
    hashes = (hash_of(Pillow.fromarray(reduced)).hash for hash_of in (imagehash.phash, imagehash.dhash))
    bits = np.array([_as_number(one) for one in hashes], np.uint64)
    return Fingerprint(sha256, (image.shape[0], image.shape[1]), bits, _resized(reduced, SIDE))


def _resized(grey: Grey, side: int) -> Grey:
    """Means over areas; what is smaller is brought up smoothly, as a copy that somebody enlarged would be."""
    height, width = grey.shape
    wide, high = max(width, side), max(height, side)
    if (wide, high) != (width, height):
        grey = np.asarray(cv2.resize(grey, (wide, high), interpolation=cv2.INTER_LINEAR), np.uint8)
    return np.asarray(cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _as_number(bits: npt.NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(bits.ravel()).tobytes(), "big")


def from_text(text: str, sha256: str) -> Fingerprint:
    """Read what `Fingerprint.to_text` wrote.

    Raises:
        ParameterError: it is not of this version.
    """
    try:
        version, size, *bits, grey = text.split(":")
        width, height = (int(side) for side in size.split("x"))
        small = np.frombuffer(base64.b64decode(grey, validate=True), np.uint8).reshape(SIDE, SIDE)
        hashes = np.array([int(one, 16) for one in bits], np.uint64)
        if version != VERSION or hashes.shape != (2,) or min(width, height) < 1:
            raise ValueError(version)
    except (ValueError, OverflowError, binascii.Error) as error:
        raise ParameterError(f"{text[:20]!r}... is not a fingerprint that this version reads.",
                             "Tune again, and save with replace.") from error  # fmt: skip
    return Fingerprint(sha256, (height, width), hashes, small)
