"""How figures are written for people: as many digits as they support, with their unit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks import rows
from benchmarks.recommend import choice
from benchmarks.rows import MetricValue, Row

NOTHING = "–"
MS_IN_S = 1000.0
KILO = 1000.0
LISTED = 4


def score(value: float | None) -> str:
    """A share of 1, such as an IoU, with three digits."""
    return NOTHING if value is None else f"{value:.3f}"


def signed(value: float) -> str:
    """A difference of scores."""
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def chance(p: float | None) -> str:
    """A p-value."""
    return NOTHING if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def share(value: float | None) -> str:
    """A share in percent."""
    return NOTHING if value is None else f"{value:.1%}".replace("%", " %")


def interval(ends: tuple[float, float] | None) -> str:
    """Both ends of an interval of scores."""
    return NOTHING if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def digits(value: float) -> str:
    """Three digits that count, and never as a power of ten."""
    return f"{value:,.0f}".replace(",", "\N{NO-BREAK SPACE}") if abs(value) >= KILO else f"{value:.3g}"


def milliseconds(value: float | None) -> str:
    """A time with three digits that count, in ms or s."""
    if value is None:
        return NOTHING
    return f"{digits(value / MS_IN_S)} s" if value >= MS_IN_S else f"{value:.3g} ms"


def megabytes(value: float | None) -> str:
    """Room in MB or GB."""
    if value is None:
        return NOTHING
    return f"{digits(value / KILO)} GB" if value >= KILO else f"{value:.0f} MB"


def rate(row: Row) -> str:
    """Images a second, and the batch they were reached with."""
    found = row.throughput_ips
    return NOTHING if found is None else f"{digits(found.value)} (batch {found.batch_size})"


def latency(row: Row) -> str:
    """Median latency; with two digits where its windows differ."""
    ms = p50(row)
    if ms is None or "unstable" not in row.flags:
        return milliseconds(ms)
    return f"about {milliseconds(float(f'{ms:.2g}'))}"


def p50(row: Row) -> float | None:
    """Median latency in ms."""
    value = (row.latency_ms or {}).get("p50")
    return None if value is None else float(value)


def p50_ci(row: Row) -> tuple[float, float] | None:
    """Interval of the median latency in ms, or None where the images are too few."""
    return (row.latency_ci or {}).get("p50")


def memory(row: Row) -> str:
    """Peak of the process, and of the device where it ran on one."""
    parts = [megabytes((row.peak_memory_mb or {}).get("host"))]
    return " + ".join([*parts, f"{megabytes(device_mb(row))} on the device"] if device_mb(row) else parts)


def device_mb(row: Row) -> float | None:
    """Peak on the device, by the figure that `recommend` holds to its limit; None on a CPU."""
    peak = choice.memory_mb(row)
    return peak if row.device == "cuda" and math.isfinite(peak) else None


def alike(ms: float, other: float) -> bool:
    """Whether two times are too close to be told apart."""
    return max(ms, other) <= min(ms, other) * (1 + choice.SAME)


def fastest(found: Sequence[Row]) -> list[Row]:
    """Those with the shortest median and those that are about as fast, fastest first; empty where none was timed."""
    timed = sorted((ms, place) for place, row in enumerate(found) if (ms := p50(row)) is not None)
    return [found[place] for ms, place in timed if alike(ms, timed[0][0])]


def metric(value: MetricValue | None) -> str:
    """A metric with its interval."""
    if value is None or value.value is None:
        return NOTHING
    return f"{score(value.value)} ({interval(value.ci)})" if value.ci else score(value.value)


def commercial(row: Row) -> str:
    """Whether all weights may be used commercially, in one or two words."""
    said = rows.commercial(row)
    return NOTHING if said is None else said if row.weights else "no weights"


def count(n: int, what: str) -> str:
    """A number with its noun in the singular or plural."""
    return f"{n:,} {what}{'s' * (n != 1)}".replace(",", "\N{NO-BREAK SPACE}")


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def and_others(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - LISTED
    return listed([*names[:LISTED], count(more, "other")] if more > 0 else names)
