"""Files that are given out: each in a folder of its own with a name that nobody guesses."""

from __future__ import annotations

import errno
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import cv2

from benchmarks.soft_maps import QUICK
from pipelines.errors import ResourceError
from pipelines.types import Image

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
FULL = ("The disk of this app is full, so this could not be kept.", "Try again in some minutes.")
LONGEST_SIDE = 1600
"""Of a picture on the screen, in pixels; downloads have the size of the picture."""


class Shelf:
    """Writes files where the app may give them out from. A janitor removes them.

    Args:
        folder: of temporary files.
        room: makes room there for so many bytes of a file, for as long as it is entered.
        most_mb: of one file, in 10**6 bytes, so that the janitor need not take it away at once.
    """

    def __init__(self, folder: Path, room: Callable[[int, Path], AbstractContextManager[None]] | None = None,
                 most_mb: float = 150.0) -> None:  # fmt: skip
        self.folder, self.room, self.most_mb = folder, room or (lambda size, path: nullcontext()), most_mb

    @contextmanager
    def writing(self, name: str, size: int) -> Iterator[Path]:
        """Where a new file may be written; of one that could not be nothing stays.

        Args:
            name: that it is saved under; letters, digits, ``_``, ``-`` and points.
            size: of it in bytes, or more.

        Raises:
            ResourceError: the disk is full, or too much is being written at this moment.
        """
        folder = self.folder / secrets.token_hex(16)
        with self.room(size, folder / name):
            try:
                folder.mkdir(parents=True)
                yield folder / name
            except BaseException as error:
                shutil.rmtree(folder, ignore_errors=True)
                if isinstance(error, OSError) and error.errno in NO_SPACE:
                    raise ResourceError(*FULL) from error
                raise

    def put(self, name: str, data: bytes) -> str:
        """Path of a new file.

        Args:
            name: as for `writing`.
            data: its bytes.

        Raises:
            ResourceError: as for `writing`; or it is too large to be given out.
        """
        if len(data) > self.most_mb * 1e6:
            raise ResourceError(
                f"The file would have {len(data) / 1e6:.0f} MB, and {self.most_mb:g} MB is the most here.",
                "Take another file, or a smaller picture.",
            )
        with self.writing(name, len(data)) as path:
            path.write_bytes(data)
        return str(path)

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
