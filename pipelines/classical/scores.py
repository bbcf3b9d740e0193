"""Score maps from a grey image: filled edges, Otsu's threshold and the adaptive threshold, cut at one half."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.classical.tone import Grey
from pipelines.types import Image

if TYPE_CHECKING:
    from pipelines.classical.parameters import ClassicalParams

Score = npt.NDArray[np.float32]
"""Score of being foreground, ``float32 (h, w)`` in [0, 1]."""


def edges(_: Image, grey: Grey, params: ClassicalParams) -> Grey:
    """Canny's edges, 255 on 0. The two thresholds may come in any order.

    Source: Canny, A computational approach to edge detection, 1986.
    """
    return np.asarray(cv2.Canny(grey, params.canny_low, params.canny_high), np.uint8)


def filled_edges(_: Image, edge: Grey, params: ClassicalParams) -> Score:
    """1 inside the outer contours of the edges, or on the edges alone."""
    if not params.fill_contours:
        return np.asarray(edge > 0, np.float32)
    contours, _hierarchy = cv2.findContours(edge, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    soft = np.zeros(edge.shape, np.float32)
    cv2.drawContours(soft, contours, -1, (1.0,), cv2.FILLED)
    return soft


def otsu_score(_: Image, grey: Grey, params: ClassicalParams) -> Score:
    """Grey values stretched so that Otsu's threshold lies at one half. Bright is foreground.

    Source: Otsu, A threshold selection method from gray-level histograms, 1979.
    """
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
