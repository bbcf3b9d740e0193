"""The line of the leaderboard that sums up the records of a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from benchmarks.records import Record, WeightsRecord
from benchmarks.timing.record import Server, Throughput

Status = Literal["ok", "unavailable", "failed"]
Use = Literal["yes", "no", "unclear"]
TIMES = frozenset((
    "latency_ms", "latency_ci", "latency_calls", "device_ms", "throughput_ips", "throughput_with_decode_ips",
    "server_ms", "stages_ms", "load_s", "first_ms", "peak_memory_mb", "overhead_ms", "clock_ms", "interleaved",
    "windows", "disturbed", "parent_cpu_share", "flags",
))  # fmt: skip
"""Fields of a row that differ from one process to the next; all others are the same after a kill and a resume."""


TUNED = "tuned_on_these_images"
"""Flag of a row whose preset was tuned on images that it is judged on; after a colon how many of how many."""


class MetricValue(Record):
    """A metric with its interval; what is not defined is None."""

    value: float | None
    ci: tuple[float, float] | None
    n: int


class Row(Record):
    """One line of the leaderboard, and of ``--json``. What is not defined, or not supported by the sample, is None."""

    label: str
    pipeline: str
    preset: str
    params: dict[str, Any]
    status: Status
    reason: str | None = None
    substitute_for: str | None = None
    n: int
    scored: int = 0
    errors: int = 0
    miou: float | None = None
    miou_ci: tuple[float, float] | None = None
    iou_pooled: float | None = None
    dice: float | None = None
    precision: float | None = None
    recall: float | None = None
    boundary_iou: float | None = None
    miss_rate: float | None = None
    metrics: dict[str, MetricValue] = Field(default_factory=dict)
    classes: dict[str, dict[str, MetricValue]] | None = None
    soft: bool | None = None
    latency_ms: dict[str, float | int | None] | None = None
    latency_ci: dict[str, tuple[float, float] | None] | None = None
    latency_calls: int | None = None
    device_ms: dict[str, float | int | None] | None = None
    throughput_ips: Throughput | None = None
    throughput_with_decode_ips: Throughput | None = None
    server_ms: Server | None = None
    stages_ms: dict[str, float] | None = None
    load_s: float | None = None
    first_ms: float | None = None
    peak_memory_mb: dict[str, float | None] | None = None
    overhead_ms: float | None = None
    clock_ms: float | None = None
    interleaved: bool | None = None
    windows: int | None = None
    disturbed: int | None = None
    parent_cpu_share: float | None = None
    size_mb: float | None = None
    device: str
    dtype: str | None = None
    weights: tuple[WeightsRecord, ...] = ()
    flags: tuple[str, ...] = ()


def commercial(row: Row) -> Use | None:
    """Whether all weights may be used commercially; yes where it ran without any, None where it did not run."""
    if row.status != "ok":
        return None
    allowed = {one.commercial for one in row.weights}
    return "no" if False in allowed else "unclear" if None in allowed else "yes"


def may_lead(rows: Sequence[Row]) -> list[Row]:
    """Rows with a quality to ship: those that knew the answer are left out, unless all are such."""
    judged = [row for row in rows if row.status == "ok" and row.miou is not None]
    return [row for row in judged if not knew(row)] or judged


def knew(row: Row) -> bool:
    """Whether its quality is not that of new images: prompts or parameters were taken from their true masks."""
    return has_oracle(row) or was_tuned_here(row)


def has_oracle(row: Row) -> bool:
    """Whether its points or boxes were taken from the true masks, which nobody has who needs a mask."""
    return "oracle_prompts" in row.flags


def was_tuned_here(row: Row) -> bool:
    """Whether its preset was tuned on images that it is judged on."""
    return any(flag.partition(":")[0] == TUNED for flag in row.flags)
