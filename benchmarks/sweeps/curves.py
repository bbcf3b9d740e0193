"""The figures of a metric at every threshold: terms of one image, means over many, and how far one may move."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.metrics.metric import Metric
from benchmarks.metrics.overlap import METRICS
from benchmarks.sweeps.counting import Counts
from pipelines.errors import UsageError

Floats = npt.NDArray[np.float64]
Terms = tuple[Floats, Floats]

LOSE = 0.01
"""What a threshold may cost before it has left the plateau of the best."""

ROUNDING = 1e-12

PARTS: dict[str, Callable[[Any, Any, Any], tuple[Any, Any]]] = {
    "miou": lambda tp, fp, fn: (tp, tp + fp + fn),
    "dice": lambda tp, fp, fn: (2 * tp, 2 * tp + fp + fn),
    "precision": lambda tp, fp, fn: (tp, tp + fp),
    "recall": lambda tp, fp, fn: (tp, tp + fn),
}
"""Of each share: its part and its whole, from pixel counts."""

REACHED = {metric.name: float(metric.name.partition("@")[2]) for metric in METRICS if "@" in metric.name}


def terms(metric: Metric, counts: Counts) -> Terms:
    """Numerators and denominators of one image at every pair of thresholds, float64 ``(ranks, cuts)`` each.

    They are those that `metric.terms` gives for :func:`benchmarks.sweeps.components` one by one: both sides empty are
    1, exactly one side empty or a failed image 0.

    Args:
        metric: of the family "overlap".
        counts: of the image.

    Raises:
        UsageError: the metric needs more than pixel counts.
    """
    name, positive = metric.name.removesuffix("_pos"), metric.name.endswith("_pos")
    if metric.name == "iou_pooled":
        return counts.tp.astype(np.float64), (counts.area + counts.fp).astype(np.float64)
    if name in PARTS:
        return _among(_shares(name, counts), counts.area > 0 or not positive)
    if name in REACHED:
        return _among(_shares("miou", counts) >= REACHED[name], counts.area > 0)
    if name == "miss_rate":
        return _among(_shares("miou", counts) == 0, counts.area > 0)
    raise UsageError(
        f"{metric.name} cannot be swept: it needs more than pixel counts.",
        f"Sweep one of {', '.join(metric.name for metric in METRICS)}.",
    )


def mean_curve(metric: Metric, counts: Iterable[Counts]) -> Floats:
    """The figure of a metric over images at every pair of thresholds, float64 ``(ranks, cuts)``.

    Args:
        metric: of the family "overlap".
        counts: of each image, of the same thresholds; looked at one after the other.

    Returns:
        NaN where the figure has no denominator.

    Raises:
        UsageError: the metric needs more than pixel counts, or there is no image.
    """
    tops: Any = None
    bottoms: Any = None
    for top, bottom in (terms(metric, one) for one in counts):
        tops, bottoms = (top, bottom) if tops is None else (tops + top, bottoms + bottom)
    if tops is None:
        raise UsageError("There is no image to sweep over.", "Give a dataset with masks.")
    return np.asarray(metric.combine(tops, bottoms), np.float64)


def plateau(values: npt.ArrayLike, best: int, lose: float = LOSE, sign: int = 1) -> tuple[int, int]:
    """How far a threshold may be moved to either side before the figure is worse by too much.

    Args:
        values: ``(n,)`` the figure at each threshold, in order.
        best: index of the threshold to start from.
        lose: what it may cost.
        sign: 1 where more of the figure is better, else -1.

    Returns:
        Indices of the first and the last threshold of the unbroken range around the best whose figure stays within
        `lose` of it.
    """
    figures = np.asarray(values, np.float64)
    outside = np.flatnonzero(~(sign * (figures[best] - figures) <= lose + ROUNDING))  # so written, NaN is outside
    first, last = outside[outside < best].max(initial=-1) + 1, outside[outside > best].min(initial=len(figures)) - 1
    return min(int(first), best), max(int(last), best)


def _shares(name: str, counts: Counts) -> Floats:
    tp, fp, fn = counts.tp, counts.fp, counts.area - counts.tp
    part, whole = PARTS[name](tp, fp, fn)
    found = np.divide(part, whole, out=np.zeros(tp.shape), where=whole > 0)
    return np.where(tp + fp + fn > 0, found, float(not counts.failed))


def _among(values: npt.NDArray[Any], has_say: bool) -> Terms:
    return values * float(has_say), np.full(values.shape, float(has_say))
