"""The folder of one batch: what was asked for, the pictures, and a journal with a line for all that came."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from pydantic import Field, ValidationError

from benchmarks.datasets.paths import sample_ids
from benchmarks.file_names import file_name
from benchmarks.records import Record
from benchmarks.store import RecordWriter, write_whole
from pipelines.errors import UsageError
from pipelines.files import replace_bytes
from pipelines.types import Prompt
from workbench.catalogue import Order
from workbench.files.downloads import FILES

SCHEMA_VERSION = 1
TICKET, JOURNAL, STOPPED, RESULTS = "batch.json", "journal.jsonl", "stopped", "results.zip"
PICTURES, SMALL = "pictures", "small"
KEPT = ("mask", "cut_out", "soft")
"""Files of each picture that may be kept, of `workbench.files.downloads.FILES`; the mask always is."""

NUMBER = re.compile(r"[0-9a-f]{32}")
Status = Literal["ok", "failed", "unavailable", "refused"]


class Asked(Record):
    """A pipeline of a batch: `workbench.catalogue.Order`, as it is written."""

    pipeline: str
    preset: str = "default"
    fields: dict[str, Any] = Field(default_factory=dict)

    @property
    def order(self) -> Order:
        """As the service takes it."""
        return Order(self.pipeline, self.preset, self.fields or None)


class Given(Record):
    """A picture of a batch.

    Attributes:
        name: as whoever sent it calls it; no two of a batch share one.
        file: below ``pictures/``.
        sha256: of its bytes.
        bytes: their number.
    """

    name: str
    file: str
    sha256: str
    bytes: int


class Ticket(Record):
    """What a batch is, written once.

    Attributes:
        created: when, in UTC.
        asked: pipelines, in the order in which they are shown.
        texts: to look for.
        keeps: of `KEPT`.
        pictures: in the order in which they came.
        skipped: name → why, of what lay beside them in an archive.
    """

    schema_version: int = SCHEMA_VERSION
    created: str
    asked: tuple[Asked, ...]
    texts: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ("mask",)
    pictures: tuple[Given, ...]
    skipped: dict[str, str] = Field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """How the pipelines are called, no two alike."""
        names = [one.order.label for one in self.asked]
        return [f"{name} {1 + names[:place].count(name)}" if names.count(name) > 1 else name
                for place, name in enumerate(names)]  # fmt: skip

    @property
    def prompt(self) -> Prompt:
        """What is looked for."""
        return Prompt(self.texts)

    @property
    def looks(self) -> int:
        """How many rows there will be."""
        return len(self.pictures) * len(self.asked)


class Row(Record):
    """What a pipeline made of a picture, written when all its files are on the disk.

    Attributes:
        picture: its place in the ticket.
        order: the pipeline's place there.
        name: of the picture.
        sha256: of the picture's bytes.
        pipeline: its label.
        status: "ok", "failed", "unavailable", or "refused" where the picture itself was not taken.
        reason: in words, where there is no result.
        seconds: of all of it.
        ms: milliseconds by step, as far as each was done.
        size: ``(H, W)`` in pixels.
        found: number of masks.
        share: of the picture that is foreground, 0 to 1.
        flags: what a reader of the figures has to know.
        files: kind → sha256 of its bytes.
    """

    picture: int
    order: int
    name: str
    sha256: str
    pipeline: str
    status: Status
    reason: str | None = None
    seconds: float = 0.0
    ms: dict[str, float] = Field(default_factory=dict)
    size: tuple[int, int] | None = None
    found: int | None = None
    share: float | None = None
    flags: tuple[str, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)


Rows = dict[tuple[int, int], Row]
"""Place of the picture and of the pipeline → row; the last of several."""


class BatchFolder:
    """One batch on the disk; rows are read as they come, whoever writes them.

    Args:
        path: of the folder, whose name is the number of the batch.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.number = path, path.name
        self.ticket = _ticket(path / TICKET)
        self._rows: Rows = {}
        self._read_to = 0
        self._lock = Lock()

    @property
    def journal(self) -> Path:
        """Where rows are appended."""
        return self.path / JOURNAL

    @property
    def is_stopped(self) -> bool:
        """Whether somebody called it off."""
        return (self.path / STOPPED).exists()

    def stop(self, stopped: bool) -> None:
        """Note that it was called off, or that it goes on."""
        if stopped:
            (self.path / STOPPED).touch()
        else:
            (self.path / STOPPED).unlink(missing_ok=True)

    def rows(self) -> Rows:
        """Every whole row so far; a torn last line is left out, and so is what this version cannot read."""
        with self._lock:
            if self.journal.is_file() and self.journal.stat().st_size > self._read_to:
                self._rows = self._rows | self._new_rows()
            return self._rows

    def _new_rows(self) -> Rows:
        rows: Rows = {}
        with self.journal.open("rb") as file:
            file.seek(self._read_to)
            for line in file:
                if line.endswith(b"\n"):
                    self._read_to += len(line)
                    rows |= _row(line)
        return rows

    def picture(self, place: int) -> Path:
        """The file of a picture."""
        return self.path / PICTURES / self.ticket.pictures[place].file

    def file(self, kind: str, order: int, picture: int) -> Path:
        """A file that a pipeline gave: of `KEPT`, or "coco"."""
        return self.path / kind / str(order) / f"{picture:05d}{Path(FILES[kind].name).suffix}"

    def small(self, order: int | None, picture: int) -> Path:
        """A small picture for the contact sheet: of a result, or of the picture itself."""
        return self.path / SMALL / ("picture" if order is None else str(order)) / f"{picture:05d}.jpg"

    def write(self, path: Path, data: bytes, *, lasting: bool = True) -> str:
        """Write a file that is whole or not there, and give the hash of its bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_bytes(path, data, lasting=lasting)
        return hashlib.sha256(data).hexdigest()

    def is_whole(self, row: Row) -> bool:
        """Whether the files of a row are there, byte for byte."""
        paths = {self.file(kind, row.order, row.picture): digest for kind, digest in row.files.items()}
        return all(path.is_file() and _sha256(path) == digest for path, digest in paths.items())

    def out_names(self) -> list[str]:
        """What files made of each picture are called, with ``/`` and without ending."""
        return [file_name(one) for one in sample_ids([given.name for given in self.ticket.pictures])]


class Journal:
    """Appends rows to a batch; what `append` returned from is on the disk.

    Args:
        path: of the file. A torn last line is cut off first.
    """

    def __init__(self, path: Path) -> None:
        self.writer = RecordWriter(path)

    def append(self, row: Row) -> None:
        """Add one line."""
        self.writer.append(row)
        os.fsync(self.writer.file.fileno())

    def close(self) -> None:
        """No more rows."""
        self.writer.close()


def new_number() -> str:
    """A number that nobody guesses."""
    return secrets.token_hex(16)


def found(root: Path, number: str) -> Path:
    """The folder of a batch.

    Args:
        root: of all batches.
        number: as somebody wrote it.

    Raises:
        UsageError: there is none.
    """
    if not NUMBER.fullmatch(number) or not (root / number / TICKET).is_file():
        raise UsageError("There is no batch of that number, or it is no longer kept.",
                         "Check the number: it has 32 digits and letters from a to f.")  # fmt: skip
    return root / number


def write_ticket(folder: Path, ticket: Ticket) -> None:
    """Write what a batch is."""
    write_whole(folder / TICKET, ticket.model_dump_json(indent=1) + "\n")


def _ticket(path: Path) -> Ticket:
    try:
        return Ticket.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UsageError("This batch is of another version, or damaged.", "Start it anew.") from error


def _row(line: bytes) -> Rows:
    try:
        row = Row.model_validate_json(line)
    except ValidationError:  # of another version: it is looked at again
        return {}
    return {(row.picture, row.order): row}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def numbers(root: Path) -> Iterator[Path]:
    """Folders of all batches."""
    if root.is_dir():
        yield from (path for path in root.iterdir() if NUMBER.fullmatch(path.name))
