"""What a report needs to know of a run, read in one pass over its records: figures by image, curves, masks as bytes."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from benchmarks import leaderboard
from benchmarks.metrics import METRICS
from benchmarks.metrics.curve import CURVE, LEVELS, iou_curve
from benchmarks.records import Configuration, RunManifest, SampleRecord
from benchmarks.report.outlines import Outline, outline
from benchmarks.rows import Row, knew, may_lead
from benchmarks.store import RunStore
from pipelines.errors import UsageError

MOST_OUTLINES_MB = 200.0
"""Of all configurations together; beyond it the masks of one are not compared with those of others."""

OUTLINE_BYTES = 400
"""What an outline takes beside its counts."""

MOST_ERRORS = 20
_SUMMARY = TypeAdapter(dict[str, Any])
_MIOU = METRICS["miou"]


@dataclass
class Series:
    """What one configuration did, image by image, in the order of its records.

    Attributes:
        configuration: which, with the weights that really ran.
        row: its line of the leaderboard.
        ids: of the samples.
        groups: unit of resampling of each.
        ious: of each, 0 where it failed; NaN where there is no target or the weights are random.
        errors: the first so many, as (id, what went wrong).
        curve: mean IoU at each of 256 thresholds ``(256,)`` of images with a target, or None without soft maps.
        outlines: id → the union of its masks, compressed; None once they would take too much room.
        unfinished: whether it was still to be measured when the run ended.
        store: of its run, where it stands beside those of other runs; None = that of the `Facts` that it is part of.
    """

    configuration: Configuration
    row: Row
    ids: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    ious: array[float] = field(default_factory=lambda: array("d"))
    errors: list[tuple[str, str]] = field(default_factory=list)
    curve: npt.NDArray[np.float64] | None = None
    outlines: dict[str, Outline] | None = field(default_factory=dict)
    unfinished: bool = False
    store: RunStore | None = None

    @property
    def label(self) -> str:
        """What the row is called."""
        return self.configuration.label

    @property
    def meaningful(self) -> bool:
        """Whether its masks mean anything: it ran, and its weights are not random."""
        return self.row.status == "ok" and not self.random

    @property
    def random(self) -> bool:
        """Whether its weights are random."""
        return leaderboard.is_random(self.configuration)

    @cached_property
    def by_id(self) -> dict[str, float]:
        """IoU of each image that has one."""
        return {name: iou for name, iou in zip(self.ids, self.ious, strict=True) if not math.isnan(iou)}


@dataclass(frozen=True)
class Facts:
    """A run as the report sees it.

    Attributes:
        store: its folder.
        manifest: what the run is.
        series: one a configuration, in the order of the leaderboard.
    """

    store: RunStore
    manifest: RunManifest
    series: tuple[Series, ...]

    @property
    def rows(self) -> list[Row]:
        """The lines of the leaderboard, best first."""
        return [one.row for one in self.series]

    @property
    def judged(self) -> list[Series]:
        """Those whose quality was measured, best first; those that knew the true masks come last."""
        return [one for one in self.series if one.row.status == "ok" and one.row.miou is not None]

    @property
    def rivals(self) -> list[Series]:
        """Those of the judged of which one is to be shipped, best first: the first leads."""
        labels = {row.label for row in may_lead(self.rows)}
        return [one for one in self.judged if one.label in labels]

    @property
    def blind(self) -> list[Series]:
        """Those that ran, but whose quality was not measured."""
        return [one for one in self.ran if one.row.miou is None]

    @property
    def unfinished(self) -> bool:
        """Whether the run ended before all was measured."""
        return any(one.unfinished for one in self.series)

    @property
    def ran(self) -> list[Series]:
        """Those that ran, whether judged or not."""
        return [one for one in self.series if one.row.status == "ok"]


def read(folder: Path) -> Facts:
    """Read a run.

    Args:
        folder: of the run.

    Raises:
        UsageError: it holds no run that this version reads, or its records are gone.
    """
    store = RunStore(folder)
    manifest = store.manifest()
    known = stored_rows(store, manifest)
    series = [series_of(store, manifest, one, known.get(one.label)) for one in manifest.configurations]
    series.sort(key=place)
    return Facts(store, manifest, tuple(series))


def place(one: Series, metric: str = _MIOU.name) -> tuple[bool, bool, bool, float]:
    """Best first, then those that knew the answer, then those without a figure, fastest first, then what did not run.

    Args:
        one: to be sorted among others.
        metric: name.
    """
    row = one.row
    found = row.metrics.get(metric)
    value = row.miou if metric == _MIOU.name else found.value if found else None
    if value is None:
        return row.status != "ok", True, False, (row.latency_ms or {}).get("p50") or 0.0
    return row.status != "ok", False, knew(row), -value if METRICS[metric].direction == "higher" else value


def stored_rows(store: RunStore, manifest: RunManifest, *, dated: bool = True) -> dict[str, Row]:
    """Label → the row that the run printed, where it is of these records; else nothing.

    Rows are a function of the records, all but the words of a process that died; to count them again takes 10,000
    resamples for each metric.

    Args:
        store: of the run.
        manifest: of the run.
        dated: whether the times of the files tell which was written later; of a package or a checkout they do not.
    """
    path = store.folder / "summary.json"
    files = [store.records_path(one.id) for one in manifest.configurations]
    try:
        written = path.stat().st_mtime_ns
        if dated and any(file.is_file() and file.stat().st_mtime_ns > written for file in files):
            return {}
        found = _SUMMARY.validate_json(path.read_bytes())
        if found["run_id"] != manifest.run_id:
            return {}
        return {row.label: row for row in map(Row.model_validate, found["rows"])}
    except (OSError, ValidationError, KeyError):  # not there, or of another version: the rows are counted again
        return {}


def series_of(store: RunStore, manifest: RunManifest, configuration: Configuration, known: Row | None, *,
              compared: bool = True) -> Series:  # fmt: skip
    """What one configuration did, from its records.

    Args:
        store: of the run.
        manifest: of the run.
        configuration: which.
        known: its row, where the run printed it; else it is counted from the records.
        compared: whether its masks are kept to be compared with those of the other configurations.

    Raises:
        UsageError: its records are gone.
    """
    timing = store.timing(configuration.id)
    about = Row(label="", pipeline="", preset="", params={}, status="failed", n=0, device="")
    one = Series(configuration.as_ran(timing), about)
    n = len(manifest.configurations)
    tap = _Tap(one, MOST_OUTLINES_MB / n if compared and n > 1 else None)
    if known is not None:
        for record in store.records(configuration.id):
            tap.add(record)
        one.row = known
        if known.status == "ok" and len(one.ids) < known.n:
            raise UsageError(f"The records of {store.folder} are gone.", "Run its command again, with --fresh.")
    else:
        records = tap.through(store.records(configuration.id))
        one.row = leaderboard.row(manifest, configuration, records, timing)
        for _ in records:  # those of a row that was settled without them
            pass
        whole = timing is not None and len(one.ids) == manifest.dataset.n
        one.unfinished = not whole and configuration.unavailable is None
    tap.close()
    return one


class _Tap:
    """Notes of each record what the report needs, and holds no record."""

    def __init__(self, one: Series, room_mb: float | None) -> None:
        self.one, self.random = one, leaderboard.is_random(one.configuration)
        self.tops, self.n, self.room = np.zeros(LEVELS), 0, None if room_mb is None else room_mb * 1e6

    def through(self, records: Iterator[SampleRecord]) -> Iterator[SampleRecord]:
        for record in records:
            self.add(record)
            yield record

    def add(self, record: SampleRecord) -> None:
        one, components = self.one, {} if self.random else record.components or {}
        one.ids.append(record.id)
        one.groups.append(record.group)
        one.ious.append(_iou(components))
        if record.error is not None and len(one.errors) < MOST_ERRORS:
            one.errors.append((record.id, record.error))
        if CURVE.name in components and (record.soft or record.error is not None):
            self.tops += iou_curve(components[CURVE.name])
            self.n += 1
        if not self.random and record.error is None:
            self._keep(record)

    def _keep(self, record: SampleRecord) -> None:
        if self.one.outlines is None or self.room is None:  # too much of it, or nothing to compare it with
            return
        kept = outline(record)
        self.room -= len(kept["counts"]) + OUTLINE_BYTES
        if self.room < 0:
            self.one.outlines = None
        else:
            self.one.outlines[record.id] = kept

    def close(self) -> None:
        row = self.one.row
        if self.n and row.soft:
            self.one.curve = self.tops / self.n


def _iou(components: Any) -> float:
    """IoU of an image, or NaN without a target."""
    counted = components.get(_MIOU.family.name)
    value = None if counted is None else _MIOU.value(counted)
    return math.nan if value is None else value
