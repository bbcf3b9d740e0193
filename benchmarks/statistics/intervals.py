"""How sure a figure is: bootstrap intervals over groups, and the percentiles that a sample supports."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Combine = Callable[[Floats, Floats], Any]
"""Sums of numerators and of denominators → figure; with a leading axis of resamples, one figure each."""

Method = Literal["percentile", "bca", "t", "exact", "none"]
TOLERANCE = 1e-12
FEW_GROUPS = 50
FEWEST_FOR_BCA = 8
"""With fewer groups the resamples do not reach as far as the figure may: two groups give three of them."""

MOST_GROUPS, MOST_OF_CURVES, MANY_SUMS = 4096, 1024, 64
"""More groups are joined at random into so many at most: names decide, so that some places stay empty. Of a figure with
more than `MANY_SUMS` sums a group takes kilobytes, so that fewer are told apart."""

DRAWS_AT_ONCE = 1 << 17
"""Draws that are held at once: they stay in the cache of the processor, and memory is level."""

DRAWS_KEPT = 1 << 21
"""Of 200 groups with 10,000 resamples: 16 MB, in which the next metric finds what the last one drew."""

SUPPORT = {"p90": (90, 29), "p95": (95, 59), "p99": (99, 299)}
"""Percentile → (level, calls from which the largest bounds it with 95 % confidence)."""


def ratio(numerators: Any, denominators: Any) -> Any:
    """One sum over the other, NaN where the denominator is 0."""
    bottoms = np.asarray(denominators)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.asarray(np.divide(numerators, bottoms))
    if not bottoms.all():  # seldom, and a further pass over curves of thousands of resamples costs as much again
        found[np.broadcast_to(bottoms == 0, found.shape)] = np.nan
    return found


@dataclass(frozen=True)
class Interval:
    """An interval, or None at both ends where the sample supports none.

    Attributes:
        lo: lower end.
        hi: upper end.
        n: images with a say in the figure.
        n_groups: groups with a say in it.
        few_groups: whether they are effectively so few that the interval itself is uncertain.
        method: how it was made.
        reason: why there is none, or None.
    """

    lo: float | None
    hi: float | None
    n: int
    n_groups: int
    few_groups: bool
    method: Method
    reason: str | None = None

    @property
    def ends(self) -> tuple[float, float] | None:
        """Both ends, or None."""
        return None if self.lo is None or self.hi is None else (self.lo, self.hi)


def interval(numerators: npt.ArrayLike, denominators: npt.ArrayLike, groups: Sequence[Any], resamples: int = 10_000,
             level: float = 0.95, seed: int = 0, combine: Combine = ratio,
             limits: tuple[float, float] = (-math.inf, math.inf)) -> Interval:  # fmt: skip
    """Bootstrap interval of a figure made of sums, resampling whole groups.

    The percentile interval; with fewer than 50 groups the bias-corrected and accelerated one (Efron 1987) with its
    levels widened for few groups (Hesterberg, What teachers should know about the bootstrap, 2015); with fewer than 8,
    or where that is not defined, Student's t with the jackknife's error. Where every group sits at the same end of the
    range, no resample differs, and the exact bound of Clopper and Pearson (1934) on the share of groups that would not
    is taken. Groups with no denominator have no say, and groups of unlike weight count as fewer (`effective_groups`).

    Args:
        numerators: one an image, ``(n,)``, or ``(n, k)`` for a figure with k sums.
        denominators: likewise; 0 leaves an image out.
        groups: the group of each image, ``(n,)``.
        resamples: of the bootstrap.
        level: of confidence.
        seed: of the resampling.
        combine: of the sums, the ratio if not given.
        limits: the smallest and the largest value of the figure; only t could leave them.
    """
    tops, bottoms, sums = np.asarray(numerators), np.asarray(denominators), GroupSums()
    if not len(tops) == len(bottoms) == len(groups):
        raise ValueError(f"{len(tops)} numerators, {len(bottoms)} denominators, {len(groups)} groups")
    for group, top, bottom in zip(groups, tops, bottoms, strict=True):
        sums.add(group, top, bottom)
    return sums.interval(resamples, level, seed, combine, limits)


class GroupSums:
    """Numerators and denominators of a figure, summed by group, image after image.

    Memory is level: beyond 4,096 groups (1,024 for a figure of many sums, such as a curve), groups are joined at random
    into as many at most, as names decide. What is resampled is then a random group of groups, which leaves the interval
    as wide as it is (Wolter, Introduction to Variance Estimation, 2007, chapter 2) and makes it 2 % uncertain at most.
    """

    @property
    def most(self) -> int:
        """Groups that are told apart; each holds all sums of the figure."""
        return min(MOST_GROUPS, MOST_OF_CURVES) if self.sums[0].size > MANY_SUMS else MOST_GROUPS

    def __init__(self) -> None:
        self.places: dict[Any, int] = {}
        self.joined = False
        self.n = 0
        self.counts: Floats = np.zeros(1)
        self.sums: Floats = np.zeros((0, 2, 1))
        self.scalar = True

    def add(self, group: Any, numerator: Any, denominator: Any) -> None:
        """Add one image.

        Args:
            group: what it is resampled with.
            numerator: a number, or ``(k,)`` for a figure with k sums.
            denominator: likewise; 0 leaves the image out.
        """
        terms = np.array([np.ravel(numerator), np.ravel(denominator)], np.float64)
        if not self.places and not self.joined:
            self.sums, self.scalar = np.zeros((16, *terms.shape)), np.ndim(numerator) == 0
            self.counts = np.zeros(terms.shape[1])
        place = self._place(group)  # which may make new sums
        self.sums[place] += terms
        self.counts += terms[1] != 0
        self.n += bool(terms[1].any())

    def column(self, index: int) -> GroupSums:
        """One of k figures that were added together."""
        one = GroupSums()
        one.places, one.joined, one.n = self.places, self.joined, int(self.counts[index])
        one.sums = self.sums[:, :, index : index + 1]
        return one

    def _place(self, group: Any) -> int:
        if self.joined:
            return _bucket(group, self.most)
        place = self.places.setdefault(group, len(self.places))
        if place >= self.most:
            self._join()
            return _bucket(group, self.most)
        if place >= len(self.sums):
            self.sums = np.concatenate([self.sums, np.zeros_like(self.sums)])
        return place

    def _join(self) -> None:
        joined = np.zeros((self.most, *self.sums.shape[1:]))
        for group, place in self.places.items():
            if place < len(self.sums):
                joined[_bucket(group, self.most)] += self.sums[place]
        self.sums, self.places, self.joined = joined, {}, True

    def terms(self) -> tuple[Floats, Floats]:
        """Numerators and denominators of the groups that have a say, ``(groups,)`` or ``(groups, k)`` each.

        In the order of the groups' names, so that the order in which images came decides no more than the last bit.
        """
        places = [self.places[group] for group in sorted(self.places, key=str)]
        sums = self.sums if self.joined else self.sums[places]
        said = sums[sums[:, 1].any(axis=1)]
        return (said[:, 0, 0], said[:, 1, 0]) if self.scalar else (said[:, 0], said[:, 1])

    def value(self, combine: Combine = ratio) -> float | None:
        """The figure over all images, or None where it is not defined."""
        if not self.n:
            return None
        tops, bottoms = self.terms()
        value = float(combine(tops.sum(axis=0), bottoms.sum(axis=0)))
        return None if math.isnan(value) else value

    def interval(self, resamples: int = 10_000, level: float = 0.95, seed: int = 0, combine: Combine = ratio,
                 limits: tuple[float, float] = (-math.inf, math.inf)) -> Interval:  # fmt: skip
        """Its interval, as :func:`interval` makes it."""
        tops, bottoms = self.terms()
        return _interval(tops, bottoms, self.n, (resamples, level, seed), combine, limits)


def _bucket(group: Any, most: int) -> int:
    return int.from_bytes(hashlib.blake2b(str(group).encode(), digest_size=8).digest()) % most


def _interval(tops: Floats, bottoms: Floats, n: int, drawing: tuple[int, float, int], combine: Combine,
              limits: tuple[float, float]) -> Interval:  # fmt: skip
    resamples, level, seed = drawing
    count, effective = len(tops), effective_groups(bottoms)
    few = effective < FEW_GROUPS
    if count < 2:
        reason = "no group has a say in the figure" if not count else "one group says nothing of the spread over groups"
        return Interval(None, None, n, count, few, "none", reason)
    values = np.concatenate(list(_resampled(tops, bottoms, resamples, seed, combine)))
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if np.isfinite(values).all() and np.ptp(values) <= TOLERANCE:
        return _unanimous(float(values[0]), limits, float(tails[0]), n, count, effective)
    plain = not few and bool(np.isfinite(values).all())
    read = tails if plain else _bca_tails(tails, values, tops, bottoms, combine, effective)
    method: Method = "t" if read is None else "percentile" if plain else "bca"
    ends = _t_ends(tails, tops, bottoms, combine, effective) if read is None else np.quantile(values, read)
    if not np.isfinite(ends).all():
        return Interval(None, None, n, count, few, "none", "the figure is not defined on parts of the sample")
    lo, hi = (float(end) for end in np.clip(ends, *limits))
    return Interval(lo, hi, n, count, few, method)


def effective_groups(denominators: Floats) -> float:
    """How many groups of equal weight would say as much (Kish 1965); few, where one group holds most of the images."""
    if not len(denominators):
        return 0.0
    weights = np.abs(denominators.reshape(len(denominators), -1)).sum(axis=1)
    return float(weights.sum() ** 2 / (weights**2).sum())


def _unanimous(value: float, limits: tuple[float, float], tail: float, n: int, count: int,
               effective: float) -> Interval:  # fmt: skip
    """All groups agree: how many of those not seen could still differ, at the ends of the range; unknown between."""
    few, reach = effective < FEW_GROUPS, (limits[1] - limits[0]) * (1 - tail ** (1 / effective))
    if math.isclose(value, limits[0], abs_tol=TOLERANCE):
        return Interval(value, value + reach, n, count, few, "exact")
    if math.isclose(value, limits[1], abs_tol=TOLERANCE):
        return Interval(value - reach, value, n, count, few, "exact")
    return Interval(None, None, n, count, few, "none", "every group gives the same figure")


def _resampled(tops: Floats, bottoms: Floats, resamples: int, seed: int, combine: Combine) -> Iterator[Floats]:
    """Figures of the resamples, in chunks: memory is level, however many images and groups there are."""
    for weights in _weights(len(tops), resamples, seed):
        yield np.asarray(combine(weights @ tops, weights @ bottoms), np.float64)


def _weights(count: int, resamples: int, seed: int) -> Iterable[Floats]:
    """How often each group is drawn, ``(some resamples, groups)`` each; of few groups kept for the next metric."""
    return _kept_weights(count, resamples, seed) if count * resamples <= DRAWS_KEPT else _drawn(count, resamples, seed)


@lru_cache(maxsize=4)
def _kept_weights(count: int, resamples: int, seed: int) -> tuple[Floats, ...]:
    return tuple(_drawn(count, resamples, seed))


def _drawn(count: int, resamples: int, seed: int) -> Iterator[Floats]:
    random, chunk = np.random.default_rng(seed), max(1, DRAWS_AT_ONCE // count)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = random.integers(0, count, (rows, count), dtype=np.int32) + np.arange(rows)[:, None] * count
        yield np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)


def _left_out(tops: Floats, bottoms: Floats, combine: Combine) -> Floats:
    """The figure without each group in turn."""
    return np.asarray(combine(tops.sum(axis=0) - tops, bottoms.sum(axis=0) - bottoms), np.float64)


def _bca_tails(tails: Floats, values: Floats, tops: Floats, bottoms: Floats, combine: Combine,
               effective: float) -> Floats | None:  # fmt: skip
    """Quantiles of the resamples to read instead of the plain tails, or None where they are not defined."""
    from scipy.special import ndtr, ndtri, stdtrit

    whole = float(combine(tops.sum(axis=0), bottoms.sum(axis=0)))
    left_out, count = _left_out(tops, bottoms, combine), len(tops)
    if effective < FEWEST_FOR_BCA or not np.isfinite(values).all() or not np.isfinite(left_out).all():
        return None
    tolerance = TOLERANCE * max(1.0, abs(whole))  # resamples that are equal but for the order of their sums
    below = np.mean(values < whole - tolerance) + np.mean(np.abs(values - whole) <= tolerance) / 2
    deviations = left_out.mean() - left_out
    spread = float((deviations**2).sum())
    if not 0 < below < 1 or np.ptp(values) <= tolerance or not spread:
        return None
    acceleration = float((deviations**3).sum()) / (6 * spread**1.5)
    bias = ndtri(below)
    shifted = bias + math.sqrt(count / (count - 1)) * stdtrit(count - 1, tails)
    stretch = 1 - acceleration * shifted
    return np.asarray(ndtr(bias + shifted / stretch), np.float64) if (stretch > 0).all() else None


def _t_ends(tails: Floats, tops: Floats, bottoms: Floats, combine: Combine, effective: float) -> Floats:
    from scipy.special import stdtrit

    count = len(tops)
    left_out = _left_out(tops, bottoms, combine)
    error = math.sqrt((count - 1) / count * float(((left_out - left_out.mean()) ** 2).sum()))
    whole = float(combine(tops.sum(axis=0), bottoms.sum(axis=0)))
    return np.asarray(whole + error * stdtrit(max(effective - 1, 1), tails), np.float64)
