"""Boundary F against dilation by scikit-image's disc, and boundary IoU against the bands of faster-coco-eval."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.metrics import METRICS
from benchmarks.metrics.outline import reach_of
from benchmarks.peers import masks
from benchmarks.peers.interleave import Contest, Row
from benchmarks.peers.masks import Pair
from pipelines.types import Mask

DISC, BAND = "scikit-image disk", "faster-coco-eval rleToBoundary"
LARGE_SIDE, FEW_ROUNDS = 1000, 3
"""From this side on the disc takes seconds a call, and a few rounds have to do."""


def contests(side: int) -> Iterator[Contest | Row]:
    """Contests at one size; a row with its reason for a peer that is not installed.

    Args:
        side: of the square masks, in pixels.
    """
    couple = masks.pair(side, 0)
    most = FEW_ROUNDS if side >= LARGE_SIDE else None
    yield _contest("boundary_f", f"boundary F, {side} px", DISC, couple, lambda: [by_disc(*couple)], 40, most)
    name = f"boundary IoU, {side} px"
    if importlib.util.find_spec("faster_coco_eval"):
        yield _contest("boundary_iou", name, BAND, couple, lambda: [by_runs(*couple)], None, None)
    else:
        reason = "faster-coco-eval is not installed. pip install faster-coco-eval"
        yield Row(name, _ours("boundary_iou"), BAND, status="unavailable", reason=reason)


def _ours(metric: str) -> str:
    return f"METRICS[{metric!r}].function"


def _contest(metric: str, name: str, peer: str, couple: Pair, call_peer: Callable[[], list[float]], goal: float | None,
             most_rounds: int | None) -> Contest:  # fmt: skip
    function, (pred, target) = METRICS[metric].function, couple

    def equal() -> bool:
        return function([pred], [target]) == call_peer()[0]

    return Contest(name, _ours(metric), peer, lambda: function([pred], [target]), call_peer, equal, goal, most_rounds)


def contour(mask: Mask) -> Mask:
    """Pixels ``(H, W)`` that differ from their right, lower or lower-right neighbour."""
    found = np.zeros_like(mask)
    found[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    found[:-1] |= mask[:-1] != mask[1:]
    found[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return found


def by_disc(pred: Mask, target: Mask) -> float:
    """Boundary F of one pair, as it is usually written: both contours dilated by a disc.

    Args:
        pred: mask ``(H, W)`` that has a contour.
        target: likewise.
    """
    morphology = importlib.import_module("skimage.morphology")
    a, b = contour(pred), contour(target)
    disc = morphology.disk(reach_of(pred.shape))
    precision = (a & morphology.dilation(b, disc)).sum() / a.sum()
    recall = (b & morphology.dilation(a, disc)).sum() / b.sum()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def by_runs(pred: Mask, target: Mask) -> float:
    """Boundary IoU of one pair by run lengths.

    Args:
        pred: mask ``(H, W)`` that is not empty.
        target: likewise.
    """
    coco = importlib.import_module("faster_coco_eval.core.mask")
    runs = [coco.encode(np.asfortranarray(side.view(np.uint8))) for side in (pred, target)]
    bands = [coco.rleToBoundary(side) for side in runs]
    return float(coco.iou(bands[:1], bands[1:], [0]).item())
