"""Measures of one picture: light, contrast, sharpness, information and colour."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.types import Image

Grey = npt.NDArray[np.uint8]
LEVELS = np.arange(256, dtype=np.float64)
CLIPPED_DARK, CLIPPED_LIGHT = 5, 250
PERCENTILES = (1, 5, 50, 95, 99)
STRUCTURE_SIDE = 32
COLOUR_PIXELS = 12_000
REDUCED_SIDE = 200
"""Copies for what is the same in a small one: means of whole pixels, the longer side 200 to 300 of them."""

BLUR_WIDTH = 9


def reduced(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A small copy, each pixel the mean of a square of whole ones; what is left over at two sides is cut off.

    Args:
        pixels: ``uint8 (H, W)`` or ``(H, W, 3)``.
    """
    height, width = pixels.shape[:2]
    step = max(1, min(max(height, width) // REDUCED_SIDE, height, width))
    if step == 1:
        return pixels
    found = pixels[: height // step * step, : width // step * step]
    while step > 1:  # halving is several times as fast as any other step
        by = 2 if step % 2 == 0 else step
        size = found.shape[1] // by, found.shape[0] // by
        found, step = np.asarray(cv2.resize(found, size, interpolation=cv2.INTER_AREA), np.uint8), step // by
    return found


def measure_picture(image: Image, small: Image) -> dict[str, float]:
    """What a picture is like, by name of the feature (see :mod:`.features`).

    Args:
        image: ``uint8 (H, W, 3)``.
        small: the same from `reduced`.
    """
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    height, width = grey.shape
    return {
        "width_px": width,
        "height_px": height,
        "megapixels": width * height / 1e6,
        "aspect": width / height,
        **_light(grey),
        **_detail(grey),
        "structure": structure(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)),
        "colourfulness": colourfulness(_sampled(image)),
    }


def _light(grey: Grey) -> dict[str, float]:
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    shares = counts / grey.size
    mean = float(shares @ LEVELS)
    spread = float(shares @ (LEVELS - mean) ** 2) ** 0.5
    seen = shares[shares > 0]
    reached = np.cumsum(counts)
    at = {f"luma_p{p}": float(np.searchsorted(reached, p / 100 * grey.size)) / 255 for p in PERCENTILES}
    return {
        "brightness": mean / 255,
        "contrast": spread / 255,
        "entropy": float(-(seen * np.log2(seen)).sum()) + 0.0,
        "clipped_dark": float(shares[: CLIPPED_DARK + 1].sum()),
        "clipped_light": float(shares[CLIPPED_LIGHT:].sum()),
        **at,
    }


def _detail(grey: Grey) -> dict[str, float]:
    lines = cv2.Laplacian(grey, cv2.CV_16S)
    mean = float(cv2.sumElems(lines)[0]) / lines.size
    variance = float(cv2.norm(lines, cv2.NORM_L2SQR)) / lines.size - mean**2
    return {"sharpness": max(variance, 0.0), "blur": blur(grey)}


def structure(grey: Grey) -> float:
    """What is left of a picture at a glance: the standard deviation of a copy of 32 x 32, a slope of the light removed.

    Args:
        grey: ``uint8 (H, W)``.
    """
    small = cv2.resize(grey, (STRUCTURE_SIDE, STRUCTURE_SIDE), interpolation=cv2.INTER_AREA).astype(np.float64) / 255
    away = small - small.mean()
    across = np.linspace(-1, 1, STRUCTURE_SIDE)
    energy = float((across**2).sum()) * STRUCTURE_SIDE
    away = away - across * float((away * across).sum()) / energy
    away = away - across[:, None] * float((away * across[:, None]).sum()) / energy
    return float(away.std())


def blur(grey: Grey) -> float:
    """How little a picture changes when it is blurred: 0 sharp, 1 blurred.

    Neighbouring pixels of a sharp picture differ much less once it was blurred; those of a blurred one hardly less.
    After Crété, Dolmiere, Ladret and Nicolas, "The blur effect" (2007), as scikit-image's ``measure.blur_effect``.

    Args:
        grey: ``uint8 (H, W)``.
    """
    found = []
    for axis, size, half in ((0, (1, BLUR_WIDTH), grey[:, ::4]), (1, (BLUR_WIDTH, 1), grey[::4])):
        if grey.shape[axis] < BLUR_WIDTH:
            continue
        lines = np.ascontiguousarray(half)  # every fourth line: neighbouring ones say nearly the same
        before, after = _steps(lines, axis), _steps(np.asarray(cv2.blur(lines, size), np.uint8), axis)
        total = float(cv2.sumElems(before)[0])
        lost = float(cv2.sumElems(cv2.subtract(before, after))[0])  # never below 0, as uint8 saturates
        found.append((total - lost) / total if total else 1.0)
    return max(found, default=1.0)


def _steps(grey: Grey, axis: int) -> Grey:
    low, high = (grey[:-1], grey[1:]) if axis == 0 else (grey[:, :-1], grey[:, 1:])
    return np.asarray(cv2.absdiff(low, high), np.uint8)


def _sampled(image: Image) -> Image:
    """Some of the pixels as they are: means of several would be greyer."""
    step = max(1, int(np.sqrt(image.shape[0] * image.shape[1] / COLOUR_PIXELS)))
    return np.ascontiguousarray(image[::step, ::step])


def colourfulness(image: Image) -> float:
    """How colourful a picture is: 0 grey, above 100 very much so.

    Hasler and Süsstrunk, "Measuring colourfulness in natural images" (2003), equation of M3.

    Args:
        image: ``uint8 (H, W, 3)``.
    """
    red, green, blue = (np.asarray(channel, np.float32) for channel in cv2.split(image))
    first, second = red - green, (red + green) / 2 - blue
    return float(np.hypot(first.std(), second.std()) + 0.3 * np.hypot(first.mean(), second.mean()))
