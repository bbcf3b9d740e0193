"""Masks as run lengths, in COCO's uncompressed form (github.com/cocodataset/cocoapi)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from benchmarks.records import RLE
from pipelines.types import Mask


def encode(mask: Mask) -> RLE:
    """Run lengths of a mask ``bool (H, W)``, columns one after another, the first run being background."""
    flat = np.asarray(mask, np.bool_).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate(([0], changes, [flat.size]))
    counts = np.diff(edges)
    if flat.size and flat[0]:  # the first run counts background, so it may be empty
        counts = np.concatenate(([0], counts))
    return RLE(size=(mask.shape[0], mask.shape[1]), counts=tuple(counts.tolist()))


def decode(rle: RLE) -> Mask:
    """The mask ``bool (H, W)`` of run lengths."""
    values = np.arange(len(rle.counts)) % 2 == 1
    flat = np.repeat(values, rle.counts)
    return flat.reshape(rle.size, order="F")


def union(size: tuple[int, int], masks: Iterable[Mask]) -> Mask:
    """All masks together, ``bool (H, W)``; empty where there are none."""
    whole = np.zeros(size, np.bool_)
    for mask in masks:
        whole |= mask
    return whole
