"""Pixel counts of one image at every threshold of a sweep, from histograms of what each layer adds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.metrics.curve import STRIP
from benchmarks.metrics.region import Region
from benchmarks.sweeps.grid import Grid
from pipelines.errors import ContractError, UsageError
from pipelines.layers import Layers

Ints = npt.NDArray[np.int64]
Map = npt.NDArray[np.float32]

SIDES = 3
"""Where a pixel of the target's picture is: background, foreground, or ignored."""

PHASES = 4
"""Neighbours are counted apart and summed at the end: adding to one bin twice in a row waits for the first to be done,
and a smooth map has long runs of one level. Three times as fast on them."""


@dataclass(frozen=True, eq=False)
class Counts:
    """What every pair of thresholds gives on one image, without the pixels to ignore.

    Attributes:
        tp: pixels that are predicted rightly, ``int64 (ranks, cuts)``; one rank where there is none to choose.
        fp: pixels that are predicted wrongly, likewise.
        area: pixels of the target.
        pixels: how many count.
        failed: whether the pipeline gave nothing at all, which is wrong whatever the target.
    """

    tp: Ints
    fp: Ints
    area: int
    pixels: int
    failed: bool = False

    @classmethod
    def of_failed(cls, target: Region, cuts: Grid, ranks: Grid | None = None) -> Counts:
        """Of an image on which the pipeline failed; arguments as for :func:`count`."""
        none = np.zeros((1 if ranks is None else len(ranks), len(cuts)), np.int64)
        return cls(none, none, target.area, target.pixels, failed=True)


def count(layers: Layers, target: Region, cuts: Grid, ranks: Grid | None = None) -> Counts:
    """Compare an image with its target at every threshold, exactly as a loop over decisions would.

    A pixel's level is how many cut thresholds its value passes; its histogram, summed from the top, is the count at
    each. Further layers can only raise it: one running maximum, and a histogram after each layer where some rank
    threshold ends (after Jaccard curves from joint histograms, as `benchmarks.metrics.curve`).

    Args:
        layers: of the image's evidence.
        target: of the same size; pixels to ignore are in it.
        cuts: thresholds of `layers.cut`.
        ranks: thresholds of `layers.rank`; None where there is no rank.

    Raises:
        UsageError: the thresholds are of other fields than the layers.
        ContractError: a map or the target has another size than the image.
    """
    _check_fields(layers, cuts, ranks)
    if target.bits.shape != layers.size:
        raise ContractError(
            f"The evidence is of an image of {layers.size} and the target of {target.bits.shape}.",
            "Give both at the image's own size; a target is never resized.",
        )
    passing = np.ones(1, np.int64) if ranks is None else layers.passing(ranks.values)
    after, index = np.unique(passing, return_inverse=True)  # numbers of layers that some threshold stops at
    tables = _tables(layers, target, cuts, after)
    fp, tp = np.stack([_from_the_top(table, cuts) for table in tables], axis=1)[:, index]
    return Counts(tp, fp, target.area, target.pixels)


def components(counts: Counts, rank: int, cut: int) -> dict[str, int]:
    """What `benchmarks.metrics.overlap.compare` counts, at one pair of thresholds.

    Args:
        counts: of an image.
        rank: index of the rank threshold; 0 where there is none.
        cut: index of the cut threshold.
    """
    tp, fp = int(counts.tp[rank, cut]), int(counts.fp[rank, cut])
    fn = counts.area - tp
    found = {"tp": tp, "fp": fp, "fn": fn, "tn": counts.pixels - tp - fp - fn}
    return {**found, "failed": 1} if counts.failed else found


def _check_fields(layers: Layers, cuts: Grid, ranks: Grid | None) -> None:
    asked = (cuts.field, None if ranks is None else ranks.field)
    if asked != (layers.cut, layers.rank):
        raise UsageError(
            f"Thresholds of {asked[0]} and {asked[1]} were given for layers with {layers.cut} and {layers.rank}.",
            "Give a grid for each field that the layers name, and none for what they do not.",
        )


def _check_map(values: Map, size: tuple[int, int]) -> None:
    if values.shape != size or values.dtype != np.float32:
        raise ContractError(
            f"A layer must be float32 {size}, got {values.dtype} {values.shape}.", "Correct what the pipeline returns."
        )


def _tables(layers: Layers, target: Region, cuts: Grid, after: Ints) -> Iterator[Ints]:
    """Pixels by side and level ``(SIDES, levels)`` after each of some numbers of layers, which rise."""
    histogram, wanted = _Histogram(target, cuts, layers.cut_inclusive), set(after.tolist())
    if 0 in wanted:
        yield np.zeros((SIDES, cuts.levels), np.int64)
    union: Map | None = None
    own = False  # a map of the pipeline is not written into
    for done, values in enumerate(islice(layers.maps(), int(after[-1])), start=1):
        _check_map(values, layers.size)
        if union is None:
            union = _numbers(values)
        else:
            union, own = np.fmax(union, values, out=union if own else None), True
        if done in wanted:
            yield histogram.of(union)


def _numbers(values: Map) -> Map:
    """What is no number passes no threshold, as where it is compared."""
    return np.where(np.isnan(values), np.float32(-np.inf), values) if np.isnan(values.max()) else values


class _Histogram:
    """Counts pixels by side and level, strip by strip, so that what lies between stays in the cache.

    Args:
        target: what a map is held against.
        cuts: whose levels are meant.
        inclusive: whether a value passes a threshold that it is equal to.
    """

    def __init__(self, target: Region, cuts: Grid, inclusive: bool) -> None:
        height, width = target.bits.shape
        rows = min(height, max(1, STRIP // width))
        self.cuts, self.inclusive = cuts, inclusive
        self.sides = target.bits if target.ignore is None else np.where(target.ignore, np.uint8(SIDES - 1), target.bits)
        phases = np.arange(width, dtype=np.int64) % PHASES * SIDES * cuts.levels
        self.first_bins = (phases - cuts.lowest(inclusive)).astype(np.int16)  # of the background, in each column
        self.strips = [slice(start, min(start + rows, height)) for start in range(0, height, rows)]
        self.scaled, self.room = np.empty((rows, width), np.float32), np.empty((2, rows, width), np.int16)

    def of(self, values: Map) -> Ints:
        """Of one map ``float32 (H, W)``: ``(SIDES, levels)``."""
        number = PHASES * SIDES * self.cuts.levels
        found = np.zeros(number, np.int64)
        for part in self.strips:
            scaled, (bins, side) = self.scaled[: part.stop - part.start], self.room[:, : part.stop - part.start]
            self.cuts.rounded(values[part], self.inclusive, scaled=scaled, out=bins)
            bins += np.multiply(self.sides[part], np.int16(self.cuts.levels), out=side)
            bins += self.first_bins
            joint = cv2.calcHist([bins.view(np.uint16)], [0], None, [number], (0, number))
            found += joint.ravel().astype(np.int64)
        return np.asarray(found.reshape(PHASES, SIDES, -1).sum(axis=0), np.int64)


def _from_the_top(table: Ints, cuts: Grid) -> Ints:
    """Pixels of the background and of the foreground that pass each threshold, ``(2, cuts)``."""
    passed = table[:2, ::-1].cumsum(axis=1)[:, ::-1]
    return passed[:, 1 + cuts.steps - cuts.steps[0]]
