"""How much room the files of a folder take together: one number in a locked file, so that no process walks the folder.

A writer holds the lock while it writes, and adds to the number before it does: whoever is killed leaves a number that
is too large, never one that is too small. Where the number goes beyond the room, the folder is walked, what kills left
is removed, the oldest files are dropped, and the number is right again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.files import acquired

LEDGER = ".room"
DIGITS = 20
WAIT_S, POLL_S = 10.0, 0.002
KEPT_SHARE = 0.9
"""Of the room, after files were dropped: then the next walk is a tenth of all files away."""

_FOLDER = re.compile(r"[0-9a-f]{2}")
_TORN = re.compile(r"\.[0-9a-f]{64}\.evidence\.\d+")
_WHOLE = re.compile(r"[0-9a-f]{64}\.evidence")


@dataclass(frozen=True)
class Room:
    """The room of a folder.

    Attributes:
        folder: holds the files in folders of two letters.
        most: bytes that all files together may take.
    """

    folder: Path
    most: int

    @contextmanager
    def reserved(self, path: Path, size: int) -> Iterator[bool]:
        """Make room for a file, and hold the lock while it is written.

        Args:
            path: of the file; one that is there is replaced.
            size: in bytes.

        Yields:
            Whether there is room: not where it is larger than all the room, nor where somebody holds the lock for ten
            seconds.
        """
        with _locked(self.folder / LEDGER) as ledger:
            if ledger is None or size > self.most:
                yield False
                return
            before = _read(ledger)
            if before is None or before + size > self.most:
                before = self._walked(size)
            _write(ledger, before + size)
            replaced = _size(path)
            yield True
            _write(ledger, max(0, before + size - replaced))

    def _walked(self, size: int) -> int:
        """Bytes of all files, the oldest of them dropped where not even `size` more would fit."""
        files = sorted(_files(self.folder))
        used = sum(found for _, found, _ in files)
        if used + size <= self.most:
            return used
        left = min(int(self.most * KEPT_SHARE), self.most - size)
        for _, found, path in files:
            if used <= left:
                break
            path.unlink(missing_ok=True)
            used -= found
        return used


def _files(folder: Path) -> Iterator[tuple[int, int, Path]]:
    """Time of the last use, bytes and path of every file; what a killed writer left is removed, for none writes now."""
    for one in folder.iterdir():
        if not _FOLDER.fullmatch(one.name) or one.is_symlink() or not one.is_dir():
            continue
        for path in list(one.iterdir()):
            if _TORN.fullmatch(path.name):
                path.unlink(missing_ok=True)
            elif _WHOLE.fullmatch(path.name) and (found := _stat(path)):
                yield found.st_mtime_ns, found.st_size, path


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:  # a reader found it damaged, and removed it
        return None


def _size(path: Path) -> int:
    found = _stat(path)
    return found.st_size if found else 0


@contextmanager
def _locked(path: Path) -> Iterator[int | None]:
    """The ledger, opened and locked, or None where another holds it for too long."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield file if acquired(file, WAIT_S, POLL_S) else None
    finally:
        os.close(file)


def _read(ledger: int) -> int | None:
    """The number; None where there is none yet, or something else."""
    found = os.pread(ledger, DIGITS + 1, 0)
    return int(found) if len(found) == DIGITS and found.isdigit() else None


def _write(ledger: int, used: int) -> None:
    os.pwrite(ledger, f"{used:0{DIGITS}d}".encode(), 0)
    os.ftruncate(ledger, DIGITS)  # of something else that lay there
