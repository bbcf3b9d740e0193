"""Which pipelines the images can tell apart: every pair on the same images, corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from benchmarks.metrics import METRICS
from benchmarks.report.facts import Series
from benchmarks.statistics.paired import FLIPS, SideBySide
from benchmarks.statistics.pairs import FLIPS_A_PAIR, Verdict, every_pair

MOST = 10
"""Pipelines that are compared, best first: each pair takes a bootstrap of its own."""


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
    """

    first: str
    label: str
    difference: float
    ci: tuple[float, float] | None
    p: float | None
    n: int
    verdict: Verdict

    @property
    def tie(self) -> bool:
        """Whether the images do not tell the two apart."""
        return self.verdict == "tie"


def pairs(judged: Sequence[Series], seed: int) -> tuple[Pair, ...]:
    """Every pair; those of the leader come first.

    Args:
        judged: best first; those beyond the tenth are left out.
        seed: of the resampling.
    """
    compared = judged[:MOST]
    table = _side_by_side(compared)
    places = list(combinations(range(len(compared)), 2))
    flips = max(FLIPS, FLIPS_A_PAIR * len(places))
    found = {(compared[i].label, compared[j].label): table.difference(i, j, seed=seed, flips=flips) for i, j in places}
    return tuple(
        Pair(one.first, one.second, gap.value, gap.ci, gap.p_holm, gap.n, one.verdict)
        for one in every_pair(found)
        if (gap := one.difference).value is not None
    )


def of_leader(found: Sequence[Pair]) -> tuple[Pair, ...]:
    """The leader against every other that was compared."""
    return tuple(pair for pair in found if pair.first == found[0].first)


def _side_by_side(compared: Sequence[Series]) -> SideBySide:
    """IoU of each image that all have."""
    table = SideBySide.of(len(compared), METRICS["miou"])
    for name, group in zip(compared[0].ids, compared[0].groups, strict=True) if compared else ():
        ious = [one.by_id.get(name) for one in compared]
        if None not in ious:
            table.add(group, [(iou, 1.0) for iou in ious])
    return table
