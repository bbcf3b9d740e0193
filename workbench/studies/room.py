"""Which studies take too much room, or were not used for too long."""

from __future__ import annotations

import logging
import re
import secrets
import shutil
from pathlib import Path

from workbench.files.disk import size_of, written_s
from workbench.studies.study import RECORD

logger = logging.getLogger(__name__)
NUMBER = re.compile(r"[0-9a-f]{32}")
GONE = ".gone-"
SPARED_S = 3600.0
"""Seconds after its last use in which a study stays, however little room there is: else one visitor removes all."""


def too_much(folder: Path, room_bytes: int, since_s: float, spared_s: float) -> list[Path]:
    """Folders of studies that have to go, those that were used longest ago first.

    Args:
        folder: of all studies.
        room_bytes: for all of them together.
        since_s: time of day in seconds; what was not used since goes, whether there is room or not.
        spared_s: time of day; what was used since stays for all that, and takes its room.
    """
    gone, left = [], room_bytes
    for path in sorted(_studies(folder), key=used_s, reverse=True):
        left -= size_of(path)
        used = used_s(path)
        if used < since_s or (left < 0 and used < spared_s):
            gone.append(path)
    return gone[::-1]


def taken(folder: Path) -> int:
    """Bytes of all studies of a folder."""
    return sum(map(size_of, _studies(folder)))


def out_of_the_way(path: Path) -> bool:
    """Give the folder of a study a name that no number opens, in one step; `clear` removes it then.

    Returns:
        Whether it could be moved.
    """
    try:
        path.rename(path.with_name(f"{GONE}{secrets.token_hex(8)}"))
    except OSError as error:
        logger.warning("The study in %s stays: %s", path, error)
        return False
    return True


def clear(folder: Path) -> None:
    """Remove what is out of the way, also what was when the app was killed."""
    for path in folder.glob(f"{GONE}*"):
        shutil.rmtree(path, ignore_errors=True)


def _studies(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*") if NUMBER.fullmatch(path.name)]


def used_s(folder: Path) -> float:
    """When a study was used last, in seconds, as `time.time`."""
    return written_s(folder / RECORD) or written_s(folder)
