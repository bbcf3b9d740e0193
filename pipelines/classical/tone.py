"""Brightness, local contrast, blur and sharpening: from the picture to the grey image that edges are looked for in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.types import Image

if TYPE_CHECKING:
    from pipelines.classical.parameters import ClassicalParams

Grey = npt.NDArray[np.uint8]
"""Grey image, ``uint8 (H, W)``."""

SHARPEN_KERNEL = np.array([[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]], np.float32)


def adjusted(image: Image, _: Any, params: ClassicalParams) -> Image:
    """Brightness and contrast: ``|alpha * value + beta|``, rounded and held within 0 to 255."""
    alpha, beta = params.brightness_alpha, params.brightness_beta
    if (alpha, beta) == (1, 0):  # leaves every value as it is: a whole pass over the picture saved
        return image
    return np.asarray(cv2.convertScaleAbs(image, alpha=alpha, beta=beta), np.uint8)


def equalised(_: Image, colour: Image, params: ClassicalParams) -> Grey:
    """Grey image with its contrast equalised tile by tile (CLAHE), unless there are 0 tiles.

    Source: Zuiderveld, Contrast limited adaptive histogram equalization, Graphics Gems IV, 1994.
    """
    grey = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
    if params.clahe_tiles:
        tiles = params.clahe_tiles, params.clahe_tiles
        grey = cv2.createCLAHE(clipLimit=params.clahe_clip, tileGridSize=tiles).apply(grey)
    return np.asarray(grey, np.uint8)


def filtered(_: Image, grey: Grey, params: ClassicalParams) -> Grey:
    """Blur and sharpening, in the order asked for."""
    if params.blur_first:
        return sharpened(_blurred(grey, params), params.sharpen)
    return _blurred(sharpened(grey, params.sharpen), params)


def sharpened(grey: Grey, mode: str) -> Grey:
    """Sharpen a grey image.

    Args:
        grey: ``uint8 (H, W)``; it is not written into.
        mode: "none"; "kernel", 9 in the centre and -1 around; "gaussian", a blur with sigma 3; or "laplacian", the
            image replaced by its Laplacian.
    """
    if mode == "kernel":
        return np.asarray(cv2.filter2D(grey, -1, SHARPEN_KERNEL), np.uint8)
    if mode == "gaussian":
        # Known as 1.5 b - 0.5 b of one and the same blurred image b, which is b: the mode softens, whatever its name.
        return np.asarray(cv2.GaussianBlur(grey, (0, 0), 3), np.uint8)
    if mode == "laplacian":
        return np.asarray(cv2.Laplacian(grey, cv2.CV_8U, ksize=3), np.uint8)
    return grey


def _blurred(grey: Grey, params: ClassicalParams) -> Grey:
    size = params.blur_kernel
    return np.asarray(cv2.GaussianBlur(grey, (size, size), params.blur_sigma), np.uint8)
