"""A second look at textured grounds: colour and grain averaged around each pixel, which alone tells nothing there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipelines.classical import background
from pipelines.classical.refine import Pair
from pipelines.types import Image, Mask

if TYPE_CHECKING:
    from pipelines.classical.parameters import ClassicalParams

SIGMA = 5.0  # pixels at the working size, of the averages; 4 to 6 do alike
DISC = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))  # what is narrower than it is a seam of the ground
GRAIN_FLOOR = 0.25  # squared, in Lab per pixel: noise of the camera, which is no grain
GRAIN_GAIN = 6.0  # brings the logarithm of grain to the scale of Lab
GROWTH = 0.6  # of the distance that marks a region: how far the region reaches
LEAST_COLOUR = 1.4  # standard deviations: the bare faces of bricks differ from a wall in grain, and hardly in colour
MOST_TOUCH = 0.3  # of a region's outline may run along what is known: shadows and halos have more
LEAST_GROUND = 0.1  # of the picture, for a model to be learned from
LEAST_SIDE = 32  # pixels at the working size


def second_look(_: Image, given: Pair, params: ClassicalParams) -> Pair:
    """Add what differs from a textured background in averaged colour and grain, and is no fringe of what was found."""
    small, soft = given
    ground = widened(soft > 0.5, 5) == 0
    if not params.coarse_distance or min(soft.shape) < LEAST_SIDE or ground.mean() < LEAST_GROUND:
        return given
    found = averaged(small, ground, params)
    distance, colour_distance = distances(found, ground, params)
    candidate = (distance > GROWTH * params.coarse_distance) & ground
    plain = ground & ~candidate
    if not plain.any() or np.median(found[..., 3][plain]) < grain_scale(np.float32(params.coarse_texture**2)):
        return given
    number, labels = cv2.connectedComponents(
        cv2.morphologyEx(candidate.astype(np.uint8), cv2.MORPH_OPEN, DISC), connectivity=4)  # fmt: skip
    regions = np.arange(1, number)
    outline = np.where(cv2.erode((labels > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0, labels, 0)
    accepted = np.zeros(number, bool)
    accepted[1:] = (
        (np.asarray(ndimage.maximum(distance, labels, regions)) > params.coarse_distance)
        & (np.asarray(ndimage.mean(colour_distance, labels, regions)) > LEAST_COLOUR)
        & (np.asarray(ndimage.mean(widened(soft > 0.5, 11), outline, regions)) < MOST_TOUCH)
    )
    return small, np.maximum(soft, accepted[labels].astype(np.float32))


def widened(mask: Mask, side: int) -> npt.NDArray[np.uint8]:
    """A mask dilated by a square, 0 or 1."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)), np.uint8)


def averaged(small: Image, ground: Mask, params: ClassicalParams) -> npt.NDArray[np.float32]:
    """Mean features and the logarithm of the mean squared gradient around each pixel, ``float32 (h, w, 4)``.

    Only pixels of the open ground count, so that what was found already does not spill into its surroundings.
    """
    free = background.shade_free(small, params.lightness_offset)
    free[..., 0] *= np.float32(params.lightness_weight)
    light = cv2.GaussianBlur(free[..., 0], (0, 0), 0.8)
    slopes = [cv2.Sobel(light, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (0, 1)]
    weight = ground.astype(np.float32)[..., None]
    stack = np.dstack([free, slopes[0] ** 2 + slopes[1] ** 2, np.ones_like(light)]) * weight
    mean = np.dstack([cv2.GaussianBlur(plane, (0, 0), SIGMA) for plane in cv2.split(stack)])
    found = mean[..., :4] / (mean[..., 4:] + np.float32(1e-3))
    found[..., 3] = grain_scale(found[..., 3])
    return np.asarray(found, np.float32)


def grain_scale(squared_slope: Any) -> Any:
    """Squared slope as a feature: a logarithm, since grain differs by factors."""
    return np.float32(GRAIN_GAIN) * np.log(squared_slope + np.float32(GRAIN_FLOOR))


def distances(
    found: npt.NDArray[np.float32], ground: Mask, params: ClassicalParams
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Distance of each pixel from the background in all features, and in colour alone; both ``(h, w)``."""
    height, width = ground.shape
    values = background.planes(found)
    weight = background.border_weight(height, width, params) * ground.ravel()
    mode = background.densest(values, weight, params.mode_bandwidth)
    terms = background.surface(height, width, params)
    residual, covariance = background.fitted(values, terms, weight, mode, params)
    residual[0][residual[0] < 0] *= np.float32(params.shadow_weight)
    squared = (
        background.squared_distance(residual, covariance),
        background.squared_distance(residual[:3], covariance[:3, :3]),
    )
    whole, colour = (np.sqrt(s).reshape(height, width) for s in squared)
    return whole, colour
