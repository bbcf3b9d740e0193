"""What every threshold would give: 256 cuts of one probability map, from one joint histogram."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.metrics.boundary import is_positive
from benchmarks.metrics.case import Case, Soft, as_target, checked_soft
from benchmarks.metrics.metric import Components, Family, Metric, Term, positive_mean
from benchmarks.metrics.overlap import compare as count_overlap
from benchmarks.metrics.region import Bits, Region
from benchmarks.statistics.intervals import ratio
from pipelines.types import Mask

LEVELS = 256
BETA_SQUARED = 0.3
"""Weight of the precision (Achanta et al. 2009, Frequency-tuned salient region detection)."""

E_RANGE = (0.0, 2.0)
"""A perfect mask of N pixels has the E-measure N / (N - 1); one pixel has none."""

EPSILON = float(np.spacing(1))
STRIP = 1 << 17
"""Pixels at once: what lies between stays in the cache, and the float32 counts of OpenCV exact."""

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def compare(case: Case) -> dict[str, Any]:
    """Pixels by level floor(255 p): which levels occur, and how many of the foreground and of the background have each.

    Levels that no pixel has are left out, which loses nothing: a mask alone has two, as p = P.
    """
    histogram = _of_mask(case) if case.soft is None else joint_histogram(case.map, case.target)
    levels = np.flatnonzero(histogram.any(axis=0))
    foreground, background = histogram[:, levels].tolist()
    return {"levels": levels.tolist(), "foreground": foreground, "background": background,
            "positive": int(case.target.area > 0)}  # fmt: skip


def _of_mask(case: Case) -> Counts:
    counts = count_overlap(case)
    histogram = np.zeros((2, LEVELS), np.int64)
    histogram[:, 0], histogram[:, -1] = (counts["fn"], counts["tn"]), (counts["tp"], counts["fp"])
    return histogram


def joint_histogram(soft: Soft, target: Region) -> Counts:
    """Pixels by level floor(255 p) and by side, ``(2, 256)``: of the foreground, and of the background that counts.

    Args:
        soft: probability in [0, 1], float32 or float64 ``(H, W)``.
        target: of the same size.
    """
    counted = None if target.ignore is None else (~target.ignore).view(np.uint8)
    found = np.zeros((2, LEVELS), np.int64)
    rows = max(1, STRIP // soft.shape[1])
    for start in range(0, len(soft), rows):
        part = slice(start, start + rows)
        levels = (soft[part] * 255).astype(np.uint8)  # a cast cuts off, where OpenCV would round
        found[0] += _histogram(levels, target.bits[part])
        found[1] += _histogram(levels, None if counted is None else counted[part])
    found[1] -= found[0]
    return found


def _histogram(levels: Bits, among: Bits | None) -> Counts:
    return cv2.calcHist([levels], [0], among, [LEVELS], (0, LEVELS)).ravel().astype(np.int64)


def iou_curve_of(soft: Soft, target: Mask | Bits | Region, ignore: Mask | Bits | None = None) -> Floats:
    """IoU of floor(255 p) >= k with the target for k = 0 to 255, float64 ``(256,)``.

    Args:
        soft: probability in [0, 1], float ``(H, W)``.
        target: mask ``(H, W)``, or a `Region` that is kept.
        ignore: ``(H, W)`` pixels taken out of both, or None.

    Raises:
        ContractError: the map is none of the target's size.
        UsageError: the target or the ignore mask is none.
    """
    truth = as_target(target, ignore)
    case = Case(truth, truth, checked_soft(soft, truth))
    return _iou(*_counts(joint_histogram(case.map, truth)))


def histogram_of(c: Components) -> Counts:
    """Pixels by side and level, ``(2, 256)``, from the components of an image."""
    found = np.zeros((2, LEVELS), np.int64)
    found[:, c["levels"]] = c["foreground"], c["background"]
    return found


def _counts(histogram: Counts) -> tuple[Counts, Counts, int, int]:
    """True and false positives at each threshold, ``(256,)`` each, and the pixels of target and background."""
    tp, fp = histogram[:, ::-1].cumsum(axis=1)[:, ::-1]
    return tp, fp, int(tp[0]), int(fp[0])


def _iou(tp: Counts, fp: Counts, area: int, _: int) -> Floats:
    union = area + fp
    return np.where(union > 0, tp / np.maximum(union, 1), 1.0)


def iou_curve(c: Components) -> Floats:
    """IoU of an image at each threshold, ``(256,)``: 1 where both sides are empty, 0 where the pipeline failed."""
    return np.zeros(LEVELS) if c.get("failed") else _iou(*_counts(histogram_of(c)))


def f_curve(c: Components) -> Floats:
    """F-measure of an image at each threshold, ``(256,)``: beta squared is 0.3; 0 where nothing is found."""
    tp, fp, area, _ = _counts(histogram_of(c))
    return np.zeros(LEVELS) if c.get("failed") else f_measure(tp, tp + fp, area)


def f_measure(tp: Any, predicted: Any, area: int) -> Floats:
    """(1 + b) P R / (b P + R) with b = 0.3, from pixel counts; 0 where nothing is found."""
    weighed = (1 + BETA_SQUARED) * np.asarray(tp, np.float64)
    found = weighed / np.maximum(BETA_SQUARED * area + predicted, EPSILON)
    return np.asarray(np.minimum(found, 1.0), np.float64)  # 1.3 / (1 + 0.3) is above 1 in its last bit


def e_curve(c: Components) -> Floats:
    """E-measure of an image at each threshold, ``(256,)``; 0 where the pipeline failed."""
    tp, fp, area, rest = _counts(histogram_of(c))
    return np.zeros(LEVELS) if c.get("failed") else enhanced_alignment(tp, fp, area, rest)


def enhanced_alignment(tp: Any, fp: Any, area: int, rest: int) -> Floats:
    """E-measure of masks from pixel counts (Fan et al. 2018, arXiv 1805.10421; constants as in PySODMetrics, MIT).

    All pixels of one outcome share one value, so that the four counts are enough.

    Args:
        tp: pixels that are predicted rightly, ``(...)``.
        fp: pixels that are predicted wrongly, ``(...)``.
        area: pixels of the target.
        rest: pixels of the background.
    """
    hit, wrong = np.asarray(tp, np.float64), np.asarray(fp, np.float64)
    pixels = area + rest
    if not area or not rest:
        return (hit + wrong if area else pixels - wrong) / (pixels - 1 + EPSILON)
    share, truth = (hit + wrong) / pixels, area / pixels
    total = (
        hit * _aligned(1 - share, 1 - truth)
        + wrong * _aligned(1 - share, -truth)
        + (area - hit) * _aligned(-share, 1 - truth)
        + (rest - wrong) * _aligned(-share, -truth)
    )
    return np.asarray(total / (pixels - 1 + EPSILON), np.float64)


def _aligned(a: Floats, b: float) -> Floats:
    return (2 * a * b / (a**2 + b**2 + EPSILON) + 1) ** 2 / 4


def has_e(c: Components) -> bool:
    """Whether enough pixels count for an E-measure."""
    return bool(sum(c["foreground"]) + sum(c["background"]) > 1)


def _e_mean(c: Components) -> float:
    return float(e_curve(c).mean())


def _of_all(curve: Floats) -> tuple[Term, Term]:
    return tuple(curve.tolist()), (1.0,) * LEVELS


NOTHING: tuple[Term, Term] = (0.0,) * LEVELS, (0.0,) * LEVELS


def _iou_terms(c: Components) -> tuple[Term, Term]:
    return _of_all(iou_curve(c))


def _iou_terms_of_positives(c: Components) -> tuple[Term, Term]:
    return _of_all(iou_curve(c)) if c["positive"] else NOTHING


def _f_terms(c: Components) -> tuple[Term, Term]:
    return _of_all(f_curve(c)) if c["positive"] else NOTHING


def _e_terms(c: Components) -> tuple[Term, Term]:
    return _of_all(e_curve(c)) if c["positive"] and has_e(c) else NOTHING


def highest(tops: Floats, bottoms: Floats) -> Any:
    """The largest value of the mean curve, ``(..., 256)`` → ``(...)``."""
    return np.max(ratio(tops, bottoms), axis=-1)


CURVE = Family("curve", compare, is_positive)
METRICS = (
    Metric("max_f", "Maximum over thresholds of the mean F-measure (beta squared 0.3) of the images with a target.",
           "higher", (0.0, 1.0), "soft", CURVE, _f_terms, combine=highest),
    positive_mean("e_measure", "the mean E-measure over 256 thresholds", CURVE, _e_mean, defined=has_e, limits=E_RANGE),
    Metric("e_measure_max", "Maximum over thresholds of the mean E-measure of the images with a target.",
           "higher", E_RANGE, "soft", CURVE, _e_terms, combine=highest),
    Metric("miou_best@test", "Mean over images of the IoU at the best of 256 thresholds, which is picked on these same "
           "images: an upper bound.", "higher", (0.0, 1.0), "soft", CURVE, _iou_terms, combine=highest),
    Metric("miou_best@test_pos", "Mean over the images with a target of the IoU at the best of 256 thresholds, which "
           "is picked on these same images.", "higher", (0.0, 1.0), "soft", CURVE, _iou_terms_of_positives,
           combine=highest),
)  # fmt: skip
