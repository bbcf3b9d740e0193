"""What a visitor has under way with a dataset, in a folder of its own: what is chosen, done and found, on the disk."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Literal

from pydantic import ValidationError

from benchmarks.profile.exclusions import excluded, refused, write_exclusions
from benchmarks.profile.page import FILE as PAGE
from benchmarks.profile.written import JSON_FILE
from benchmarks.records import Record, RunManifest
from benchmarks.rows import Row
from benchmarks.run_folder import MANIFEST, rows_of
from benchmarks.store import RunStore, write_whole
from pipelines.errors import UsageError
from workbench.studies.commands import LOG, counted

SCHEMA_VERSION = 1
RECORD, PROFILE, LIST, RUNS = "study.json", "profile", "exclude.txt", "runs"
Document = Mapping[str, Any]
Work = Literal["profile", "benchmark"]


class Wanted(Record):
    """A benchmark as it is asked for.

    Attributes:
        pipelines: ``NAME`` or ``NAME@PRESET`` each.
        limit: number of images, evenly spaced; None = all.
        budget_s: seconds for the timing of each pipeline.
        prompts: what to look for, or ``class=words``; none = what the dataset says.
        prompt_from: where points or boxes come from, as ``--prompt-from`` has it; None = what the dataset says.
        left_out: ids on the list of images to leave out.
    """

    pipelines: tuple[str, ...]
    limit: int | None = None
    budget_s: float = 5.0
    prompts: tuple[str, ...] = ()
    prompt_from: Literal["boxes", "points"] | None = None
    left_out: tuple[str, ...] = ()


class StudyRecord(Record):
    """What is kept of a study.

    Attributes:
        source: "coins", "upload", or the name of a folder that whoever started the app offers.
        name: of the dataset, for people.
        data: folder of an upload, below that of the study; empty for others.
        work: what is under way, or was when the app ended; None = nothing.
        last: what was begun last.
        wanted: the benchmark that was asked for last.
        run: id of the run that came of it last.
        failed: what went wrong last, in words.
    """

    schema_version: int = SCHEMA_VERSION
    source: str
    name: str
    data: str = ""
    work: Work | None = None
    last: Work | None = None
    wanted: Wanted | None = None
    run: str | None = None
    failed: str | None = None


@dataclass
class Study:
    """A study that somebody has open. May be used from many threads.

    Attributes:
        folder: of it, whose name is the number that opens it again.
        record: what is kept of it.
        off: set to call off what is under way.
        thread: that does it.
        before: how many are before it in the line; None = it does not wait.
        since_ns: when what is under way was begun, as files tell the time.
        lock: of the record.
        beginning: held by whoever looks whether it is idle and then begins something.
    """

    folder: Path
    record: StudyRecord
    off: Event = field(default_factory=Event)
    thread: Thread | None = None
    before: int | None = None
    since_ns: int = 0
    lock: Lock = field(default_factory=Lock)
    beginning: Lock = field(default_factory=Lock)

    @property
    def number(self) -> str:
        """By which it is opened again."""
        return self.folder.name

    @property
    def is_busy(self) -> bool:
        """Whether anything is under way."""
        return self.thread is not None and self.thread.is_alive()

    @property
    def runs(self) -> Path:
        """Folder of the visitor's own runs."""
        return self.folder / RUNS

    def note(self, **changed: Any) -> None:
        """Change the record, on the disk first."""
        with self.lock:
            record = self.record.model_copy(update=changed)
            write_whole(self.folder / RECORD, record.model_dump_json(indent=1))
            self.record = record

    @property
    def profile_folder(self) -> Path:
        """Where the profile of the dataset lies."""
        return self.folder / PROFILE

    @property
    def page(self) -> Path:
        """The whole report of the profile."""
        return self.profile_folder / PAGE

    @property
    def document(self) -> dict[str, Any] | None:
        """The profile, or None where there is none yet."""
        path = self.profile_folder / JSON_FILE
        return json.loads(path.read_bytes()) if path.is_file() else None

    def ran(self) -> tuple[RunManifest, list[Row]] | None:
        """The run that was done last, or None."""
        if self.record.run is None:
            return None
        folder = self.runs / self.record.run
        return RunStore(folder).manifest(), rows_of(folder)

    def progress(self) -> tuple[int, int, str] | None:
        """How far what is under way is: done, of how many, and what is counted; None where that is not known yet."""
        if self.record.work == "profile":
            found = counted(self.folder) if _written_ns(self.folder / LOG) >= self.since_ns else None
            return (*found, "images looked at") if found else None
        newest = max((path for path in self.runs.glob(f"*/{MANIFEST}")), key=_written_ns, default=None)
        if newest is None or _written_ns(newest) < self.since_ns:
            return None
        return Counts(newest.parent).progress()


@dataclass(frozen=True)
class Counts:
    """Records of a run that is under way, counted by their lines.

    Attributes:
        folder: of the run.
    """

    folder: Path

    @cached_property
    def manifest(self) -> RunManifest:
        """What the run is."""
        return RunStore(self.folder).manifest()

    def progress(self) -> tuple[int, int, str]:
        """Images done by all pipelines, of how many, and what is done now."""
        store, n = RunStore(self.folder), self.manifest.dataset.n
        wanted = [one for one in self.manifest.configurations if one.unavailable is None]
        done = {one.label: min(n, _lines(store.records_path(one.id))) for one in wanted}
        said = next((f"images through {label}" for label, count in done.items() if count < n), "images; now timed")
        return sum(done.values()), n * len(wanted), said


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def _written_ns(path: Path) -> int:
    """When a file was written last; 0 where there is none."""
    return path.stat().st_mtime_ns if path.is_file() else 0


def read(folder: Path) -> Study:
    """A study from its folder.

    Raises:
        UsageError: there is none that this version reads.
    """
    try:
        return Study(folder, StudyRecord.model_validate_json((folder / RECORD).read_bytes()))
    except (OSError, ValidationError) as error:
        raise gone() from error


def gone() -> UsageError:
    """One sentence for all numbers that open nothing."""
    return UsageError("There is no study of that number, or it is no longer kept.", "Begin a new one.")


def suspected(document: Mapping[str, Any]) -> dict[str, str]:
    """Every image that is suspect, the gravest first, with its reasons."""
    return excluded({"suspects": [{**one, "exclude": True} for one in document["suspects"]]})


def proposed(document: Mapping[str, Any]) -> list[str]:
    """Images that the profile would leave out."""
    return list(excluded(document))


def write_list(document: Mapping[str, Any], chosen: Collection[str], path: Path) -> tuple[str, ...]:
    """Write the list of what is left out, as the profile would.

    Args:
        document: of the profile.
        chosen: ids of suspects; others are passed over.
        path: of the file.

    Returns:
        Every name on it; rows that no run starts with are always there.
    """
    marked = [{**one, "exclude": one["sample"] in chosen} for one in document["suspects"]]
    changed = {**document, "suspects": marked}
    write_exclusions(changed, path)
    return tuple(sorted({**refused(changed), **excluded(changed)}))
