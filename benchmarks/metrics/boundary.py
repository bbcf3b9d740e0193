"""Boundary IoU: the IoU of the inner bands along the outlines (Cheng et al. 2021, arXiv 2103.16562)."""

from __future__ import annotations

import cv2

from benchmarks.metrics.metric import Components, Family, Soft, image_mean
from benchmarks.metrics.region import Region


def compare(pred: Region, target: Region, soft: Soft | None) -> dict[str, int]:
    """Pixels of the intersection and the union of the two bands, and whether there is a target."""
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


BOUNDARY = Family("boundary", compare, is_positive)
METRICS = image_mean("boundary_iou", "the IoU of the bands along the outlines", BOUNDARY, iou)
