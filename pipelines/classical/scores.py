"""Score maps from a grey image: filled edges, Otsu's threshold and the adaptive threshold, cut at one half."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.classical.tone import Grey
from pipelines.types import Image, Mask

if TYPE_CHECKING:
    from pipelines.classical.parameters import ClassicalParams

OUTSIDE = 128  # neither 0 nor 255

Score = npt.NDArray[np.float32]
"""Score of being foreground, ``float32 (h, w)`` in [0, 1]."""


def edges(_: Image, grey: Grey, params: ClassicalParams) -> Grey:
    """Canny's edges, 255 on 0. The two thresholds may come in any order.

    Source: Canny, A computational approach to edge detection, 1986.
    """
    return np.asarray(cv2.Canny(grey, params.canny_low, params.canny_high), np.uint8)


def filled_edges(_: Image, edge: Grey, params: ClassicalParams) -> Score:
    """1 inside the outer contours of the edges, or on the edges alone."""
    return np.asarray(enclosed(edge) if params.fill_contours else edge > 0, np.float32)


def enclosed(mask: Grey) -> Mask:
    """Non-zero pixels and all that they enclose, ``bool (H, W)``.

    The same as drawing the external contours filled, pixel for pixel, and several times as fast where there are many:
    the outside is flooded from a rim of zeros through pixels that share a side.

    Args:
        mask: ``uint8 (H, W)``, 0 or 255.
    """
    rimmed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0,))
    cv2.floodFill(rimmed, None, (0, 0), (OUTSIDE,), flags=4)
    return np.asarray(rimmed[1:-1, 1:-1] != OUTSIDE)


def otsu_score(_: Image, grey: Grey, params: ClassicalParams) -> Score:
    """Grey values stretched so that Otsu's threshold lies at one half. Bright is foreground.

    Source: Otsu, A threshold selection method from gray-level histograms, 1979.
    """
    if grey.min() == grey.max():  # one value: nothing to part, whatever threshold comes out
        return np.zeros(grey.shape, np.float32)
    middle = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)[0] + 0.5  # above the threshold is foreground
    table = np.interp(np.arange(256), [0, middle, 255.5], [0, 0.5, 1]).astype(np.float32)
    return np.asarray(table[grey], np.float32)


def adaptive_score(_: Image, grey: Grey, params: ClassicalParams) -> Score:
    """Grey value against the mean of its surroundings. Brighter by more than the offset is foreground."""
    block = params.adaptive_block
    mean = cv2.boxFilter(grey, cv2.CV_32F, (block, block), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(0.5 + (grey - mean - params.adaptive_offset) / 255, 0, 1), np.float32)


def polarised(_: Image, soft: Score, params: ClassicalParams) -> Score:
    """Invert the score: always, or ("auto") where most of the border would be foreground."""
    if params.invert == "auto":
        rim = np.concatenate([soft[0], soft[-1], soft[:, 0], soft[:, -1]])
        if np.mean(rim >= 0.5) <= 0.5:
            return soft
    return 1 - soft
