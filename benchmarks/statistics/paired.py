"""Two configurations on the same images: the difference of a figure, with its interval and p-value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.metrics import Metric
from benchmarks.statistics.intervals import (
    DRAWS_AT_ONCE,
    TOLERANCE,
    Combine,
    Floats,
    GroupSums,
    Interval,
    effective_groups,
    ratio,
)

Ends = tuple[float, float]

LEVEL = 0.05
MOST_EXACT = 14
"""Groups that differ, up to which every way to flip them is gone through: 8,192, as the opposite ways are alike."""

FLIPS = 10_000


@dataclass(frozen=True)
class PerSample:
    """What a metric counts in each image of one configuration.

    Attributes:
        ids: of the images.
        tops: numerators, ``(n,)``, or ``(n, k)`` for a metric with k sums.
        bottoms: denominators, likewise.
    """

    ids: tuple[str, ...]
    tops: Floats
    bottoms: Floats

    @classmethod
    def of(cls, metric: Metric, components: Mapping[str, Mapping[str, Any]]) -> PerSample:
        """The terms of a metric.

        Args:
            metric: whose terms.
            components: id → what its family counted in that image.
        """
        return cls(tuple(components), *metric.columns(components.values()))


@dataclass(frozen=True)
class Difference:
    """A figure of one configuration less that of another, or of times their ratio.

    Attributes:
        value: observed, or None where it is not defined.
        ci: 95 % interval, or None where the images support none.
        p: of the hypothesis that the two are exchangeable, two-sided; None where there is no value.
        n: images with a say.
        n_groups: groups of them.
        few_groups: whether they are so few that the interval itself is uncertain.
        method: how the interval was made; "exact" is a bound, as no resample differs.
        p_holm: p-value corrected for all pairs of a table; None where there is no table.
        reason: why there is no interval, or None.
    """

    value: float | None
    ci: Ends | None
    p: float | None
    n: int
    n_groups: int
    few_groups: bool
    method: str
    p_holm: float | None = None
    reason: str | None = None


class SideBySide:
    """Terms of several configurations on the same images, summed by group: memory is level.

    Args:
        sides: how many configurations.
        combine: sums of numerators and of denominators → figure.
        limits: smallest and largest value of the figure.
    """

    def __init__(self, sides: int, combine: Combine = ratio, limits: Ends = (-math.inf, math.inf)) -> None:
        self.sides, self.combine, self.limits = sides, combine, limits
        self.sums, self.scalar = GroupSums(), True

    @classmethod
    def of(cls, sides: int, metric: Metric) -> SideBySide:
        """For a metric of the leaderboard."""
        return cls(sides, metric.combine, metric.range)

    def add(self, group: Any, terms: Sequence[tuple[Any, Any]]) -> None:
        """Add one image that every configuration has.

        Args:
            group: what it is resampled with.
            terms: numerator and denominator of each configuration; numbers, or ``(k,)`` each.
        """
        self.scalar = np.ndim(terms[0][0]) == 0
        self.sums.add(group, np.ravel([top for top, _ in terms]), np.ravel([bottom for _, bottom in terms]))

    def difference(self, first: int = 0, second: int = 1, *, seed: int = 0, resamples: int = 10_000,
                   flips: int = FLIPS) -> Difference:  # fmt: skip
        """The figure of one configuration less that of another.

        Args:
            first: place of the one in `add`.
            second: place of the other.
            seed: of resampling and flipping.
            resamples: of the bootstrap, which draws whole groups, both configurations together.
            flips: of the permutation test, where there are too many groups to go through all.
        """
        if not self.sums.n:
            return Difference(None, None, None, 0, 0, True, "none", reason="the two have no image with a say in common")
        pair = self._columns(first, second)
        tops, bottoms = pair.terms()
        gap = _Gap(self.combine, self.scalar)
        value = float(gap(tops.sum(axis=0), bottoms.sum(axis=0)))
        found = pair.interval(resamples, seed=seed, combine=gap, limits=self._limits)
        if math.isnan(value):
            return Difference(None, None, None, found.n, found.n_groups, found.few_groups, "none", reason=found.reason)
        found = self._unanimous(found, value, bottoms) if found.ends is None else found
        return Difference(value, found.ends, sign_flip(tops, bottoms, gap, flips, seed), found.n, found.n_groups,
                          found.few_groups, found.method, reason=found.reason)  # fmt: skip

    def value(self, side: int) -> float | None:
        """The figure of one configuration on these images."""
        if not self.sums.n:
            return None
        one = self._columns(side, side)
        tops, bottoms = (sums.sum(axis=0) for sums in one.terms())
        value = float(self.combine(*_halves(tops, self.scalar)[:1], *_halves(bottoms, self.scalar)[:1]))
        return None if math.isnan(value) else value

    @property
    def _limits(self) -> Ends:
        reach = self.limits[1] - self.limits[0]
        return -reach, reach

    def _columns(self, first: int, second: int) -> GroupSums:
        k = self.sums.sums.shape[2] // self.sides
        places = [side * k + index for side in (first, second) for index in range(k)]
        one = GroupSums()
        one.places, one.joined, one.n, one.scalar = self.sums.places, self.sums.joined, self.sums.n, False
        one.sums = self.sums.sums[:, :, places]
        return one

    def _unanimous(self, found: Interval, value: float, bottoms: Floats) -> Interval:
        """All groups differ alike: how many of those not seen could differ otherwise, and by how much (Clopper and
        Pearson 1934 for the share of them, the range of the figure for how much).
        """  # fmt: skip
        lo, hi = self._limits
        effective = effective_groups(bottoms)
        if found.n_groups < 2 or not math.isfinite(hi) or found.reason != "every group gives the same figure":
            return found
        share = 1 - (LEVEL / 2) ** (1 / effective)
        return replace(found, lo=value - share * (value - lo), hi=value + share * (hi - value), method="exact",
                       reason=None)  # fmt: skip


@dataclass(frozen=True)
class _Gap:
    """Sums of two configurations side by side → the difference of their figures."""

    combine: Combine
    scalar: bool

    def __call__(self, tops: Floats, bottoms: Floats) -> Any:
        (ours, theirs), (our_weight, their_weight) = _halves(tops, self.scalar), _halves(bottoms, self.scalar)
        return np.subtract(self.combine(ours, our_weight), self.combine(theirs, their_weight))


def _halves(sums: Floats, scalar: bool) -> tuple[Floats, Floats]:
    k = sums.shape[-1] // 2
    return (sums[..., 0], sums[..., 1]) if scalar else (sums[..., :k], sums[..., k:])


def difference(a: PerSample, b: PerSample, groups: Mapping[str, Any], combine: Combine = ratio,
               limits: Ends = (-math.inf, math.inf), **options: int) -> Difference:  # fmt: skip
    """The figure of one configuration less that of another, on the images of both.

    Pooled figures sum their components again. The interval is a paired bootstrap over groups, by the methods of
    `interval`; where all groups differ alike it is the exact bound. The p-value is that of
    :func:`sign_flip`.

    Args:
        a: terms of the one.
        b: terms of the other.
        groups: id → group.
        combine: sums of numerators and of denominators → figure.
        limits: smallest and largest value of the figure.
        options: as of :meth:`SideBySide.difference`.
    """
    theirs = {name: place for place, name in enumerate(b.ids)}
    pair = SideBySide(2, combine, limits)
    for place, name in enumerate(a.ids):
        other = theirs.get(name)
        if other is not None:
            pair.add(groups[name], ((a.tops[place], a.bottoms[place]), (b.tops[other], b.bottoms[other])))
    return pair.difference(**options)


def sign_flip(tops: Floats, bottoms: Floats, gap: Combine, flips: int = FLIPS, seed: int = 0) -> float:
    """Two-sided p-value that two configurations are exchangeable in every group.

    In each group the two are swapped or not; for a mean over images that flips the sign of the group's difference
    (Fisher 1935), and for a pooled figure its counts are summed again. All ways are gone through where at most 14
    groups differ; otherwise the observed one counts among those drawn (Phipson and Smyth 2010).

    Args:
        tops: numerators of both by group, ``(groups, 2 k)``.
        bottoms: denominators, likewise.
        gap: sums of both → the difference of their figures.
        flips: how many ways are drawn.
        seed: of the drawing.
    """
    half = tops.shape[1] // 2
    top_gaps, bottom_gaps = tops[:, :half] - tops[:, half:], bottoms[:, :half] - bottoms[:, half:]
    differ = top_gaps.any(axis=1) | bottom_gaps.any(axis=1)
    count = int(differ.sum())
    if not count:
        return 1.0
    observed = abs(float(gap(tops.sum(axis=0), bottoms.sum(axis=0)))) - TOLERANCE
    middles = tuple((sums[:, :half] + sums[:, half:]).sum(axis=0) / 2 for sums in (tops, bottoms))
    gone, extreme = 0, 0
    for signs in _signs(count, flips, seed):
        swings = tuple(signs @ gaps[differ] / 2 for gaps in (top_gaps, bottom_gaps))
        both = [np.concatenate([m + s, m - s], axis=1) for m, s in zip(middles, swings, strict=True)]
        extreme += int((~(np.abs(gap(both[0], both[1])) < observed)).sum())  # so written, what is not defined counts
        gone += len(signs)
    return extreme / gone if count <= MOST_EXACT else (extreme + 1) / (gone + 1)


def _signs(count: int, flips: int, seed: int) -> Iterator[Floats]:
    """Ways to flip, ``(some, count)`` of -1 and 1 each: all where they are few, else drawn."""
    if count <= MOST_EXACT:
        bits = np.arange(1 << (count - 1))[:, None] >> np.arange(count) & 1  # of the last one: opposites are alike
        yield (1 - 2 * bits).astype(np.float64)
        return
    chance, rows = np.random.default_rng(seed), max(1, DRAWS_AT_ONCE // count)
    for start in range(0, flips, rows):
        size = (min(rows, flips - start), count)
        drawn = np.frombuffer(chance.bytes(-(-size[0] * count // 8)), np.uint8)
        yield 1 - 2 * np.unpackbits(drawn, count=size[0] * count).reshape(size).astype(np.float64)


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """P-values corrected for their number, step by step (Holm 1979); None stays None and does not count.

    Args:
        ps: of the comparisons of one table.
    """
    known = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    corrected: list[float | None] = [None] * len(ps)
    most = 0.0
    for step, (p, place) in enumerate(known):
        most = max(most, min(1.0, (len(known) - step) * p))
        corrected[place] = most
    return corrected
