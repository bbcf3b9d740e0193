"""Every pair of configurations of a run: who is better at a metric or faster, corrected for the number of pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from benchmarks.metrics import Metric
from benchmarks.records import SampleRecord
from benchmarks.statistics.paired import FLIPS, LEVEL, Difference, SideBySide, holm
from benchmarks.statistics.paired_latency import Calls, ratio
from benchmarks.store import RunStore

Verdict = Literal["better", "worse", "tie"]
Source = tuple[RunStore, str]
"""A run and the id of one of its configurations."""

FLIPS_A_PAIR = 40
"""So many flips for each pair of a table: the smallest p-value that can come of them passes Holm's first step."""


@dataclass(frozen=True)
class Pair:
    """Two configurations of a table.

    Attributes:
        first: label.
        second: label.
        difference: of the first less the second, or the ratio of their times, with Holm over the table.
        verdict: of the first.
    """

    first: str
    second: str
    difference: Difference
    verdict: Verdict

    @property
    def tie(self) -> bool:
        """Whether the images do not tell the two apart."""
        return self.verdict == "tie"

    def turned(self) -> Pair:
        """The same, of the second less the first; of differences, not of ratios."""
        gap = self.difference
        value, ci = None if gap.value is None else 0.0 - gap.value, gap.ci and (-gap.ci[1], -gap.ci[0])
        verdicts: dict[Verdict, Verdict] = {"better": "worse", "worse": "better", "tie": "tie"}
        return Pair(self.second, self.first, replace(gap, value=value, ci=ci), verdicts[self.verdict])


def every_pair(found: Mapping[tuple[str, str], Difference], *, higher: bool = True, even: float = 0.0,
               level: float = LEVEL) -> list[Pair]:  # fmt: skip
    """Holm over all pairs of a table, and who is better; what the images do not tell apart is a tie.

    Args:
        found: labels → difference of the first less the second.
        higher: whether more is better.
        even: value where nothing differs: 0, or 1 for ratios.
        level: of the test over the whole table.
    """
    corrected = holm([one.p for one in found.values()])
    table = []
    for (labels, one), p in zip(found.items(), corrected, strict=True):
        adjusted = replace(one, p_holm=p)
        table.append(Pair(*labels, adjusted, verdict(adjusted, higher=higher, even=even, level=level)))
    return table


def verdict(found: Difference, *, higher: bool = True, even: float = 0.0, level: float = LEVEL) -> Verdict:
    """Whether the first of a pair is better, worse, or not told apart: the one rule of every command.

    A difference counts where both its interval excludes that nothing differs and its p-value, Holm's where there is
    one, is at most `level`; else it is a tie.
    """
    p = found.p if found.p_holm is None else found.p_holm
    if found.value is None or p is None or p > level or found.ci is None or found.ci[0] <= even <= found.ci[1]:
        return "tie"
    return "better" if (found.value > even) is higher else "worse"


def matched(sources: Sequence[Source]) -> Iterator[tuple[SampleRecord, ...]]:
    """Records of the images that all configurations have, side by side; of all but the first only places are held.

    Args:
        sources: of the records, in the order of each tuple.
    """
    (store, first), *others = sources
    indices = [other.index(configuration) for other, configuration in others]
    for record in store.records(first):
        found = [index.get(record.id) for index in indices]
        if all(found):
            yield (record, *(other for other in found if other))


def side_by_side(records: Iterator[tuple[SampleRecord, ...]], metrics: Mapping[str, Metric]) -> dict[str, SideBySide]:
    """Terms of each metric, summed; an image that one configuration has no terms of has no say.

    Args:
        records: as `matched` gives them.
        metrics: name → metric.
    """
    tables: dict[str, SideBySide] = {}
    for row in records:
        for name, metric in metrics.items():
            counted = [(record.components or {}).get(metric.family.name) for record in row]
            terms = [metric.terms(one) for one in counted if one]
            if len(terms) == len(row):
                tables.setdefault(name, SideBySide.of(len(row), metric)).add(row[0].group, terms)
    return tables


def quality_pairs(sources: Mapping[str, Source], metric: Metric, seed: int = 0) -> list[Pair]:
    """All pairs at a metric, on the images that all configurations have; none where no image is in all of them.

    Args:
        sources: label → where its records are.
        metric: what they are compared by.
        seed: of the resampling.
    """
    table = side_by_side(matched(list(sources.values())), {metric.name: metric}).get(metric.name)
    return [] if table is None else table_pairs(list(sources), table, metric, seed)


def table_pairs(labels: Sequence[str], table: SideBySide, metric: Metric, seed: int = 0) -> list[Pair]:
    """The same, of terms that are summed already.

    Args:
        labels: of the configurations, in the order of the table.
        table: their terms of the metric.
        metric: what they are compared by.
        seed: of the resampling.
    """
    places = list(combinations(range(len(labels)), 2))
    flips = max(FLIPS, FLIPS_A_PAIR * len(places))
    found = {(labels[i], labels[j]): table.difference(i, j, seed=seed, flips=flips) for i, j in places}
    return every_pair(found, higher=metric.direction == "higher")


def latency_pairs(calls: Mapping[str, Calls], groups: Mapping[str, str], *, drift: float = 1.0,
                  seed: int = 0) -> list[Pair]:  # fmt: skip
    """All pairs by the ratio of their times; less is better.

    Args:
        calls: label → its calls.
        groups: id → group of the image.
        drift: as of :func:`benchmarks.statistics.paired_latency.ratio`.
        seed: of the bootstrap.
    """
    found = {(a, b): ratio(calls[a], calls[b], groups, drift=drift, seed=seed) for a, b in combinations(calls, 2)}
    return every_pair(found, higher=False, even=1.0)
