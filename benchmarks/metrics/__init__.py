"""Every metric by name. Definitions, empty-mask policy and what is averaged are said once, beside each."""

from __future__ import annotations

from benchmarks.metrics import boundary, classes, curve, detection, overlap, presence, salient, soft
from benchmarks.metrics.case import Case, Classes, as_target
from benchmarks.metrics.classes import class_metrics
from benchmarks.metrics.curve import iou_curve_of
from benchmarks.metrics.metric import Components, Family, Metric, measure_all, measure_failed
from benchmarks.metrics.region import Region

__all__ = ["METRICS", "Case", "Classes", "Components", "Family", "Metric", "Region", "as_target", "class_metrics",
           "iou_curve_of", "measure_all", "measure_failed"]  # fmt: skip

_MODULES = (overlap, presence, boundary, soft, detection, classes, curve, salient)
_ALL = [metric for module in _MODULES for metric in module.METRICS]
METRICS: dict[str, Metric] = {m.name: m for m in sorted(_ALL, key=lambda metric: metric.name.endswith("_pos"))}
"""Name → metric; the positive-only variants come last."""
