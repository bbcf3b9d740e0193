"""Exact sweeps against a loop over decisions: equal at every threshold, and how much faster.

    python docs/measurements/sweeps.py [--pipelines clipseg,rmbg,grounded_sam] [--images 3] [--rounds 9]

Architectures at their real size with random weights look at embedded coins. Random networks answer in a narrow range,
so that few thresholds tell; each piece of evidence is therefore looked at twice: as it came, and stretched to the
whole range. The loop is `decide`, `foreground` and the pixel counts at each threshold, with the target prepared once.
Times are of the processor, taken in turn. Prints one JSON document; the exit code is 1 where a count differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.datasets import open_dataset
from benchmarks.environment import environment, source_hashes
from benchmarks.metrics import METRICS, Region
from benchmarks.peers.interleave import Contest, measure
from benchmarks.sweeps import Counts, Grid, components, count, grid_of
from pipelines import create
from pipelines.base import Pipeline
from pipelines.layers import Layers
from pipelines.params import knobs
from pipelines.types import Evidence, Prompt

PARAMS: dict[str, dict[str, Any]] = {
    "clipseg": {},
    "rmbg": {},
    "grounded_sam": {"candidate_floor": 0.0, "box_threshold": 0.0, "text_threshold": 0.0, "max_candidates": 20},
}
TEXTS = Prompt(("coin", "a dark coin"))
CUTS, GOAL = 256, 100
CELLS = 400
"""Pairs of a rank and a cut threshold at which a grid is compared: all of them would take the loop an hour."""

FAMILY = METRICS["miou"].family


@dataclass(frozen=True)
class Task:
    """Evidence of one image, what it is held against, and the thresholds."""

    pipeline: Pipeline
    evidence: Evidence
    target: Region
    cuts: Grid
    ranks: Grid | None

    def layers(self) -> Layers:
        """Of the evidence."""
        found = self.pipeline.layers(self.evidence)
        assert found is not None, "no clean-up is asked for"
        return found

    def sweep(self) -> Counts:
        """All thresholds at once."""
        return count(self.layers(), self.target, self.cuts, self.ranks)

    def decided(self, rank: int, cut: int) -> dict[str, Any]:
        """One pair of thresholds, by a decision."""
        chosen = {self.cuts.field: float(self.cuts.values[cut])}
        if self.ranks is not None:
            chosen[self.ranks.field] = float(self.ranks.values[rank])
        params = self.pipeline.params.model_copy(update=chosen)
        return FAMILY.measure(self.pipeline.decide(self.evidence, params).foreground(), self.target)

    def loop(self) -> list[dict[str, Any]]:
        """Every cut threshold at the lowest rank, one after the other."""
        return [self.decided(0, cut) for cut in range(len(self.cuts))]


def tasks(pipeline: Pipeline, images: int) -> Iterator[tuple[str, Task]]:
    """What is compared, by its name: 256 cuts at one rank."""
    for sample in list(open_dataset("coins"))[:: 31 // images][:images]:
        target, evidence = sample.target(), pipeline.infer([sample.image], [TEXTS])[0]
        assert target is not None, "every embedded coin has a mask"
        for kind, one in (("as it came", evidence), ("stretched", stretched(evidence))):
            yield f"{sample.id}, {kind}", Task(pipeline, one, Region.of(target, sample.ignore()), *grids(pipeline, one))


def grids(pipeline: Pipeline, evidence: Evidence) -> tuple[Grid, Grid | None]:
    """256 cut thresholds in the middle of the grid, and the lowest rank."""
    layers, by_name = pipeline.layers(evidence), {knob.name: knob for knob in knobs(pipeline.Params)}
    assert layers is not None, "no clean-up is asked for"
    cuts = grid_of(by_name[layers.cut])
    start = (len(cuts) - CUTS + 1) // 2
    middle = Grid(cuts.field, cuts.values[start : start + CUTS])
    return middle, None if layers.rank is None else Grid(layers.rank, np.zeros(1))


def stretched(evidence: Evidence) -> Evidence:
    """Each map over the whole range of its thresholds; box scores, of which a random detector has one, evenly."""
    name, low, high = ("soft", 0.0, 1.0) if evidence.mask_maps is None else ("mask_maps", -10.0, 10.0)
    maps = np.stack([_stretched(one, low, high) for one in getattr(evidence, name)])
    scores = None if evidence.box_scores is None else np.linspace(1, 0.05, len(maps), dtype=np.float32)
    return replace(evidence, box_scores=scores, **{name: maps})


def _stretched(values: Any, low: float, high: float) -> Any:
    least, most = float(values.min()), float(values.max())
    return ((values - least) / max(most - least, 1e-12) * (high - low) + low).astype(np.float32)


def contest(name: str, task: Task, rounds: int) -> dict[str, Any]:
    """One line: how many counts differ, how many of the thresholds tell, and the ratio of times."""
    looped, swept = task.loop(), task.sweep()
    differing = sum(components(swept, 0, cut) != cell for cut, cell in enumerate(looped))
    held = Contest(name, "sweep", f"{CUTS} decisions", task.sweep, task.loop, lambda: not differing, GOAL)
    row = measure(held, rounds)
    distinct = len({(cell["tp"], cell["fp"]) for cell in looped})
    return {"image": name, "size": task.target.bits.shape, "layers": sum(1 for _ in task.layers().maps()),
            "thresholds": CUTS, "distinct_counts": distinct, "differing": differing, "ratio": row.ratio,
            "ratio_ci": row.ratio_ci, "met": row.met, "sweep_ms": row.ours_ms, "loop_ms": row.peer_ms}  # fmt: skip


def whole_grid(name: str, task: Task, rounds: int) -> dict[str, Any]:
    """Every rank by every cut: equality and the cost of a decision at some cells, drawn at random."""
    by_name, layers = {knob.name: knob for knob in knobs(task.pipeline.Params)}, task.layers()
    assert layers.rank is not None, "asked of pipelines with a rank alone"
    task = replace(task, cuts=grid_of(by_name[layers.cut]), ranks=grid_of(by_name[layers.rank]))
    swept = task.sweep()
    cells = swept.tp.size
    drawn = np.random.default_rng(0).choice(cells, CELLS, replace=False)
    pairs = [divmod(int(cell), len(task.cuts)) for cell in drawn]
    start = process_time()
    looped = [task.decided(*pair) for pair in pairs]
    cell_ms = (process_time() - start) / CELLS * 1e3
    took = sorted(_timed(task) for _ in range(rounds))[rounds // 2]
    return {"image": name, "cells": cells, "compared": CELLS,
            "differing": sum(components(swept, *pair) != cell for pair, cell in zip(pairs, looped, strict=True)),
            "sweep_ms": round(took, 2), "decision_ms_a_cell": round(cell_ms, 3),
            "ratio_if_the_loop_did_all": round(cells * cell_ms / took)}  # fmt: skip


def _timed(task: Task) -> float:
    start = process_time()
    task.sweep()
    return (process_time() - start) * 1e3


def measured(name: str, images: int, rounds: int) -> dict[str, Any]:
    """All figures of one pipeline."""
    with create(name, weights="random", params=PARAMS[name]) as pipeline:
        asked = list(tasks(pipeline, images))
        rows = [contest(label, task, rounds) for label, task in asked]
        ranked = [(label, task) for label, task in asked if task.ranks is not None]
        return {"flags": sorted(pipeline.flags), "one_rank": rows,
                "differing": sum(row["differing"] for row in rows),
                "median_ratio": float(np.median([row["ratio"] or 0 for row in rows])),
                "rank_by_cut": [whole_grid(label, task, rounds) for label, task in ranked]}  # fmt: skip


def main() -> int:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipelines", default=",".join(PARAMS))
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    found = {name: measured(name, options.images, options.rounds) for name in options.pipelines.split(",")}
    print(json.dumps({"environment": environment("cpu"), "sources": source_hashes([]), "pipelines": found}, indent=1))
    grids_differ = sum(row["differing"] for one in found.values() for row in one["rank_by_cut"])
    return int(bool(grids_differ + sum(one["differing"] for one in found.values())))


if __name__ == "__main__":
    sys.exit(main())
