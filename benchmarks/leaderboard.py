"""Records → rows: pure functions, to be called again at any time with no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.metrics import METRICS, Metric
from benchmarks.records import Configuration, MetricValue, Row, RunManifest, SampleRecord, Throughput, Timing
from benchmarks.statistics import FEW_GROUPS, interval, percentiles

HEADLINES = ("miou", "iou_pooled", "dice", "precision", "recall", "boundary_iou", "miss_rate")


def row(manifest: RunManifest, configuration: Configuration, records: Sequence[SampleRecord], timing: Timing | None,
        reason: str | None = None) -> Row:  # fmt: skip
    """One line of the leaderboard.

    Args:
        manifest: of the run.
        configuration: of the row.
        records: of the configuration, one an image.
        timing: of the process that finished it, or None.
        reason: why the process ended early, or None.
    """
    about: dict[str, Any] = configuration.model_dump(include={"label", "pipeline", "preset", "params", "device"})
    about |= {"n": manifest.dataset.n, "weights": configuration.weights}
    if configuration.unavailable:
        return Row(**about, status="unavailable", reason=configuration.unavailable)
    whole = timing is not None and len(records) == manifest.dataset.n
    if reason or timing is None or not whole or all(record.error for record in records):
        first = next((record.error for record in records if record.error), None) if whole else None
        return Row(**about, status="failed", reason=reason or first or "It did not finish.", errors=_errors(records))
    metrics = evaluate_metrics(records, manifest.protocol.seed)
    headline = {name: metrics[name].value for name in HEADLINES}
    return Row(
        **about,
        status="ok",
        scored=sum(record.components is not None for record in records),
        errors=_errors(records),
        **headline,
        miou_ci=metrics["miou"].ci,
        metrics=metrics,
        soft=all(record.soft for record in records if record.error is None),
        **_times(timing),
        flags=_flags(manifest, records, timing),
    )


def _errors(records: Sequence[SampleRecord]) -> int:
    return sum(record.error is not None for record in records)


def evaluate_metrics(records: Sequence[SampleRecord], seed: int) -> dict[str, MetricValue]:
    """Every metric over the records that have a target, with a bootstrap interval over their groups."""
    scored = [record for record in sorted(records, key=lambda r: r.id) if record.components is not None]
    return {name: _metric_value(metric, scored, seed) for name, metric in METRICS.items()}


def _metric_value(metric: Metric, records: Sequence[SampleRecord], seed: int) -> MetricValue:
    rows = [(record.components or {})[metric.family.name] for record in records]
    if not rows:
        return MetricValue(value=None, ci=None, n=0)
    groups = [record.group for record in records]
    found = interval(*metric.columns(rows), groups, seed=seed, combine=metric.combine, limits=metric.range)
    return MetricValue(value=metric.reduce(rows), ci=found.ends, n=found.n)


def _times(timing: Timing) -> dict[str, Any]:
    best = max(timing.throughputs, key=lambda t: t.value, default=None)
    return {
        "latency_ms": percentiles(timing.latency_ms),
        "throughput_ips": Throughput(value=round(best.value, 4), batch_size=best.batch_size) if best else None,
        "stages_ms": timing.stages_ms,
        "load_s": timing.load_s,
        "first_ms": timing.first_ms,
        "peak_memory_mb": timing.peak_memory_mb,
        "overhead_ms": timing.overhead_ms,
    }


def _flags(manifest: RunManifest, records: Sequence[SampleRecord], timing: Timing) -> tuple[str, ...]:
    scored = any(record.components is not None for record in records)
    flags: Mapping[str, bool] = {
        "few_groups": scored and manifest.dataset.n_groups < FEW_GROUPS,
        "no_masks": not scored,
        "limited": manifest.dataset.limit is not None,
        "timed_in_part": len(timing.latency_ms) < len(records) - _errors(records),
        "fewer_batches": len(timing.throughputs) < len(manifest.protocol.batch_sizes),
        "resumed": timing.resumed,
    }
    return tuple(name for name, raised in flags.items() if raised)


def document(manifest: RunManifest, rows: Sequence[Row]) -> dict[str, Any]:
    """What ``--json`` prints, and ``summary.json`` keeps."""
    return {
        "schema_version": manifest.schema_version,
        "run_id": manifest.run_id,
        "dataset": manifest.dataset.model_dump(include={"name", "format", "n", "n_groups", "hash", "split", "limit"}),
        "environment": manifest.environment,
        "rows": [row.model_dump(mode="json") for row in rows],
    }
