"""How many images an interval of a wanted width takes, from the spread of a run, or from one that is assumed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WANTED = 0.02
"""Half of the 95 % interval of the mean IoU that the advice is about."""

Z = 1.96
ASSUMED_SPREAD = 0.2
"""Standard deviation of the IoU over groups where no run tells it: most images at 0.9, and one in ten or so missed."""

ROUGH = 0.05
"""Half of an interval that is too wide for most choices."""


@dataclass(frozen=True)
class Spread:
    """How the IoU differs from group to group.

    Attributes:
        value: standard deviation over groups.
        source: where it comes from, as the end of a sentence.
        known: whether it was measured.
    """

    value: float
    source: str
    known: bool


def needed(spread: float, half: float = WANTED) -> int:
    """Groups that a 95 % interval of ± `half` takes: ``(1.96 spread / half)²``, rounded up."""
    return math.ceil((Z * spread / half) ** 2 - 1e-9)


def reached(spread: float, n_groups: int) -> float:
    """Half of the 95 % interval of a mean over so many groups."""
    return Z * spread / math.sqrt(n_groups)


def spread_of(run: Path | None) -> Spread:
    """The spread of the best pipeline of a run; an assumed one without a run, or without quality in it.

    Raises:
        UsageError: the folder holds no run.
    """
    assumed = Spread(ASSUMED_SPREAD, f"a standard deviation of {ASSUMED_SPREAD:g} over groups is assumed", False)
    if run is None:
        return assumed
    from benchmarks.report.facts import read
    from benchmarks.run_folder import find_run

    facts = read(find_run(run))
    for one in facts.rivals or facts.judged:
        groups = defaultdict(list)
        for group, iou in zip(one.groups, one.ious, strict=True):
            if not math.isnan(iou):
                groups[group].append(iou)
        if len(groups) > 1:
            value = float(np.std([np.mean(ious) for ious in groups.values()], ddof=1))
            return Spread(value, f"{value:.3f} is the standard deviation of {one.label} over the {len(groups)} groups "
                                 f"of run {facts.manifest.run_id}", True)  # fmt: skip
    return assumed


def of_precision(document: Mapping[str, Any], run: Path | None) -> Iterator[dict[str, Any]]:
    """How many groups are there, how many a narrow interval takes, and what the images at hand give."""
    n, groups = document["masks"]["with_masks"], document["masks"]["n_groups"]
    if not n or not groups:
        return
    spread = spread_of(run)
    wanted, half = needed(spread.value), reached(spread.value, groups)
    unit, each = ("images", 1.0) if n == groups else ("independent groups of images", n / groups)
    images = math.ceil(wanted * each)
    counted = "" if n == groups else f"; {wanted} groups are some {images} images at {each:.1f} images a group"
    formula = f"groups = (1.96 × spread / {WANTED:g})², where {spread.source}"
    yield {
        "title": f"±{WANTED:g} on mIoU takes about {wanted} {unit}; there are {groups}",
        "reason": f"With {groups} the 95 % interval is about ±{half:.3f}{counted}. Formula: {formula}. Images of "
                  "one group are not independent, so that groups count. Two pipelines on the same images are told "
                  "apart with fewer.",
        "severity": "good" if half <= WANTED else "care" if half > ROUGH else "note",
        "figures": {"groups": groups, "groups_needed": wanted, "half_width_now": round(half, 4),
                    "spread": round(spread.value, 4), "spread_measured": float(spread.known)},
    }  # fmt: skip
