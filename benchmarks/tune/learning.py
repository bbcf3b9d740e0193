"""How many labelled images tuning needs before more of them stop paying."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from benchmarks.tune.candidates import TRAIN, Candidate
from benchmarks.tune.choice import Judge
from benchmarks.tune.surface import Floats

DRAWS = 40
FEWEST, GROWTH = 4, 1.6
"""Groups in the smallest draw, and by how much each next one is larger; the largest is all that a study sees."""

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


def learning_curve(judge: Judge, candidates: Sequence[Candidate], folds: int, seed: int) -> list[Point]:
    """What a choice made on fewer images gives on images that no part of the search saw.

    For each fold some groups of the others are drawn, the best candidate of the study that never saw the fold is chosen
    on them, and judged on the fold. Its swept thresholds were set on all groups but the fold's, so that the left end is
    somewhat too good.

    Args:
        judge: chooses.
        candidates: to choose from.
        folds: how many there are; with one nothing is unseen, and there is no curve.
        seed: of the draws.
    """
    ranked = sorted(candidates, key=lambda one: one.order)  # of equals the first is taken, as in the search
    own = [np.array([one.sums(TRAIN) for one in ranked if one.fold == fold]) for fold in range(folds)]
    if folds < 2 or not all(map(len, own)):
        return []
    chance, fewest = np.random.default_rng(seed), min(int((judge.fold_of != fold).sum()) for fold in range(folds))
    points = (_point(judge, own, size, chance) for size in sizes(fewest))
    return [point for point in points if point is not None]


def sizes(groups: int) -> Iterator[int]:
    """How many groups are drawn, growing, up to all that a study sees."""
    size = float(FEWEST)
    while size < groups:
        yield int(size)
        size *= GROWTH
    if groups >= FEWEST:
        yield groups


def _point(judge: Judge, own: Sequence[Floats], size: int, chance: np.random.Generator) -> Point | None:
    """None where the objective is not defined on what was left out."""
    drawn = np.zeros((len(own), DRAWS, len(judge.start)), bool)
    for draw, fold in product(range(DRAWS), range(len(own))):
        drawn[fold, draw, chance.permutation(np.flatnonzero(judge.fold_of != fold))[:size]] = True
    held = np.stack([_unseen(judge, terms, drawn[fold], fold) for fold, terms in enumerate(own)])
    found = [value for value in map(judge.figure, np.moveaxis(held, 1, 0)) if value is not None]
    if not found:
        return None
    low, high = np.percentile(found, (10, 90))
    return Point(size, float(np.mean(found)), float(low), float(high))


def _unseen(judge: Judge, terms: Floats, drawn: npt.NDArray[np.bool_], fold: int) -> Floats:
    """Sums over the groups of a fold of what was chosen in each draw, ``(draws, 2)``.

    Args:
        judge: chooses.
        terms: of the candidates of the fold's study, ``(candidates, groups, 2)``.
        drawn: the groups that each choice sees, ``(draws, groups)``.
        fold: that the choice does not see.
    """
    unseen, lost = judge.fold_of == fold, judge.given_up[fold] if judge.given_up else 0
    tops, bottoms = (drawn.astype(np.float64) @ terms[..., side].T for side in (0, 1))
    values = judge.sign * np.asarray(judge.metric.combine(tops, bottoms), np.float64)
    known = ~np.isnan(values)
    best = np.where(known, values, -np.inf).argmax(axis=1)
    taken = [not judge.may_stay or judge.is_ahead(terms[one, seen], judge.start[seen], count + lost) if count else False
             for one, seen, count in zip(best, drawn, known.sum(axis=1), strict=True)]  # fmt: skip
    held = np.where(np.array(taken)[:, None, None], terms[best][:, unseen], judge.start[unseen])
    return np.asarray(held.sum(axis=1), np.float64)


def enough(curve: Sequence[Point], sign: int) -> int | None:
    """The fewest groups from which on all is within `ENOUGH` of the end of the curve; None where that is the end."""
    for index, point in enumerate(curve[:-1]):
        if all(sign * (curve[-1].value - later.value) <= ENOUGH for later in curve[index:]):
            return point.n_groups
    return None
