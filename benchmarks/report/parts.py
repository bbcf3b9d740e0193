"""Where the pipelines are weak: mIoU on parts of the images, by size, brightness, number and every tag."""

from __future__ import annotations

from benchmarks.metrics import METRICS
from benchmarks.report import figures
from benchmarks.report.facts import Facts
from benchmarks.statistics.slices import TAG, Slice, Slices, slices

MOST = 8
"""Pipelines side by side, best first."""


def parts(facts: Facts) -> dict[str, Slices]:
    """Label → its parts, of the best pipelines that were judged."""
    seed, metric = facts.manifest.protocol.seed, METRICS["miou"]
    return {
        one.label: slices(facts.store.records(one.configuration.id), metric, seed=seed) for one in facts.judged[:MOST]
    }


def weak_part(one: Slices, miou: float | None) -> Slice | None:
    """The part that is surely weak: even the better end of its interval is below the mean of all images."""
    part = one.worst
    told = part is not None and part.ci is not None and miou is not None and part.ci[1] < miou
    return part if told else None


def weak_words(one: Slices, miou: float | None) -> list[str]:
    """Where a pipeline is surely weak, and where its value is lowest if that is another part; said after its name."""
    weak, low = weak_part(one, miou), one.lowest
    said = [f"is surely weak where {_told(weak)}"] if weak else []
    return [*said, f"has its lowest value, which may be chance, where {_told(low)}"] if low and low != weak else said


def _told(part: Slice) -> str:
    ends = figures.interval(part.ci) if part.ci else "no interval"
    return (f"{part.by.removeprefix(TAG)} is {part.name}: mIoU {figures.score(part.value)} ({ends}) on "
            f"{figures.count(part.n, 'image')}")  # fmt: skip
