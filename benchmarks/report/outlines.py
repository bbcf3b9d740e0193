"""Masks as compressed run lengths, so that those of thousands of images are compared without decoding."""

from __future__ import annotations

from typing import TypedDict

from benchmarks.records import SampleRecord


class Outline(TypedDict):
    """COCO's compressed run lengths (github.com/cocodataset/cocoapi): the size ``(H, W)`` and the bytes."""

    size: list[int]
    counts: bytes


def outline(record: SampleRecord) -> Outline:
    """The union of the predicted masks of an image; empty where there are none."""
    from pycocotools import mask

    height, width = record.size
    masks = [{"size": list(one.mask.size), "counts": list(one.mask.counts)} for one in record.instances]
    if not masks:
        masks = [{"size": [height, width], "counts": [height * width]}]
    packed: Outline = mask.merge(mask.frPyObjects(masks, height, width))
    return packed


def iou(a: Outline, b: Outline) -> float:
    """IoU of two masks of one size; 1 where both are empty."""
    from pycocotools import mask

    if not mask.area(a) and not mask.area(b):
        return 1.0
    return float(mask.iou([a], [b], [0])[0, 0])


def share_of_difference(masks: list[Outline]) -> float:
    """How far masks of one image differ: 1 less the mean IoU of all pairs; 0 of fewer than two."""
    pairs = [iou(a, b) for index, a in enumerate(masks) for b in masks[:index]]
    return 1 - sum(pairs) / len(pairs) if pairs else 0.0
