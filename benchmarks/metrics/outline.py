"""Outlines as bits, 64 pixels a word: where a mask changes, and what lies within a distance of there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
WORD = 64

REACH = 0.008
"""How far a hit may lie from the other outline, as a share of the image's diagonal."""


def reach_of(shape: tuple[int, ...]) -> int:
    """Pixels that a hit may lie from the other outline in an image ``(H, W)``: 0.8 % of the diagonal, at least 1."""
    return max(1, math.ceil(REACH * math.hypot(*shape)))


@dataclass(frozen=True, eq=False)
class Outline:
    """The contour of a mask: pixels that differ from their right, lower or lower-right neighbour.

    Attributes:
        words: ``uint64 (H, ceil(W / 64))``, the first pixel of a row in the lowest bit of its first word.
        reach: of a hit, in pixels.
    """

    words: Words
    reach: int

    @classmethod
    def of(cls, bits: Bits) -> Outline:
        """The contour of a mask ``uint8 (H, W)`` of 0 and 1; beyond the picture is no neighbour to differ from."""
        found = packed(bits)
        return cls(_corners(found) & _corners(found ^ packed(np.ones_like(bits))), reach_of(bits.shape))

    @cached_property
    def area(self) -> int:
        """Pixels of the contour."""
        return int(np.bitwise_count(self.words).sum(dtype=np.int64))

    @cached_property
    def near(self) -> Words:
        """What lies within reach of the contour, by Euclidean distance."""
        return dilated(self.words, self.reach)

    def hits(self, other: Outline) -> int:
        """How many of its pixels lie within reach of another contour of the same size."""
        return int(np.bitwise_count(self.words & other.near).sum(dtype=np.int64))


def packed(bits: Bits) -> Words:
    """A mask ``uint8 (H, W)`` of 0 and 1 as words; bits beyond the width are 0."""
    octets = np.packbits(bits, axis=1, bitorder="little")
    padding = -octets.shape[1] % (WORD // 8)
    return np.pad(octets, ((0, 0), (0, padding))).view("<u8").astype(np.uint64, copy=False)


def dilated(words: Words, radius: int) -> Words:
    """Dilation by the disc of all offsets no longer than `radius`, as `skimage.morphology.disk` draws it.

    The disc is a stack of rows: the mask is widened along x once for each width of a row, and laid on itself shifted
    along y, which costs nothing on whole words. Bits beyond the picture's width may be set in the result.
    """
    found, wide, width = np.zeros_like(words), words, 0
    rows = ((dy, math.isqrt(radius**2 - dy**2)) for dy in range(min(radius, len(words) - 1), -1, -1))
    for wanted, group in groupby(rows, key=lambda row: row[1]):
        wide, width = _widened(wide, width, wanted), wanted
        for dy, _ in group:
            np.bitwise_or(found[dy:], wide[: len(wide) - dy], out=found[dy:])
            np.bitwise_or(found[: len(found) - dy], wide[dy:], out=found[: len(found) - dy])
    return found


def _widened(words: Words, width: int, wanted: int) -> Words:
    """What is widened by `width` to each side, widened to `wanted`; steps double, as gaps must not open."""
    while width < wanted:
        step = min(max(width, 1), wanted - width)
        words, width = words | _shifted(words, step) | _shifted(words, -step), width + step
    return words


def _shifted(words: Words, pixels: int) -> Words:
    """Moved along x; positive is to the right. What leaves the words is lost."""
    jump, bits = divmod(abs(pixels), WORD)
    moved = np.zeros_like(words)
    here, over = (np.left_shift, np.right_shift) if pixels > 0 else (np.right_shift, np.left_shift)
    for far, shift, by in ((jump, here, bits), (jump + 1, over, WORD - bits)):
        kept = words.shape[1] - far
        if kept > 0 and by < WORD:  # a shift by a whole word is not defined
            source, part = (words[:, :kept], moved[:, far:]) if pixels > 0 else (words[:, far:], moved[:, :kept])
            np.bitwise_or(part, shift(source, np.uint64(by)), out=part)
    return moved


def _corners(words: Words) -> Words:
    """Whether it is set here, to the right, below or below to the right."""
    wide = words | _shifted(words, -1)
    wide[:-1] |= wide[1:].copy()
    return wide
