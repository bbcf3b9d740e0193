"""Measures of the masks of one sample: area, objects, shape, place, and how far the objects stand out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.datasets import Truth
from benchmarks.profile.outlines import Outlines, outlines_of
from pipelines.types import Image

GRID = 32
SMALL_PX, MEDIUM_PX = 32**2, 96**2
"""Areas that COCO calls small and medium (cocodataset.org, detection evaluation)."""

SMALL_SHARE, MEDIUM_SHARE = 0.01, 0.1
"""The same relative to the picture."""

SPECK_OF_OBJECT, SPECK_OF_PICTURE, SPECK_PX = 0.01, 0.0002, 4
Floats = npt.NDArray[np.float32]
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


@dataclass(frozen=True, eq=False)
class MaskLook:
    """What the masks of one sample are like.

    Attributes:
        numbers: by name of the feature (see :mod:`.features`); what an empty mask does not have is left out.
        classes: label → number of objects and of pixels, of labels that occur.
        pixels: of the picture.
        sizes: objects that are small, medium and large by COCO's limits, and relative to the picture ``(2, 3)``.
        shares: share of foreground in each cell of a grid, ``float32 (32, 32)``.
    """

    numbers: Mapping[str, float]
    classes: Mapping[str, tuple[int, int]]
    pixels: int
    sizes: npt.NDArray[np.int64]
    shares: Floats = field(repr=False)


def measure_masks(truth: Truth, shares: npt.NDArray[np.uint8]) -> MaskLook:
    """What the masks of one sample are like. Objects are connected areas (by side or corner) of one label.

    Args:
        truth: masks by label and what to ignore.
        shares: their union as a small copy, ``uint8 (h, w)``, 255 is all.
    """
    union = np.ascontiguousarray(truth.union()).view(np.uint8)
    whole = outlines_of(union)
    parts = {label: whole if len(truth.masks) == 1 else outlines_of(np.ascontiguousarray(mask).view(np.uint8))
             for label, mask in truth.masks.items()}  # fmt: skip
    areas = {label: found.areas for label, found in parts.items() if len(found.areas)}
    every = np.concatenate([np.zeros(0, np.int64), *areas.values()])
    foreground = int(whole.areas.sum())
    numbers = _amounts(union, foreground, truth, every)
    if foreground:
        numbers |= _shape(union, whole) | _place(union, shares) | specks(whole, union.size)
    classes = {label: (len(found), int(found.sum())) for label, found in areas.items()}
    return MaskLook(numbers, classes, union.size, _sizes(every, union.size), grid_of(shares))


def _amounts(union: npt.NDArray[np.uint8], foreground: int, truth: Truth,
             areas: npt.NDArray[np.int64]) -> dict[str, float]:  # fmt: skip
    ignored = 0 if truth.ignore is None else int(np.count_nonzero(truth.ignore))
    judged = union.size - ignored
    numbers: dict[str, float] = {
        "area_share": foreground / judged if judged else 0.0,
        "objects": len(areas),
        "ignore_share": ignored / union.size,
    }
    if len(areas):
        numbers["largest_object_share"] = float(areas.max() / areas.sum())
        numbers["object_area_px"] = float(np.median(areas))
        numbers["object_side_share"] = float(np.sqrt(np.median(areas) / union.size))
    return numbers


def _sizes(areas: npt.NDArray[np.int64], pixels: int) -> npt.NDArray[np.int64]:
    limits = ((SMALL_PX, MEDIUM_PX), (SMALL_SHARE * pixels, MEDIUM_SHARE * pixels))
    return np.array([np.bincount(np.digitize(areas, pair), minlength=3) for pair in limits], np.int64)


def _shape(union: npt.NDArray[np.uint8], whole: Outlines) -> dict[str, float]:
    numbers: dict[str, float] = {"holes": len(whole.holes), "boundary_px": _boundary(union)}
    if whole.filled > 0:
        numbers |= {"compactness": whole.round / whole.filled, "convexity": whole.filled / whole.hulls}
    return numbers


def _boundary(union: npt.NDArray[np.uint8]) -> int:
    inner = cv2.erode(union, _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return int(cv2.countNonZero(union)) - int(cv2.countNonZero(inner))


def _place(union: npt.NDArray[np.uint8], shares: npt.NDArray[np.uint8]) -> dict[str, float]:
    border = frame_share(union)
    found = {"touches_border": float(border > 0), "border_share": border}
    if not shares.any():  # a few pixels, at the sides that the small copy leaves off
        return found
    height, width = shares.shape
    moments = cv2.moments(shares)
    return found | {
        "centre_x": (moments["m10"] / moments["m00"] + 0.5) / width,
        "centre_y": (moments["m01"] / moments["m00"] + 0.5) / height,
    }


def frame_share(union: npt.NDArray[np.uint8]) -> float:
    """Share of the outermost pixels of a mask that are foreground."""
    frame = np.concatenate([union[0], union[-1], union[1:-1, 0], union[1:-1, -1]])
    return float(frame.mean())


def specks(whole: Outlines, pixels: int) -> dict[str, float]:
    """Number of tiny parts that lie apart from the edge of the picture, and of tiny holes.

    Args:
        whole: parts and holes of a mask.
        pixels: of the picture.
    """
    limit = max(min(SPECK_OF_OBJECT * whole.areas.max(initial=0), SPECK_OF_PICTURE * pixels), SPECK_PX)
    return {"specks": float(np.count_nonzero((whole.areas <= limit) & whole.apart)),
            "pinholes": float(np.count_nonzero(whole.holes <= limit))}  # fmt: skip


def object_contrast(inside: npt.NDArray[np.uint8], image: Image) -> dict[str, float]:
    """Distance of the mean colours of foreground and background: 0 none, 1 black on white.

    Args:
        inside: foreground, ``uint8 (H, W)`` of 0 and 1; small copies of both will do.
        image: ``uint8 (H, W, 3)``.
    """
    inner = int(cv2.countNonZero(inside))
    if not inner or inner == inside.size or inside.shape != image.shape[:2]:
        return {}
    means = [np.array(cv2.mean(image, mask)[:3]) for mask in (inside, 1 - inside)]
    return {"object_contrast": float(np.linalg.norm(means[0] - means[1]) / (255 * np.sqrt(3)))}


def grid_of(shares: npt.NDArray[np.uint8]) -> Floats:
    """Share of foreground in each cell of a grid over the picture, ``float32 (32, 32)``; cells are of whole pixels.

    Args:
        shares: share of foreground, ``uint8 (H, W)``, 255 is all; a small copy will do.
    """
    height, width = shares.shape
    if min(height, width) < GRID:
        small = cv2.resize(shares.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
        return np.asarray(small / 255, np.float32)
    rows, columns = (np.arange(GRID + 1) * side // GRID for side in (height, width))
    bands = np.add.reduceat(shares, rows[:-1], axis=0, dtype=np.int32)
    cells = np.add.reduceat(bands, columns[:-1], axis=1)
    return np.asarray(cells / np.outer(np.diff(rows), np.diff(columns)) / 255, np.float32)
