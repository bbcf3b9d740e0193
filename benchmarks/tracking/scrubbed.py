"""Text that may leave this machine: without its folders and the home of its user, and in UTF-8."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_FOLDERS = re.compile(r"(?<![\w./~)\]-])~?(?:/[^\s/'\",;]+)+/(?=[^\s/'\",;])")
"""The folders of an absolute path, and not the slashes of an address, of OWNER/NAME or of a relative path."""


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
    return _FOLDERS.sub("", text.replace(home, "~") if len(home) > 1 else text)


def utf8(text: str) -> str:
    """The same text; what is left of a name that is not UTF-8 as an escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
