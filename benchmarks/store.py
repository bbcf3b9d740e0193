"""The folder of a run: one writer, records appended line by line, everything else written whole or not at all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Any, Self

from pydantic import BaseModel, ValidationError

from benchmarks.records import RunManifest, SampleRecord
from benchmarks.timing.record import Timing
from pipelines.errors import ResourceError, RunLockedError, UsageError
from pipelines.files import acquired, replace_bytes

SYNC_EVERY_S = 0.5
POLL_S = 0.05
NEEDED_MB = 50


class RunStore:
    """The folder of one run.

    Args:
        folder: ``runs/<run_id>``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def manifest_path(self) -> Path:
        """``manifest.json``."""
        return self.folder / "manifest.json"

    def records_path(self, configuration: str) -> Path:
        """``<configuration>/samples.jsonl``."""
        return self.folder / configuration / "samples.jsonl"

    def timing_path(self, configuration: str) -> Path:
        """``<configuration>/timing.json``: there once a process has measured the whole configuration."""
        return self.folder / configuration / "timing.json"

    def manifest(self) -> RunManifest:
        """The manifest.

        Raises:
            UsageError: the folder holds no run, or one of another schema.
        """
        try:
            return RunManifest.model_validate_json(self.manifest_path.read_bytes())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UsageError(f"{self.folder} holds no run.", "Name a folder that benchmarks.run wrote.") from error
        except ValidationError as error:
            raise UsageError(
                f"{self.manifest_path} is not a manifest that this version reads: {error.error_count()} fields differ.",
                "Run again with --fresh.",
            ) from error

    def records(self, configuration: str) -> Iterator[SampleRecord]:
        """Every whole record, read one by one; a torn last line is left out, as is what this version cannot read."""
        return read_records(self.records_path(configuration))

    def keys(self, configuration: str) -> set[bytes]:
        """Keys of all whole records, as bytes, which take half the room."""
        return {bytes.fromhex(record.key) for record in self.records(configuration)}

    def index(self, configuration: str) -> RecordIndex:
        """The records of a configuration, to be picked by the id of their sample."""
        return RecordIndex(self.records_path(configuration))

    def timing(self, configuration: str) -> Timing | None:
        """The timing of a finished configuration, or None."""
        path = self.timing_path(configuration)
        try:
            return Timing.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValidationError):  # not there, or not whole: it is measured again
            return None


def run_folder(root: Path, key: str, *, fresh: bool) -> Path:
    """The folder of the newest run with this key, or of a new one.

    Args:
        root: the runs folder.
        key: hash of all that decides the results.
        fresh: begin a new run beside those that are there.
    """
    numbers = {path: _number(path.name, key) for path in root.glob(f"{key}*")} if root.is_dir() else {}
    newest = max((n for n in numbers.values() if n), default=0)
    number = newest + 1 if fresh or not newest else newest
    return root / (key if number == 1 else f"{key}-{number}")


def _number(name: str, key: str) -> int:
    match = re.fullmatch(rf"{key}(?:-(\d+))?", name)
    return int(match[1] or 1) if match else 0


def check_space(folder: Path) -> None:
    """Refuse to begin on a disk that is all but full.

    Raises:
        ResourceError: with the space found.
    """
    status = os.statvfs(folder)
    free_mb = status.f_bavail * status.f_frsize / 1e6
    if free_mb < NEEDED_MB:
        raise ResourceError(
            f"{folder} has {free_mb:.0f} MB left; a run needs {NEEDED_MB}.", "Make room, or give --out FOLDER."
        )


def write_whole(path: Path, text: str) -> None:
    """Replace a file of text in one step that survives a power cut, in a folder that is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, text.encode(), lasting=True)


def read_records(path: Path) -> Iterator[SampleRecord]:
    """Records of a file, in order. What cannot be read, as what a kill left of the last line, is done again."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n") and (record := _record(line)):
                yield record


class RecordIndex:
    """Records by sample, of which only the places in the file are held.

    Args:
        path: of the JSONL file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: dict[str, int] = {}
        place = 0
        if path.is_file():
            with path.open("rb") as file:
                for line in file:
                    record = _record(line) if line.endswith(b"\n") else None
                    if record:
                        self.places[record.id] = place
                    place += len(line)

    def get(self, sample_id: str) -> SampleRecord | None:
        """The record of a sample, or None where there is none."""
        place = self.places.get(sample_id)
        if place is None:
            return None
        with self.path.open("rb") as file:
            file.seek(place)
            return _record(file.readline())


def _record(line: bytes) -> SampleRecord | None:
    try:
        return SampleRecord.model_validate_json(line)
    except ValidationError:
        return None


class RecordWriter:
    """Appends records; what it returned from is on the disk at the latest half a second later, and on `close`.

    Args:
        path: of the JSONL file. A torn last line is cut off first.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = path.open("ab+")
        self._cut_torn_line()
        self.synced = monotonic()

    def append(self, record: BaseModel) -> None:
        """Add one line."""
        self.file.write(record.model_dump_json(exclude_defaults=False).encode() + b"\n")
        self.file.flush()
        if monotonic() - self.synced >= SYNC_EVERY_S:
            self._sync()

    def close(self) -> None:
        """Put everything on the disk."""
        if not self.file.closed:
            self._sync()
            self.file.close()

    def _sync(self) -> None:
        os.fsync(self.file.fileno())
        self.synced = monotonic()

    def _cut_torn_line(self) -> None:
        self.file.seek(0)
        whole = sum(len(line) for line in self.file if line.endswith(b"\n"))
        self.file.truncate(whole)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Lock:
    """Exclusive use of a folder. The kernel lets go of it when its owner dies, so it cannot be left behind.

    Args:
        path: lock file; it names the owner.
        wait_s: how long to wait for an owner that is about to end.

    Raises:
        RunLockedError: somebody else holds it.
    """

    def __init__(self, path: Path, wait_s: float = 0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file: IO[str] = path.open("a+", encoding="utf-8")
        if not acquired(self.file.fileno(), wait_s, POLL_S):
            owner = _owner(self.file)
            self.file.close()
            raise RunLockedError(
                f"Process {owner.get('pid', '?')} on {owner.get('host', 'this machine')} is writing {path.parent}.",
                "Wait for it, or give --out another folder.",
            )
        self.file.truncate(0)
        json.dump({"pid": os.getpid(), "host": os.uname().nodename}, self.file)
        self.file.flush()

    def release(self) -> None:
        """Let others in."""
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _owner(file: IO[str]) -> dict[str, Any]:
    file.seek(0)
    try:
        return dict(json.loads(file.read()))
    except ValueError:  # the owner is between taking the lock and writing its name
        return {}
