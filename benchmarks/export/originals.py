"""The pictures of an export: the original bytes where every program sees the same, and a plain PNG elsewhere."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.datasets import Sample
from benchmarks.export.staging import Staging
from pipelines.errors import ImageError

SUFFIXES = {"PNG": ".png", "JPEG": ".jpg"}


class Originals:
    """Puts each picture into the formats that hold pictures: written once, linked from there on."""

    def __init__(self) -> None:
        self._sample: Sample | None = None
        self._path = Path()

    def put(self, sample: Sample, name: str, staging: Staging, folder: str) -> str:
        """Write the picture of a sample below a folder.

        Args:
            sample: whose picture; those of one sample are to follow each other.
            name: path below the folder, without extension.
            staging: of the format.
            folder: such as ``images``.

        Returns:
            The path below the folder, with extension.
        """
        if self._sample is not sample:
            data, suffix = picture(sample)
            self._path, self._sample = staging.write(f"{folder}/{name}{suffix}", data), sample
        else:
            staging.link(f"{folder}/{name}{self._path.suffix}", self._path)
        return name + self._path.suffix


def picture(sample: Sample) -> tuple[bytes, str]:
    """The bytes of a picture and their extension: of the file as it is, or of a PNG of what was predicted on."""
    if sample.path is not None:
        data = sample.path.read_bytes()
        if suffix := _plain(sample, data):
            return data, suffix
    return png(sample.image), ".png"


def _plain(sample: Sample, data: bytes) -> str | None:
    """The extension of a PNG or JPEG in which every reader sees what our loader sees, or None.

    That is opaque grey or RGB of 8 bits, upright, in sRGB: CMYK, alpha, palettes and profiles are shown differently.
    """
    from pipelines.images.limits import OWN_FOLDER
    from pipelines.images.sniff import inspect

    try:
        header = inspect("The picture", data, OWN_FOLDER)
        upright = header.orientation == 1 and header.size == sample.size[::-1]
        if header.format not in SUFFIXES or not upright or header.bits != 8:
            return None
        with header.open() as image:
            opaque = image.mode in ("L", "RGB") and header.key is None and "transparency" not in image.info
            usual = opaque and (not header.profile or _is_srgb(header.profile, image.mode))
        return SUFFIXES[header.format] if usual else None
    except ImageError:  # a path that holds more than the picture, as an archive does
        return None


def _is_srgb(profile: bytes, mode: str) -> bool:
    from PIL.ImageCms import PyCMSError

    from pipelines.images.colour import is_srgb

    try:
        return is_srgb(profile, mode)
    except (PyCMSError, OSError, ValueError):  # broken: some readers take it, some leave it
        return False


def png(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> bytes:
    """Grey ``(H, W)``, RGB ``(H, W, 3)`` or RGBA ``(H, W, 4)`` as the bytes of a PNG of 8 or 16 bits."""
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)  # type: ignore[assignment]
    _, data = cv2.imencode(".png", pixels)
    return data.tobytes()
