"""What to ship among the rows of a run: what limits leave out, the choice, and what would change it. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.rows import Row
from benchmarks.statistics.intervals import TOLERANCE
from benchmarks.statistics.pairs import Pair

SAME = 0.05
"""Speeds and sizes within 5 % are alike: a machine that does other things beside tells no smaller ones apart."""

NEAR = 0.02
"""Of a tie the cheaper one is the choice where its mIoU is lower by so much at most: few images make ties of rows that
differ by far more, and what they cannot show may be there all the same."""

FEWEST_DIGITS, MOST_DIGITS = 3, 17


@dataclass(frozen=True)
class Limits:
    """What the choice must keep to; None = no limit.

    Attributes:
        latency_ms: of the median.
        memory_mb: of the peak, of the process on a CPU and of the device on one, in 10**6 bytes.
        throughput_ips: least images a second.
        miou: least mIoU.
        commercial: whether every licence must allow commercial use.
        device: "cpu" or "cuda".
    """

    latency_ms: float | None = None
    memory_mb: float | None = None
    throughput_ips: float | None = None
    miou: float | None = None
    commercial: bool = False
    device: str | None = None

    @property
    def of_speed(self) -> bool:
        """Whether something is asked of the speed."""
        return self.latency_ms is not None or self.throughput_ips is not None


@dataclass(frozen=True)
class Breach:
    """One limit that a row does not keep.

    Attributes:
        reason: the limit and the figure, in words.
        change: fields of the limits with the values that would let the row in; empty = nothing known would.
        words: that change, as "20 ms more latency".
        far: how far the figure is from the limit, as a share of the limit.
    """

    reason: str
    change: Mapping[str, Any] = field(default_factory=dict)
    words: str = ""
    far: float = 0.0


Differ = Callable[[str, str], Pair]
"""Labels of two rows → the mIoU of the first less that of the second, and whether that counts."""


@dataclass(frozen=True)
class Pick:
    """The choice among rows that fit.

    Attributes:
        row: the choice.
        best: the row with the best figure: mIoU, or where no quality is known median latency.
        tied: the other rows that the images do not tell apart from the best.
    """

    row: Row
    best: Row
    tied: tuple[Row, ...] = ()

    @property
    def near(self) -> tuple[Row, ...]:
        """Those of the tied whose mIoU is about that of the best."""
        return tuple(row for row in self.tied if near(self.best, row))

    @property
    def far(self) -> tuple[Row, ...]:
        """Those of the tied whose mIoU is clearly lower: so few groups may hide that they are worse."""
        return tuple(row for row in self.tied if not near(self.best, row))


@dataclass(frozen=True)
class Flip:
    """A change of the limits after which another row is the choice.

    Attributes:
        pick: the choice then.
        words: the change, as "20 ms more latency" or "the peak memory had to be under 90 MB".
        changes: how many limits change.
        far: by how much together, as shares of the limits.
    """

    pick: Pick
    words: str
    changes: int
    far: float


def p50_ms(row: Row) -> float:
    """Median latency in ms; infinite where it was not measured."""
    value = (row.latency_ms or {}).get("p50")
    return math.inf if value is None else float(value)


def memory_mb(row: Row) -> float:
    """Peak in 10**6 bytes: of the process, or where it ran on a device the most that torch or the driver counted there.

    Infinite where it was not measured.
    """
    peak = row.peak_memory_mb or {}
    names = ("device", "reserved", "driver") if row.device == "cuda" else ("host",)
    return max((value for name in names if (value := peak.get(name)) is not None), default=math.inf)


def throughput_ips(row: Row) -> float:
    """Images a second at the best batch size; 0 where it was not measured."""
    return row.throughput_ips.value if row.throughput_ips else 0.0


def licence_rank(row: Row) -> int:
    """0 where commercial use of all weights is allowed, 1 where that is unclear, 2 where it is forbidden."""
    allowed = {one.commercial for one in row.weights}
    return 2 if False in allowed else 1 if None in allowed else 0


def number(value: float, digits: int = FEWEST_DIGITS) -> str:
    """A figure with so many digits that count, and no exponent."""
    return f"{float(f'{value:.{digits}g}'):.10f}".rstrip("0").rstrip(".")


def rounded_up(value: float, digits: int = FEWEST_DIGITS) -> str:
    """The same, and never less than the value: what has to be given so that it is enough."""
    step = 10.0 ** (math.floor(math.log10(value)) - digits + 1) if value > 0 else 1.0
    return number(math.ceil(value / step) * step, digits)


def rounded_down(value: float, digits: int = FEWEST_DIGITS) -> str:
    """The same, and never more than the value."""
    step = 10.0 ** (math.floor(math.log10(value)) - digits + 1) if value > 0 else 1.0
    return number(math.floor(value / step) * step, digits)


def told_apart(value: float, limit: float) -> tuple[str, str]:
    """A figure and the limit that it misses, with as many digits as it takes to see that it does."""
    shown = number(limit, 6)
    texts = (number(value, digits) for digits in range(FEWEST_DIGITS, MOST_DIGITS + 1))
    side = value > limit
    return next((text for text in texts if float(text) != limit and (float(text) > limit) == side), str(value)), shown


def breaches(row: Row, limits: Limits) -> tuple[Breach, ...]:
    """Every limit that a row does not keep; a figure that was not measured keeps none."""
    return tuple(_breaches(row, limits))


def _breaches(row: Row, limits: Limits) -> Iterator[Breach]:
    if limits.device and row.device != limits.device:
        yield Breach(f"it ran on {row.device}, not on {limits.device}", {"device": None}, f"{row.device} allowed", 1.0)
    if limits.latency_ms is not None and p50_ms(row) > limits.latency_ms:
        yield _over("latency_ms", p50_ms(row), limits.latency_ms, "median latency", "ms", "latency")
    if limits.memory_mb is not None and memory_mb(row) > limits.memory_mb:
        where = "device" if row.device == "cuda" else "process"
        yield _over("memory_mb", memory_mb(row), limits.memory_mb, f"peak memory of the {where}", "MB", "memory")
    if limits.throughput_ips is not None and throughput_ips(row) < limits.throughput_ips:
        yield _under("throughput_ips", throughput_ips(row) if row.throughput_ips else None, limits.throughput_ips,
                     "throughput", " images/s")  # fmt: skip
    if limits.miou is not None and (row.miou is None or row.miou < limits.miou):
        yield _under("miou", row.miou, limits.miou, "mIoU", "")
    if limits.commercial and licence_rank(row):
        yield _licence(row)


def _over(name: str, value: float, limit: float, title: str, unit: str, more: str) -> Breach:
    if math.isinf(value):
        return Breach(f"{title} was not measured, so that the limit of {number(limit, 6)} {unit} cannot be checked")
    found, allowed = told_apart(value, limit)
    return Breach(f"{title} {found} {unit} is over the limit of {allowed} {unit}", {name: value},
                  f"{rounded_up(value - limit)} {unit} more {more}", _far(value - limit, limit))  # fmt: skip


def _under(name: str, value: float | None, limit: float, title: str, unit: str) -> Breach:
    if value is None:
        return Breach(f"{title} is not known, so that the limit of {number(limit, 6)}{unit} cannot be checked")
    found, least = told_apart(value, limit)
    return Breach(f"{title} {found}{unit} is under the limit of {least}{unit}", {name: value},
                  f"a limit of {rounded_down(value)}{unit} on the {title}", _far(limit - value, limit))  # fmt: skip


def _far(gap: float, limit: float) -> float:
    return gap / limit if limit else math.inf


def _licence(row: Row) -> Breach:
    barred = [one for one in row.weights if not one.commercial]
    worst = min(barred, key=lambda one: one.commercial is None)
    doubt = "forbids" if worst.commercial is False else "does not clearly allow"
    return Breach(f"its licence {doubt} commercial use: {worst.licence} of {worst.repo}", {"commercial": False},
                  f"licences allowed that {'forbid' if doubt == 'forbids' else 'do not clearly allow'} commercial use",
                  1.0)  # fmt: skip


def pick(rows: Sequence[Row], differ: Differ) -> Pick | None:
    """The choice: the best mIoU, or what is cheaper among those that tie with it and are lower by 0.02 at most.

    Cheaper is faster, else smaller, else of a clearer licence, each where it differs by more than 5 %. Where no row has
    an mIoU the fastest is the choice.

    Args:
        rows: that may be chosen.
        differ: the difference of two of them in mIoU.
    """
    judged = [row for row in rows if row.miou is not None]
    if not rows:
        return None
    if not judged:
        return Pick(cheapest(rows), min(rows, key=p50_ms))
    best = max(judged, key=lambda row: (row.miou or 0.0, -p50_ms(row)))
    tied = tuple(row for row in judged if row is not best and differ(best.label, row.label).tie)
    return Pick(cheapest((best, *(row for row in tied if near(best, row)))), best, tied)


def near(best: Row, row: Row) -> bool:
    """Whether the mIoU of a row is at most 0.02 below that of the best."""
    return (best.miou or 0.0) - (row.miou or 0.0) <= NEAR + TOLERANCE


def cheapest(rows: Sequence[Row]) -> Row:
    """The fastest; of those that are about as fast the smallest, then the clearest licence, then the best mIoU."""
    left = _least(_least(rows, p50_ms), memory_mb)
    return min(left, key=lambda row: (licence_rank(row), -(row.miou or 0.0), p50_ms(row)))


def _least(rows: Sequence[Row], cost: Callable[[Row], float]) -> Sequence[Row]:
    least = min(map(cost, rows))
    return [row for row in rows if cost(row) <= least * (1 + SAME)]


def relaxations(rows: Sequence[Row], limits: Limits, chosen: Pick | None, differ: Differ) -> list[Flip]:
    """For each row that limits leave out and that would be the choice without: the least change that lets it in.

    Args:
        rows: all that may be chosen but for the limits.
        limits: that leave some out.
        chosen: the choice under these limits, or None.
        differ: the difference of two rows in mIoU.

    Returns:
        The nearest first: the fewest limits, then the smallest change.
    """
    found = []
    for row in rows:
        broken = breaches(row, limits)
        if not broken or not all(one.change for one in broken):
            continue
        relaxed = replace(limits, **{name: value for one in broken for name, value in one.change.items()})
        then = pick([other for other in rows if not breaches(other, relaxed)], differ)
        if then and then.row is row and (chosen is None or then.row is not chosen.row):
            words = " and ".join(one.words for one in broken)
            found.append(Flip(then, words, len(broken), sum(one.far for one in broken)))
    return sorted(found, key=lambda flip: (flip.changes, flip.far))


def tightenings(fit: Sequence[Row], chosen: Pick, differ: Differ) -> list[Flip]:
    """What takes its place where the choice is too slow or too large, of those that cost clearly less.

    Args:
        fit: rows that may be chosen.
        chosen: the choice among them.
        differ: the difference of two rows in mIoU.
    """
    found = []
    for cost, title, unit in ((p50_ms, "median latency", "ms"), (memory_mb, "peak memory", "MB")):
        most = cost(chosen.row)
        then = pick([row for row in fit if cost(row) * (1 + SAME) < most], differ)
        if then and math.isfinite(most):
            found.append(Flip(then, f"the {title} had to be under {number(most)} {unit}", 1, 1 - cost(then.row) / most))
    return sorted(found, key=lambda flip: flip.far)
