"""Dense maps on the device: brought up to the picture's size and cut there, so that only masks travel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import interpolate

from pipelines.types import Evidence

BYTES_AT_ONCE = 256 * 10**6
"""Of float32 maps at the picture's size; further labels wait for their turn."""


@dataclass(frozen=True)
class Cut:
    """What reaches a threshold.

    Attributes:
        masks: ``bool (N, H, W)`` in host memory, of the labels that have a pixel at all.
        scores: ``float32 (N,)`` mean probability of those pixels.
        labels: ``int64 (N,)``.
    """

    masks: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]


def full_size_on_device(evidence: Evidence, labels: slice = slice(None)) -> torch.Tensor:
    """What `pipelines.maps.full_size` does, in torch.

    Args:
        evidence: whose `soft` ``(L, h, w)`` is a tensor, on any device.
        labels: those that are wanted.

    Returns:
        Probabilities ``float32 (L, H, W)``, on the same device.
    """
    maps = evidence.soft[labels].float()
    if evidence.canvas is not None:
        maps = _bilinear(maps, evidence.canvas)
    if evidence.window is not None:
        x0, y0, x1, y1 = evidence.window
        maps = maps[:, y0:y1, x0:x1]
    maps = _bilinear(maps, evidence.size)
    return maps.sigmoid() if evidence.kind == "logit" else maps


def labels_at_once(evidence: Evidence) -> int:
    """How many maps are brought up to the picture's size together."""
    height, width = evidence.size
    return max(1, BYTES_AT_ONCE // (4 * height * width))


@torch.inference_mode()
def cut_on_device(evidence: Evidence, threshold: float) -> Cut:
    """Masks of the dense maps at a threshold.

    Args:
        evidence: whose `soft` ``(L, h, w)`` is a tensor.
        threshold: probability from which a pixel is foreground.
    """
    at_once = labels_at_once(evidence)
    counts, sums, masks = [], [], []
    for start in range(0, len(evidence.soft), at_once):
        maps = full_size_on_device(evidence, slice(start, start + at_once))
        above = maps >= threshold
        count = above.sum(dim=(1, 2))
        sums.append(maps.mul_(above).sum(dim=(1, 2), dtype=torch.float64).cpu())
        counts.append(count.cpu())
        masks.append(above[count > 0].cpu())  # those of further labels wait in host memory
    count = torch.cat(counts)
    labels = count.nonzero()[:, 0]
    scores = (torch.cat(sums) / count)[labels]
    return Cut(torch.cat(masks).numpy(), scores.float().numpy(), labels.numpy())


def _bilinear(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if tuple(maps.shape[1:]) == size:
        return maps.clone()  # the caller may write into what it gets
    return interpolate(maps[None], size=size, mode="bilinear", align_corners=False)[0]
