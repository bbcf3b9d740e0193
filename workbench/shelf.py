"""Files that are given out: each in a folder of its own with a name that nobody guesses."""

from __future__ import annotations

import secrets
from pathlib import Path

import cv2

from benchmarks.soft_maps import QUICK
from pipelines.types import Image

LONGEST_SIDE = 1600
"""Of a picture on the screen, in pixels; downloads have the size of the picture."""


class Shelf:
    """Writes files where the app may give them out from. A janitor removes them.

    Args:
        folder: of temporary files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, data: bytes) -> str:
        """Path of a new file.

        Args:
            name: that it is saved under; letters, digits, ``_``, ``-`` and points.
            data: its bytes.
        """
        folder = self.folder / secrets.token_hex(16)
        folder.mkdir(parents=True)
        (folder / name).write_bytes(data)
        return str(folder / name)

    def show(self, name: str, picture: Image) -> str:
        """Path of a picture for the screen, PNG, not larger than a screen needs.

        Args:
            name: without its end.
            picture: ``uint8 (H, W, 3)`` RGB.
        """
        data = cv2.imencode(".png", cv2.cvtColor(fitted(picture), cv2.COLOR_RGB2BGR), QUICK)[1].tobytes()
        return self.put(f"{name}.png", data)


def fitted(picture: Image) -> Image:
    """The picture, or a smaller one where it is larger than a screen needs."""
    share = scale(picture)
    if share == 1:
        return picture
    size = max(1, round(picture.shape[1] * share)), max(1, round(picture.shape[0] * share))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(picture.dtype, copy=False)


def scale(picture: Image) -> float:
    """Pixels on the screen by pixels of the picture, at most 1."""
    return min(1.0, LONGEST_SIDE / int(max(picture.shape[:2])))
