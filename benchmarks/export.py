"""Predictions as files: mask PNGs, cut-outs and crops, made from the records of a run with no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks import rle
from benchmarks.datasets import Dataset, Sample
from benchmarks.records import Configuration, SampleRecord
from pipelines.types import Image, Mask, tight_box

Pixels = npt.NDArray[np.uint8]


def mask_png(image: Image, mask: Mask) -> Pixels:
    """Mask ``uint8 (H, W)``: 255 is foreground."""
    return mask.astype(np.uint8) * 255


def cut_out(image: Image, mask: Mask) -> Pixels:
    """RGBA ``uint8 (H, W, 4)``: the picture, transparent outside the mask, its hidden colours wiped."""
    return np.dstack((np.where(mask[..., np.newaxis], image, 0), mask_png(image, mask))).astype(np.uint8)


def crop(image: Image, mask: Mask) -> Pixels | None:
    """The picture inside the tightest box around the mask, or None for an empty mask."""
    x0, y0, x1, y1 = tight_box(mask)
    return image[y0:y1, x0:x1] if mask.any() else None


FORMATS: dict[str, Callable[[Image, Mask], Pixels | None]] = {"png": mask_png, "rgba": cut_out, "crop": crop}


def export(folder: Path, formats: Sequence[str], configuration: Configuration, records: Sequence[SampleRecord],
           dataset: Dataset) -> int:  # fmt: skip
    """Write ``folder/<configuration>/<format>/<sample>.png`` for every image that has a prediction.

    Args:
        folder: made where it is missing.
        formats: of `FORMATS`.
        configuration: whose predictions they are.
        records: of the configuration.
        dataset: where the pictures come from.

    Returns:
        Number of files written; an empty prediction has no crop.
    """
    written = 0
    for record in records:
        if record.error is None:
            sample, mask = dataset[record.id], foreground(record)
            for name in formats:
                written += _write(folder / configuration.id / name / f"{record.id}.png", FORMATS[name], sample, mask)
    return written


def foreground(record: SampleRecord) -> Mask:
    """Union of the stored masks, ``bool (H, W)``."""
    mask = np.zeros(record.size, np.bool_)
    for instance in record.instances:
        mask |= rle.decode(instance.mask)
    return mask


def _write(path: Path, make: Callable[[Image, Mask], Pixels | None], sample: Sample, mask: Mask) -> bool:
    pixels = make(sample.image, mask)
    if pixels is None:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    order = {2: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[
        pixels.ndim if pixels.ndim == 2 else pixels.shape[2]
    ]
    _, data = cv2.imencode(".png", pixels if order is None else cv2.cvtColor(pixels, order))
    path.write_bytes(data.tobytes())  # not cv2.imwrite, which says nothing of a disk that is full
    return True
