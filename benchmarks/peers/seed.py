"""The coin project's classical algorithm and its scoring, read plainly from its description: a peer, not for use.

Source: https://github.com/EduardoPach/Tech-Test-ML-Coin. Step by step as it is described there, nothing reordered or
saved; its flaws (every soft edge pixel of the target counts, 0/0 for two empty masks) are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

Bytes8 = npt.NDArray[np.uint8]
Sharpen = Literal["none", "default", "gaussian", "laplacian"]


@dataclass(frozen=True)
class Settings:
    """Its parameters, at its defaults."""

    brightness_alpha: float = 1.0
    brightness_beta: float = 0.0
    clip_limit: float = 2.0
    tile_grid_size: int = 8
    pre_blur: bool = False
    blur_kernel_size: int = 5
    blur_sigma: float = 0.0
    sharpen: Sharpen = "none"
    canny_threshold_1: float = 40.0
    canny_threshold_2: float = 120.0
    kernel_size: int = 9
    sigma_x: float = 10.0
    sigma_y: float = 10.0


def read_image(data: bytes) -> Bytes8:
    """RGB picture ``(H, W, 3)`` of a file's bytes."""
    return np.asarray(cv2.cvtColor(_read(data), cv2.COLOR_BGR2RGB), np.uint8)


def read_target(data: bytes) -> npt.NDArray[np.float64]:
    """Target ``(H, W)`` of a file's bytes: the mean over the three channels of the mask read in colour."""
    return np.asarray(np.mean(_read(data), axis=2), np.float64)


def _read(data: bytes) -> Bytes8:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def segment(image: Bytes8, settings: Settings) -> Bytes8:
    """Mask ``(H, W)``, 0 or 255, of an RGB picture."""
    grey = enhance(image, settings)
    edges = cv2.Canny(grey, settings.canny_threshold_1, settings.canny_threshold_2)
    mask = np.zeros(edges.shape, np.uint8)
    contours, _ = cv2.findContours(edges, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(mask, contours, -1, (255,), cv2.FILLED)
    _, mask = cv2.threshold(mask, 1, 255, cv2.THRESH_BINARY)  # type: ignore[assignment]
    size = (settings.kernel_size, settings.kernel_size)
    mask = cv2.GaussianBlur(mask, size, settings.sigma_x, sigmaY=settings.sigma_y)  # type: ignore[assignment]
    filled = np.zeros(mask.shape, np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        cv2.drawContours(filled, [contour], -1, (255,), cv2.FILLED)
    return filled


def enhance(image: Bytes8, settings: Settings) -> Bytes8:
    """Grey picture ``(H, W)`` in which edges are looked for."""
    adjusted = cv2.convertScaleAbs(image, alpha=settings.brightness_alpha, beta=settings.brightness_beta)
    grey: Any = cv2.cvtColor(adjusted, cv2.COLOR_RGB2GRAY)
    tiles = (settings.tile_grid_size, settings.tile_grid_size)
    grey = cv2.createCLAHE(clipLimit=settings.clip_limit, tileGridSize=tiles).apply(grey)
    size = (settings.blur_kernel_size, settings.blur_kernel_size)
    if settings.pre_blur:
        grey = cv2.GaussianBlur(grey, size, settings.blur_sigma)
    grey = sharpen(grey, settings.sharpen)
    if not settings.pre_blur:
        grey = cv2.GaussianBlur(grey, size, settings.blur_sigma)
    return np.asarray(grey, np.uint8)


def sharpen(grey: Bytes8, mode: Sharpen) -> Bytes8:
    """One of its four modes; "gaussian" adds one and the same blurred picture to itself."""
    sharp: Any = grey
    if mode == "default":
        sharp = cv2.filter2D(grey, -1, np.array([[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]]))
    elif mode == "gaussian":
        blurred = cv2.GaussianBlur(grey, (0, 0), 3)
        sharp = cv2.addWeighted(blurred, 1.5, blurred, -0.5, 0)
    elif mode == "laplacian":
        sharp = cv2.Laplacian(grey, cv2.CV_8U, ksize=3)
    return np.asarray(sharp, np.uint8)


def iou(pred: npt.NDArray[Any], target: npt.NDArray[Any]) -> float:
    """Its IoU: whatever is above 0 on either side counts."""
    intersection = np.logical_and(pred > 0, target > 0).sum()
    union = np.logical_or(pred > 0, target > 0).sum()
    return float(intersection / union)


def score(image: bytes, target: bytes, settings: Settings) -> float:
    """What it does for one picture, as it times it: read both files, segment, IoU."""
    return iou(segment(read_image(image), settings), read_target(target))
