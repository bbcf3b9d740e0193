"""Overlap class by class, pooled over all images, as semantic segmentation is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.metrics.case import Case, Classes
from benchmarks.metrics.metric import Components, Family, Metric, Term
from benchmarks.metrics.region import Bits
from benchmarks.statistics.intervals import ratio
from pipelines.types import Mask

BACKGROUND = "background"
Pool = Callable[[Components, int], tuple[Term, Term]]


def compare(case: Case) -> dict[str, list[int]] | None:
    """Pixels of intersection, prediction and target: of the background first, then of each class in order.

    Background is where a side has no class; masks of classes may overlap, so the numbers need not add up to the image.
    None without classes.
    """
    if case.classes is None:
        return None
    counted = np.ones_like(case.target.bits) if case.target.ignore is None else (~case.target.ignore).view(np.uint8)
    preds, targets = (_with_background(side, counted) for side in (case.classes.preds, case.classes.targets))
    return _failed(targets, case.classes) if case.failed else _counts(preds, targets, case.classes)


def _with_background(masks: Mapping[str, Mask], counted: Bits) -> dict[str | None, Bits]:
    """Bits of each class that is there, and what is left as background, under None."""
    found: dict[str | None, Bits] = {None: counted}
    for name, mask in masks.items():
        found[name] = mask.view(np.uint8)
        found[None] = np.asarray(cv2.subtract(found[None], found[name]), np.uint8)  # stays at 0 where classes overlap
    return found


def _counts(
    preds: Mapping[str | None, Bits], targets: Mapping[str | None, Bits], classes: Classes
) -> dict[str, list[int]]:
    order = (None, *classes.names)
    both = [cv2.countNonZero(cv2.bitwise_and(preds[name], targets[name])) if name in preds and name in targets else 0
            for name in order]  # fmt: skip
    return {"intersection": both, "pred": _areas(preds, order), "target": _areas(targets, order)}


def _failed(targets: Mapping[str | None, Bits], classes: Classes) -> dict[str, list[int]]:
    """Nothing predicted, and no background either: that would be an answer."""
    nothing = [0] * (len(classes.names) + 1)
    return {"intersection": nothing, "pred": list(nothing), "target": _areas(targets, (None, *classes.names))}


def _areas(masks: Mapping[str | None, Bits], order: Sequence[str | None]) -> list[int]:
    return [cv2.countNonZero(masks[name]) if name in masks else 0 for name in order]


def is_positive(c: Components) -> bool:
    """Whether a class is there."""
    return any(c["target"][1:])


def _pools(first: int, c: Components) -> tuple[Term, Term]:
    """Intersection and union of each class from index `first` on."""
    both, pred, target = (c[name][first:] for name in ("intersection", "pred", "target"))
    return tuple(both), tuple(p + t - i for p, t, i in zip(pred, target, both, strict=True))


def mean_over_classes(tops: npt.NDArray[np.float64], bottoms: npt.NDArray[np.float64]) -> Any:
    """Mean of the ratios over the last axis, ``(..., k)``; a class that is nowhere has none and is left out."""
    known = bottoms != 0
    return ratio(np.where(known, ratio(tops, bottoms), 0.0).sum(axis=-1), known.sum(axis=-1))


def _iou(c: Components, index: int) -> tuple[Term, Term]:
    return c["intersection"][index], c["pred"][index] + c["target"][index] - c["intersection"][index]


def _precision(c: Components, index: int) -> tuple[Term, Term]:
    return c["intersection"][index], c["pred"][index]


def _recall(c: Components, index: int) -> tuple[Term, Term]:
    return c["intersection"][index], c["target"][index]


CLASSES = Family("classes", compare, is_positive)
_POOLED: dict[str, tuple[str, Pool]] = {
    "iou": ("IoU of {}", _iou),
    "precision": ("Share of the pixels predicted as {} that are right", _precision),
    "recall": ("Share of the pixels of {} that are found", _recall),
}


def class_metrics(names: Sequence[str]) -> dict[str, dict[str, Metric]]:
    """Pooled `iou`, `precision` and `recall` of each class and of the background, as metrics of the classes family.

    Args:
        names: of the dataset, in the order in which its components were counted.

    Returns:
        class → name → metric. A class that is itself called "background" keeps its name and hides the rest.
    """
    return {
        name: {kind: _of_class(kind, name, index) for kind in _POOLED}
        for index, name in enumerate((BACKGROUND, *names))
    }


def _of_class(kind: str, name: str, index: int) -> Metric:
    title, pool = _POOLED[kind]
    about = f"{title.format(name)}, over all images together."
    return Metric(kind, about, "higher", (0.0, 1.0), "mask", CLASSES, lambda components: pool(components, index))


METRICS = (
    Metric("miou_classes", "Mean over classes of the IoU of all images together, without background.", "higher",
           (0.0, 1.0), "mask", CLASSES, partial(_pools, 1), combine=mean_over_classes),
    Metric("miou_classes_bg", "Mean over classes and background of the IoU of all images together.", "higher",
           (0.0, 1.0), "mask", CLASSES, partial(_pools, 0), combine=mean_over_classes),
)  # fmt: skip
