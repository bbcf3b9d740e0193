"""Where studies are kept: a journal in the folder of the study, a journal or database that several machines share."""

from __future__ import annotations

import fcntl
import json
import os
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from pipelines.errors import UsageError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

JOURNAL = "study.journal"
WAIT_S = 60
"""For a lock of SQLite that another process holds."""

OPENINGS = 20
BEING_MADE = ("already exists", "unique constraint", "duplicate", "locked")
"""What a database says where another process makes its tables at the same moment."""

PARTS = ("sqlalchemy", "alembic", "optuna")
"""Packages whose errors are those of a storage."""

BLOCK = 4096


def open_storage(url: str | None, folder: Path) -> BaseStorage:
    """The storage that a URL names.

    Args:
        url: of a database (``sqlite:///FILE``, ``postgresql://...``), or the path of a journal; None = one in `folder`.
        folder: of the study.

    Raises:
        UsageError: it cannot be opened.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        if url is not None and "://" in url:
            return _database(url)
        return _journal(Path(url) if url is not None else folder / JOURNAL)
    except (ImportError, OSError, ValueError) as error:
        raise _unusable(url, error) from error
    except Exception as error:
        if not _is_theirs(error):
            raise
        raise _unusable(url, error) from error


def _database(url: str) -> BaseStorage:
    """Its tables are made by whoever comes first; of two who come at once one finds them half made, and waits."""
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    arguments: dict[str, Any] = {"connect_args": {"timeout": WAIT_S}} if url.startswith("sqlite") else {}
    for left in reversed(range(OPENINGS)):
        try:
            return RDBStorage(url, engine_kwargs=arguments)
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            if not left or not any(words in str(error).lower() for words in BEING_MADE):
                raise
            sleep(random.uniform(0.05, 0.3))
    raise AssertionError


@contextmanager
def reached(url: str | None) -> Iterator[None]:
    """Say in one sentence that the storage could not be read or written after all.

    Args:
        url: as for :func:`open_storage`.

    Raises:
        UsageError: it could not.
    """
    try:
        yield
    except Exception as error:
        if not _is_theirs(error):
            raise
        raise _unusable(url, error.__cause__ or error) from error


def _is_theirs(error: Exception) -> bool:
    """Whether a package of a storage raised it, of whatever kind: so they do of entries that they did not write."""
    if isinstance(error, MemoryError | OSError):
        return False
    inner = [frame for frame, _ in walk_tb(error.__traceback__)][-1]
    return any(name.startswith(PARTS) for name in (type(error).__module__, str(inner.f_globals.get("__name__"))))


def _unusable(url: str | None, error: BaseException) -> UsageError:
    first = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
    cure = "Give sqlite:///FILE, the address of a database that is running, or the path of a journal."
    secret = re.compile(r"(?<=://)[^/@\s]*@")  # name and password of a database's user
    return UsageError(
        f"--storage {secret.sub('***@', url or JOURNAL)} cannot be used: {secret.sub('***@', first)}.", cure
    )


def _journal(path: Path) -> BaseStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    class Quick(JournalFileBackend):
        """A kill loses nothing that was written; waiting for the disk, as the base does, takes longer than a trial."""

        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
            lock = KernelLock(path)
            lock.acquire()
            try:
                with path.open("ab") as file:
                    file.write(lines)
            finally:
                lock.release()

    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(Quick(str(path)))


class KernelLock:
    """The right to append to a journal, held by the kernel, which takes it from a process that is killed.

    Args:
        path: of the journal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = -1

    def acquire(self) -> bool:
        """Wait for it, then drop what a kill left of a line: it would spoil the line after it."""
        self.file = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o666)
        fcntl.flock(self.file, fcntl.LOCK_EX)
        _drop_torn_end(self.path)
        return True

    def release(self) -> None:
        """Let others append."""
        os.close(self.file)


def _drop_torn_end(path: Path) -> None:
    with path.open("rb+") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - BLOCK)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            end = start + newline + 1
            if newline >= 0:
                break
        if end < size:
            file.truncate(end)
