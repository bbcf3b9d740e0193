"""The coin project's classical algorithm, read plainly by another hand than `benchmarks/peers/seed.py`, so that each checks the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class SeedParams:
    """Its parameters under its own names, at its own defaults."""

    blur_kernel_size: int = 5
    blur_sigma: float = 0
    canny_threshold_1: float = 40
    canny_threshold_2: float = 120
    clip_limit: float = 2.0
    tile_grid_size: int = 8
    brightness_alpha: float = 1.0
    brightness_beta: float = 0
    pre_blur: bool = False
    sharpen_mode: str | None = None
    kernel_size: int = 9
    sigma_x: float = 10
    sigma_y: float = 10


def segment(image: Array, p: SeedParams) -> Array:
    """Mask of an RGB picture, 0 or 255."""
    adjusted = cv2.convertScaleAbs(image.copy(), alpha=p.brightness_alpha, beta=p.brightness_beta)
    grey = cv2.cvtColor(adjusted, cv2.COLOR_RGB2GRAY)
    clahe = cv2.createCLAHE(clipLimit=p.clip_limit, tileGridSize=(p.tile_grid_size, p.tile_grid_size))
    grey = clahe.apply(grey)
    kernel = (p.blur_kernel_size, p.blur_kernel_size)
    if p.pre_blur:
        grey = cv2.GaussianBlur(grey, kernel, p.blur_sigma)
        grey = sharpen(grey, p.sharpen_mode)
    else:
        grey = sharpen(grey, p.sharpen_mode)
        grey = cv2.GaussianBlur(grey, kernel, p.blur_sigma)
    edges = cv2.Canny(grey, p.canny_threshold_1, p.canny_threshold_2)
    contours, _ = cv2.findContours(edges.copy(), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    mask = np.zeros_like(grey)
    mask = cv2.drawContours(mask, contours, -1, 255, thickness=cv2.FILLED)
    _, mask = cv2.threshold(mask, 1, 255, cv2.THRESH_BINARY)
    mask = cv2.GaussianBlur(mask, (p.kernel_size, p.kernel_size), sigmaX=p.sigma_x, sigmaY=p.sigma_y)
    contours, _ = cv2.findContours(mask.copy(), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    result = np.zeros_like(mask)
    for contour in contours:
        cv2.drawContours(result, [contour], -1, 255, thickness=cv2.FILLED)
    return np.asarray(result, np.uint8)


def sharpen(grey: Array, mode: str | None) -> Array:
    """None, "default", "gaussian" or "laplacian"."""
    if mode == "default":
        return cv2.filter2D(grey, -1, np.array([[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]]))
    if mode == "gaussian":
        blurred = cv2.GaussianBlur(grey, (0, 0), 3)
        return cv2.addWeighted(blurred, 1.5, blurred, -0.5, 0)
    if mode == "laplacian":
        return cv2.Laplacian(grey, cv2.CV_8U, ksize=3)
    return grey


def score(image_path: Path, mask_path: Path, p: SeedParams) -> float:
    """What it does for one picture and times: read both files, segment, IoU."""
    image = cv2.cvtColor(cv2.imread(str(image_path)), cv2.COLOR_BGR2RGB)
    target = np.mean(cv2.imread(str(mask_path)), axis=2)
    pred = segment(image, p)
    intersection = np.logical_and(pred > 0, target > 0).sum()
    union = np.logical_or(pred > 0, target > 0).sum()
    return float(intersection / union)
