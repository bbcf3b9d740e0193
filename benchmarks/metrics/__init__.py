"""Every metric by name. Definitions, empty-mask policy and what is averaged are said once, beside each."""

from __future__ import annotations

from benchmarks.metrics import boundary, detection, overlap, soft
from benchmarks.metrics.metric import Components, Family, Metric, as_target, measure_all, measure_failed
from benchmarks.metrics.region import Region

__all__ = ["METRICS", "Components", "Family", "Metric", "Region", "as_target", "measure_all", "measure_failed"]

_ALL = (*overlap.METRICS, *boundary.METRICS, *soft.METRICS, *detection.METRICS)
METRICS: dict[str, Metric] = {m.name: m for m in sorted(_ALL, key=lambda metric: metric.name.endswith("_pos"))}
"""Name → metric; the positive-only variants come last."""
