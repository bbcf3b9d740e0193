"""JSON files that describe a dataset: a look at both ends of one, and a reading that tells a person what is wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.errors import DatasetError

END_BYTES = 65_536
MOST_BYTES = 2 * 2**30
MOST_FOLDERS = 200


def leaves(path: Path, root: Path) -> bool:
    """Whether a name below the root leads out of it, by a link."""
    try:
        return not path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # links in a circle
        return True


def ends(path: Path) -> str:
    """The first and the last 64 KiB of a file as text, to see which keys it has; nothing where it cannot be read."""
    if not path.is_file():  # opening a pipe would wait for ever
        return ""
    try:
        with path.open("rb") as file:
            data = file.read(END_BYTES)
            rest = os.fstat(file.fileno()).st_size - len(data)
            if rest > 0:
                file.seek(-min(rest, END_BYTES), os.SEEK_END)
                data += b"\n" + file.read(END_BYTES)
    except OSError:
        return ""
    return data.decode("utf-8", "replace").lstrip("\ufeff")


def files_below(root: Path, suffix: str, most_folders: int | None = None) -> Iterator[Path]:
    """Files of an extension below a folder, sorted within each; hidden ones and links that leave are passed over.

    Args:
        root: where to look; links to folders are not followed.
        suffix: extension in lower case, such as ``.json``.
        most_folders: look into no more than so many.
    """
    for number, (current, folders, files) in enumerate(os.walk(root)):
        if most_folders is not None and number >= most_folders:
            return
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(current, name)
            if path.suffix.lower() == suffix and not name.startswith(".") and not leaves(path, root):
                yield path


def read_bytes(path: Path, root: Path) -> bytes:
    """The bytes of a file that describes the dataset.

    Raises:
        DatasetError: a link that leaves the root, a file that is too large or cannot be read.
    """
    name = path.relative_to(root).as_posix()
    if leaves(path, root):
        raise DatasetError(f"{name} is a link that leaves the dataset's folder.", "Copy the file to where the link is.")
    try:
        if path.exists() and not path.is_file():
            raise DatasetError(f"{name} is no file.", "Put the file in its place, or remove it.")
        if path.stat().st_size > MOST_BYTES:
            raise DatasetError(f"{name} is larger than 2 GiB.", "Split it into several files, one for each split.")
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{name} cannot be read ({error.strerror}).", "Correct its permissions.") from error


def read_json(path: Path, root: Path) -> Any:
    """What a JSON file holds; UTF-8, with or without a byte order mark.

    Raises:
        DatasetError: it cannot be read, is not UTF-8 or not JSON; the message says at which line.
    """
    name, data = path.relative_to(root).as_posix(), read_bytes(path, root)
    if not data.strip():
        raise DatasetError(f"{name} is empty.", "Export it again.")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name} is not UTF-8 from byte {error.start} on.", "Save it as UTF-8.") from error
    except RecursionError as error:
        raise DatasetError(f"{name} is nested too deeply to be read.", "Export it again.") from error
    except ValueError as error:  # damaged, or a number of thousands of digits
        why = " ".join(str(error).split())[:150]
        raise DatasetError(f"{name} is not JSON ({why}).", "Export it again; it may be cut off or damaged.") from error


def told(value: object) -> str:
    """A value as it may stand in a message: short, whatever it holds."""
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, int) and abs(value) > 10**30:
        return "a number of more than 30 digits"
    text = repr(value[:80] if isinstance(value, (str, bytes)) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def is_text(value: object) -> bool:
    """Whether it is a text that can be printed and is not blank; half a surrogate pair is JSON, and no text."""
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()
