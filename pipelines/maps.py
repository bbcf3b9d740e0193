"""Dense maps at the image's own size."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.types import Evidence


def full_size(evidence: Evidence) -> npt.NDArray[np.float32]:
    """Bring dense maps up to the size of the image, bilinearly, before anything is cut.

    Probabilities are resized as probabilities and logits as logits, then turned into probabilities.

    Args:
        evidence: with `soft` ``(L, h, w)`` in host memory.

    Returns:
        Probabilities ``float32 (L, H, W)``.
    """
    maps = np.asarray(evidence.soft, np.float32)
    if evidence.canvas is not None:
        maps = _bilinear(maps, evidence.canvas)
    if evidence.window is not None:
        x0, y0, x1, y1 = evidence.window
        maps = maps[:, y0:y1, x0:x1]
    maps = _bilinear(maps, evidence.size)
    return sigmoid(maps) if evidence.kind == "logit" else maps


def _bilinear(maps: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    if maps.shape[1:] == size:
        return maps
    return np.stack([cv2.resize(one, size[::-1], interpolation=cv2.INTER_LINEAR) for one in maps])


def sigmoid(logits: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """1 / (1 + exp(-x)) with no overflow at either end."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float32)
