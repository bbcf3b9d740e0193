"""How well outlines agree: boundary IoU of inner bands, and boundary F of contours within a few pixels.

Boundary IoU is that of Cheng et al. 2021 (arXiv 2103.16562); boundary F that of Martin et al. 2004 as DAVIS uses it
(Perazzi et al. 2016, A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation).
"""

from __future__ import annotations

import cv2

from benchmarks.metrics.case import Case
from benchmarks.metrics.metric import Components, Family, image_mean


def compare(case: Case) -> dict[str, int]:
    """Pixels of the intersection and the union of the two bands, and whether there is a target."""
    pred, target = case.pred, case.target
    wrong = int(cv2.norm(pred.band, target.band, cv2.NORM_L1))
    both = (pred.band_area + target.band_area - wrong) // 2
    return {"intersection": both, "union": both + wrong, "positive": int(target.area > 0)}


def is_positive(c: Components) -> bool:
    """Whether the target has foreground."""
    return bool(c["positive"])


def iou(c: Components) -> float:
    """Intersection over union of one image; a mask that is not empty has a band, so both are empty or none."""
    if c.get("failed"):
        return 0.0
    return float(c["intersection"] / c["union"]) if c["union"] else 1.0


def compare_contours(case: Case) -> dict[str, int]:
    """Pixels of the two contours, and how many of each lie within reach of the other."""
    pred, target = case.pred.outline, case.target.outline
    return {
        "pred": pred.area,
        "target": target.area,
        "pred_hits": pred.hits(target),
        "target_hits": target.hits(pred),
        "positive": int(case.target.area > 0),
    }


def f(c: Components) -> float:
    """2PR / (P + R) of one image; a mask that fills the picture has no contour, as one that is empty."""
    if c.get("failed"):
        return 0.0
    if not c["pred"] or not c["target"]:
        return float(c["pred"] == c["target"])
    precision, recall = c["pred_hits"] / c["pred"], c["target_hits"] / c["target"]
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


BOUNDARY = Family("boundary", compare, is_positive)
CONTOUR = Family("contour", compare_contours, is_positive)
METRICS = (
    *image_mean("boundary_iou", "the IoU of the bands along the outlines", BOUNDARY, iou),
    *image_mean("boundary_f", "the F-measure of the outlines within 0.8 % of the diagonal", CONTOUR, f),
)
