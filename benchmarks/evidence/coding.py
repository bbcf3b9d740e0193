"""Arrays as small codes: exact where few values occur, else fixed point in powers of two, or half precision.

A map of probabilities is held in 16 bits: ``p = (base + code) / 2**bits``, with `base` and `bits` of its own for each
map, `bits` as large as its range allows, and never below 15. Scaling by powers of two and adding whole numbers below
2**24 is exact in float32, so nothing is lost but what the rounding to a code takes:

- 0, 0.5, 1 and all multiples of 1/32768 come back exactly; with 1/65535 as the step, 0.5 and most others would not.
- A code is the nearest one, at most 2**-(bits + 1) <= 1/65536 off, save beside a threshold of the sweeps (a multiple of
  1/256, of logits of 1/16): there a value is moved to the nearest code on its own side, less than 2**-bits off. So a
  cut of the map as it is, at any threshold of a sweep, with ``>=`` or with ``>``, is the same bit for bit.
- No value moves by 2**-bits <= 1/32768 or more. Bilinear upsampling takes means with weights that are not negative and
  sum to one, once for a canvas and once for the picture, and a mean of values that all moved by less than a bound moves
  by less than it: ``|sum w (p' - p)| <= sum w |p' - p| < 2**-bits``. At the size of the picture the bound is the same,
  but for the rounding of the resize itself, of some 2**-22.

Maps of logits are held alike where `bits` is at least 9, as it is where they span less than 128: with one step
throughout, they stay fine wherever a threshold lies. Else they are held in half precision: 2**-11 of the value off,
beyond 65504 clipped, below 2**-14 up to 2**-24 off, never across zero. A logit that moves by d moves its
probability by at most d / 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipelines.types import EvidenceKind

Array = npt.NDArray[Any]
Coding = Literal["exact", "palette", "fixed", "half"]

TYPES = ("float16", "float32", "float64", "int32", "int64", "uint8", "bool")
"""Of arrays that are held as they are."""

PALETTE = 256
SAMPLED = 1024
CODES = 2**16
EXACT_BITS = 24
"""Whole numbers up to 2**24 are exact in float32."""

MOST_BITS = 60
LEAST_BITS = 9
"""Of a map of logits: below it, half precision is finer near zero, where thresholds lie."""

STEPS = {"probability": 256, "logit": 16, "score": 256}
"""Thresholds of the sweeps are multiples of one over this."""

LARGEST_HALF, SMALLEST_HALF = 65504.0, 2.0**-24


@dataclass(frozen=True, eq=False)
class Packed:
    """One array.

    Attributes:
        coding: "exact" = as it is; "palette" = indices of the values that occur; "fixed" = codes on a grid of powers of
            two; "half" = half precision.
        codes: of the shape of the array.
        table: of a palette the values, ``float32 (P,)``; of fixed point `base` and `bits` of each map, ``int32
            (K, 2)``.
    """

    coding: Coding
    codes: Array
    table: Array = field(default_factory=lambda: np.empty(0, np.float32))

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return int(self.codes.nbytes + self.table.nbytes)

    def unpacked(self) -> Array:
        """The array; one that is held as it is may not be written to."""
        if self.coding == "palette":
            return np.asarray(self.table[self.codes])
        if self.coding == "fixed":
            return _from_fixed(self.codes, self.table)
        return self.codes if self.coding == "exact" else self.codes.astype(np.float32)

    def bound(self) -> float:
        """How far a value may be from what it was, of those that half precision does not clip."""
        if self.coding == "fixed":
            return float(2.0 ** -int(self.table[:, 1].min(initial=MOST_BITS)))
        if self.coding == "half":
            return max(SMALLEST_HALF, float(np.abs(self.codes).max(initial=0)) * 2.0**-11)
        return 0.0


def pack(values: Array) -> Packed:
    """An array held exactly, in its own type, or in a wider one of `TYPES`."""
    held = np.ascontiguousarray(values)
    if held.dtype.name not in TYPES:
        held = held.astype(np.int64 if held.dtype.kind in "iu" else np.float64)
    return Packed("exact", held.astype(held.dtype.newbyteorder("<"), copy=False))


def pack_maps(values: Array, kind: EvidenceKind) -> Packed:
    """Maps as their content allows.

    Args:
        values: ``(K, h, w)``, finite; any but float32 is taken as float32, as whatever reads maps does.
        kind: scores are only good for a cut, often exactly where they lie, and are held exactly.
    """
    maps = np.ascontiguousarray(values, np.float32)
    found = _palette(maps)
    if found is not None or kind == "score" or not maps.size:
        return found or pack(maps)
    low, high = maps.min(axis=(1, 2)), maps.max(axis=(1, 2))
    bits = [_bits(float(a), float(b)) for a, b in zip(low, high, strict=True)]
    if kind == "logit":
        return _fixed(maps, low, bits, kind) if min(bits) >= LEAST_BITS else Packed("half", _half(maps))
    return _fixed(maps, low, bits, kind) if low.min() >= 0 and high.max() <= 1 else pack(maps)


def _palette(maps: Array) -> Packed | None:
    """Indices, where there are few values; bits are compared, so that they come back exactly, whatever they are."""
    bits = maps.reshape(-1).view(np.uint32)
    table = np.unique(bits[:: max(1, bits.size // SAMPLED)])
    while 0 < len(table) <= PALETTE:
        codes = np.searchsorted(table, bits).clip(max=len(table) - 1)
        others = bits[table[codes] != bits]
        if not others.size:
            return Packed("palette", codes.astype(np.uint8).reshape(maps.shape), table.view(np.float32))
        table = np.unique(np.concatenate([table, others[:SAMPLED]]))
    return None


def _bits(low: float, high: float) -> int:
    """The finest step 2**-bits with which a range has no more than 2**16 codes, and no whole number beyond 2**24."""
    bits = min(MOST_BITS, EXACT_BITS - math.frexp(max(abs(low), abs(high)))[1])
    while math.ceil(math.ldexp(high, bits)) - math.floor(math.ldexp(low, bits)) >= CODES:
        bits -= 1
    return bits


def _fixed(maps: Array, low: Array, bits: list[int], kind: EvidenceKind) -> Packed:
    codes = np.empty(maps.shape, np.uint16)
    base = [math.floor(math.ldexp(float(value), b)) for value, b in zip(low, bits, strict=True)]
    for one, values, b, first in zip(codes, maps, bits, base, strict=True):
        scaled = np.ldexp(values, b)
        one[:] = _nearest(scaled, 2**b // STEPS[kind]) - np.float32(first)
    return Packed("fixed", codes, np.array([base, bits], np.int32).T.copy())


def _nearest(scaled: Array, every: int) -> Array:
    """The nearest whole numbers; a multiple of `every`, a power of two, only for what is one: else its neighbour."""
    whole = np.rint(scaled)
    moved = (whole.astype(np.int32) & min(every - 1, 2**EXACT_BITS * 2 - 1)) == 0
    moved &= whole != scaled
    whole[moved] += np.sign(scaled[moved] - whole[moved])
    return whole


def _from_fixed(codes: Array, table: Array) -> Array:
    maps = np.empty(codes.shape, np.float32)
    for one, code, (base, bits) in zip(maps, codes, table.tolist(), strict=True):
        np.multiply(code, np.float32(2.0**-bits), out=one)
        one += np.float32(math.ldexp(base, -bits))
    return maps


def _half(maps: Array) -> Array:
    half = maps.clip(-LARGEST_HALF, LARGEST_HALF).astype(np.float16)
    gone = (half == 0) & (maps != 0)
    half[gone] = np.copysign(np.float16(SMALLEST_HALF), maps[gone])
    return np.asarray(half)
