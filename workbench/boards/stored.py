"""Stored runs: which there are, read quickly and held by the identity of their files; each is named by an id alone."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Literal

import benchmarks
from benchmarks.records import Configuration, RunManifest
from benchmarks.report.facts import Series, stored_rows
from benchmarks.rows import Row
from benchmarks.run_folder import MANIFEST, SUMMARY
from benchmarks.store import RunStore
from benchmarks.tracking.scrubbed import scrubbed
from pipelines.errors import UsageError, WorkbenchError
from workbench.boards.identity import Identity, identity, run_folders

Origin = Literal["reference", "folder", "yours"]
ORIGINS = {"reference": "shipped", "folder": "of this machine", "yours": "yours"}
"""Where a run lies, in words."""

REFERENCE = Path(benchmarks.__file__).parent / "reference"
"""Runs that come with the package."""

MOST_RUNS = 1000
"""Of one folder, newest first; those beyond are counted and not read."""

MOST_BYTES = 32_000_000
"""Of a manifest or a summary: the rows of hundreds of configurations take less."""

Places = Callable[[str], Path | None]
"""Visitor → the folder of the runs that are theirs, or None."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        id: by which a page may name it.
        origin: where it lies.
        folder: of it.
        manifest: what it is.
        rows: that it printed.
    """

    id: str
    origin: Origin
    folder: Path
    manifest: RunManifest
    rows: tuple[Row, ...]

    @property
    def store(self) -> RunStore:
        """Its records."""
        return RunStore(self.folder)

    @cached_property
    def entries(self) -> list[Entry]:
        """One a row."""
        configurations = {one.label: one for one in self.manifest.configurations}
        return [Entry(self, configurations[row.label], row) for row in self.rows]


@dataclass(frozen=True)
class Entry:
    """One line of a leaderboard: a configuration of a run.

    Attributes:
        run: that it is of.
        configuration: as the manifest has it.
        row: what came of it.
    """

    run: Run
    configuration: Configuration
    row: Row

    @cached_property
    def id(self) -> str:
        """By which a page may name it."""
        return f"{self.run.id}/{self.configuration.id}"

    @cached_property
    def text(self) -> str:
        """In which a search looks, in small letters."""
        row, dataset = self.row, self.run.manifest.dataset
        parts = [row.label, row.pipeline, row.preset, row.status, row.device, dataset.name, self.run.id, *row.flags]
        return " ".join([*parts, *(f"{one.repo} {one.licence}" for one in row.weights)]).casefold()

    @cached_property
    def series(self) -> Series:
        """The row as a report sees it, of whose records none was read."""
        return Series(self.configuration, self.row, store=self.run.store)


@dataclass(frozen=True)
class Refused:
    """A run that is not shown.

    Attributes:
        id: that it would have.
        origin: where it lies.
        reason: why, in words.
    """

    id: str
    origin: Origin
    reason: str


@dataclass(frozen=True)
class Found:
    """All that a visitor may see.

    Attributes:
        runs: finished, newest first.
        refused: the others, with reasons.
        left_out: how many were not read, because there are too many.
    """

    runs: tuple[Run, ...] = ()
    refused: tuple[Refused, ...] = ()
    left_out: int = 0

    @property
    def entries(self) -> list[Entry]:
        """Every row of every run."""
        return [entry for run in self.runs for entry in run.entries]

    def run(self, id_: str | None) -> Run:
        """A run by its id.

        Raises:
            UsageError: there is none, or it is not shown.
        """
        for run in self.runs:
            if run.id == id_:
                return run
        why = next((f": {one.reason}" for one in self.refused if one.id == id_), "")
        raise UsageError(f"There is no finished run of that name{why}.", "Choose one of the list.")

    def entry(self, id_: str | None) -> Entry:
        """A row by its id.

        Raises:
            UsageError: there is none.
        """
        for entry in self.entries if id_ else ():
            if entry.id == id_:
                return entry
        raise UsageError("There is no such row any more.", "Choose one of the list.")


@dataclass
class Boards:
    """Reads runs, and reads none twice while its files stay as they are. May be used from many threads.

    Attributes:
        folder: of the runs of this machine.
        own: where the runs of a visitor lie.
        reference: the folder of the runs that come with the package.
        trust_s: seconds for which a finished run that all see is taken to be as it was: to look at a thousand files
            takes longer than all that a filter does. What is new in a folder, or finished, and a visitor's own, is seen
            at once; a page that is refreshed looks at all of them anew, for all.
        held: by folder: what its files were, when that was seen, and what was read.
    """

    folder: Path
    own: Places = lambda visitor: None
    reference: Path = REFERENCE
    trust_s: float = 30.0
    held: OrderedDict[Path, tuple[Identity, float, Run | Refused]] = field(default_factory=OrderedDict)
    lock: Lock = field(default_factory=Lock)

    def look(self, visitor: str, *, anew: bool = False) -> Found:
        """What there is now.

        Args:
            visitor: whose own runs are listed beside those that all see.
            anew: whether the files of every run are looked at, and none is trusted to be as it was.
        """
        places: list[tuple[Origin, Path | None]] = [
            ("yours", self.own(visitor)), ("folder", self.folder), ("reference", self.reference)
        ]  # fmt: skip
        folders = [(origin, run_folders(root)) for origin, root in places if root]
        found = [self._read(folder, origin, anew=anew) for origin, some in folders for folder in some[:MOST_RUNS]]
        finished = [one for one in found if isinstance(one, Run)]
        runs = sorted(finished, key=lambda run: run.manifest.created, reverse=True)
        refused = tuple(one for one in found if isinstance(one, Refused))
        return Found(tuple(runs), refused, sum(max(0, len(some) - MOST_RUNS) for _, some in folders))

    def _read(self, folder: Path, origin: Origin, *, anew: bool) -> Run | Refused:
        known, seen = self.held.get(folder), monotonic()
        may_be_trusted = known is not None and isinstance(known[2], Run) and origin != "yours" and not anew
        if known and may_be_trusted and seen - known[1] < self.trust_s:
            return known[2]
        now = identity(folder)
        one = known[2] if known and known[0] == now else read(folder, origin)
        with self.lock:
            self.held[folder] = now, seen, one
            self.held.move_to_end(folder)
            while len(self.held) > 2 * MOST_RUNS:
                self.held.popitem(last=False)
        return one


def read(folder: Path, origin: Origin) -> Run | Refused:
    """One run, or why it is not shown.

    Args:
        folder: of the run.
        origin: where it lies.
    """
    id_ = f"{origin}-{hashlib.sha256(str(folder.parent.resolve()).encode()).hexdigest()[:6]}-{folder.name}"
    try:
        _check_files(folder)
        store = RunStore(folder)
        manifest = store.manifest()
        _check_places(folder, manifest)
        rows = stored_rows(store, manifest, dated=origin != "reference")
        if missing := _unfinished(store, manifest, rows):
            return Refused(id_, origin, missing)
    except WorkbenchError as error:
        return Refused(id_, origin, str(scrubbed(str(error))))
    except OSError as error:
        return Refused(id_, origin, f"it cannot be read: {error.strerror or 'unknown'}")
    return Run(id_, origin, folder, manifest, tuple(rows[one.label] for one in manifest.configurations))


def _check_files(folder: Path) -> None:
    """No way out of the folder of the runs, and nothing so large that reading it is a burden."""
    if folder.is_symlink() or any((folder / name).is_symlink() for name in (MANIFEST, SUMMARY)):
        raise UsageError("It is a link to another place.", "Put the run itself there.")
    for name in (MANIFEST, SUMMARY):
        path = folder / name
        if path.is_file() and path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{name} has more than {MOST_BYTES / 1e6:.0f} MB.", "Report on it with benchmarks.report.")


def _check_places(folder: Path, manifest: RunManifest) -> None:
    """Records are looked for where a manifest says: that has to be inside the run."""
    root = folder.resolve()
    for one in manifest.configurations:
        place = RunStore(folder).records_path(one.id)
        if Path(one.id).name != one.id or not place.resolve().is_relative_to(root):
            raise UsageError("Its manifest names records outside the run.", "Make the run again.")


def _unfinished(store: RunStore, manifest: RunManifest, rows: dict[str, Row]) -> str | None:
    """Why a run is not final, or None."""
    wanted = [one for one in manifest.configurations if one.unavailable is None]
    if not rows and (store.folder / SUMMARY).is_file():
        return "its summary is older than its records or of another version: give its command again"
    if not rows:
        done = sum(store.timing_path(one.id).is_file() for one in wanted)
        return f"not finished: {done} of {len(wanted)} pipelines are measured; its command, given again, goes on"
    if any(one.label not in rows for one in manifest.configurations):
        return "its summary lacks a row of its manifest: give its command again"
    return None


def datasets(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs by the hash of their images, in the order in which they come: rows are ranked within one alone."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.manifest.dataset.hash, []).append(run)
    return found
