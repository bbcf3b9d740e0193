"""Small pictures for the gallery: the input, masks, and what a mask has right, wrong and missed; as data addresses."""

from __future__ import annotations

import base64
from io import BytesIO

import cv2
import numpy as np

from pipelines.types import Image, Mask

SIDE = 232
QUALITY = 78
STRIPE = 6
RIGHT, WRONG, MISSED, FOUND = (0, 114, 178), (230, 159, 0), (136, 46, 160), (0, 114, 178)
"""Blue, orange and purple, which colour-blind eyes tell apart (Okabe and Ito 2008, but for a darker purple)."""

SHARE = 0.72
"""Of the colour; the rest is the picture below."""


def small(picture: Image, side: int = SIDE) -> Image:
    """The picture with its longer side at most 232 px, a tiny one enlarged by a whole number; ``uint8 (h, w, 3)``.

    Args:
        picture: ``(H, W, 3)``.
        side: another length of the longer side.
    """
    height, width = _small_size(picture.shape[0], picture.shape[1], side)
    way = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, (width, height), interpolation=way), np.uint8)


def _small_size(height: int, width: int, side: int) -> tuple[int, int]:
    longest = max(height, width)
    scale = side / longest if longest > side else side // longest
    return max(1, round(height * scale)), max(1, round(width * scale))


def small_mask(mask: Mask, like: Image) -> Mask:
    """The mask at the size of a small picture: true where at least half of a place is."""
    height, width = like.shape[:2]
    way = cv2.INTER_AREA if height < mask.shape[0] else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(mask.astype(np.float32), (width, height), interpolation=way) >= 0.5)


def errors(picture: Image, mask: Mask, target: Mask, ignore: Mask | None) -> Image:
    """What is right blue and plain, what is wrong orange with stripes, what is missed purple with stripes across.

    Args:
        picture: small, ``(h, w, 3)``.
        mask: predicted, of that size.
        target: likewise.
        ignore: pixels that count for nothing, or None; they are left grey.
    """
    canvas, counted = _grey(picture), np.ones_like(mask) if ignore is None else ~ignore
    down, up = _stripes(mask.shape, 1), _stripes(mask.shape, -1)
    _paint(canvas, mask & target & counted, RIGHT, None)
    _paint(canvas, mask & ~target & counted, WRONG, down)
    _paint(canvas, ~mask & target & counted, MISSED, up)
    return canvas


def found(picture: Image, mask: Mask) -> Image:
    """What was found, in blue, where nothing says what is right."""
    canvas = _grey(picture)
    _paint(canvas, mask, FOUND, None)
    return canvas


def cut_out(mask: Mask) -> Image:
    """The mask white on black, ``uint8 (h, w, 3)``."""
    return np.repeat(np.where(mask, 255, 0).astype(np.uint8)[..., None], 3, axis=2)


def _grey(picture: Image) -> Image:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.repeat((grey // 2 + 110)[..., None], 3, axis=2).astype(np.uint8)


def _stripes(size: tuple[int, ...], way: int) -> Mask:
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.asarray((columns + way * rows) % STRIPE < STRIPE // 3)


def _paint(canvas: Image, where: Mask, colour: tuple[int, int, int], stripes: Mask | None) -> None:
    canvas[where] = (canvas[where] * (1 - SHARE) + np.array(colour) * SHARE).astype(np.uint8)
    if stripes is not None:
        canvas[where & stripes] = 255


def address(picture: Image) -> str:
    """The picture as a ``data:`` address: WebP, or PNG of two levels for a mask."""
    from PIL import Image as Pillow

    buffer = BytesIO()
    if np.isin(picture, (0, 255)).all() and (np.ptp(picture, axis=2) == 0).all():
        Pillow.fromarray(picture[..., 0]).convert("1").save(buffer, "PNG", optimize=True)
        return _coded("png", buffer)
    Pillow.fromarray(picture).save(buffer, "WEBP", quality=QUALITY, method=4)
    return _coded("webp", buffer)


def _coded(kind: str, buffer: BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
