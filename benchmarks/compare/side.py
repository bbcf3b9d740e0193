"""A row that is compared: how the command line names it, and whether it is whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.records import Configuration, RunManifest
from benchmarks.run_folder import SUMMARY, find_run, holds_run, newest_note, rows_of
from benchmarks.store import RunStore
from benchmarks.timing.record import Timing
from pipelines.errors import UnknownNameError, UsageError


@dataclass(frozen=True)
class Side:
    """One row that is compared.

    Attributes:
        store: of its run.
        manifest: of its run.
        configuration: of the row.
        n: records that it has.
        note: which run was taken, where a folder of runs was named.
    """

    store: RunStore
    manifest: RunManifest
    configuration: Configuration
    n: int
    note: str | None = None

    @property
    def timing(self) -> Timing | None:
        """Of the process that finished it, or None."""
        return self.store.timing(self.configuration.id)


def find_side(text: str, run: Path | None = None) -> Side:
    """The row that ``RUN:LABEL``, a run with one row, or with a run a label alone names.

    Args:
        text: of the command line.
        run: the run where the text is a label.

    Raises:
        UsageError: there is no such run, it has several rows, or the row did not finish.
        UnknownNameError: the run has no such row.
    """
    named, label = (run, text) if run else _split(text)
    folder = find_run(named)
    store = RunStore(folder)
    manifest = store.manifest()
    by_label = {one.label: one for one in manifest.configurations}
    if label is None and len(by_label) > 1:
        raise UsageError(f"{folder} has {len(by_label)} rows.", f"Write {folder}:LABEL; labels: {', '.join(by_label)}.")
    label = label or next(iter(by_label))
    if label not in by_label:
        raise UnknownNameError(f"row of {folder}", label, by_label)
    found = by_label[label]
    side = Side(store, manifest, found, len(store.index(found.id).places), newest_note(named, folder))
    if why := _unfinished(side):
        raise UsageError(f"{label} of {folder} cannot be compared: {why}.", "Run its command again, then compare.")
    return side


def _unfinished(side: Side) -> str | None:
    """Why a row is not "ok", or None: what is left out of it may be the images that it fails on."""
    wanted, label = side.manifest.dataset.n, side.configuration.label
    if side.n < wanted:
        why = side.configuration.unavailable
        return f"it has records of {side.n} of {wanted} images{f': {why}' if why else ''}".rstrip(".")
    rows = rows_of(side.store.folder) if (side.store.folder / SUMMARY).is_file() else []
    row = next((one for one in rows if one.label == label), None)
    if row and row.status != "ok":
        return f"it is {row.status}: {row.reason or 'no reason is known'}".rstrip(".")
    if all(record.error for record in side.store.records(side.configuration.id)):
        return "it failed on every image"
    # Without a summary the run is still going on, or was killed; this row of it may be whole all the same.
    return None if row or side.timing else "it did not finish"


def _split(text: str) -> tuple[Path, str | None]:
    """Folder and label; both may hold colons, so the first folder that holds a run counts."""
    places = [place for place, character in enumerate(text) if character == ":"]
    for place in (len(text), *places):
        folder, label = Path(text[:place] or "."), text[place + 1 :]
        if holds_run(folder) and (label or place == len(text)):
            return folder, label or None
    raise UsageError(f"{text!r} names no row of a run.",
                     "Write RUN:LABEL, or --run RUN and two labels.")  # fmt: skip
