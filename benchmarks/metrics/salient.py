"""Salient object detection beyond the curves: adaptive threshold, S-measure and weighted F-measure.

They are means over the images with a target; a failed image scores 0. Ignored pixels are left out of every sum: p and
G are 0 there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.metrics.boundary import is_positive
from benchmarks.metrics.case import Case
from benchmarks.metrics.curve import E_RANGE, enhanced_alignment, f_measure
from benchmarks.metrics.metric import Components, Family, positive_mean
from benchmarks.metrics.overlap import compare as count_overlap
from benchmarks.metrics.overlap import is_positive as has_foreground
from benchmarks.metrics.structure import s_measure
from benchmarks.metrics.weighted import weighted_f


def compare_adaptive(case: Case) -> dict[str, int]:
    """Counts at the threshold min(1, 2 mean(p)); where p is 0 everywhere it is 0, and everything is predicted."""
    mean = float(case.map.sum(dtype=np.float64)) / max(case.target.pixels, 1)
    return count_overlap(Case(case.target.side(case.map >= min(1.0, 2 * mean)), case.target))


def _adaptive_f(c: Components) -> float:
    return 0.0 if c.get("failed") else float(f_measure(c["tp"], c["tp"] + c["fp"], c["tp"] + c["fn"]))


def _adaptive_e(c: Components) -> float:
    return 0.0 if c.get("failed") else float(enhanced_alignment(c["tp"], c["fp"], c["tp"] + c["fn"], c["fp"] + c["tn"]))


def _has_e(c: Components) -> bool:
    return bool(c["tp"] + c["fp"] + c["fn"] + c["tn"] > 1)


def compare_structure(case: Case) -> dict[str, Any]:
    """S-measure, and whether there is a target."""
    return {"s_measure": s_measure(case.map, case.target), "positive": int(case.target.area > 0)}


def compare_weighted(case: Case) -> dict[str, Any]:
    """Weighted F-measure, and whether there is a target."""
    return {"weighted_f": weighted_f(case.map, case.target), "positive": int(case.target.area > 0)}


def _s(c: Components) -> float:
    return 0.0 if c.get("failed") else float(c["s_measure"])


def _weighted(c: Components) -> float:
    return 0.0 if c.get("failed") else float(c["weighted_f"])


ADAPTIVE = Family("adaptive", compare_adaptive, has_foreground)
STRUCTURE = Family("structure", compare_structure, is_positive)
WEIGHTED = Family("weighted", compare_weighted, is_positive)
METRICS = (
    positive_mean("adaptive_f", "the F-measure (beta squared 0.3) at twice the mean probability", ADAPTIVE,
                  _adaptive_f),
    positive_mean("e_measure_adp", "the E-measure at twice the mean probability", ADAPTIVE, _adaptive_e,
                  defined=_has_e, limits=E_RANGE),
    positive_mean("s_measure", "the S-measure: structure by object and by region", STRUCTURE, _s),
    positive_mean("weighted_f", "the F-measure weighted by place: errors beside a hit weigh less", WEIGHTED, _weighted),
)  # fmt: skip
