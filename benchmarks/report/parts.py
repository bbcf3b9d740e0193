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
    """The weakest part, where even the better end of its interval is below the mean of all images."""
    part = one.worst
    told = part is not None and part.ci is not None and miou is not None and part.ci[1] < miou
    return part if told else None


def weakest(facts: Facts, found: dict[str, Slices]) -> str | None:
    """The weakest part of the leader in one sentence, or None where none is weak beyond doubt."""
    leader = facts.judged[0] if facts.judged else None
    part = weak_part(found[leader.label], leader.row.miou) if leader else None
    if part is None:
        return None
    images = figures.count(part.n, "image")
    return f"It is weakest where {named(part)}: mIoU {figures.score(part.value)} on {images}."


def named(part: Slice) -> str:
    """What the images of a part have in common."""
    return f"{part.by.removeprefix(TAG)} is {part.name}"
