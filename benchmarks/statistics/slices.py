"""Where a pipeline is weak: a metric on parts of the images, by object size, number, brightness and every tag."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.metrics import Metric
from benchmarks.records import SampleRecord
from benchmarks.statistics.intervals import GroupSums

Ends = tuple[float, float]

TARGET, SIZE, OBJECTS, BRIGHTNESS = "target", "object size", "objects", "brightness"
TAG = "tag:"
SIZES = ((0.01, "tiny, under 1 %"), (0.05, "small, 1-5 %"), (0.25, "medium, 5-25 %"), (1.0, "large, 25 % and more"))
COUNTS = ((1, "one"), (4, "2-4"), (9, "5-9"))
MANY = "10 and more"
TONES = (
    (0.25, "dark, under 0.25"),
    (0.5, "dim, 0.25-0.5"),
    (0.75, "bright, 0.5-0.75"),
    (1.0, "glaring, 0.75 and more"),
)

FEWEST = 5
"""Images with a say from which a slice can be the worst: fewer say too little."""

MOST_VALUES = 20
"""A tag with more values, such as the name of a file, makes no slices."""


@dataclass(frozen=True)
class Slice:
    """A metric on a part of the images.

    Attributes:
        by: what the images are parted by.
        name: of the part.
        value: of the metric, or None where it is not defined.
        ci: 95 % interval, or None where the images support none.
        n: images with a say.
        n_groups: groups of them.
        few_groups: whether the interval itself is uncertain.
    """

    by: str
    name: str
    value: float | None
    ci: Ends | None
    n: int
    n_groups: int
    few_groups: bool


@dataclass(frozen=True)
class Slices:
    """All parts of one configuration.

    Attributes:
        metric: name.
        parts: in the order of what they are parted by.
        worst: the part of which the images show best that it is weak, or None where no two parts can be compared;
            another may have a lower value, of so few images that it may be chance.
        lowest: the part with the worst value, however few its images, or None where no two parts have one.
        missing: what the images cannot be parted by, and why.
    """

    metric: str
    parts: tuple[Slice, ...]
    worst: Slice | None
    lowest: Slice | None = None
    missing: dict[str, str] = field(default_factory=dict)

    def by(self, name: str) -> tuple[Slice, ...]:
        """The parts by one property."""
        return tuple(one for one in self.parts if one.by == name)


def slices(records: Iterable[SampleRecord], metric: Metric, *, fewest: int = FEWEST, seed: int = 0) -> Slices:
    """The parts of a run's images, each with its value and interval; a pure function of records, in level memory.

    The worst part is that whose better end of the interval is worst: a part that may well be as good as others, having
    few images, is not taken for the worst. Images with and without a target are told apart, and are not in that choice:
    what is asked of them differs.

    Args:
        records: of one configuration, gone through once.
        metric: what is told of each part.
        fewest: images from which a part can be the worst.
        seed: of the bootstrap.
    """
    table = _Table(metric)
    for record in records:
        table.add(record)
    parts = tuple(table.parts(seed))
    return Slices(metric.name, parts, worst(parts, metric, fewest), lowest(parts, metric), table.missing())


class _Table:
    """Sums by property and part; a tag with too many values is dropped on the way."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.sums: dict[str, dict[str, GroupSums]] = {}
        self.dropped: set[str] = set()
        self.n = 0

    def add(self, record: SampleRecord) -> None:
        """Take in one record; what has no components of the metric has no say."""
        counted = (record.components or {}).get(self.metric.family.name)
        if counted is None:
            return
        self.n += 1
        terms = self.metric.terms(counted)
        for by, name in properties(record):
            if by in self.dropped:
                continue
            parts = self.sums.setdefault(by, {})
            parts.setdefault(name, GroupSums()).add(record.group, *terms)
            if len(parts) > MOST_VALUES:
                self.dropped.add(by)
                del self.sums[by]

    def parts(self, seed: int) -> Iterator[Slice]:
        """Every part, in the order of the known ones, then of their names."""
        for by, parts in sorted(self.sums.items(), key=lambda item: _rank(item[0])):
            for name, sums in sorted(parts.items(), key=lambda item: _place(by, item[0])):
                found = sums.interval(seed=seed, combine=self.metric.combine, limits=self.metric.range)
                value = sums.value(self.metric.combine)
                yield Slice(by, name, value, found.ends, found.n, found.n_groups, found.few_groups)

    def missing(self) -> dict[str, str]:
        """What the images are not parted by."""
        if not self.n:
            return {TARGET: "no image was judged"}
        why = {
            SIZE: "no image has a target",
            OBJECTS: "the dataset gives no boxes of objects",
            BRIGHTNESS: "the records are of a version that did not keep it",
        }
        absent = {by: words for by, words in why.items() if by not in self.sums}
        return absent | dict.fromkeys(sorted(self.dropped), f"more than {MOST_VALUES} values")


def properties(record: SampleRecord) -> Iterator[tuple[str, str]]:
    """What is known of an image, as (property, part) pairs; what its record does not hold is left out."""
    area = target_share(record)
    if area is not None:
        yield TARGET, "with a target" if area else "without a target"
    if area:
        yield SIZE, _under(area, SIZES)
    if record.objects:
        yield OBJECTS, next((name for most, name in COUNTS if record.objects <= most), MANY)
    if record.brightness is not None:
        yield BRIGHTNESS, _under(record.brightness, TONES)
    for tag, value in record.tags.items():
        yield TAG + tag, value


def target_share(record: SampleRecord) -> float | None:
    """Share of the image that the target takes, ignored pixels left out of both; None where it was not counted."""
    counted: dict[str, Any] | None = (record.components or {}).get("overlap")
    if counted is None:
        return None
    target = counted["tp"] + counted["fn"]
    pixels = target + counted["fp"] + counted["tn"]
    return float(target / pixels) if pixels else 0.0


def _under(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    return next((name for limit, name in steps if value < limit), steps[-1][1])


def _rank(by: str) -> tuple[int, str]:
    known = (TARGET, SIZE, OBJECTS, BRIGHTNESS)
    return (known.index(by) if by in known else len(known), by)


def _place(by: str, name: str) -> tuple[int, str]:
    ordered = {
        SIZE: [name for _, name in SIZES],
        OBJECTS: [*(name for _, name in COUNTS), MANY],
        BRIGHTNESS: [name for _, name in TONES],
    }.get(by, [])
    return (ordered.index(name) if name in ordered else len(ordered), name)


def worst(parts: Iterable[Slice], metric: Metric, fewest: int = FEWEST) -> Slice | None:
    """The part whose better end of the interval is worst; None where no property has two parts to choose from.

    Args:
        parts: of the images.
        metric: says whether more is better.
        fewest: images from which a part can be the worst.
    """
    judged = _compared(one for one in parts if one.n >= fewest and one.ci is not None)
    return min(judged, key=lambda one: (_better_end(one, metric), one.by, one.name), default=None)


def lowest(parts: Iterable[Slice], metric: Metric) -> Slice | None:
    """The part with the worst value, with or without an interval; None where no property has two parts with a value.

    Args:
        parts: of the images.
        metric: says whether more is better.
    """
    valued = _compared(one for one in parts if one.value is not None)
    return min(valued, key=lambda one: (_sign(metric) * (one.value or 0.0), one.by, one.name), default=None)


def _compared(parts: Iterable[Slice]) -> list[Slice]:
    """Those whose property has another beside them; what is asked of images with and without a target differs."""
    found = [one for one in parts if one.by != TARGET]
    return [one for one in found if sum(other.by == one.by for other in found) > 1]


def _better_end(one: Slice, metric: Metric) -> float:
    """The end of the interval that speaks for a part, such that less is worse."""
    return max(_sign(metric) * end for end in one.ci or (0.0, 0.0))


def _sign(metric: Metric) -> int:
    return 1 if metric.direction == "higher" else -1
