"""Metrics against peers: here binary IoU against the coin project, torchmetrics and an `evaluate`-style mean IoU."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.metrics import METRICS
from benchmarks.peers import curves, masks, outlines, seed
from benchmarks.peers.interleave import Contest, Row
from benchmarks.peers.masks import Pair

SIZES = {512: 4, 2048: 1}
"""Side of the square masks → pairs in one call."""

TOLERANCE = 1e-5  # torchmetrics divides at single precision
OURS = "METRICS['miou'].function"


def contests(sizes: dict[int, int] = SIZES) -> Iterator[Contest | Row]:
    """One contest a peer and size: binary IoU, then the curve over thresholds, then outlines.

    Args:
        sizes: side of the masks in pixels → pairs in one call of binary IoU; the others take one pair.
    """
    for side, number in sizes.items():
        pairs = [masks.pair(side, index) for index in range(number)]
        name = f"binary IoU, {side} px"
        yield _contest(name, "coin project", 5, pairs, _seed_iou(pairs))
        if importlib.util.find_spec("torchmetrics"):
            yield _contest(name, "torchmetrics BinaryJaccardIndex", 25, pairs, _torchmetrics_iou(pairs))
        else:
            reason = "torchmetrics is not installed. pip install 'segmentation-workbench[peers]'"
            yield Row(name, OURS, "torchmetrics BinaryJaccardIndex", 25, status="unavailable", reason=reason)
        yield _contest(name, "evaluate-style mean_iou", 150, pairs, _evaluate_iou(pairs))
        yield from curves.contests(side)
        yield from outlines.contests(side)


def _contest(name: str, peer: str, goal: float, pairs: list[Pair], peer_iou: Callable[[], list[float]]) -> Contest:
    preds, targets = [pred for pred, _ in pairs], [target for _, target in pairs]
    miou = METRICS["miou"]

    def equal() -> bool:
        each = [miou.value(miou.per_image(*pair)) for pair in pairs]
        return bool(np.allclose(np.array(each, np.float64), peer_iou(), rtol=0, atol=TOLERANCE))

    return Contest(name, OURS, peer, lambda: miou.function(preds, targets), peer_iou, equal, goal)


def _seed_iou(pairs: list[Pair]) -> Callable[[], list[float]]:
    images = [(pred.view(np.uint8) * np.uint8(255), target.view(np.uint8) * np.uint8(255)) for pred, target in pairs]
    return lambda: [seed.iou(pred, target) for pred, target in images]


def _torchmetrics_iou(pairs: list[Pair]) -> Callable[[], list[float]]:
    """The class at its fastest: no validation, tensors made beforehand, one thread."""
    import torch
    from torchmetrics.classification import BinaryJaccardIndex

    torch.set_num_threads(1)
    tensors = [(torch.from_numpy(pred), torch.from_numpy(target)) for pred, target in pairs]
    metric = BinaryJaccardIndex(validate_args=False)

    def one(pred: Any, target: Any) -> float:
        metric.reset()
        metric.update(pred, target)
        return float(metric.compute())

    return lambda: [one(pred, target) for pred, target in tensors]


def _evaluate_iou(pairs: list[Pair]) -> Callable[[], list[float]]:
    labels = [(pred.astype(np.uint8), target.astype(np.uint8)) for pred, target in pairs]
    return lambda: [float(mean_iou([pred], [target], 2)["iou"][1]) for pred, target in labels]


def mean_iou(preds: list[npt.NDArray[np.uint8]], targets: list[npt.NDArray[np.uint8]], labels: int,
             ignore_index: int = 255) -> dict[str, Any]:  # fmt: skip
    """Semantic mean IoU from its definition: areas by class as histograms, a class that is nowhere as NaN.

    Args:
        preds: label maps ``(H, W)``.
        targets: as many.
        labels: number of classes.
        ignore_index: of target pixels that do not count.
    """
    both, predicted, there = np.zeros((3, labels))
    for pred, target in zip(preds, targets, strict=True):
        counted = target != ignore_index
        given, wanted = pred[counted], target[counted]
        for area, values in ((both, given[given == wanted]), (predicted, given), (there, wanted)):
            area += np.histogram(values, bins=labels, range=(0, labels - 1))[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        iou, accuracy = both / (predicted + there - both), both / there
        overall = both.sum() / there.sum()
    return {"mean_iou": np.nanmean(iou), "mean_accuracy": np.nanmean(accuracy), "overall_accuracy": overall, "iou": iou}
