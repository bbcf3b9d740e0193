"""From the id of a sample, which may be any text, to the name of a file that stays below its folder."""

from __future__ import annotations

import hashlib
import re

LONGEST_PART, LONGEST_NAME = 200, 1000
"""Bytes of a folder's or file's name, of 255 that file systems take, and of a path below the folder."""

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff%:\\]|^[.~\s]|\s$")
"""What ends a line, names a drive, hides a file or is trimmed by a reader; and the sign of the escape itself."""

_LIKE_A_FILE = re.compile(r"\.(?=(png|jpg|txt)$)", re.IGNORECASE)


def file_name(sample_id: str) -> str:
    """The path of a sample below a folder, with ``/`` and without extension; no two ids share one.

    An id that came from a file is its own path. Anything that would leave the folder, be hidden or break a line of a
    list is written as %XX, as in addresses; a name that is too long ends in a hash. Ids that differ in upper and lower
    case alone have names that do too: a file system that ignores case, as those of macOS and Windows, joins them.
    """
    *folders, last = sample_id.split("/")
    # A folder a.png could not stand beside the file of the sample a.
    return _not_too_long([*(_LIKE_A_FILE.sub("%2E", _part(folder)) for folder in folders), _part(last)], "/", sample_id)


def folder_name(label: str) -> str:
    """The name of one folder, or of one file without extension, by the same rules; ``/`` is escaped too."""
    return _not_too_long([_part(part) for part in label.split("/")], "%2F", label)


def _not_too_long(parts: list[str], separator: str, text: str) -> str:
    name = separator.join(parts)
    if len(name.encode()) > LONGEST_NAME or max(len(part.encode()) for part in name.split("/")) > LONGEST_PART:
        start = parts[-1].encode()[: LONGEST_PART // 2].decode(errors="ignore").rstrip("%")
        return f"{start}%-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:16]}"
    return name


def _part(part: str) -> str:
    return _UNSAFE.sub(_escaped, part) or "%"


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode(errors="surrogatepass"))
