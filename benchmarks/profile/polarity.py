"""What tells an object from its ground: measures that turn their sign where a mask is inverted."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.profile.masks import frame_share
from pipelines.types import Image

SIDE, HALF = 100, 128
NAMES = ("side_area", "side_border", "side_middle", "side_convexity", "side_light", "side_a", "side_b", "side_texture")
"""Columns of a table: how much of the picture, its border and its middle half is foreground, less a half; and how
much more convex, lighter, redder, yellower and rougher foreground is than background."""

Bytes = npt.NDArray[np.uint8]


def sides_of(shares: Bytes, image: Image) -> dict[str, float]:
    """Measures by name of `NAMES`; empty where there is no foreground or no background.

    Args:
        shares: share of foreground, ``uint8 (H, W)``, 255 is all; a small copy will do.
        image: ``uint8 (H, W, 3)``, of the same size.
    """
    scale = min(1.0, SIDE / max(shares.shape))
    size = max(2, round(shares.shape[1] * scale)), max(2, round(shares.shape[0] * scale))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    inside = (cv2.resize(shares, size, interpolation=cv2.INTER_AREA) >= HALF).astype(np.uint8)
    if not inside.any() or inside.all():
        return {}
    height, width = inside.shape
    middle = inside[height // 4 : max(3 * height // 4, 1), width // 4 : max(3 * width // 4, 1)]
    values = (
        float(inside.mean()) - 0.5,
        frame_share(inside) - 0.5,
        float(middle.mean()) - 0.5,
        convexity(inside) - convexity(1 - inside),
        *_looks(small, inside),
    )
    return dict(zip(NAMES, values, strict=True))


def _looks(small: Image, inside: Bytes) -> tuple[float, ...]:
    colours = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    light = np.ascontiguousarray(colours[..., 0])
    colours = np.dstack([colours, cv2.blur(np.abs(light - cv2.GaussianBlur(light, (0, 0), 2)), (7, 7))])
    differences = np.array(cv2.mean(colours, inside)) - np.array(cv2.mean(colours, 1 - inside))
    return tuple(float(one) for one in differences)


def convexity(mask: Bytes) -> float:
    """Area of the parts of a mask, holes filled, by that of their convex hulls; 1 where there is no area."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    areas = sum(cv2.contourArea(contour) for contour in contours)
    hulls = sum(cv2.contourArea(cv2.convexHull(contour)) for contour in contours)
    return areas / hulls if hulls else 1.0
