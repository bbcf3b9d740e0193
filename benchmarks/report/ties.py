"""Which pipelines the images can tell apart: every pair on the same images, corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from benchmarks.metrics import METRICS
from benchmarks.report import figures
from benchmarks.report.facts import Series
from benchmarks.statistics.paired import FLIPS, SideBySide
from benchmarks.statistics.pairs import FLIPS_A_PAIR, Verdict, every_pair

MOST = 10
"""Pipelines that are compared with each other, best first: each pair takes a bootstrap of its own. The leader is
compared with all, since what is said of it is said of all."""


@dataclass(frozen=True)
class Pair:
    """Two pipelines on the images of both.

    Attributes:
        first: label of the one that is higher in the leaderboard.
        label: of the other.
        difference: mIoU of the first less that of the other.
        ci: its 95 % interval, or None where the images support none.
        p: of the hypothesis that the two are alike, corrected for all pairs (Holm 1979); None where there is none.
        n: images of both.
        verdict: of the first.
        method: how the interval was made.
    """

    first: str
    label: str
    difference: float
    ci: tuple[float, float] | None
    p: float | None
    n: int
    verdict: Verdict
    method: str

    @property
    def tie(self) -> bool:
        """Whether the images do not tell the two apart."""
        return self.verdict == "tie"

    def ends(self, *, turned: bool = False) -> str | None:
        """The interval in words, of the second less the first if turned; None where there is none."""
        if self.ci is None:
            return None
        low, high = (-self.ci[1], -self.ci[0]) if turned else self.ci
        bound = " by the exact bound" if self.method == "exact" else ""
        return f"{figures.signed(low)} to {figures.signed(high)}{bound}"


def pairs(judged: Sequence[Series], seed: int) -> tuple[Pair, ...]:
    """The leader against every other, then every pair of the others.

    Args:
        judged: best first; of those beyond the tenth only the pair with the leader is made.
        seed: of the resampling.
    """
    table = _side_by_side(judged)
    places = [(i, j) for i, j in combinations(range(len(judged)), 2) if i == 0 or j < MOST]
    flips = max(FLIPS, FLIPS_A_PAIR * len(places))
    found = {(judged[i].label, judged[j].label): table.difference(i, j, seed=seed, flips=flips) for i, j in places}
    return tuple(
        Pair(one.first, one.second, gap.value, gap.ci, gap.p_holm, gap.n, one.verdict, gap.method)
        for one in every_pair(found)
        if (gap := one.difference).value is not None
    )


def of_leader(found: Sequence[Pair], leader: str | None) -> tuple[Pair, ...]:
    """The leader against every other that it can be compared with."""
    return tuple(pair for pair in found if pair.first == leader)


def _side_by_side(compared: Sequence[Series]) -> SideBySide:
    """IoU of each image that all have."""
    table = SideBySide.of(len(compared), METRICS["miou"])
    for name, group in zip(compared[0].ids, compared[0].groups, strict=True) if compared else ():
        ious = [one.by_id.get(name) for one in compared]
        if None not in ious:
            table.add(group, [(iou, 1.0) for iou in ious])
    return table
