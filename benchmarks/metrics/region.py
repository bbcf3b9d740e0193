"""One side of a comparison: a mask whose area, box and boundary band are counted at most once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.metrics.outline import Outline
from pipelines.errors import ContractError, UsageError, WorkbenchError
from pipelines.types import Mask

Bits = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]

BAND = 0.02
"""Width of the boundary band as a share of the image's diagonal (Cheng et al. 2021)."""


@dataclass(frozen=True, eq=False)
class Region:
    """The pixels that one side calls foreground. Make it with :meth:`of`; keep it where a target is compared often.

    Attributes:
        bits: ``uint8 (H, W)``, 0 or 1; pixels to ignore are already 0.
        ignore: ``bool (H, W)`` pixels that do not count, or None.
    """

    bits: Bits
    ignore: Mask | None = None

    @classmethod
    def of(cls, mask: Mask | Bits, ignore: Mask | Bits | None = None, *, what: str = "target mask",
           error: type[WorkbenchError] = UsageError) -> Region:  # fmt: skip
        """A checked mask without the pixels to ignore.

        Args:
            mask: ``(H, W)``, bool, or uint8 that holds 0 and 1 alone.
            ignore: as the mask, of the same size, or None.
            what: how an error calls the mask.
            error: what is raised where the mask is not one.
        """
        bits = _bits(mask, what, error)
        if ignore is None:
            return cls(bits)
        counted = 1 - _bits(ignore, "ignore mask", UsageError)
        if counted.shape != bits.shape:
            raise UsageError(
                f"The ignore mask is {counted.shape} and the mask {bits.shape}.", "Give both at the image's own size."
            )
        return cls(bits * counted, counted == 0)

    def side(self, mask: Mask | Bits | None, *, what: str = "predicted mask",
             error: type[WorkbenchError] = ContractError) -> Region:  # fmt: skip
        """A mask to be held against this target, without the pixels to ignore; None is one with nothing in it.

        Args:
            mask: as for :meth:`of`.
            what: how an error calls it.
            error: what is raised where it has another size, another type, or values that are no mask.
        """
        side = Region.of(np.zeros(self.bits.shape, np.bool_) if mask is None else mask, what=what, error=error)
        if side.bits.shape != self.bits.shape:
            raise error(
                f"The {what} is {side.bits.shape} and the target {self.bits.shape}.",
                "Return masks at the image's own size; a target is never resized.",
            )
        if self.ignore is None:
            return side
        return Region(np.where(self.ignore, np.uint8(0), side.bits), self.ignore)

    @cached_property
    def pixels(self) -> int:
        """How many pixels count."""
        return self.bits.size - (0 if self.ignore is None else int(np.count_nonzero(self.ignore)))

    @cached_property
    def area(self) -> int:
        """Foreground pixels."""
        return cv2.countNonZero(self.bits)

    @cached_property
    def box(self) -> Box:
        """Tightest ``(x0, y0, x1, y1)`` around the foreground, x1 and y1 exclusive; zeros where there is none."""
        x, y, width, height = cv2.boundingRect(self.bits)
        return x, y, x + width, y + height

    @cached_property
    def band(self) -> Bits:
        """The mask minus its erosion: the inner band along the outline, ``uint8 (H, W)``."""
        x0, y0, x1, y1 = self.box
        band = np.zeros_like(self.bits)
        inside = self.bits[y0:y1, x0:x1]  # all else is background, which erodes nothing further
        if inside.size:
            band[y0:y1, x0:x1] = cv2.subtract(inside, eroded(inside, band_width(self.bits.shape)))
        return band

    @cached_property
    def outline(self) -> Outline:
        """Where the mask changes."""
        return Outline.of(self.bits)

    @cached_property
    def band_area(self) -> int:
        """Pixels of the band."""
        return cv2.countNonZero(self.band)


def band_width(shape: tuple[int, ...]) -> int:
    """Width of the band in pixels for an image ``(H, W)``: 2 % of the diagonal, at least 1."""
    return max(1, round(BAND * math.hypot(*shape)))


def eroded(bits: Bits, width: int) -> Bits:
    """Erosion by a square of side ``2 width + 1``, with background outside the picture.

    A running minimum over k pixels is the minimum of two over k/2: log2 k passes an axis, where a filter
    needs k; as fast as a box filter on large pictures, and 3x faster on small ones.
    """
    side = 2 * width + 1
    inner = cv2.copyMakeBorder(bits, width, width, width, width, cv2.BORDER_CONSTANT, value=(0,))
    for axis in (0, 1):
        covered = 1
        while covered < side:
            step = min(covered, side - covered)
            length = inner.shape[axis] - step
            first, second = (inner[:length], inner[step:]) if axis == 0 else (inner[:, :length], inner[:, step:])
            inner, covered = cv2.bitwise_and(first, second), covered + step
    return np.asarray(inner, np.uint8)


def _bits(mask: npt.NDArray[Any], what: str, error: type[WorkbenchError]) -> Bits:
    if not isinstance(mask, np.ndarray) or mask.ndim != 2 or not mask.size or mask.dtype.char not in "?B":
        got = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise error(f"The {what} must be bool (H, W), got {got}.", "Cut probabilities and tell ids apart first.")
    if mask.dtype.char == "B" and mask.max() > 1:
        raise error(
            f"The {what} is uint8 and holds {mask.max()}.", "Give bool, or 0 and 1 alone; no other label is known."
        )
    return np.ascontiguousarray(mask).view(np.uint8)
