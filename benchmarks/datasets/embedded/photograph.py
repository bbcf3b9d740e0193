"""The photograph of 24 coins that scikit-image ships, its hand-checked instance masks, and windows cut from both."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.types import Image

COINS = 24
CROP = 192
"""Side of a crop, in pixels."""

MARGIN = 1.7
"""Side of a crop's window, in diameters of its coin."""

INSTANCES = Path(__file__).with_name("coins_instances.png")
Grey = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.uint8]


@lru_cache
def photograph() -> Grey:
    """The photograph, ``uint8 (303, 384)``, read-only."""
    from skimage import data

    load: Callable[[], Grey] = data.coins
    grey = np.array(load(), np.uint8)
    grey.flags.writeable = False
    return grey


@lru_cache
def instances() -> Ids:
    """Instance ids, ``uint8 (303, 384)``: 0 = ground, 1 to 24 = coins from left to right, row by row; read-only."""
    from pipelines.images import OWN_FOLDER, load_mask

    ids = np.array(load_mask(INSTANCES, OWN_FOLDER, None), np.uint8)
    ids.flags.writeable = False
    return ids


def whole() -> tuple[Image, Ids]:
    """The whole photograph as RGB ``uint8 (303, 384, 3)`` with its ids."""
    return np.repeat(photograph()[..., None], 3, axis=2), instances().copy()


def crop(coin: int) -> tuple[Image, Ids]:
    """One coin with its surroundings, enlarged about twice to ``uint8 (192, 192, 3)``, with the ids of all coins in it.

    Outlines are enlarged as smooth curves, not as steps of the original pixels.
    """
    import cv2

    ids = instances()
    left, top, side = _window(ids == coin)
    window = (slice(top, top + side), slice(left, left + side))
    grey = cv2.resize(np.ascontiguousarray(photograph()[window]), (CROP, CROP), interpolation=cv2.INTER_CUBIC)
    enlarged = np.zeros((CROP, CROP), np.uint8)
    for other in np.unique(ids[window])[1:]:
        outline = cv2.GaussianBlur((ids == other).astype(np.float32), (0, 0), 1.0)[window]
        smooth = cv2.resize(np.ascontiguousarray(outline), (CROP, CROP), interpolation=cv2.INTER_CUBIC)
        enlarged[smooth >= 0.5] = other
    return np.repeat(grey[..., None], 3, axis=2), enlarged


def _window(mask: npt.NDArray[np.bool_]) -> tuple[int, int, int]:
    """Left, top and side of a square round a coin, pushed back into the photograph."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    side = round(MARGIN * max(np.ptp(rows), np.ptp(columns)))
    height, width = mask.shape
    top = min(max((rows[0] + rows[-1] - side) // 2, 0), height - side)
    left = min(max((columns[0] + columns[-1] - side) // 2, 0), width - side)
    return int(left), int(top), side
