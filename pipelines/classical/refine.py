"""Refinement of a score map with the pixels: GrabCut from seeds that the score sets, then a guided filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipelines.classical.background import features, shade_free, shrunk
from pipelines.classical.scores import Score
from pipelines.types import Image

if TYPE_CHECKING:
    from pipelines.classical.parameters import ClassicalParams

Pair = tuple[Image, Score]
"""A small picture and its score map, of one size."""

CHROMA_GAIN = np.array([1.1, 1.6, 1.6], np.float32)  # lightness counts less, chroma uses more of the 256 levels
SQUARE = np.ones((3, 3), np.uint8)
LEAST_SEEDS = 30  # pixels of each side; fewer cannot carry a colour model of five Gaussians


def at_work_size(image: Image, soft: Score, params: ClassicalParams) -> Pair:
    """Picture and score map at the working size."""
    small = shrunk(image, params.work_size)
    if small.shape[:2] == soft.shape:
        return small, soft
    return small, np.asarray(cv2.resize(soft, small.shape[1::-1], interpolation=cv2.INTER_AREA), np.float32)


def centred(_: Image, given: Pair, params: ClassicalParams) -> Pair:
    """Shift the score so that its cut lies at one half: Otsu's threshold of the score, moved and held in bounds."""
    small, soft = given
    levels = np.clip(soft * 255, 0, 255).astype(np.uint8)
    otsu = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)[0] / 255
    cut = min(max(otsu + params.cut_bias, params.cut_low), max(params.cut_low, params.cut_high))
    return small, np.interp(soft, [0, cut, 1], [0, 0.5, 1]).astype(np.float32)


def grabcut(_: Image, given: Pair, params: ClassicalParams) -> Pair:
    """Colour models of both sides and a minimum cut between them, from what the score is sure of.

    Source: Rother, Kolmogorov, Blake, GrabCut, SIGGRAPH 2004. Its random start is seeded: equal input, equal output.
    """
    small, soft = given
    label = np.where(soft > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    label[soft > 0.5 + 0.5 * params.grabcut_foreground] = cv2.GC_FGD
    label[soft < 0.5 * params.grabcut_background] = cv2.GC_BGD
    foreground = np.count_nonzero(soft > 0.5)
    if min(foreground, soft.size - foreground) < LEAST_SEEDS:
        return small, (soft > 0.5).astype(np.float32)
    colour = colours(small, params)
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(colour, label, None, *models, params.grabcut_iterations, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    return small, (label & 1).astype(np.float32)


def colours(small: Image, params: ClassicalParams) -> Image:
    """The three channels that GrabCut models, ``uint8 (h, w, 3)``."""
    if params.grabcut_colour == "lab":
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.uint8)
    if params.grabcut_colour == "rgb":
        return np.array(small)
    free = shade_free(small, params.lightness_offset)
    middle = np.median(free.reshape(-1, 3), axis=0)  # what lies far from it may be cut off at 8 bits
    return np.asarray(np.clip((free - middle) * CHROMA_GAIN + 128, 0, 255).astype(np.uint8), np.uint8)


def edged(_: Image, given: Pair, params: ClassicalParams) -> Pair:
    """Drop regions at the rim that fade into the background: vignettes, dark corners. Objects there end in an edge."""
    small, soft = given
    number, labels = cv2.connectedComponents((soft > 0.5).astype(np.uint8), connectivity=8)
    if number == 1 or not params.edge_contrast:
        return given
    _, found = features(small, small, params)
    steps = [cv2.Sobel(found, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (0, 1)]
    slope = cv2.dilate(np.sqrt(np.square(steps).sum(axis=(0, 3))), SQUARE)
    around = cv2.dilate(labels.astype(np.float32), SQUARE).astype(np.int32) * (labels == 0)
    rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    regions = np.setdiff1d(np.intersect1d(rim, around), 0)  # one without surroundings fills the picture
    drop = np.zeros(number, bool)
    drop[regions] = np.asarray(ndimage.median(slope, around, regions)) < params.edge_contrast
    return small, np.where(drop[labels], np.float32(0), soft)


def guided(_: Image, given: Pair, params: ClassicalParams) -> Score:
    """Let the score follow the edges of the grey picture; radius 0 leaves it as it is.

    Source: He, Sun, Tang, Guided image filtering, ECCV 2010.
    """
    small, soft = given
    if not params.guided_radius:
        return soft
    guide = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) * np.float32(1 / 255)
    side = 2 * params.guided_radius + 1

    def mean(values: npt.NDArray[Any]) -> Score:
        return np.asarray(cv2.blur(values, (side, side)), np.float32)

    mean_guide, mean_soft = mean(guide), mean(soft)
    variance = mean(guide * guide) - mean_guide * mean_guide
    slope = (mean(guide * soft) - mean_guide * mean_soft) / (variance + params.guided_eps)
    return np.asarray(np.clip(mean(slope) * guide + mean(mean_soft - slope * mean_guide), 0, 1), np.float32)
