"""A path, bytes or a file object become bytes and a name for messages, with the limit on bytes held before reading."""

import os
import stat
from contextlib import suppress
from io import UnsupportedOperation
from pathlib import Path
from typing import BinaryIO

from pipelines.errors import ImageDamagedError, ImageFormatError
from pipelines.images.limits import MIB, Limits

Source = str | Path | bytes | BinaryIO
"""Where a picture comes from: a path, the file's bytes, or a binary file object, which is read from its start."""

LONGEST_NAME = 80


def read_source(source: Source, limits: Limits) -> tuple[str, bytes]:
    """The name to use in messages, and the bytes.

    Args:
        source: a path, the bytes of a file, or an open binary file.
        limits: of which ``max_bytes`` is read.

    Raises:
        ImageFormatError: nothing that can be read as a file.
        ImageLimitError: more than ``max_bytes``.
        ImageDamagedError: no bytes at all.
    """
    if isinstance(source, (str, Path)):
        name, data = _read_path(source, limits)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        name, data = "The image", bytes(source)
    else:
        name, data = _read_file(source, limits)
    limits.check_bytes(name, len(data))
    if not data:
        raise ImageDamagedError(f"{name} is empty (0 bytes).", "Copy or export the file again.")
    return name, data


def shown(name: str) -> str:
    """A file's name as it may stand in a message: quoted, control characters escaped, not endless."""
    last = name.rstrip("/").rpartition("/")[2] or name
    if len(last) > LONGEST_NAME:
        last = f"{last[: LONGEST_NAME // 2]}...{last[-LONGEST_NAME // 2 :]}"
    return repr(last)


def _read_path(path: str | Path, limits: Limits) -> tuple[str, bytes]:
    name = shown(os.fspath(path))
    try:
        if not os.fspath(path):
            raise FileNotFoundError
        found = Path(path).stat()
        if stat.S_ISDIR(found.st_mode):
            raise ImageFormatError(f"{name} is a folder, not a picture.", "Give the path of a file.")
        if not stat.S_ISREG(found.st_mode):  # a pipe or a device could block for ever
            raise ImageFormatError(f"{name} is not an ordinary file.", "Give the path of a picture file.")
        limits.check_bytes(name, found.st_size)
        with open(path, "rb") as file:
            data = file.read(min(found.st_size, limits.max_bytes) + 1)  # Python takes room for all that it may read
            if len(data) > found.st_size:  # it grew, or its file system tells no size
                data += _read_up_to(limits.max_bytes + 1 - len(data), file, name)
            return name, data
    except FileNotFoundError as error:
        raise ImageFormatError(f"There is no file {name}.", "Check the path.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ImageFormatError(f"{name} cannot be opened: {reason}.", "Check the path and who may read it.") from error


def _read_file(file: BinaryIO, limits: Limits) -> tuple[str, bytes]:
    label = getattr(file, "name", None)
    name = shown(label) if isinstance(label, str) and label else "The image"
    if not hasattr(file, "read"):
        raise ImageFormatError(
            f"A picture cannot be read from {type(file).__name__}.", "Give a path, bytes or a file opened with 'rb'."
        )
    try:
        with suppress(AttributeError, UnsupportedOperation):  # a stream, as a download, is read from where it stands
            file.seek(0)
        return name, _read_up_to(limits.max_bytes + 1, file, name)
    except (OSError, ValueError) as error:
        raise ImageFormatError(f"{name} cannot be read: {error}.", "Open the file again with 'rb'.") from error


def _read_up_to(most: int, file: BinaryIO, name: str) -> bytes:
    """Piece by piece: of a file on disk Python takes room for as many bytes as one call may read."""
    pieces, left = list[bytes](), most
    while left > 0:
        piece = file.read(min(left, MIB))
        if not isinstance(piece, bytes):
            raise ImageFormatError(f"{name} is open as text.", "Open the file with 'rb'.")
        if not piece:
            break
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
