"""The line of the leaderboard that sums up the records of a configuration."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from benchmarks.records import Record, Throughput, WeightsRecord

Status = Literal["ok", "unavailable", "failed"]


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
    throughput_ips: Throughput | None = None
    stages_ms: dict[str, float] | None = None
    load_s: float | None = None
    first_ms: float | None = None
    peak_memory_mb: dict[str, float | None] | None = None
    overhead_ms: float | None = None
    size_mb: float | None = None
    device: str
    dtype: str | None = None
    weights: tuple[WeightsRecord, ...] = ()
    flags: tuple[str, ...] = ()
