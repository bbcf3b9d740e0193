"""Votes on disk: one line each, only ever added to, and there before the vote is acknowledged."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path
from threading import Lock
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, ValidationError

from benchmarks.export.pictures import cell
from benchmarks.preferences.ballots import Ballot, Choice
from benchmarks.records import Configuration, Record, WeightsRecord
from pipelines.errors import ResourceError, RunLockedError
from pipelines.files import acquired

FILE = "votes.jsonl"
WAIT_S = 5.0
MOST_BYTES = 50_000_000
"""Of the file, of which a copy is held in memory: some 60 000 votes."""

FULL = f"The file of votes has the {MOST_BYTES / 1e6:.0f} MB that it may have. This vote does not count."
OWN_PICTURE = "own picture"
Void = Literal["names were shown", "same mask"]
Name = str | tuple[str, str, frozenset[str]]
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_OPEN = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class Contestant(Record):
    """What made one of the two results.

    Attributes:
        label: how it is called.
        pipeline: name.
        preset: name.
        params_sha256: of all its parameters.
        device: "cpu" or "cuda".
        weights: that were loaded.
    """

    label: str
    pipeline: str
    preset: str
    params_sha256: Sha256
    device: str
    weights: tuple[WeightsRecord, ...] = ()

    @classmethod
    def of(cls, ran: Configuration, weights: Sequence[WeightsRecord]) -> Contestant:
        """From what ran, with the weights that were loaded."""
        written = json.dumps(ran.params, sort_keys=True, default=str).encode()
        return cls(label=ran.label, pipeline=ran.pipeline, preset=ran.preset, device=ran.device,
                   params_sha256=hashlib.sha256(written).hexdigest(), weights=tuple(weights))  # fmt: skip

    @cached_property
    def key(self) -> str:
        """Hash of all that decides what it finds: of one label there may be several in time."""
        weights = [one.model_dump(mode="json") for one in self.weights]
        said = [self.label, self.pipeline, self.params_sha256, weights]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


class Vote(Record):
    """One line of the file. Neither the picture nor anything of the visitor's machine is in it.

    Attributes:
        id: of the two results that were shown; there is one vote on them.
        time: when it was given.
        visitor: a random name that the browser keeps.
        picture: hash of its pixels.
        name: of the example, or "own picture".
        left: who was on the left.
        right: who was on the right.
        choice: what was said; None where it was not asked any more.
        void: why it does not count, or None.
        iou: of the left and of the right, where the true mask is known.
    """

    schema_version: Literal[1] = 1
    id: Id
    time: AwareDatetime
    visitor: Id
    picture: Sha256
    name: str
    left: Contestant
    right: Contestant
    choice: Choice | None
    void: Void | None = None
    iou: tuple[float | None, float | None] = (None, None)

    @property
    def counts(self) -> bool:
        """Whether it is a vote that counts."""
        return self.void is None and self.choice is not None

    @property
    def names(self) -> set[Name]:
        """By what it is known: one id, and where two are the same, who looked at which two of what."""
        on = self.visitor, self.picture, frozenset((self.left.key, self.right.key))
        return {self.id, on} if self.void == "same mask" else {self.id}


@dataclass(frozen=True)
class Reading:
    """What the file holds.

    Attributes:
        votes: in the order in which they were given, each once.
        torn: whether the last line is cut off: it was never acknowledged.
        refused: lines that are no votes of this version.
        again: lines of votes that were there already.
    """

    votes: tuple[Vote, ...] = ()
    torn: bool = False
    refused: int = 0
    again: int = 0

    @property
    def remarks(self) -> list[str]:
        """What a reader has to know of it."""
        said = ["The last line is cut off, and left out: it was never acknowledged."] if self.torn else []
        said += [f"{self.refused} lines are no votes that this version reads, and left out."] if self.refused else []
        return said + ([f"{self.again} votes are there twice, and counted once."] if self.again else [])


class Book:
    """The votes of a folder. Several processes may write to it, one at a time; and many threads of each.

    Args:
        folder: that is made with the first vote.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.lock = Lock()
        self.found = Reading()
        self.ids: set[Name] = set()
        self.place = 0

    def add(self, vote: Vote) -> bool:
        """Write a vote; when this comes back it is on the disk, and where it raises it does not count.

        Returns:
            Whether it was not there already; that two are the same is kept once for a visitor, a picture and a pair.

        Raises:
            ResourceError: the disk is full or cannot be written to, or there are as many votes as are kept.
            RunLockedError: another process has had the file for too long.
        """
        with self.lock, _in_words("written", "This vote does not count. "), self._opened(_OPEN) as file:
            self._catch_up(file)
            if vote.names & self.ids:
                return False
            line = vote.model_dump_json().encode() + b"\n"
            if os.fstat(file).st_size + len(line) > MOST_BYTES:
                raise ResourceError(FULL, f"Tell whoever runs the app to move {FILE} away; a new one is then begun.")
            _append(file, b"\n" + line if self.found.torn else line)  # what a kill left of a line stays one by itself
            self._catch_up(file)
        return True

    def read(self) -> Reading:
        """All votes, those of other processes too; only what is new is read.

        Raises:
            ResourceError: the file cannot be read.
            RunLockedError: another process has had the file for too long.
        """
        with self.lock, _in_words("read"):
            if not self.path.exists():
                return Reading()
            with self._opened(os.O_RDONLY | os.O_CLOEXEC) as file:
                self._catch_up(file)
            return self.found

    @contextmanager
    def _opened(self, how: int) -> Iterator[int]:
        if how & os.O_CREAT:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not self.path.exists()
        file = os.open(self.path, how, 0o600)
        try:
            if not acquired(file, WAIT_S):
                raise RunLockedError("Another process is writing votes, and does not end.", "Vote again in a minute.")
            if fresh:
                _sync_folder(self.path.parent)
            yield file
        finally:
            os.close(file)

    def _catch_up(self, file: int) -> None:
        """Read the lines that came since."""
        if os.fstat(file).st_size < self.place:  # another file has taken its place
            self.found, self.ids, self.place = Reading(), set(), 0
        os.lseek(file, self.place, os.SEEK_SET)
        with os.fdopen(os.dup(file), "rb") as lines:
            *whole, rest = lines.read().split(b"\n")
        if not whole and bool(rest) == self.found.torn:
            return  # nothing came, and what was read is still the same object
        votes, refused, again = list(self.found.votes), self.found.refused, self.found.again
        for line in whole:
            vote = _vote(line)
            if vote is None:
                refused += bool(line)
            elif vote.id in self.ids:
                again += 1
            else:
                votes.append(vote)
                self.ids |= vote.names
        self.place += sum(len(line) + 1 for line in whole)
        self.found = Reading(tuple(votes), bool(rest), refused, again)


def _vote(line: bytes) -> Vote | None:
    try:
        return Vote.model_validate_json(line)
    except ValidationError:
        return None


def _append(file: int, data: bytes) -> None:
    """Write and put it on the disk, or leave the file as it was."""
    size = os.fstat(file).st_size
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size)
        raise


@contextmanager
def _in_words(done: str, therefore: str = "") -> Iterator[None]:
    """What the disk refuses, in words that name no folder of this machine."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ResourceError(
            f"The votes cannot be {done}: {reason}. {therefore}".rstrip(),
            "Tell whoever runs the app to make room on its disk, then try again.",
        ) from error


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def names(votes: Sequence[Vote]) -> dict[str, str]:
    """Key of each contestant → what it is called; where one label stood for several, with the start of its key."""
    labels = {side.key: side.label for vote in votes for side in (vote.left, vote.right)}
    often = Counter(labels.values())
    return {key: label if often[label] == 1 else f"{label} ({key[:6]})" for key, label in labels.items()}


def ballots(votes: Sequence[Vote]) -> list[Ballot]:
    """Those that count, as the statistics read them."""
    called = names(votes)
    return [Ballot(called[one.left.key], called[one.right.key], one.choice, one.visitor)
            for one in votes if one.void is None and one.choice is not None]  # fmt: skip


def as_csv(votes: Sequence[Vote]) -> bytes:
    """All votes, those that do not count too, for a spreadsheet."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "time", "visitor", "picture", "name", "left", "right", "left_key", "right_key", "choice",
                     "void", "left_iou", "right_iou"])  # fmt: skip
    for one in votes:
        texts = [one.id, one.time.isoformat(), one.visitor, one.picture, one.name, one.left.label, one.right.label,
                 one.left.key, one.right.key, one.choice or "", one.void or ""]  # fmt: skip
        writer.writerow([*map(cell, texts), *one.iou])
    return out.getvalue().encode()


def as_lines(votes: Sequence[Vote]) -> bytes:
    """All votes, as they are kept."""
    return b"".join(one.model_dump_json().encode() + b"\n" for one in votes)
