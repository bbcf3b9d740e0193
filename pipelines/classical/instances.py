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
    masks = np.zeros((len(places), *mask.shape), np.bool_)
    scores = np.zeros(len(places), np.float32)
    for rank, i in enumerate(order):
        masks[rank][places[i]] = insides[i]
        scores[rank] = soft[places[i]][insides[i]].mean(dtype=np.float64)
    return Prediction.of(masks, scores)


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
    labels = limited(np.asarray(found, np.int32), number - 1)
    if params.instances == "components" or number == 1:
        return labels
    from pipelines.classical.splitting import parted

    return limited(*divided(labels, parted(mask, params.split_depth, params.instances)))


def limited(labels: Labels, number: int) -> Labels:
    """At most as many instances as are kept; beyond them the smallest share one mask, so that nothing gets lost."""
    most = min(MAX_INSTANCES, max(1, MAX_PIXELS // labels.size))
    if number <= most:
        return labels
    area = np.bincount(labels.ravel(), minlength=number + 1)[1:]
    rank = np.zeros(number + 1, np.int32)
    rank[1 + np.argsort(-area, kind="stable")] = np.minimum(np.arange(1, number + 1), most)
    return rank[labels]


def divided(regions: Labels, cores: Labels) -> tuple[Labels, int]:
    """Divide each region among its cores; a core counts in the region that holds most of it, and in no other.

    Args:
        regions: numbered from 1, few.
        cores: core of each pixel, from 1.

    Returns:
        Numbers from 1 without a gap, and how many there are.
    """
    labels, places = regions.copy(), find_objects(regions)
    whole, number = np.bincount(cores[regions > 0]), len(places)
    for region, place in enumerate(places, start=1):
        inside = regions[place] == region
        here = np.bincount(cores[place][inside], minlength=len(whole))
        own = np.flatnonzero(2 * here > whole)
        name = np.full(len(whole), region, np.int32)  # what belongs to a core of another region stays with the first
        name[own[1:]] = np.arange(number + 1, number + len(own))
        labels[place][inside] = name[cores[place][inside]]
        number += max(0, len(own) - 1)
    return labels, number
