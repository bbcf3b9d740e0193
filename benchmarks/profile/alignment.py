"""How well the outline of a mask lies on the edges of its picture, and whether it would do better elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

SIDE = 80
REACH = 0.25
HERE = 0.02
"""A better place so close by is none: outlines are not exact, and edges have a width."""

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Fit:
    """How an outline lies on edges; both scores are from -1 (across all edges) over 0 (none) to 1 (along strong ones).

    Attributes:
        here: score where it is.
        best: best score of all places within a quarter of the picture.
        dx: how far that place lies to the right, as a share of the width.
        dy: how far down, as a share of the height.
        usual: standard deviation of the score over all places.
    """

    here: float
    best: float
    dx: float
    dy: float
    usual: float


def fit_of(shares: Bytes, grey: Bytes) -> Fit | None:
    """How the outline of a mask lies on the edges of the picture; None where there is no outline.

    The directions of both gradients are compared at every pixel of the outline, dark on light or light on dark alike:
    gradients are doubled in angle, as in Bigün and Granlund, "Optimal orientation detection of linear symmetry"
    (1987), and correlated over all shifts.

    Args:
        shares: share of foreground, ``uint8 (H, W)``, 255 is all; a small copy will do.
        grey: the picture's luma, of the same size.
    """
    height, width = grey.shape
    scale = SIDE / max(height, width)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    mask = cv2.resize(shares, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    picture = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    outline, lines = _doubled(np.asarray(mask, np.float32), 0.0), _doubled(np.asarray(picture, np.float32), 1.0)
    weight = np.hypot(*outline)
    if float(weight.sum()) < 1.0:
        return None
    reach = int(size[0] * REACH), int(size[1] * REACH)
    padded = [cv2.copyMakeBorder(one, reach[1], reach[1], reach[0], reach[0], cv2.BORDER_CONSTANT) for one in lines]
    total = sum(cv2.matchTemplate(one, part, cv2.TM_CCORR) for one, part in zip(padded, outline, strict=True))
    inside = cv2.copyMakeBorder(np.ones_like(weight), reach[1], reach[1], reach[0], reach[0], cv2.BORDER_CONSTANT)
    seen = cv2.matchTemplate(inside, weight, cv2.TM_CCORR)
    scores = np.asarray(total / np.maximum(seen, 0.5 * float(weight.sum())), np.float32)
    y, x = np.unravel_index(int(scores.argmax()), scores.shape)
    return Fit(float(scores[reach[1], reach[0]]), float(scores[y, x]), float(x - reach[0]) / size[0],
               float(y - reach[1]) / size[1], float(scores.std()))  # fmt: skip


def _doubled(values: Floats, half: float) -> tuple[Floats, Floats]:
    """Gradient with its angle doubled; with ``half`` its length is 0.5 where it is as long as the mean."""
    smooth = cv2.GaussianBlur(values, (0, 0), 1.0)
    right, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    length = np.hypot(right, down)
    mean = float(length.mean())
    amount = length / (length + half * mean + 1e-6) if half else length
    unit = amount / (length**2 + 1e-9)
    return np.asarray((right**2 - down**2) * unit, np.float32), np.asarray(2 * right * down * unit, np.float32)
