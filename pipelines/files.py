"""Files that are whole or not there, and locks that the kernel takes from a process that dies."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from pathlib import Path


def replace_bytes(path: Path, data: bytes, *, lasting: bool = False) -> None:
    """Write under another name and move it over, so that a kill leaves the old file or none, never half of one.

    Args:
        path: of the file; its folder is there.
        data: all of it.
        lasting: whether it must survive a power cut too, which takes some milliseconds.
    """
    temporary = path.with_name(f".{path.name}.{secrets.randbelow(10**18)}")  # containers share process numbers
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    if lasting:
        _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def acquired(file: int, wait_s: float, poll_s: float = 0.005) -> bool:
    """Whether the exclusive lock of an open file could be had in time; it is given back when the file is closed.

    Args:
        file: descriptor.
        wait_s: seconds to wait for another process.
        poll_s: seconds from one try to the next.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(poll_s)
