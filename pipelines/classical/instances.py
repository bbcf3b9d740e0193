"""From one mask to instances: connected regions, or touching objects parted, each with its box and score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects

from pipelines.classical.regions import Binary
from pipelines.classical.scores import Score
from pipelines.types import Prediction

if TYPE_CHECKING:
    from pipelines.classical.parameters import ClassicalParams

Labels = npt.NDArray[np.int32]
"""Number of the instance that each pixel belongs to, ``int32 (H, W)``; 0 is the background."""

MAX_INSTANCES = 100
SCORED_ROWS = 200
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
    places = find_objects(labels)  # the box of each instance: nothing below looks at the whole picture again
    insides = [labels[place] == number for number, place in enumerate(places, start=1)]
    order = sorted(range(len(places)), key=lambda i: -np.count_nonzero(insides[i]))
    most = min(len(places), MAX_INSTANCES, max(1, MAX_PIXELS // mask.size))
    masks = np.zeros((most, *mask.shape), np.bool_)
    total, count = np.zeros(most), np.zeros(most)
    for rank, i in enumerate(order):
        slot = min(rank, most - 1)  # beyond the limit the smallest share one mask: nothing gets lost
        masks[slot][places[i]] |= insides[i]
        total[slot] += soft[places[i]][insides[i]].sum(dtype=np.float64)
        count[slot] += np.count_nonzero(insides[i])
    return Prediction.of(masks, (total / count).astype(np.float32))


def one_mask(mask: Binary, soft: Score) -> Prediction:
    """The whole mask as one instance, or none where it is empty. A large picture's score is that of every few rows."""
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        return Prediction.empty(*mask.shape)
    step = max(1, height // SCORED_ROWS)
    rows = slice(y, y + height, step)
    if not cv2.hasNonZero(mask[rows]):
        rows = slice(y, y + height)
    score = np.array([cv2.mean(soft[rows], mask[rows])[0]], np.float32)
    box = np.array([[x, y, x + width, y + height]], np.float32)
    return Prediction((mask > 0)[None], score, np.zeros(1, np.int64), box)


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
