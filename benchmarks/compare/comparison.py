"""Two rows of runs on the same images: whether they may be compared, and what their records say."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.compare.side import Side
from benchmarks.datasets import Sample
from benchmarks.leaderboard import HEADLINES, is_random
from benchmarks.metrics import METRICS, Metric
from benchmarks.records import DatasetRecord, SampleRecord
from benchmarks.selection import open_selected
from benchmarks.statistics.paired import Difference, SideBySide
from benchmarks.statistics.paired_latency import Calls, ratio
from benchmarks.statistics.pairs import Verdict, matched, side_by_side, verdict
from benchmarks.timing.steadiness import AGREE
from pipelines.errors import DatasetError, UsageError

MACHINE = ("cpu", "cores", "gpu")


@dataclass(frozen=True)
class Measured:
    """One figure of both.

    Attributes:
        a: of the first on these images; None for times.
        b: of the second.
        difference: of the first less the second, or the ratio of the times.
        verdict: of the first.
    """

    a: float | None
    b: float | None
    difference: Difference
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """What comes of two rows.

    Attributes:
        n: images of both.
        n_groups: groups of these.
        metrics: by name.
        latency: the ratio of their times.
        notes: what has to be known to read it.
    """

    n: int
    n_groups: int
    metrics: Mapping[str, Measured]
    latency: Measured
    notes: tuple[str, ...]


def check_same(a: Side, b: Side) -> None:
    """Make sure that both saw the same pictures and masks under the same ids.

    Two selections of one dataset may be compared on what they share: it is opened to see that it is the same still.

    Raises:
        DatasetError: they did not, or the dataset of two selections cannot be opened to see.
    """
    ours, theirs = a.manifest.dataset, b.manifest.dataset
    if ours.hash == theirs.hash:
        return
    if ours.spec != theirs.spec or _selection(ours) == _selection(theirs):
        raise DatasetError(
            f"The runs are of different images: {ours.name} ({ours.n} images, {ours.hash[:12]}) and "
            f"{theirs.name} ({theirs.n} images, {theirs.hash[:12]}).",
            "Run both on the same dataset, with the same pictures and masks.",
        )
    known = {sample.id: sample for sample in _opened(ours)}
    for sample in _opened(theirs):
        if sample.id in known and _hashes(sample) != _hashes(known[sample.id]):
            raise DatasetError(f"{sample.id} has another picture or mask in the second run.", "Run both again.")


def _selection(record: DatasetRecord) -> tuple[Any, ...]:
    return record.split, record.limit, record.exclude


def _opened(record: DatasetRecord) -> Iterator[Sample]:
    dataset = open_selected(record)
    if dataset.hash != record.hash:
        raise DatasetError(f"{dataset.name} is not what the run saw, so that the images cannot be matched.",
                           "Bring back its files, or run both again on the same images.")  # fmt: skip
    return iter(dataset)


def _hashes(sample: Sample) -> tuple[str, str | None]:
    return sample.image_hash, sample.target_hash


class _Pass:
    """What one pass over the records of both gathers beside the sums of the metrics; little, however many there are.

    Args:
        times: whether the times of the calls that were scored are wanted.
    """

    def __init__(self, *, times: bool) -> None:
        self.n = self.alone = 0
        self.groups: dict[str, str] = {}
        self.times, self.ids = times, list[str]()
        self.ms = (array("d"), array("d"))

    @property
    def n_groups(self) -> int:
        """Groups of the images of both."""
        return self.alone + len(set(self.groups.values()))

    def seen(self, rows: Iterator[tuple[SampleRecord, ...]]) -> Iterator[tuple[SampleRecord, ...]]:
        """The same rows; what is wanted of them is kept."""
        for row in rows:
            self._keep(row)
            yield row

    def _keep(self, row: tuple[SampleRecord, ...]) -> None:
        self.n += 1
        if row[0].group == row[0].id:
            self.alone += 1
        else:
            self.groups[row[0].id] = row[0].group
        if self.times and all("latency" in record.ms for record in row):
            self.ids.append(row[0].id)
            for times, record in zip(self.ms, row, strict=True):
                times.append(record.ms["latency"])

    def calls(self) -> tuple[Calls, Calls]:
        """Of both, one an image."""
        ids, place = tuple(self.ids), np.arange(len(self.ids))
        ours, theirs = (Calls(ids, place, 0 * place, np.log(np.maximum(times, 1e-6))) for times in self.ms)
        return ours, theirs


def compare(a: Side, b: Side, metrics: Sequence[str] = HEADLINES) -> Comparison:
    """Compare two rows on the images of both.

    Args:
        a: the one that is judged.
        b: what it is held against.
        metrics: names.

    Raises:
        DatasetError: they are of different images.
        UsageError: they have no image in common.
    """
    check_same(a, b)
    calls, chosen = _windowed(a, b), {name: METRICS[name] for name in metrics}
    seen = _Pass(times=calls is None)
    rows = seen.seen(matched([(side.store, side.configuration.id) for side in (a, b)]))
    tables = side_by_side(rows, chosen)
    if not seen.n:
        raise UsageError("The two rows have no image in common.", "Run both on the same images.")
    seed = a.manifest.protocol.seed
    found = {name: _measured(metric, tables.get(name), seed, _is_random(a, b)) for name, metric in chosen.items()}
    ours, theirs = calls or seen.calls()
    latency = ratio(ours, theirs, seen.groups, drift=1.0 if _took_turns(a, b) else AGREE, seed=seed)
    timed = Measured(None, None, latency, verdict(latency, higher=False, even=1.0))
    return Comparison(seen.n, seen.n_groups, found, timed, tuple(_notes(a, b, seen.n)))


def _is_random(a: Side, b: Side) -> bool:
    return any(is_random(side.configuration) for side in (a, b))


def _measured(metric: Metric, table: SideBySide | None, seed: int, random: bool) -> Measured:
    if random or table is None:
        reason = "weights are random" if random else "no image of both has what it is counted on, such as a mask"
        return Measured(None, None, Difference(None, None, None, 0, 0, True, "none", reason=reason), "tie")
    gap = table.difference(seed=seed)
    return Measured(table.value(0), table.value(1), gap, verdict(gap, higher=metric.direction == "higher"))


def _windowed(a: Side, b: Side) -> tuple[Calls, Calls] | None:
    """Calls that were timed in windows, or None where not both have them and those that were scored have to do."""
    ours, theirs = (Calls.of(one) if one and one.samples else None for one in (a.timing, b.timing))
    return (ours, theirs) if ours and theirs else None


def _took_turns(a: Side, b: Side) -> bool:
    """Whether both were timed window by window in one session, so that drift of the machine hit both alike."""
    ours, theirs = a.timing, b.timing
    if ours is None or theirs is None or ours.session is None or ours.session != theirs.session:
        return False
    return not (ours.scored_calls or theirs.scored_calls)


def _notes(a: Side, b: Side, n: int) -> Iterator[str]:
    yield from dict.fromkeys(side.note for side in (a, b) if side.note)
    counts = [side.n for side in (a, b)]
    if counts != [n, n]:
        yield f"{n} images are in both; the first has {counts[0]}, the second {counts[1]}"
    for one in (a, b):
        if tuned := one.configuration.tuned_here:
            yield (f"the preset of {one.configuration.label} was tuned on {tuned} of the {one.manifest.dataset.n} "
                   "images of its run: the difference is not that on new images")  # fmt: skip
    if not _took_turns(a, b):
        yield "the two did not take turns while they were timed: the interval of the ratio allows for a drift of 10 %"
    machines = [tuple(side.manifest.environment.get(name) for name in MACHINE) for side in (a, b)]
    devices = [side.configuration.device for side in (a, b)]
    if machines[0] != machines[1] or devices[0] != devices[1]:
        yield "they ran on different machines or devices: the ratio of their times is not of the pipelines alone"


def document(a: Side, b: Side, found: Comparison, gates: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What ``--json`` prints.

    Args:
        a: the first row.
        b: the second row.
        found: what came of them.
        gates: as they were judged.
    """
    return {
        "schema_version": a.manifest.schema_version,
        "a": a.configuration.label,
        "b": b.configuration.label,
        "runs": {"a": a.manifest.run_id, "b": b.manifest.run_id},
        "n": found.n,
        "n_groups": found.n_groups,
        "differences": {name: {**_figures(one), "a": one.a, "b": one.b} for name, one in found.metrics.items()},
        "latency_ratio": _figures(found.latency),
        "gates": list(gates),
        "notes": list(found.notes),
    }


def _figures(one: Measured) -> dict[str, Any]:
    gap = one.difference
    figures = {"value": gap.value, "ci": gap.ci, "p": gap.p}
    if any(isinstance(value, float) and not math.isfinite(value) for value in figures.values()):
        raise ValueError(f"a figure is not finite: {figures}")
    known = {"n": gap.n, "n_groups": gap.n_groups, "few_groups": gap.few_groups, "method": gap.method}
    return {**figures, **known, "reason": gap.reason, "verdict": one.verdict}
