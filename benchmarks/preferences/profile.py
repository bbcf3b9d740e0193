"""Intervals and tests from the likelihood of votes, where votes of one visitor count as what they are worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.preferences.ballots import Floats, Tally
from benchmarks.preferences.model import RIDGE, Model
from benchmarks.statistics.intervals import effective_groups

FURTHEST = 30.0
"""Log odds beyond which an end is open: one in 10**13."""

FAR = 20.0
"""Log odds at which what has no bound is as far as it will be: ends are looked for from there."""

LEAST_FALL = 0.1
"""A likelihood that falls less than this up to there does not fall at all."""

CLOSE, A_BIT_FURTHER = 1e-3, 1.15


@dataclass(frozen=True)
class Estimate:
    """A difference of strengths, in log odds.

    Attributes:
        value: most likely, or None where the votes put no bound to it.
        lo: lower end of the interval, or None where it is open.
        hi: upper end, or None where it is open.
    """

    value: float | None
    lo: float | None
    hi: float | None


class Profile:
    """The likelihood of a tally, seen along any difference of parameters.

    The interval holds every value at which twice the fall of the profile likelihood is at most the square of a quantile
    of Student's t, with one degree of freedom less than there are visitors. The fall is divided by the design effect:
    the variance of the difference with visitors as clusters (Liang and Zeger 1986) over that with votes alone, never
    below 1. So scaled it has its usual distribution (Chandler and Bate 2007), and unlike a margin of so many standard
    errors it also gives an end where the estimate is without bound. With few votes for many parameters the profile
    falls too fast: it is multiplied with n / (n + parameters), chosen by coverage (docs/measurements/votes.md).

    Args:
        tally: of one connected group.
        level: of confidence.
    """

    def __init__(self, tally: Tally, level: float = 0.95) -> None:
        self.model, self.tally = Model.of(tally), tally
        alone = len(tally.visitors) < 2
        self.each = np.ones(tally.n) if alone else tally.visitors.astype(np.float64)
        self.visitor = np.arange(tally.n) if alone else tally.visitor
        self.degrees = max(1.0, effective_groups(self.each) - 1)
        self.reach = _t_quantile(self.degrees, (1 + level) / 2)
        self.at, self.top = self.model.best(np.zeros(self.model.size), _beside(self.model.level[None]))
        self.spread = self.spread_at(self.at)
        self.few = 1 + (self.model.size - 1) / tally.n

    def estimate(self, way: Floats) -> Estimate:
        """The value and the interval of a difference.

        Args:
            way: weights of the parameters, ``(M,)``; those of the strengths add up to 0.
        """
        line = _Line(self, way)
        lo, hi = line.end(-1), line.end(1)
        bounded = (lo is not None or line.falls(-1)) and (hi is not None or line.falls(1))
        return Estimate(line.middle if bounded else None, lo, hi)

    def p_value(self, way: Floats) -> float:
        """Two-sided, of the hypothesis that the difference is 0."""
        from scipy.special import stdtr

        line = _Line(self, way)
        return float(2 * stdtr(self.degrees, -line.root(0.0)))

    def design_effect(self, way: Floats, at: Floats) -> float:
        """How many times less the votes say of a difference than as many of different visitors, 1 or more.

        Args:
            way: as of `estimate`.
            at: parameters at which it is looked at, ``(M,)``.
        """
        if len(self.each) == self.tally.n:
            return 1.0
        found = self.model.pulls(at, self.spread_at(at) @ way)
        found -= found.mean()  # held at a value, they do not add up to 0
        alone, sums = float(found @ found), np.bincount(self.visitor, found)
        share = len(sums) / (len(sums) - 1)
        return max(1.0, share * float(sums @ sums) / alone) if alone > 0 else self.most_alike

    def spread_at(self, at: Floats) -> Floats:
        """Covariance of the parameters if the votes were independent, ``(M, M)``."""
        ways = _beside(self.model.level[None])
        curve = ways.T @ self.model.climb(at)[2] @ ways + RIDGE * np.eye(ways.shape[1])
        return np.asarray(ways @ np.linalg.inv(curve) @ ways.T)

    @cached_property
    def most_alike(self) -> float:
        """The design effect if each visitor gave one and the same answer to everything (Kish 1965)."""
        return float((self.each**2).sum() / self.each.sum())


class _Line:
    """The profile likelihood along one difference."""

    def __init__(self, profile: Profile, way: Floats) -> None:
        self.profile, self.middle = profile, float(way @ profile.at)
        held = np.stack([way, profile.model.level])
        self.origin, self.ways = np.linalg.pinv(held)[:, 0], _beside(held)
        self.error = math.sqrt(max(0.0, float(way @ profile.spread @ way)))
        self.begin = self.ways.T @ profile.at
        self.effect = 1.0
        self.effect = profile.design_effect(way, self._looked_at())

    def held(self, value: float) -> tuple[Floats, float]:
        """The most likely parameters where the difference is held at a value, and their log likelihood."""
        return self.profile.model.best(np.asarray(self.origin * value, np.float64), self.ways, self.begin)

    def _looked_at(self) -> Floats:
        """Where votes still surprise: the estimate, or where there is none the end of the interval that there is."""
        if self.error < FURTHEST:
            return self.profile.at
        ends = [end for sign in (-1, 1) if (end := self.end(sign)) is not None]
        return self.held(ends[0])[0] if ends else self.profile.at

    def fall(self, value: float) -> float:
        """Twice the fall of the log likelihood where the difference is held at a value."""
        return max(0.0, 2 * (self.profile.top - self.held(value)[1]))

    def root(self, value: float) -> float:
        """The same as a number of standard errors."""
        return math.sqrt(self.fall(value) / self.effect / self.profile.few)

    def falls(self, sign: int) -> bool:
        """Whether it falls at all on that side."""
        return self.fall(sign * FURTHEST) > LEAST_FALL

    def end(self, sign: int) -> float | None:
        """Where the interval ends on that side, or None where it does not."""
        from scipy.optimize import brentq

        step = A_BIT_FURTHER * self.profile.reach * self.error * math.sqrt(self.effect * self.profile.few)
        inner = outer = max(-FAR, min(FAR, self.middle))
        while abs(outer) < FURTHEST:
            inner, outer = outer, _clipped(outer + sign * min(max(step, CLOSE), FURTHEST))
            if self.root(outer) > self.profile.reach:
                return float(brentq(lambda at: self.root(at) - self.profile.reach, inner, outer, xtol=CLOSE))
        return None


def _clipped(value: float) -> float:
    return max(-FURTHEST, min(FURTHEST, value))


def _beside(held: Floats) -> Floats:
    """Orthonormal directions in which none of the held sums changes, ``(M, M - rank)``."""
    _, sizes, directions = np.linalg.svd(held)
    return np.asarray(directions[int((sizes > 1e-9).sum()) :].T)


def _t_quantile(degrees: float, share: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, share))
