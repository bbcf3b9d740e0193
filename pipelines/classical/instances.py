"""From one mask to instances: connected regions, or touching objects parted, each with its box and score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.classical.regions import Binary
from pipelines.classical.scores import Score
from pipelines.types import Prediction

if TYPE_CHECKING:
    from pipelines.classical.parameters import ClassicalParams

Labels = npt.NDArray[np.int32]
"""Number of the instance that each pixel belongs to, ``int32 (H, W)``; 0 is the background."""

MAX_INSTANCES = 100
MAX_PIXELS = 200_000_000  # of all masks together: a mask is a whole picture, and a noisy mask has thousands of regions


def to_prediction(mask: Binary, soft: Score, params: ClassicalParams) -> Prediction:
    """Masks, the mean score inside each, and the tightest box around each, the largest first.

    Args:
        mask: ``uint8 (H, W)``, 0 or 255.
        soft: score map of the same size.
        params: the decide fields.
    """
    if params.instances == "one":
        return one_mask(mask, soft)
    labels = instance_labels(mask, params)
    area = np.bincount(labels.ravel())[1:]
    number = min(len(area), MAX_INSTANCES, max(1, MAX_PIXELS // mask.size))
    rank = np.zeros(len(area) + 1, np.int32)  # beyond the limit the smallest share one mask: nothing gets lost
    rank[1 + np.argsort(-area, kind="stable")] = np.minimum(np.arange(1, len(area) + 1), number)
    ranked = rank[labels]
    masks = np.array([ranked == i for i in range(1, number + 1)], np.bool_).reshape(number, *mask.shape)
    total = np.bincount(ranked.ravel(), weights=soft.ravel(), minlength=number + 1)[1:]
    count = np.bincount(ranked.ravel(), minlength=number + 1)[1:]
    return Prediction.of(masks, (total / np.maximum(count, 1)).astype(np.float32))


def one_mask(mask: Binary, soft: Score) -> Prediction:
    """The whole mask as one instance, or none where it is empty."""
    if not cv2.hasNonZero(mask):
        return Prediction.empty(*mask.shape)
    score = np.array([cv2.mean(soft, mask)[0]], np.float32)
    return Prediction.of((mask > 0)[None], score)


def instance_labels(mask: Binary, params: ClassicalParams) -> Labels:
    """Number the instances of a mask from 1, in any order, without a gap."""
    number, found = cv2.connectedComponents(mask, connectivity=8, ltype=cv2.CV_32S)
    labels = np.asarray(found, np.int32)
    if params.instances == "components" or number == 1:
        return labels
    from pipelines.classical.splitting import parted

    return compact(labels, number, parted(mask, params.split_depth, params.instances))


def compact(regions: Labels, number: int, cores: Labels) -> Labels:
    """Number the pairs of region and core from 1; a core counts in the region that holds most of it, and no other.

    Args:
        regions: connected regions, numbered from 1.
        number: of regions, with the background.
        cores: core of each pixel, from 1.
    """
    width = int(cores.max()) + 1
    shared = np.bincount((regions * width + cores).ravel(), minlength=number * width).reshape(number, width)
    owner, main = shared[1:].argmax(axis=0) + 1, shared.argmax(axis=1)
    core = np.where(owner[cores] == regions, cores, main[regions])
    joint = np.where(regions > 0, regions * width + core, 0)
    _, inverse = np.unique(joint, return_inverse=True)
    return np.asarray(inverse.reshape(regions.shape) + int(joint.min() > 0), np.int32)
