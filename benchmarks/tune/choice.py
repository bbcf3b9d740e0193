"""Which candidate is taken, and what it can be expected to give on images that had no say in that.

The study of a fold never sees that fold, neither when it proposes nor when it is chosen from: what its best candidate
gives there is an honest figure of the whole procedure. The candidate that is kept in the end is chosen from all studies
on all images; its own figure on them is too good by as much as the choice follows their chance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.metrics import Metric
from benchmarks.statistics.intervals import Interval, interval
from benchmarks.statistics.paired import Difference, PerSample, difference
from benchmarks.tune.candidates import TRAIN, WHOLE, Candidate
from benchmarks.tune.surface import Floats

FEWEST_ERRORS = 1.0
"""The rule of Breiman et al. (Classification and Regression Trees, 1984): what is not ahead by one is the same."""


def errors_ahead(candidates: int) -> float:
    """Standard errors by which the best of some candidates has to be ahead of where the search began, to be taken.

    The best of n that are no better than the start is ahead of it by up to sqrt(2 ln n) standard errors on average (the
    bound on the largest of n normal variables); fewer would pay for trying many.

    Args:
        candidates: that were tried.
    """
    return max(FEWEST_ERRORS, math.sqrt(2 * math.log(max(candidates, 1))))


@dataclass(frozen=True)
class FoldResult:
    """What one study comes to.

    Attributes:
        fold: the images it did not see.
        chosen: its candidate, or None where it keeps what the search began with.
        train: the objective on the images that it saw.
        value: the objective on those that it did not see.
        n_groups: of these.
        start: what the search began with gives on them.
        tried: trials that it was chosen from.
    """

    fold: int
    chosen: Candidate | None
    train: float | None
    value: float | None
    n_groups: int
    start: float | None = None
    tried: int = 0


@dataclass(frozen=True)
class Judged:
    """All that is said of a search.

    Attributes:
        chosen: what is kept, or None where it is what the search began with.
        value: the objective of that over all images.
        start: the objective of what the search began with.
        cv_value: over all images, each judged by the study that did not see it; None without folds.
        cv: its interval.
        folds: one a study.
        gain: of `cv_value` less `start`, paired over groups; None without folds.
        too_slow: whether what the search began with might not be kept for that.
    """

    chosen: Candidate | None
    value: float | None
    start: float | None
    cv_value: float | None
    cv: Interval | None
    folds: tuple[FoldResult, ...]
    gain: Difference | None = None
    too_slow: bool = False


@dataclass(frozen=True)
class Judge:
    """Chooses by one rule, for whatever images.

    Attributes:
        metric: the objective.
        fold_of: fold of each group, ``(groups,)``.
        start: terms by group of what the search began with, ``(groups, 2)``.
        seed: of the bootstrap.
        may_stay: whether what the search began with may be kept; not where it is too slow.
        given_up: trials of each fold's searches that were tried and not judged; they count among those tried.
    """

    metric: Metric
    fold_of: np.ndarray[tuple[int], np.dtype[np.int64]]
    start: Floats
    seed: int
    may_stay: bool = True
    given_up: tuple[int, ...] = ()

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.metric.direction == "higher" else -1

    def figure(self, terms: Floats) -> float | None:
        """The objective of some groups, ``(groups, 2)``."""
        value = float(self.metric.combine(*terms.sum(axis=0)))
        return None if np.isnan(value) else value

    def pick(self, candidates: Sequence[Candidate], place: int, seen: Floats, given_up: int = 0) -> Candidate | None:
        """The best on the groups that are seen; None where a start that may stay is as good but for chance.

        Args:
            candidates: to choose from.
            place: of their terms.
            seen: bool ``(groups,)``.
            given_up: further trials that were not judged.
        """
        figures = [(self.figure(one.sums(place)[seen]), one) for one in candidates]
        ranked = [(self.sign * value, one) for value, one in figures if value is not None]
        if not ranked:
            return None
        top = max(value for value, _ in ranked)
        best = min((one for value, one in ranked if value == top), key=lambda one: one.order)
        is_ahead = self.is_ahead(best.sums(place)[seen], self.start[seen], len(ranked) + given_up)
        return best if is_ahead or not self.may_stay else None

    def is_ahead(self, terms: Floats, other: Floats, tried: int) -> bool:
        """Whether the best of some that were tried is better than another by more than chance would have it."""
        return ahead_by(terms, other, self.metric, errors_ahead(tried))

    def judge(self, candidates: Sequence[Candidate], folds: int) -> Judged:
        """What is kept, and what it can be expected to give.

        Args:
            candidates: of all studies.
            folds: how many there are; 1 = none is left out.
        """
        everything = np.ones(len(self.start), bool)
        chosen = self.pick(candidates, WHOLE, everything, sum(self.given_up))
        value = self.figure(self.start if chosen is None else chosen.sums(WHOLE))
        own = [[one for one in candidates if one.fold == fold] for fold in range(folds)]
        lost = self.given_up or (0,) * folds
        picks = [self.pick(some, TRAIN, self.fold_of != fold, lost[fold]) for fold, some in enumerate(own)]
        if folds < 2 or not (self.may_stay or all(picks)):  # a part whose search found nothing has no figure
            return Judged(chosen, value, self.figure(self.start), None, None, (), too_slow=not self.may_stay)
        held, results = np.zeros_like(self.start), []
        for fold, best in enumerate(picks):
            unseen = self.fold_of == fold
            terms = self.start if best is None else best.sums(TRAIN)
            held[unseen] = terms[unseen]
            results.append(FoldResult(fold, best, self.figure(terms[~unseen]), self.figure(terms[unseen]),
                                      int(unseen.sum()), self.figure(self.start[unseen]),
                                      len(own[fold]) + lost[fold]))  # fmt: skip
        found = interval(held[:, 0], held[:, 1], range(len(held)), seed=self.seed, combine=self.metric.combine,
                         limits=self.metric.range)  # fmt: skip
        return Judged(chosen, value, self.figure(self.start), self.figure(held), found, tuple(results),
                      self.gain(held), not self.may_stay)  # fmt: skip

    def gain(self, terms: Floats) -> Difference:
        """By how much some terms of all groups, ``(groups, 2)``, differ from the start."""
        names = tuple(map(str, range(len(terms))))
        ours, theirs = (PerSample(names, one[:, 0], one[:, 1]) for one in (terms, self.start))
        groups = {name: name for name in names}
        return difference(ours, theirs, groups, self.metric.combine, self.metric.range, seed=self.seed)


def ahead_by(terms: Floats, other: Floats, metric: Metric, errors: float) -> bool:
    """Whether one figure is better than another by so many standard errors of the difference, jackknifed over groups.

    Args:
        terms: of the one, ``(groups, 2)``.
        other: of the other, on the same groups.
        metric: what they are terms of.
        errors: how many.
    """
    sign = 1 if metric.direction == "higher" else -1
    said = (terms[:, 1] != 0) | (other[:, 1] != 0)
    sides = terms[said], other[said]
    count = len(sides[0])
    if count < 2:
        return False
    whole, left_out = (
        sign * (np.asarray(metric.combine(*one)) - np.asarray(metric.combine(*two)))
        for one, two in ([side.sum(axis=0) for side in sides], [(side.sum(axis=0) - side).T for side in sides])
    )
    error = np.sqrt((count - 1) / count * np.sum((left_out - left_out.mean()) ** 2))
    return bool(whole > 0 and whole > errors * error)
