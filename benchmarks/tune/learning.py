"""How many labelled images tuning needs before more of them stop paying."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.tune.candidates import WHOLE, Candidate
from benchmarks.tune.choice import Judge
from benchmarks.tune.surface import Floats

DRAWS = 40
FEWEST, GROWTH, LARGEST_SHARE = 4, 1.6, 0.8
"""Groups in the smallest draw, by how much each next one is larger, and the part of all groups in the largest."""

ENOUGH = 0.005
"""Of the objective: who is that near to what the most images give has enough of them."""


@dataclass(frozen=True)
class Point:
    """Choosing with so many groups of labelled images.

    Attributes:
        n_groups: that the choice sees.
        value: mean over draws of the objective on the groups that it did not see.
        low: tenth percentile of it.
        high: ninetieth.
    """

    n_groups: int
    value: float
    low: float
    high: float


def learning_curve(judge: Judge, candidates: Sequence[Candidate], seed: int) -> list[Point]:
    """What a choice among the same candidates gives elsewhere, made on fewer images.

    The candidates are those of the whole search, so that the left end is somewhat too good; what it shows is by how
    much a choice from few images misses.

    Args:
        judge: chooses.
        candidates: to choose from.
        seed: of the draws.
    """
    if not candidates:
        return []
    terms = np.array([one.sums(WHOLE) for one in candidates])  # (candidates, groups, 2)
    chance, groups = np.random.default_rng(seed), terms.shape[1]
    return [_point(judge, terms, size, chance) for size in sizes(groups)]


def sizes(groups: int) -> Iterator[int]:
    """How many groups are drawn, growing, up to four fifths of them."""
    most, size = int(LARGEST_SHARE * groups), float(FEWEST)
    while size < most:
        yield int(size)
        size *= GROWTH
    if most >= FEWEST:
        yield most


def _point(judge: Judge, terms: Floats, size: int, chance: np.random.Generator) -> Point:
    found = []
    for _ in range(DRAWS):
        seen = np.zeros(terms.shape[1], bool)
        seen[chance.permutation(terms.shape[1])[:size]] = True
        sums = terms[:, seen].sum(axis=1)
        values = judge.sign * np.asarray(judge.metric.combine(sums[:, 0], sums[:, 1]), np.float64)
        best = terms[int(np.nanargmax(values))] if not np.isnan(values).all() else judge.start
        chosen = best if judge.is_ahead(best[seen], judge.start[seen]) else judge.start
        value = judge.figure(chosen[~seen])
        found += [value] if value is not None else []
    low, high = np.percentile(found, (10, 90)) if found else (np.nan, np.nan)
    return Point(size, float(np.mean(found)) if found else float("nan"), float(low), float(high))


def enough(curve: Sequence[Point], sign: int) -> int | None:
    """The fewest groups from which on all is within `ENOUGH` of the end of the curve; None where that is the end."""
    for index, point in enumerate(curve[:-1]):
        if all(sign * (curve[-1].value - later.value) <= ENOUGH for later in curve[index:]):
            return point.n_groups
    return None
