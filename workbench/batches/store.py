"""Batches of visitors: taken in, worked at one after another, opened again by their number, and swept away when old."""

from __future__ import annotations

import logging
import secrets
import shutil
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Event, Lock, Thread
from typing import Literal

from benchmarks import store
from pipelines.errors import ResourceError, RunLockedError, UsageError, WorkbenchError
from workbench.batches.folder import JOURNAL, RESULTS, TICKET, BatchFolder, Rows, found, new_number, numbers
from workbench.batches.intake import BatchLimits, Wanted, take_in
from workbench.batches.run import go_through
from workbench.files.disk import size_of, written_s
from workbench.plainly import words
from workbench.service import Service

logger = logging.getLogger(__name__)
SWEEP_EVERY_S, ENDING_S = 600.0, 5.0
YOUNG_S = 3600.0
"""Seconds in which a batch is spared, even where there is too little room: others have to wait."""

OPEN_AT_ONCE = 10
State = Literal["waiting", "running", "stopped", "finished", "broken off"]


@dataclass(frozen=True)
class Progress:
    """How far a batch is.

    Attributes:
        state: of it.
        done: rows that are there.
        of: rows that there will be.
        without: rows without a result.
        ahead: batches that come before it.
        seconds_left: about; None where nothing is known yet.
        trouble: why it broke off, in words.
    """

    state: State
    done: int
    of: int
    without: int = 0
    ahead: int = 0
    seconds_left: float | None = None
    trouble: str | None = None


class Batches:
    """All batches of the app, of which one is worked at. May be used from many threads.

    What a batch shows nobody can come by but with its number. It is on the disk from its first to its last row, so
    that whoever opens it after the app was ended, however, finds all that was done, and the rest goes on.

    Args:
        service: whose pipelines look; what is seen is not kept in its room.
        folder: of batches, made when the first comes.
        limits: of them.
    """

    def __init__(self, service: Service, folder: Path, limits: BatchLimits | None = None) -> None:
        self.service = Service(service.place, pool=service.pool, room_mb=0)
        self.folder, self.limits = folder, limits or BatchLimits()
        self.running: str | None = None
        self.queue: deque[str] = deque()
        self._off, self._over, self._changed = Event(), Event(), Condition()
        self._trouble: dict[str, str] = {}
        self._whose: dict[str, str] = {}
        self._open: OrderedDict[str, BatchFolder] = OrderedDict()
        self._taking, self._thread = Lock(), Thread(target=self._work, name="batches", daemon=True)

    def start(self) -> None:
        """Begin to work, in a thread that ends with the process."""
        if not self._thread.is_alive():
            self._thread.start()

    def begin(self, paths: Sequence[str], uploads: Path, wanted: Wanted, visitor: str = "") -> str:
        """Take a batch in, to be worked at as soon as it is its turn.

        Args:
            paths: of uploads: one archive, or pictures.
            uploads: folder in which they lie.
            wanted: of it.
            visitor: who wants it.

        Returns:
            Its number.

        Raises:
            WorkbenchError: it is refused, and why; nothing of it is left.
        """
        number = new_number()
        staging = self.folder / f".new-{number}"
        with self._taking:
            self._check_place(visitor)
            try:
                take_in(paths, uploads, staging, wanted, self.limits)
                staging.rename(self.folder / number)
            except OSError as error:
                raise ResourceError(f"The pictures cannot be kept ({error.strerror}).", "Try again later.") from error
            finally:
                shutil.rmtree(staging, ignore_errors=True)
            self._enqueue(number, visitor)
        return number

    def _check_place(self, visitor: str) -> None:
        self._check_turn(visitor)
        if self.sweep() > self.limits.all_bytes:
            raise UsageError("There is no room for another batch now.", "Try again in an hour.")

    def _check_turn(self, visitor: str) -> None:
        with self._changed:
            own = sum(self._whose.get(number) == visitor for number in self.queue) if visitor else 0
        if own >= self.limits.waiting_each:
            raise UsageError(f"{own} batches of yours wait already.", "Wait for one, or stop it.")
        if len(self.queue) >= self.limits.waiting:
            raise UsageError(f"{len(self.queue)} batches wait already.", "Try again in some minutes.")

    def get(self, number: str) -> BatchFolder:
        """A batch by its number.

        Raises:
            UsageError: there is none, or not any more.
        """
        path = found(self.folder, number)
        with self._changed:
            if number not in self._open:
                self._open[number] = BatchFolder(path)
            self._open.move_to_end(number)
            while len(self._open) > OPEN_AT_ONCE:
                self._open.popitem(last=False)
            return self._open[number]

    def open(self, number: str) -> BatchFolder:
        """A batch by its number; where it was cut short, and not called off, it goes on.

        Raises:
            UsageError: there is none, or not any more.
        """
        batch = self.get(number)
        if self.progress(batch).state == "waiting" and number != self.running and number not in self.queue:
            self._enqueue(number)
        return batch

    def cancel(self, number: str) -> None:
        """Call a batch off; what is done stays, and it can go on."""
        self.get(number).stop(True)
        with self._changed:
            if number in self.queue:
                self.queue.remove(number)
            if number == self.running:
                self._off.set()

    def go_on(self, number: str, visitor: str = "") -> None:
        """Go on with a batch that was called off or broke off.

        Raises:
            UsageError: there is none, or too many wait.
        """
        batch = self.get(number)
        with self._changed:
            self._check_turn(visitor)
            batch.stop(False)
            self._enqueue(number, visitor)

    def _enqueue(self, number: str, visitor: str = "") -> None:
        with self._changed:
            self._trouble.pop(number, None)
            self._whose = {one: self._whose.get(one, "") for one in self.queue} | {number: visitor}
            if number not in self.queue and (number != self.running or self._off.is_set()):
                self.queue.append(number)
            self._changed.notify_all()

    def progress(self, batch: BatchFolder) -> Progress:
        """How far it is."""
        rows, of, number = batch.rows(), batch.ticket.looks, batch.number
        without = sum(row.status != "ok" for row in rows.values())
        with self._changed:
            is_running, waiting = number == self.running, list(self.queue)
        ahead = waiting.index(number) + (self.running is not None) if number in waiting else 0
        state: State = "running" if is_running else "waiting"
        if len(rows) >= of and not is_running:
            state = "finished"
        elif batch.is_stopped:
            state = "stopped"
        elif number in self._trouble:
            state = "broken off"
        left = _seconds_left(batch, rows) if state == "running" else None
        return Progress(state, len(rows), of, without, ahead, left, self._trouble.get(number))

    def kept_until(self, batch: BatchFolder) -> float:
        """When it is swept away at the earliest, in seconds as `time.time`."""
        return _changed_at(batch.path) + self.limits.keep_s

    def sweep(self) -> int:
        """Remove batches that are too old, and old ones where they take too much room; none that is at work.

        Returns:
            Bytes of those that stay.
        """
        now = time.time()
        for path in self.folder.glob(".*") if self.folder.is_dir() else ():
            if now - written_s(path) > YOUNG_S:  # what a kill left behind
                shutil.rmtree(path, ignore_errors=True)
        ages = {path: now - _changed_at(path) for path in numbers(self.folder)}
        sizes = {path: size_of(path) for path in ages}
        used = sum(sizes.values())
        for path, age_s in sorted(ages.items(), key=lambda item: -item[1]):
            crowded = used > self.limits.all_bytes and age_s > YOUNG_S
            if (age_s > self.limits.keep_s or crowded) and self._removed(path):
                used -= sizes[path]
        return used

    def _removed(self, path: Path) -> bool:
        with self._changed:
            if path.name == self.running or path.name in self.queue:
                return False
            self._open.pop(path.name, None)
            self._trouble.pop(path.name, None)
        try:
            with store.Lock(path / ".lock"):  # another process may be at it
                gone = path.rename(path.with_name(f".gone-{secrets.token_hex(8)}"))
        except (RunLockedError, OSError) as error:
            logger.warning("The batch of %s stays: %s", path.parent, error)
            return False
        shutil.rmtree(gone, ignore_errors=True)
        return True

    def _work(self) -> None:
        while not self._over.is_set():
            number = self._next()
            if number is None:
                self._tidy()
                continue
            try:
                go_through(self.get(number), self.service, self._off, self.limits.loaded)
            except Exception as error:  # whatever happens to one batch, the next has its turn
                self._trouble[number] = _why(error)
            finally:
                with self._changed:
                    self.running = None

    def _next(self) -> str | None:
        with self._changed:
            self._changed.wait_for(lambda: bool(self.queue) or self._over.is_set(), SWEEP_EVERY_S)
            if not self.queue or self._over.is_set():
                return None
            self.running = self.queue.popleft()
            self._off.clear()
            return self.running

    def _tidy(self) -> None:
        try:
            self.sweep()
        except OSError as error:  # the next round may fare better
            logger.warning("The batches of %s cannot be looked through: %s", self.folder, error)

    def close(self) -> None:
        """End the work; what is under way goes on when its batch is opened the next time."""
        self._over.set()
        self._off.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(ENDING_S)


def _seconds_left(batch: BatchFolder, rows: Rows) -> float | None:
    """What is left of each pipeline at the pace that it has had; one that has not begun, at the pace of all."""
    if not rows:
        return None
    spent, done = Counter[int](), Counter[int]()
    for row in rows.values():
        spent[row.order] += row.seconds  # type: ignore[assignment]
        done[row.order] += 1
    usual = sum(spent.values()) / len(rows)
    orders, pictures = range(len(batch.ticket.asked)), len(batch.ticket.pictures)
    return float(sum((pictures - done[one]) * (spent[one] / done[one] if done[one] else usual) for one in orders))


def _changed_at(path: Path) -> float:
    return max(written_s(path / name) for name in (TICKET, JOURNAL, RESULTS)) or written_s(path)


def _why(error: Exception) -> str:
    if isinstance(error, RunLockedError):
        return "Another process of this app is at it. Wait for it, or end it and press Go on."
    if isinstance(error, OSError):
        return f"The disk cannot be written ({error.strerror}). All that was done is kept. Make room and press Go on."
    return str(error) if isinstance(error, WorkbenchError) else words(error)
