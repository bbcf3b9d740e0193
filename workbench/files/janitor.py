"""Keeps a folder of temporary files below a size and an age."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from pipelines.errors import ResourceError, UsageError

logger = logging.getLogger(__name__)
BLOCK = 4096  # bytes, of which a file takes whole ones
SLACK = 0.1
"""Share of the cap that is freed where room has to be made, so that it has to be made seldom."""


@dataclass(frozen=True)
class Rules:
    """What may stay.

    Attributes:
        cap_bytes: of all files together, as much as they take on the disk.
        age_s: seconds after which a file goes, whether there is room or not.
        young_s: seconds in which a file is spared, unless the rest cannot be brought below the cap without it.
        every_s: seconds from one round to the next.
    """

    cap_bytes: int = 200_000_000
    age_s: float = 3600.0
    young_s: float = 300.0
    every_s: float = 30.0

    def __post_init__(self) -> None:
        if not (self.cap_bytes >= 0 and 0 <= self.young_s <= self.age_s and self.every_s > 0):
            raise UsageError(f"{self} cannot be kept to.", "Give a cap of 0 or more, and young_s of at most age_s.")


@dataclass(frozen=True)
class Round:
    """What one round did.

    Attributes:
        removed: number of files.
        removed_bytes: of them.
        forced: number of those that were young.
        left: number of files that stay.
        left_bytes: of them.
        failed: what could not be removed or read, and why.
    """

    removed: int
    removed_bytes: int
    forced: int
    left: int
    left_bytes: int
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _File:
    path: Path
    size: int
    age_s: float


class Janitor:
    """Removes old files from a folder, in rounds and when told to. It follows no link and never leaves the folder.

    How old a file is goes by when it came to its place or was last changed there (``ctime``), which no copy takes over
    from its original and nobody can set. Folders that are empty and no longer young go too.

    Args:
        folder: of temporary files and of nothing else; need not be there yet.
        rules: what may stay.
        now: the clock, in seconds, as `time.time`.

    Attributes:
        held: files that are being received: they count as they grow, and none is removed.
        also: what else is done in each round.

    Raises:
        UsageError: the folder is one in which more than temporary files would be lost.
    """

    def __init__(self, folder: Path, rules: Rules | None = None, now: Callable[[], float] = time.time) -> None:
        self.folder, self.rules = _harmless(folder), rules or Rules()
        self._now, self._lock, self._over = now, Lock(), Event()
        self._books, self._here, self._coming, self._landed = Lock(), 0, 0, 0
        self.held, self._written = set[Path](), set[Path]()
        self.also: list[Callable[[], None]] = []
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin with rounds, in a thread that ends with the process. A second call does nothing."""
        if self._thread is None:
            self._over.clear()
            self._thread = Thread(target=self._rounds, name="janitor", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the rounds, and wait for the one that is under way."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def run_now(self) -> Round:
        """One round, at once; one that is under way is waited for."""
        return self._round(self.rules.cap_bytes - self._coming)

    @contextmanager
    def room(self, size: int, path: Path | None = None) -> Iterator[None]:
        """Room for something, for as long as it takes to write it.

        Args:
            size: of it, in bytes.
            path: of it: the file is neither counted beside its room nor removed until it is whole.

        Raises:
            ResourceError: more is being written at this moment than there may be.
        """
        self.reserve(size)
        written = {path.resolve()} if path else set()
        self._written |= written
        try:
            yield
        finally:
            self._written -= written
            self.release(size)

    def reserve(self, size: int) -> None:
        """Make room for what is about to be written: the oldest files go. To be followed by `release`.

        Args:
            size: of it, in bytes.

        Raises:
            ResourceError: more is being written at this moment than there may be.
        """
        cap, size = self.rules.cap_bytes, _on_disk(size)
        with self._books:
            if self._coming + size > cap:
                raise _no_room(size, cap)
            self._coming += size
            coming, is_full = self._coming, self._here + self._coming > cap
        try:
            if is_full and self._round(cap * (1 - SLACK) - coming).left_bytes > cap - coming:
                raise _no_room(size, cap)
        except BaseException:
            with self._books:
                self._coming -= size
            raise

    def release(self, size: int) -> None:
        """What was reserved is written, or will not be.

        Args:
            size: that was reserved.
        """
        size = _on_disk(size)
        with self._books:
            self._coming, self._here, self._landed = self._coming - size, self._here + size, self._landed + size

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rounds(self) -> None:
        while not self._over.wait(self.rules.every_s):
            try:
                done = self.run_now()
                for step in self.also:
                    step()
            except OSError as error:  # the next round may fare better, and without rounds the disk fills
                logger.warning("The temporary files of %s cannot be looked through: %s", self.folder, error)
                continue
            for reason in done.failed:
                logger.warning("A temporary file stays: %s", reason)

    def _round(self, most: float) -> Round:
        with self._lock:
            held = set(self.held)
            failed, landed = list[str](), self._landed
            found = list(self._files(failed))
            if held - self.held or any(not path.exists() for path in held):  # one was moved to its place, maybe unseen
                found = list(self._files(failed := []))
            files = sorted(found, key=lambda file: -file.age_s)
            done = self._removed(files, most, failed)
            with self._books:  # what came meanwhile may or may not have been seen
                self._here = done.left_bytes + self._landed - landed
        return done

    def _removed(self, files: list[_File], most: float, failed: list[str]) -> Round:
        """Go from the oldest on: too old goes; then as many as are more than `most` bytes, the young ones last."""
        left = sum(file.size for file in files)
        removed, forced, total = 0, 0, left
        for file in files:
            young = file.age_s < self.rules.young_s
            if file.age_s <= self.rules.age_s and left <= most:
                break
            if file.path not in self.held and self._remove(file.path, failed):
                left, removed, forced = left - file.size, removed + 1, forced + young
        return Round(removed, total - left, forced, len(files) - removed, left, tuple(failed))

    def _remove(self, path: Path, failed: list[str]) -> bool:
        """Whether the file is gone, by us or by others."""
        try:
            path.unlink()
        except FileNotFoundError:
            return True
        except OSError as error:
            failed.append(f"{path}: {error.strerror}")
            return False
        return True

    def _files(self, failed: list[str]) -> Iterator[_File]:
        """Every file below the folder, links as themselves; folders that are empty and not young are removed."""
        for current, folders, names in os.walk(self.folder, topdown=False, onerror=_noter(failed)):
            here = Path(current)
            links = [name for name in folders if (here / name).is_symlink()]
            for name in (*names, *links):
                file = self._file(here / name, failed)
                if file is not None and file.path not in self._written:
                    yield file
            if not names and not links and here != self.folder:
                self._remove_empty(here)

    def _file(self, path: Path, failed: list[str]) -> _File | None:
        try:
            found = path.lstat()
        except FileNotFoundError:  # others clean up too
            return None
        except OSError as error:
            failed.append(f"{path}: {error.strerror}")
            return None
        return _File(path, max(found.st_size, found.st_blocks * 512), self._now() - found.st_ctime)

    def _remove_empty(self, folder: Path) -> None:
        try:
            if self._now() - folder.lstat().st_ctime >= self.rules.young_s:  # somebody may be about to write there
                folder.rmdir()
        except OSError:  # there is something in it again, or it is gone
            return


def _no_room(size: int, cap: int) -> ResourceError:
    return ResourceError(f"There is no room for {size / 1e6:.1f} MB more of temporary files at this moment; all may "
                         f"take {cap / 1e6:.0f} MB.", "Try again in a minute, or with something smaller.")  # fmt: skip


def _on_disk(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _noter(failed: list[str]) -> Callable[[OSError], None]:
    def note(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            failed.append(f"{error.filename}: {error.strerror}")

    return note


def _harmless(folder: Path) -> Path:
    """The folder, resolved.

    Raises:
        UsageError: a home, the current folder or the program lies in it, or it is one of them.
    """
    found = folder.resolve()
    for kept in (Path.home(), Path.cwd(), Path(__file__)):
        if kept.resolve().is_relative_to(found):
            raise UsageError(f"{found} holds more than temporary files.", "Name a folder for them alone.")
    if found.exists() and not found.is_dir():
        raise UsageError(f"{found} is not a folder.", "Name a folder for temporary files alone.")
    return found
