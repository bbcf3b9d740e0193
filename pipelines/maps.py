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
    height, width = evidence.size
    x0, y0, x1, y1 = evidence.window or (0, 0, evidence.soft.shape[2], evidence.soft.shape[1])
    maps = np.asarray(evidence.soft[:, y0:y1, x0:x1], np.float32)
    if maps.shape[1:] != (height, width):
        maps = np.stack([cv2.resize(m, (width, height), interpolation=cv2.INTER_LINEAR) for m in maps])
    return sigmoid(maps) if evidence.kind == "logit" else maps


def sigmoid(logits: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """1 / (1 + exp(-x)) with no overflow at either end."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float32)
