"""The tightest box around the foreground: how well an automatic crop would sit."""

from __future__ import annotations

from benchmarks.metrics.boundary import iou, is_positive
from benchmarks.metrics.case import Case
from benchmarks.metrics.metric import Components, Family, image_mean, share
from benchmarks.metrics.region import Box


def _area(box: Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def compare(case: Case) -> dict[str, int]:
    """Areas of the intersection and the union of the two boxes, and whether there is a target."""
    a, b = case.pred.box, case.target.box
    both = _area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    return {"intersection": both, "union": _area(a) + _area(b) - both, "positive": int(_area(b) > 0)}


def _missed(c: Components) -> bool:
    return iou(c) == 0


BOX = Family("box", compare, is_positive)
METRICS = (
    *image_mean("box_iou", "the IoU of the tightest boxes: the autocrop measure", BOX, iou),
    share("box_miss_rate", "Share of the images with a target whose boxes do not overlap.", "lower", BOX, is_positive,
          _missed),
)  # fmt: skip
