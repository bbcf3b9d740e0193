"""Part touching objects at their necks, by the distance to the background."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from pipelines.classical.background import shrunk
from pipelines.classical.regions import Binary

SPLIT_SIZE = 320  # longer side at which necks are looked for


def parted(mask: Binary, depth: float, way: str) -> npt.NDArray[np.int32]:
    """Assign every pixel to the core of an object.

    A core is a peak of the distance to the background that stands clear of every higher peak: on the way to one, the
    distance falls below ``1 - depth`` of the peak's own. It is a ratio, so that small and large objects part alike.

    Args:
        mask: ``uint8 (H, W)``, 0 or 255.
        depth: in (0, 1).
        way: "watershed" floods from the cores down the distance; "distance" takes the core nearest within the mask.

    Returns:
        ``int32 (H, W)``, from 1 on, at every pixel.
    """
    small = (shrunk(mask, SPLIT_SIZE) > 127).astype(np.uint8)
    distance = cv2.distanceTransform(small, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    lowered = reconstruction(distance * (1 - depth), distance)  # type: ignore[no-untyped-call]
    peaks = local_maxima(lowered) & (small > 0)  # type: ignore[no-untyped-call]
    _, cores = cv2.connectedComponents(peaks.astype(np.uint8), connectivity=8)
    if not cores.any():
        return np.ones(mask.shape, np.int32)
    relief = -distance if way == "watershed" else np.zeros_like(distance)  # on level ground floods meet half-way
    labels = watershed(relief, cores, mask=small > 0)  # type: ignore[no-untyped-call]
    labels = spread_out(labels)
    return np.asarray(cv2.resize(labels, mask.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.int32)


def spread_out(labels: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Give every pixel that has no label that of the nearest one that has."""
    empty = (labels == 0).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    name = np.zeros(int(nearest.max()) + 1, np.int32)
    name[nearest[empty == 0]] = labels[empty == 0]
    return np.asarray(name[nearest], np.int32)
