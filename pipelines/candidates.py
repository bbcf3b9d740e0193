"""From low-resolution mask maps of candidates to masks at the image's own size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.types import Evidence, Floats, Prediction

Masks = npt.NDArray[np.bool_]
Indices = Sequence[int] | npt.NDArray[np.integer[Any]]

MAX_FLOATS = 2**26
"""Of full-size maps that are on a device at once; on a CPU it is one map."""


def masks_of(evidence: Evidence, keep: Indices, threshold: float = 0.0) -> Masks:
    """Masks of some of the candidates, as transformers' ``post_process_masks`` makes them.

    The maps are brought up to the canvas bilinearly, the window is cut out of it, brought to the size of the image
    bilinearly, and cut. Full-size maps are made one at a time on a CPU and a few at a time on a device, so that
    hundreds of candidates need hardly more memory than their masks.

    Args:
        evidence: with `mask_maps` ``(K, h, w)``, in host memory or on a device.
        keep: N indices of candidates.
        threshold: a pixel is of the object where its map is above.

    Returns:
        ``bool (N, H, W)`` in host memory.
    """
    masks: Masks = np.zeros((len(keep), *evidence.size), np.bool_)
    if not len(keep):
        return masks
    if isinstance(evidence.mask_maps, np.ndarray):
        for mask, one in zip(masks, maps_of(evidence, keep), strict=True):
            np.greater(one, threshold, out=mask)
    else:
        _cut_on_device(evidence, keep, threshold, masks)
    return masks


def prediction_of(evidence: Evidence, keep: Indices, scores: Floats, labels: npt.NDArray[np.integer[Any]], *,
                  threshold: float = 0.0, min_area: int = 1) -> Prediction:  # fmt: skip
    """A prediction of the candidates whose masks are not too small.

    Args:
        evidence: with `mask_maps`.
        keep: N indices of candidates.
        scores: ``(N,)`` of those that are kept.
        labels: ``(N,)`` of those that are kept.
        threshold: a pixel is of the object where its map is above.
        min_area: smallest mask in pixels; an empty mask is never an instance.
    """
    masks = masks_of(evidence, keep, threshold)
    large = np.array([cv2.countNonZero(mask.view(np.uint8)) >= max(1, min_area) for mask in masks], np.bool_)
    return Prediction.of(masks if large.all() else masks[large], scores[large], labels[large])


def maps_of(evidence: Evidence, keep: Indices) -> Iterator[npt.NDArray[np.float32]]:
    """The maps that `masks_of` cuts, ``float32 (H, W)`` each, in host memory; not to be written into.

    Args:
        evidence: with `mask_maps` ``(K, h, w)``, in host memory or on a device.
        keep: indices of candidates.
    """
    if isinstance(evidence.mask_maps, np.ndarray):
        for index in keep:
            yield full_size_map(evidence.mask_maps[index], evidence)
    else:
        for maps in _maps_on_device(evidence, keep):
            yield from maps.cpu().numpy()


def full_size_map(values: npt.NDArray[Any], evidence: Evidence) -> npt.NDArray[np.float32]:
    """One map ``(h, w)`` at the size of the image, ``float32 (H, W)``: the map itself where it has that size."""
    found = np.ascontiguousarray(values, np.float32)
    if evidence.canvas is not None:
        found = _resized(found, evidence.canvas)
    if evidence.window is not None:
        x0, y0, x1, y1 = evidence.window
        found = np.ascontiguousarray(found[y0:y1, x0:x1])
    return _resized(found, evidence.size)


def _resized(values: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    if values.shape == size:
        return values
    return np.asarray(cv2.resize(values, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def _cut_on_device(evidence: Evidence, keep: Any, threshold: float, masks: Masks) -> None:
    start = 0
    for maps in _maps_on_device(evidence, keep):
        masks[start : start + len(maps)] = (maps > threshold).cpu().numpy()
        start += len(maps)


def _maps_on_device(evidence: Evidence, keep: Any) -> Iterator[Any]:
    """A few maps at a time, ``float32 (N, H, W)`` of torch."""
    import torch

    height, width = evidence.canvas or (0, 0)
    step = max(1, MAX_FLOATS // max(evidence.size[0] * evidence.size[1], height * width))
    indices = torch.as_tensor(np.asarray(keep), device=evidence.mask_maps.device)
    for start in range(0, len(indices), step):
        yield _full_size_on_device(evidence.mask_maps[indices[start : start + step]], evidence)


def _full_size_on_device(maps: Any, evidence: Evidence) -> Any:
    """Maps ``(N, h, w)`` of torch at the size of the image, ``float32 (N, H, W)``."""
    from torch.nn.functional import interpolate

    found = maps[None].float()
    if evidence.canvas is not None:
        found = interpolate(found, evidence.canvas, mode="bilinear", align_corners=False)
    if evidence.window is not None:
        x0, y0, x1, y1 = evidence.window
        found = found[..., y0:y1, x0:x1]
    return interpolate(found, evidence.size, mode="bilinear", align_corners=False)[0]
