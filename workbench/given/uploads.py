"""A picture or mask that a visitor gave: a file in the folder of uploads, or base64; nothing else is ever opened."""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from benchmarks.datasets.dataset import RefusedError
from benchmarks.datasets.paths import inside
from benchmarks.datasets.sample import FOREGROUND, Truth, truth_of_ids
from pipelines.errors import ImageDamagedError, ImageFormatError, ImageLimitError
from pipelines.images import UPLOAD
from pipelines.images.masks import CURE_SOFT
from pipelines.images.source import read_source
from pipelines.types import Image
from workbench.given.decoding import decoders

_DATA = re.compile(r"data:image/[a-z0-9.+-]{1,40};base64,", re.IGNORECASE)
_CURE_MASK = "Save it as PNG with 0 and 255 alone, or say at which grey to cut it."
_AGAIN = "Upload the picture again."
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # not to wait for a pipe that nobody writes to


def open_upload(path: str | os.PathLike[str], folder: Path) -> Image:
    """The picture that a visitor uploaded.

    Args:
        path: as the app names it: below `folder`, absolute or relative to it. One that goes through a link or ``..``
            is refused even where it would end inside.
        folder: of uploads.

    Returns:
        ``uint8 (H, W, 3)`` RGB, upright.

    Raises:
        ImageFormatError: the path is not that of an upload, or its file is no picture of a format that is read.
        ImageLimitError: too many pixels or bytes.
        ImageDamagedError: cut off or corrupt.
    """
    with opened(path, folder) as file:
        _, data = read_source(file, UPLOAD)
    return decoders().image(data)


def open_mask(path: str | os.PathLike[str], folder: Path, size: tuple[int, int], threshold: int | None = None) -> Truth:
    """The ground truth that a visitor uploaded: every id above 0 is foreground, and 255 beside other ids is ignored.

    Args:
        path: as for `open_upload`.
        folder: of uploads.
        size: ``(H, W)`` of the picture that it belongs to; a mask is never scaled.
        threshold: 1 to 255, where a soft or lossy mask is to be cut; see `pipelines.images.load_mask`.

    Returns:
        Masks ``bool (H, W)`` under the one label "foreground", and what to ignore.

    Raises:
        ImageFormatError: as for `open_upload`; or its values are no ids, or its size is not that of the picture.
        ImageLimitError: too many pixels or bytes.
        ImageDamagedError: cut off or corrupt.
        ParameterError: the threshold is not in 1..255.
    """
    with opened(path, folder) as file:
        _, data = read_source(file, UPLOAD)
    with _without_dataset():
        ids = decoders().mask(data, threshold)
    if ids.shape != size:
        raise ImageFormatError(
            f"The mask is {ids.shape[1]} x {ids.shape[0]} pixels, and the picture {size[1]} x {size[0]}.",
            "Give the mask of this picture, in its own size.",
        )
    return truth_of_ids({FOREGROUND: ids})


def from_base64(text: str) -> Image:
    """The picture in a base64 text, with or without ``data:image/...;base64,`` before it.

    Raises:
        ImageDamagedError: it is not base64, or its picture is cut off or corrupt.
        ImageFormatError: it is no picture of a format that is read.
        ImageLimitError: too many pixels or bytes.
    """
    most = UPLOAD.max_bytes * 4 // 3
    if len(text) > most + most // 16:  # with room for ends of lines
        raise ImageLimitError(f"The base64 text has {len(text)} characters; at most {most} are read.",
                              "Save the picture smaller, for example as JPEG.")  # fmt: skip
    head = _DATA.match(text)
    try:
        data = base64.b64decode("".join(text[head.end() if head else 0 :].split()), validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError: signs beyond ASCII
        raise ImageDamagedError("The text is not base64.", "Send the bytes of a picture file as base64.") from error
    return open_bytes(data)


def open_bytes(data: bytes) -> Image:
    """The picture in the bytes of a file that a stranger sent.

    Raises:
        ImageError: it is refused.
        ResourceError: decoding it took too long or too much memory.
    """
    _, whole = read_source(data, UPLOAD)
    return decoders().image(whole)


@contextmanager
def opened(path: str | os.PathLike[str], folder: Path) -> Iterator[BinaryIO]:
    """The file of an upload. Each step of the way is opened from the one before and no link is followed.

    A path that was checked and opened afterwards could have been exchanged for a link between the two.

    Args:
        path: as for `open_upload`.
        folder: of uploads.

    Raises:
        ImageFormatError: the path is not that of an upload.
    """
    with ExitStack() as stack:
        try:
            parts = _below(path, folder)
            here = os.open(folder, _FOLDER)
            for part in parts[:-1]:
                stack.callback(os.close, here)
                here = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
            stack.callback(os.close, here)
            last = os.open(parts[-1], _FILE, dir_fd=here)
            stack.callback(os.close, last)
        except (OSError, ValueError, RefusedError) as error:
            raise _refused() from error
        if not stat.S_ISREG(os.fstat(last).st_mode):
            raise _refused()
        yield stack.enter_context(os.fdopen(last, "rb", closefd=False))


def _below(path: str | os.PathLike[str], folder: Path) -> tuple[str, ...]:
    """The steps from the folder to an upload, by the rules for paths that a dataset names.

    Raises:
        RefusedError: a rule is broken, or there is no such file.
        ValueError: the path is another folder's.
    """
    written = PurePosixPath(os.fspath(path))
    home = folder.resolve(strict=True)
    if written.is_absolute():
        base = next((base for base in (folder.absolute(), home) if written.is_relative_to(base)), home)
        written = written.relative_to(base)
    elif str(written) != os.fspath(path):  # "./a.png", "a//b.png": no app writes so
        raise ValueError
    inside(home, written.as_posix(), guess=False)
    return written.parts


def _refused() -> ImageFormatError:
    """One sentence for all: what lies elsewhere, and whether it does, is nobody's business."""
    return ImageFormatError("There is no such picture among those that were uploaded.", _AGAIN)


@contextmanager
def _without_dataset() -> Iterator[None]:
    """The cures of `load_mask`, for somebody who has one mask and no dataset."""
    try:
        yield
    except ImageFormatError as error:
        if error.cure != CURE_SOFT:
            raise
        raise ImageFormatError(
            error.message, "Save it as PNG with 0 and 255 alone, or say at which grey to cut it."
        ) from error
