"""How figures are written for people: as many digits as they support, with their unit."""

from __future__ import annotations

from benchmarks.records import WeightsRecord
from benchmarks.rows import MetricValue, Row

NOTHING = "–"
MS_IN_S = 1000.0
KILO = 1000.0


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


def p50(row: Row) -> float | None:
    """Median latency in ms."""
    value = (row.latency_ms or {}).get("p50")
    return None if value is None else float(value)


def p50_ci(row: Row) -> tuple[float, float] | None:
    """Interval of the median latency in ms, or None where the images are too few."""
    return (row.latency_ci or {}).get("p50")


def memory(row: Row) -> str:
    """Peak of the process, and of the device where there is one."""
    peak = row.peak_memory_mb or {}
    parts = [megabytes(peak.get("host"))]
    return " + ".join([*parts, f"{megabytes(peak['device'])} on the device"] if peak.get("device") else parts)


def metric(value: MetricValue | None) -> str:
    """A metric with its interval."""
    if value is None or value.value is None:
        return NOTHING
    return f"{score(value.value)} ({interval(value.ci)})" if value.ci else score(value.value)


def commercial(weights: tuple[WeightsRecord, ...]) -> str:
    """Whether all weights may be used commercially, in one or two words."""
    said = {one.commercial for one in weights}
    if not weights:
        return "no weights"
    return "no" if False in said else "unclear" if None in said else "yes"


def count(n: int, what: str) -> str:
    """A number with its noun in the singular or plural."""
    return f"{n:,} {what}{'s' * (n != 1)}".replace(",", "\N{NO-BREAK SPACE}")
