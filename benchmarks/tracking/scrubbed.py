"""Text that may leave this machine: without its folders and the home of its user, and in UTF-8."""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath
from typing import Any

_STOP = r"\r\n\"',;<>"
_IN_NAME = rf"(?:(?!\.\w{{1,5}}[\s:)]|:\s)[^/\\{_STOP}]|(?<=\w)'(?=\w))"
"""A letter of a folder's name, a space too: it ends where a file's ending or a colon stands before a space."""

_NAME = rf"(?=\S){_IN_NAME}+(?<!\s)"
_FOLDERS = re.compile(rf"(?<![\w./~)\]-])(?:~|/[^\s/\\{_STOP}]+)(?:/{_NAME})*/(?=[^\s/{_STOP}])")
"""The folders of an absolute path, and not the slashes of an address, of OWNER/NAME or of a relative path."""

_DRIVE = re.compile(rf"(?<!\w)(?:[A-Za-z]:[\\/]+|\\\\)(?:{_NAME}[\\/]+)*(?=[^\s/\\{_STOP}])")
"""The same of a path of Windows, from the drive's letter or a server's name on."""


def scrubbed(value: Any) -> Any:
    """The same value with the names of files in place of their paths, wherever text stands in it.

    Args:
        value: JSON-ready: text, numbers, None, and lists and dictionaries of them.
    """
    if isinstance(value, dict):
        return {utf8(str(key)): scrubbed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [scrubbed(item) for item in value]
    return utf8(_without_folders(value)) if isinstance(value, str) else value


def _without_folders(text: str) -> str:
    home = str(Path.home())
    found = text.replace(home, "~") if len(home) > 1 else text
    return _FOLDERS.sub("", _DRIVE.sub("", found))


def last_part(spec: str) -> str:
    """The own name of a folder that is given by an absolute path; OWNER/NAME and a relative path as they are."""
    if PureWindowsPath(spec).is_absolute():
        return PureWindowsPath(spec).name
    return Path(spec).name if Path(spec).is_absolute() or spec.startswith("~") else spec


def utf8(text: str) -> str:
    """The same text; what is left of a name that is not UTF-8 as an escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
