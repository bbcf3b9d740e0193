"""Metrics of the probability itself, before any threshold."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from benchmarks.metrics.boundary import is_positive
from benchmarks.metrics.case import Case
from benchmarks.metrics.metric import Components, Family, image_mean


def compare(case: Case) -> dict[str, Any]:
    """Sum of abs(p - G) over the pixels that count, and their number; p is the mask itself where there is no map."""
    target, soft = case.target, case.soft
    if soft is None:
        error = cv2.norm(case.pred.bits, target.bits, cv2.NORM_L1)
    else:
        errors = np.abs(soft.astype(np.result_type(soft, np.float32), copy=False) - target.bits)
        error = float(errors.sum(dtype=np.float64, where=True if target.ignore is None else ~target.ignore))
    return {"abs_error_sum": error, "pixels": target.pixels, "positive": int(target.area > 0)}


def _mae(c: Components) -> float:
    return 1.0 if c.get("failed") else float(c["abs_error_sum"] / c["pixels"])


def _is_defined(c: Components) -> bool:
    return bool(c["pixels"] or c.get("failed"))


SOFT = Family("soft", compare, is_positive)
METRICS = image_mean("mae", "the mean absolute error of the probability", SOFT, _mae, direction="lower", needs="soft",
                     defined=_is_defined)  # fmt: skip
