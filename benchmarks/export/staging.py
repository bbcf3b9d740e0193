"""A folder that is written aside and takes its place when it is whole; what others put into the old one stays."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from benchmarks.store import Lock
from pipelines.errors import RunLockedError, UsageError

LISTING = ".written.jsonl"
"""In each folder, hidden from readers of datasets: path, size and time of every file that was written."""

ELSEWHERE = "or name another folder behind --export."
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of linux/fcntl.h and linux/fs.h


def beside(target: Path) -> tuple[Path, Path]:
    """The hidden siblings of a folder: the one that is being written, and the old one while it is replaced."""
    return target.with_name(f".{target.name}.partial"), target.with_name(f".{target.name}.old")


class Staging:
    """One format's folder while it is written: a hidden sibling of the folder that it will be.

    Args:
        target: the folder that it will be; one that is there was checked by `check_ours`, after `recover`.
    """

    def __init__(self, target: Path) -> None:
        self.target, self.count = target, 0
        self.folder, self.old = beside(target)
        self.folder.mkdir(parents=True)
        self._listing = (self.folder / LISTING).open("w", encoding="utf-8")
        self._open: list[IO[str]] = [self._listing]

    def write(self, name: str, data: bytes) -> Path:
        """Write a file; `name` is relative, with ``/``."""
        self._place(name).write_bytes(data)
        return self.note(name)

    def link(self, name: str, source: Path) -> Path:
        """The same file under a second name, or a copy where links are not possible."""
        path = self._place(name)
        try:
            os.link(source, path)
        except OSError:  # file systems without links, and those with a limit on their number
            shutil.copyfile(source, path)
        return self.note(name)

    def note(self, name: str) -> Path:
        """Count a file that is written to the end."""
        path = self.folder / name
        found = path.stat()
        self._listing.write(json.dumps([name, found.st_size, found.st_mtime_ns]) + "\n")
        self.count += 1
        return path

    def scratch(self) -> IO[str]:
        """A file without a name, on the same disk, that is gone with the export."""
        self._open.append(tempfile.TemporaryFile("w+", encoding="utf-8", dir=self.folder))  # noqa: SIM115
        return self._open[-1]

    def _place(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def seal(self) -> None:
        """Finish writing: all that can fail before the folder takes its place.

        Raises:
            UsageError: somebody put a file into the old folder meanwhile.
        """
        self._listing.close()
        check_ours(self.target)

    def commit(self) -> None:
        """Take the place of the old folder; where nothing was written, there is none any more.

        Where the system can exchange two folders, as Linux on most disks, there is no instant without one. Elsewhere
        the old one is moved away first: an end between the two moves leaves none, until the next export puts the old
        one back by `recover`.
        """
        there = self.target.exists()
        if not (there and self.count and _exchanged(self.folder, self.target)):
            if there:
                self.target.rename(self.old)
            if self.count:
                self.folder.rename(self.target)
        shutil.rmtree(self.old, ignore_errors=True)

    def discard(self) -> None:
        """Leave nothing of what did not take its place, nor of what was exchanged for it."""
        for file in self._open:
            with suppress(OSError):  # what could not be written out, as on a full disk, is not wanted either
                file.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _exchanged(a: Path, b: Path) -> bool:
    """Let two folders change places in one step; False where the system or the disk cannot."""
    function = getattr(ctypes.CDLL(None), "renameat2", None)
    return function is not None and function(_HERE, os.fsencode(a), _HERE, os.fsencode(b), _EXCHANGE) == 0


@contextmanager
def locked(home: Path, names: Iterable[str]) -> Iterator[None]:
    """Hold the folder of an export, in which whatever an export that was killed left of any format is mended first.

    Raises:
        RunLockedError: another process writes it.
    """
    try:
        lock = Lock(home / ".lock")
    except RunLockedError as error:
        raise RunLockedError(error.message, f"Wait for it, {ELSEWHERE}") from error
    with lock:
        for name in names:
            recover(home / name)
        yield


def recover(target: Path) -> None:
    """Clean up after an export that was killed: a folder that was moved away and not replaced comes back."""
    partial, old = beside(target)
    shutil.rmtree(partial, ignore_errors=True)
    if old.is_dir() and not target.exists():
        old.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def check_ours(folder: Path) -> None:
    """Make sure that a folder may be replaced: that every file in it is as an export left it.

    Raises:
        UsageError: a file is not of an export, or was changed since.
    """
    foreign = next(_foreign(folder), None) if folder.is_symlink() or folder.exists() else None
    if foreign is not None:
        raise UsageError(
            f"{folder} holds what no export wrote, or what was changed since: {foreign!r}.",
            f"Move it away, {ELSEWHERE}",
        )


def _foreign(folder: Path) -> Iterator[str]:
    if folder.is_symlink() or not folder.is_dir():
        yield folder.name
        return
    written = _written(folder)
    for current, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(current) / name).is_symlink()]
        for name in sorted([*files, *links]):
            path = Path(current) / name
            found, place = path.lstat(), path.relative_to(folder).as_posix()
            if place != LISTING and written.get(place) != (found.st_size, found.st_mtime_ns):
                yield place


def _written(folder: Path) -> dict[str, tuple[int, int]]:
    """Path → size and time; empty where there is no listing, or none of ours."""
    try:
        rows = [json.loads(line) for line in (folder / LISTING).read_text(encoding="utf-8").splitlines()]
        return {name: (size, time_ns) for name, size, time_ns in rows}
    except (OSError, ValueError, TypeError):
        return {}
