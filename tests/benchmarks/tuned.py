"""Searches made by hand for the tests of their page: what was found is given, nothing is run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.records import Configuration, DatasetRecord, Protocol, RunManifest
from benchmarks.sweeps import Grid, grid_of
from benchmarks.tune.candidates import Candidate, packed
from benchmarks.tune.choice import Judge
from benchmarks.tune.document import Saved, document
from benchmarks.tune.learning import learning_curve
from benchmarks.tune.outcome import Curve, Outcome, VariantResult
from benchmarks.tune.space import space_of
from benchmarks.tune.task import Task, Variant
from pipelines.params import knobs
from pipelines.registry import pipeline_class

GROUPS = 30


def made_task(pipeline: str = "grounded_sam", *, folds: int = 5, variants: tuple[Variant, ...] = (Variant(),),
              objective: str = "miou", fields: tuple[str, ...] | None = None, dataset: dict[str, Any] | None = None,
              **configuration: Any) -> Task:  # fmt: skip
    """A task of 30 groups of an image each."""
    kind = pipeline_class(pipeline)
    base = kind.Params()
    names = [f"image-{n:02d}" for n in range(GROUPS)]
    only = Configuration(**{"id": "0-x", "label": pipeline, "pipeline": pipeline, "preset": "default",
                            "params": base.model_dump(mode="json"), "device": "cpu", **configuration})  # fmt: skip
    about = DatasetRecord(**{"spec": "photos", "name": "photos", "format": "folder", "n": GROUPS, "n_groups": GROUPS,
                             "hash": "1f" * 32, **(dataset or {})})  # fmt: skip
    manifest = RunManifest(run_id="0123456789abcdef", dataset=about, configurations=(only,), metrics={objective: 1},
                           protocol=Protocol(), sources={"benchmarks": "5" * 64}, environment={"cpu": "a cpu", "cores": 2},
                           created="2026-11-21T10:00:00+00:00")  # fmt: skip
    known = {knob.name: knob for knob in knobs(kind.Params)}
    searched = fields or tuple(name for name in known if known[name].reads != "load" and known[name].low is not None)
    space = space_of(base, searched, searched)
    swept = [grid_of(known[name]) for name in ("threshold", "mask_threshold", "box_threshold") if name in searched]
    cut, rank = (*swept, None, None)[:2]
    fold = {name: n % max(folds, 1) for n, name in enumerate(names)}
    return Task(
        manifest, objective, space, cut, rank, variants, fold, {name: name for name in names}, max(folds, 1), 60, 0
    )


def made_outcome(task: Task, *, trials: int = 60, lift: float = 0.08, importance: bool = True) -> Outcome:
    """An outcome whose best trial is better than the start by about `lift`."""
    chance, names = np.random.default_rng(0), sorted(task.group)
    start = np.stack([np.clip(chance.normal(0.7, 0.08, len(names)), 0, 1), np.ones(len(names))], axis=1)
    candidates = [_candidate(task, number, trials, lift, start, chance) for number in range(trials)]
    judge = Judge(task.metric, np.array([task.fold[name] for name in names]), start, 0)
    judged = judge.judge(candidates, task.folds)
    params = dict(judged.chosen.params_whole if judged.chosen else task.configuration.params)
    weights = chance.dirichlet(np.ones(len(task.space.names)))
    parts = dict(sorted(zip(task.space.names, weights.tolist(), strict=True), key=lambda item: -item[1]))
    return Outcome(task=task, judged=judged, params=params, words=judged.chosen.words if judged.chosen else (),
                   candidates=tuple(candidates), curves=tuple(_curve(grid, params) for grid in (task.rank, task.cut) if grid),
                   learning=tuple(learning_curve(judge, candidates, task.folds, 0)), variants=tuple(_variants(task, candidates)),
                   pareto=(), importance=parts if importance and len(parts) > 1 else {}, pass_s=3.25, decision_s=0.012)  # fmt: skip


def _candidate(task: Task, number: int, trials: int, lift: float, start: Any, chance: Any) -> Candidate:
    studies = task.folds * len(task.variants)
    study, own = number * studies // trials, number - -(-(number * studies // trials) * trials // studies)
    variant, fold = divmod(study, task.folds)
    values = dict(task.configuration.params)
    for field in task.space.fields:
        values[field.name] = _drawn(field, chance)
    shift = lift - abs(chance.normal(0, 0.06)) - 0.05 * variant if own else 0.0
    terms = np.stack([start, start])
    terms[..., 0] = np.clip(terms[..., 0] + shift + (chance.normal(0, 0.02, len(start)) if own else 0), 0, 1)
    seen = np.array([task.fold[name] != fold or task.folds < 2 for name in sorted(task.group)])
    train, whole = (float(part[:, 0].mean()) for part in (terms[0][seen], terms[1]))
    return Candidate(words=task.variants[variant].words, params_train=values, params_whole=values, train=train, whole=whole,
                     terms=packed(terms), errors=0, infer_s=0.0, decide_s=0.01, variant=variant, fold=fold, number=own)  # fmt: skip


def _drawn(field: Any, chance: Any) -> Any:
    if field.choices:
        return field.choices[int(chance.integers(len(field.choices)))]
    found = chance.uniform(field.low, field.high)
    return int(found) if field.knob.kind == "int" else float(found)


def _curve(grid: Grid, params: dict[str, Any]) -> Curve:
    best, values = grid.nearest(float(params[grid.field])), np.asarray(grid.values)
    figures = 0.8 - 0.6 * ((values - values[best]) / (values[-1] - values[0])) ** 2
    inside = values[figures >= figures[best] - 0.01]
    return Curve(grid.field, tuple(values.tolist()), tuple(figures.tolist()), float(values[best]),
                 (float(inside[0]), float(inside[-1])), tuple(float(values[max(0, best + n)]) for n in (-9, -3, 0, 2, 6)))  # fmt: skip


def _variants(task: Task, candidates: list[Candidate]) -> list[VariantResult]:
    found = []
    for index, variant in enumerate(task.variants):
        own = [one for one in candidates if one.variant == index]
        best = max(own, key=lambda one: one.whole or 0.0)
        ends = (float(best.whole or 0) - 0.04, float(best.whole or 0) + 0.03)
        found.append(VariantResult(variant.label, best.whole, ends, None, best.params_whole))
    return sorted(found, key=lambda one: -(one.value or 0.0))


def with_front(outcome: Outcome) -> Outcome:
    """The same with three trials that were timed."""
    ranked = sorted(outcome.candidates, key=lambda one: -(one.whole or 0.0))
    return replace(outcome, pareto=tuple(replace(ranked[n * 6], latency_ms=90.0 / (n + 1)) for n in range(3)))


def said_of(outcome: Outcome, preset: Saved | None = None, folder: Path = Path("runs/tune-0123")) -> dict[str, Any]:
    """The document of it."""
    return document(outcome, preset, folder)
