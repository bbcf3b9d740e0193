"""Studies of datasets: profile and small benchmark for each visitor, in folders that outlive the app and then go."""

from __future__ import annotations

import logging
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from pipelines.errors import UnknownNameError, UsageError, WorkbenchError
from workbench.catalogue import Place
from workbench.looks.child import Failed
from workbench.looks.process import CancelledError
from workbench.studies import commands, study
from workbench.studies.intake import COINS, UPLOAD, prune, taken_in
from workbench.studies.room import NUMBER, SPARED_S, clear, out_of_the_way, taken, too_much, used_s
from workbench.studies.rules import Rules
from workbench.studies.study import LIST, Study, StudyRecord, Wanted, Work
from workbench.studies.turns import Line
from workbench.studies.work import benchmark, profile

logger = logging.getLogger(__name__)
UNFINISHED = "It was ended before it was done. What was measured is kept: start it again to go on."


@dataclass
class Studies:
    """All studies. May be used from many threads.

    Attributes:
        folder: of all of them and of nothing else; made when the first begins.
        place: where pipelines run.
        offered: name → folder of a dataset of this machine that everybody may study.
        known: pipelines that may be asked for, as ``NAME`` or ``NAME@PRESET``.
        rules: what they may take.
        open: number → a study that was opened since the app began.
        visitors: visitor → number of the study that is open there.
    """

    folder: Path
    place: Place
    offered: Mapping[str, Path] = field(default_factory=dict)
    known: Iterable[str] = ()
    rules: Rules = field(default_factory=Rules)
    open: dict[str, Study] = field(default_factory=dict)
    visitors: dict[str, str] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)
    over: Event = field(default_factory=Event)
    now: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self.lines: dict[Work, Line] = {"profile": Line(self.rules.lines), "benchmark": Line(self.rules.lines)}
        self.sweeper: Thread | None = None

    def begin(self, visitor: str, source: str, upload: Path | None = None) -> Study:
        """Take a dataset; in the study that the visitor has open, whose runs stay, or else in a new one.

        Args:
            visitor: whose study it is.
            source: "coins", "upload" or a name that is offered.
            upload: the ZIP, for "upload"; None = the one before.

        Raises:
            WorkbenchError: there is no such dataset, or the ZIP is refused; all that was there before stays.
        """
        if source not in (COINS, UPLOAD, *self.offered):
            raise UnknownNameError("dataset", source, (COINS, *self.offered))
        self.sweep()
        if source == UPLOAD and upload is not None and taken(self.folder) > self._room:
            raise UsageError("There is no room for another dataset now.", "Try again in an hour.")
        found = self.find(visitor) or self._new(visitor)
        name, data = self._taken(found, upload) if source == UPLOAD else (source, "")
        try:
            with found.beginning:
                self.stop(found)
                _check_idle(found)
                shutil.rmtree(found.profile_folder, ignore_errors=True)
                (found.folder / LIST).unlink(missing_ok=True)
                found.note(source=source, name=name, data=data, work=None, last=None, wanted=None, run=None,
                           failed=None)  # fmt: skip
        finally:
            prune(found.folder, found.record.data)
        return found

    def _taken(self, found: Study, upload: Path | None) -> tuple[str, str]:
        """Name and folder of an upload; without a new one those of the one before."""
        if upload is None and found.record.data:
            return found.record.name, found.record.data
        return taken_in(upload, found.folder, self.rules.data_mb)

    def _new(self, visitor: str) -> Study:
        number = secrets.token_hex(16)
        self.folder.mkdir(parents=True, exist_ok=True)
        made = Study(self.folder / number, StudyRecord(source=COINS, name=COINS))
        made.folder.mkdir(mode=0o700)
        made.note()
        with self.lock:
            self.open[number] = made
            self.visitors[visitor] = number
        return made

    def find(self, visitor: str) -> Study | None:
        """The study that a visitor has open, or None."""
        with self.lock:
            return self.open.get(self.visitors.get(visitor, ""))

    def get(self, visitor: str) -> Study:
        """The same.

        Raises:
            UsageError: there is none.
        """
        found = self.find(visitor)
        if found is None:
            raise UsageError("There is no dataset yet.", "Choose one first.")
        return found

    def enter(self, visitor: str, number: str) -> Study:
        """Open a study again by its number; what the end of the app cut off goes on.

        Raises:
            UsageError: there is no study of that number.
        """
        with self.lock:  # else a sweep may remove it before it is seen to be used
            found = self._named(number)
            found.note()
            self.visitors[visitor] = number
        with found.beginning:
            if found.record.work is not None and not found.is_busy:
                self._start(found, found.record.work)
        return found

    def named(self, number: str) -> Study:
        """A study by its number.

        Raises:
            UsageError: there is none.
        """
        with self.lock:
            return self._named(number)

    def _named(self, number: str) -> Study:
        if not NUMBER.fullmatch(number):
            raise study.gone()
        if number not in self.open:
            self.open[number] = study.read(self.folder / number)
        return self.open[number]

    def leave(self, visitor: str) -> None:
        """The visitor went; what is under way goes on, and the number opens it again."""
        with self.lock:
            self.visitors.pop(visitor, None)

    def runs_of(self, visitor: str) -> Path | None:
        """The folder of the runs that are a visitor's own, or None; for the leaderboard."""
        found = self.find(visitor)
        return None if found is None or not found.runs.is_dir() else found.runs

    def profile(self, found: Study) -> None:
        """Begin to profile the dataset.

        Raises:
            UsageError: something is under way already.
        """
        self._begun(found, "profile")

    def benchmark(self, found: Study, wanted: Wanted) -> None:
        """Begin a benchmark, or go on with it where it is the same as the one that was stopped.

        Args:
            found: the study.
            wanted: what is asked for; ``left_out`` holds what is ticked, and becomes the list.

        Raises:
            UsageError: something is under way already, nothing is asked for, or there is no profile yet.
            UnknownNameError: a pipeline that is not offered here.
        """
        if not wanted.pipelines:
            raise UsageError("No pipeline is chosen.", "Tick one.")
        for label in wanted.pipelines:
            if label not in self.known:
                raise UnknownNameError("pipeline", label, self.known)
        document = found.document
        if document is None:
            raise UsageError("The dataset is not profiled yet.", "Profile it first.")
        listed = study.write_list(document, wanted.left_out, found.folder / LIST)
        self._begun(found, "benchmark", wanted=wanted.model_copy(update={"left_out": listed}), run=None)

    def _begun(self, found: Study, work: Work, **noted: Any) -> None:
        with found.beginning:  # else two at one time would both find it idle
            _check_idle(found)
            found.note(work=work, last=work, failed=None, **noted)
            self._start(found, work)

    def _start(self, found: Study, work: Work) -> None:
        found.off, found.before, found.since_ns = Event(), None, time.time_ns()
        found.thread = Thread(target=self._work, args=(found, work, found.off), name=f"study-{work}", daemon=True)
        found.thread.start()

    def _work(self, found: Study, work: Work, off: Event) -> None:
        """Wait for its turn and do it; the record says how it ended, unless the app ends first."""
        try:
            with self.lines[work].turn(off, lambda before: _told(found, before)):
                run = self._done(found, work, off)
            found.note(work=None, run=run)
        except CancelledError:
            if not self.over.is_set():  # else it goes on when the app is there again
                found.note(work=None, failed=UNFINISHED if work == "benchmark" else None)
        except WorkbenchError as error:
            found.note(work=None, failed=str(error))
        except Exception as error:  # this thread is nobody's callback: what it does not tell, nobody hears
            logger.exception("A study failed")
            found.note(work=None, failed=f"{Failed.of(error).message} Try again.")

    def _done(self, found: Study, work: Work, off: Event) -> str | None:
        """Do it; the id of the run that came of it."""
        spec = self._spec(found)
        if work == "profile":
            profile(found, spec, self.rules.profile, off)
            return None
        return benchmark(found, spec, self.place, self.rules.benchmark, off)

    def _spec(self, found: Study) -> str:
        """How the dataset is named on a command line."""
        source = found.record.source
        if source == UPLOAD:
            return str((found.folder / found.record.data).absolute())
        if source == COINS:
            return COINS
        if source not in self.offered:
            raise UnknownNameError("dataset", source, (COINS, *self.offered))
        return str(self.offered[source].absolute())

    def stop(self, found: Study) -> None:
        """Call off what is under way, and wait for its end: two seconds at most."""
        found.off.set()
        if found.thread is not None:
            found.thread.join(2 * commands.ENDING_S)

    def start(self) -> None:
        """Begin to remove studies that nobody uses, in a thread that ends with the process."""
        if self.sweeper is None:
            self.sweeper = Thread(target=self._rounds, name="studies", daemon=True)
            self.sweeper.start()

    def _rounds(self) -> None:
        while not self.over.wait(self.rules.every_s):
            try:
                self.sweep()
            except OSError as error:  # the next round may fare better
                logger.warning("The studies of %s cannot be looked through: %s", self.folder, error)

    def sweep(self) -> list[str]:
        """Remove studies that are too old, then the oldest until all fit; one at which something is done stays.

        Returns:
            Their numbers.
        """
        spared_s = self.now() - min(SPARED_S, self.rules.age_s)
        old = too_much(self.folder, self._room, self.now() - self.rules.age_s, spared_s)
        removed = [path.name for path in old if self._forgotten(path, spared_s)]
        clear(self.folder)
        return removed

    def _forgotten(self, path: Path, spared_s: float) -> bool:
        """Whether a study is idle, and was not used since it was looked at; nobody finds it any more then."""
        with self.lock:
            found = self.open.get(path.name)
            if used_s(path) >= spared_s or (found is not None and found.is_busy):
                return False
            is_moved = out_of_the_way(path)
            if is_moved:
                self.open.pop(path.name, None)
            return is_moved

    @property
    def _room(self) -> int:
        return int(self.rules.room_mb * 1e6)

    def close(self) -> None:
        """End all that is under way; it goes on when its study is opened again."""
        self.over.set()
        for found in list(self.open.values()):
            self.stop(found)


def _check_idle(found: Study) -> None:
    if found.is_busy:
        raise UsageError("Something is under way already.", "Wait for it, or stop it.")


def _told(found: Study, before: int) -> None:
    found.before = before or None
