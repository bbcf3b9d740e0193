"""What a trial comes to: the sums of the objective's terms in each fold, at each pair of swept thresholds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.metrics import Metric

Floats = npt.NDArray[np.float64]
Place = tuple[int, int]
"""Of a rank and of a cut threshold on their grids; (0, 0) where nothing is swept."""


@dataclass(frozen=True)
class Surface:
    """Sums over images.

    Attributes:
        sums: numerators and denominators by fold, ``(folds, 2, ranks, cuts)``; folds that were not looked at hold 0.
        swept: whether the last two axes are those of the grids.
        errors: images on which the pipeline failed.
        looks: images that the pipeline had to look at; 0 where all evidence was there.
        infer_s: seconds of that.
        decide_s: seconds of all that came after.
    """

    sums: Floats
    swept: bool
    errors: int
    looks: int
    infer_s: float
    decide_s: float

    def values(self, metric: Metric, without: Collection[int] = ()) -> Floats:
        """The figure at each pair of thresholds, ``(ranks, cuts)``, NaN where it is not defined.

        Args:
            metric: the objective.
            without: folds that are left out.
        """
        tops, bottoms = self.sums[[fold not in without for fold in range(len(self.sums))]].sum(axis=0)
        return np.asarray(metric.combine(tops, bottoms), np.float64)

    def settled(self, metric: Metric, sign: int, start: Place, without: Collection[int] = ()) -> Place:
        """Of the places that are best with one of the folds left out, the one that is best over all of them.

        The place that is best over all images at once may follow the luckiest of them; this one was best without some.

        Args:
            metric: the objective.
            sign: 1 where more is better, else -1.
            start: place of the thresholds that the search began with.
            without: folds that are left out in any case.
        """
        others = [fold for fold in range(len(self.sums)) if fold not in without]
        if len(others) < 2:
            return best_place(self.values(metric, without), sign, start)
        found = [best_place(self.values(metric, (*without, fold)), sign, start) for fold in others]
        over_all = np.full_like(self.sums[0, 0], np.nan)
        figures = self.values(metric, without)
        for place in found:
            over_all[place] = figures[place]
        return best_place(over_all, sign, start)

    @classmethod
    def joined(cls, parts: Iterable[Surface]) -> Surface:
        """One of several workers, each of which saw other images at the same time."""
        held = list(parts)
        return cls(np.sum([part.sums for part in held], axis=0), held[0].swept, sum(part.errors for part in held),
                   sum(part.looks for part in held), max(part.infer_s for part in held),
                   max(part.decide_s for part in held))  # fmt: skip


def best_place(values: Floats, sign: int, start: Place) -> Place:
    """Where the figure is best; of equals the one nearest to where the search began.

    Args:
        values: ``(ranks, cuts)``.
        sign: 1 where more is better, else -1.
        start: place of the thresholds that the search began with.
    """
    signed = np.where(np.isnan(values), -np.inf, values * sign)
    ranks, cuts = np.nonzero(signed >= signed.max())
    nearest = int(np.argmin(np.abs(ranks - start[0]) + np.abs(cuts - start[1])))
    return int(ranks[nearest]), int(cuts[nearest])
