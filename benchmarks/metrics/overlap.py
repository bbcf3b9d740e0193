"""Overlap of two masks by pixel counts: IoU, Dice, precision, recall, and the shares that follow from them.

Both sides empty score 1, exactly one side empty scores 0, a failed image scores 0 or is the wrong answer.
"""

from __future__ import annotations

from functools import partial

import cv2

from benchmarks.metrics.case import Case
from benchmarks.metrics.metric import Components, Family, Metric, Term, image_mean, share


def compare(case: Case) -> dict[str, int]:
    """Counts of true and false positives and negatives."""
    pred, target = case.pred, case.target
    wrong = int(cv2.norm(pred.bits, target.bits, cv2.NORM_L1))  # on 0 and 1: where they differ, with no array between
    tp = (pred.area + target.area - wrong) // 2
    fp, fn = pred.area - tp, target.area - tp
    return {"tp": tp, "fp": fp, "fn": fn, "tn": target.pixels - tp - wrong}


def is_positive(c: Components) -> bool:
    """Whether the target has foreground."""
    return bool(c["tp"] + c["fn"] > 0)


OVERLAP = Family("overlap", compare, is_positive)


def _part(c: Components, part: float, whole: float) -> float:
    if c.get("failed"):
        return 0.0
    if not c["tp"] + c["fp"] + c["fn"]:
        return 1.0
    return part / whole if whole else 0.0


def iou(c: Components) -> float:
    """TP / (TP + FP + FN) of one image."""
    return _part(c, c["tp"], c["tp"] + c["fp"] + c["fn"])


def dice(c: Components) -> float:
    """2 TP / (2 TP + FP + FN) of one image."""
    return _part(c, 2 * c["tp"], 2 * c["tp"] + c["fp"] + c["fn"])


def precision(c: Components) -> float:
    """TP / (TP + FP) of one image."""
    return _part(c, c["tp"], c["tp"] + c["fp"])


def recall(c: Components) -> float:
    """TP / (TP + FN) of one image."""
    return _part(c, c["tp"], c["tp"] + c["fn"])


def _pooled(c: Components) -> tuple[Term, Term]:
    return c["tp"], c["tp"] + c["fp"] + c["fn"]  # of a failed image its target, as FN


def _missed(c: Components) -> bool:
    return iou(c) == 0


def _reached(threshold: float, c: Components) -> bool:
    return iou(c) >= threshold


METRICS = (
    *image_mean("miou", "the IoU of the foreground", OVERLAP, iou),
    Metric("iou_pooled", "IoU of the pixels of all images together; large images dominate.", "higher", (0.0, 1.0),
           "mask", OVERLAP, _pooled),
    *image_mean("dice", "the Dice coefficient of the foreground", OVERLAP, dice),
    *image_mean("precision", "the share of predicted pixels that are right", OVERLAP, precision),
    *image_mean("recall", "the share of target pixels that are found", OVERLAP, recall),
    share("miss_rate", "Share of the images with a target of which nothing is found.", "lower", OVERLAP, is_positive,
          _missed),
    *(share(f"success@{t}", f"Share of the images with a target whose IoU is at least {t}.", "higher", OVERLAP,
            is_positive, partial(_reached, t)) for t in (0.5, 0.75, 0.9)),
)  # fmt: skip
