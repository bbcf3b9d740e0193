"""From what the command line says to a task: the dataset is checked for leaks, and one picture is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import loading, plan, selection
from benchmarks.datasets import Dataset
from benchmarks.evidence import Origin
from benchmarks.leaks import check_splits, merge_notes, merged_groups
from benchmarks.metrics import METRICS
from benchmarks.metrics.overlap import OVERLAP
from benchmarks.records import Protocol, RunManifest
from benchmarks.sweeps import Grid, grid_of
from benchmarks.tune.folds import folds_of
from benchmarks.tune.space import Space, space_of
from benchmarks.tune.task import Task, Variant
from pipelines.base import Pipeline
from pipelines.errors import ContractError, DatasetError, ImageError, UnavailableError, UnknownNameError, UsageError
from pipelines.params import Params, knobs, make_params
from pipelines.registry import pipeline_class
from pipelines.types import Evidence

FLOOR = 0.1
"""Candidates from this score on get a mask while thresholds are searched; what is weaker is rarely worth its time."""

LATENCY = "latency_ms"
EARLY_SHARE, FEWEST_EARLY = 3, 8
"""One group in three, and eight at least, tell whether a trial is worth a pass over the others."""

SPLITS = ("tune", "train", "training")
"""Splits that are tuned on where none is named, the first that there is."""


@dataclass(frozen=True)
class Request:
    """What the command line says, read but not yet looked up."""

    pipeline: str
    dataset: str = "coins"
    split: str | None = None
    exclude: Path | None = None
    limit: int | None = None
    prompts: tuple[str, ...] = ()
    wordings: tuple[str, ...] = ()
    objective: str = "miou"
    fields: tuple[str, ...] | None = None
    span: float = 0.25
    trials: int = 100
    folds: int = 5
    seed: int = 0
    device: str = "auto"
    weights: str | None = None
    most_ms: float | None = None
    allow_tuned: bool = False
    evidence: Path | None = None
    evidence_mb: float = 2000.0


def plan_task(request: Request) -> tuple[Task, Dataset, list[str]]:
    """Look everything up and fix it.

    Returns:
        The task, the dataset, and what a reader should know, in sentences.

    Raises:
        UsageError: a name, a value or an option is wrong.
        DatasetError: the dataset cannot be read, or has no masks.
        LeakError: images of the split are in another one too.
        UnavailableError: the pipeline cannot run here.
    """
    objective, _ = objectives(request.objective)
    metric = METRICS[objective]
    if metric.needs != "mask" or metric.family.name in ("classes", "presence"):
        raise UsageError(f"{objective} looks at more than the mask.", "Take miou, dice or boundary_iou.")
    if request.most_ms is not None and not objectives(request.objective)[1]:
        raise UsageError("--max-latency-ms needs times.", f"Give --objective {objective},{LATENCY}.")
    split, notes = _split(request)
    manifest, dataset = plan.plan(_run_of(request, split))
    only = manifest.configurations[0]
    if only.unavailable is not None:
        raise UnavailableError(only.unavailable, "Then tune again.")
    if request.wordings and "text" not in pipeline_class(only.pipeline).info.prompts:
        raise UsageError(f"{only.pipeline} reads no text, so that no wording changes anything.", "Leave out --wording.")
    if dataset.streamed or not all(sample.has_truth for sample in dataset):
        raise DatasetError(
            f"{dataset.name} has images without masks, or is a stream.",
            "Tune on a folder or a file in which every image has one; --exclude leaves some out.",
        )
    if split is not None:
        left_out = selection.read_exclusions(request.exclude)
        check_splits(selection.select(request.dataset, None, None, left_out), split)
    groups = merged_groups(dataset)
    task = _task(request, manifest, dataset, groups)
    return task, dataset, [*notes, *merge_notes(dataset, groups)]


def objectives(text: str) -> tuple[str, bool]:
    """The metric of ``miou`` or ``miou,latency_ms``, and whether latency is an objective too.

    Raises:
        UsageError: something else.
    """
    name, comma, other = (part.strip() for part in text.partition(","))
    if name not in METRICS:
        raise UnknownNameError("metric", name, METRICS)
    if comma and other != LATENCY:
        raise UsageError(f"--objective {text!r} names {other!r} beside {name}.", f"Write {name} or {name},{LATENCY}.")
    return name, bool(comma)


def _split(request: Request) -> tuple[str | None, list[str]]:
    """The split that is tuned on, and that it was chosen where nobody did."""
    if request.split is not None:
        return request.split, []
    known = selection.select(request.dataset, None, None, ()).splits
    found = next((name for name in SPLITS if name in known), None)
    if len(known) < 2:
        return None, []
    if found is None:
        raise UsageError(f"The dataset has the splits {', '.join(known)}.", "Say with --split which to tune on.")
    return found, [f"The split {found} is tuned on; --split names another."]


def _run_of(request: Request, split: str | None) -> plan.Request:
    if "," in request.pipeline:
        raise UsageError(f"{request.pipeline!r} names more than one pipeline.", "Tune one at a time.")
    asked = request.prompts or request.wordings[:1]  # a dataset that says nothing needs no more than these
    return plan.Request(request.dataset, request.pipeline, asked, split, request.exclude, request.limit,
                        request.device, request.weights, protocol=Protocol(seed=request.seed),
                        allow_tuned=request.allow_tuned)  # fmt: skip


def _task(request: Request, manifest: RunManifest, dataset: Dataset, groups: dict[str, str]) -> Task:
    only, (objective, timed) = manifest.configurations[0], objectives(request.objective)
    kind = pipeline_class(only.pipeline)
    base = make_params(kind.Params, only.params)
    wanted = [name for name in request.fields or () if _reads(base, name) != "load"] if request.fields else None
    lowered = _lowered(base)
    origin, cut, rank = _first_look(manifest, dataset, lowered)
    if METRICS[objective].family is not OVERLAP:
        cut = rank = None
    grids = {
        grid.field: (float(grid.values[0]), float(grid.values[-1]), 1 / grid.scale) for grid in (cut, rank) if grid
    }
    loads = _loads(base, request.fields or ())
    space = space_of(lowered, wanted, kind.relevant(base), request.span, grids) if wanted != [] else Space(())
    if not all(grid.field in space.names for grid in (cut, rank) if grid):
        cut = rank = None
    manifest = manifest.model_copy(update={"configurations": (
        only.model_copy(update={"params": lowered.model_dump(mode="json")}),)})  # fmt: skip
    variants = tuple(Variant(load, words) for load, words in product(loads, _wordings(request)))
    return Task(manifest, objective, space, cut, rank, variants, folds_of(groups, request.folds, request.seed),
                groups, max(1, request.folds), request.trials, request.seed, origin,
                _early(groups, request.seed), timed, request.most_ms, request.evidence,
                request.evidence_mb)  # fmt: skip


def _early(groups: Mapping[str, str], seed: int) -> frozenset[str]:
    """Images that a trial is tried on first; none where there are too few groups to tell anything."""
    names = sorted(set(groups.values()))
    number = len(names) // EARLY_SHARE
    if number < FEWEST_EARLY:
        return frozenset()
    chosen = {names[i] for i in np.random.default_rng(seed).permutation(len(names))[:number]}
    return frozenset(sample for sample, group in groups.items() if group in chosen)


def _wordings(request: Request) -> list[tuple[str, ...]]:
    return [(words,) for words in request.wordings] or [()]


def _reads(base: Params, name: str) -> str:
    return next((knob.reads for knob in knobs(type(base)) if knob.name == name), "infer")


def _lowered(base: Params) -> Params:
    """The same with candidates decoded that are weaker than those that are kept, so that thresholds can be moved."""
    if base.floor is None:
        return base
    floor, threshold = base.floor
    low = min(FLOOR, getattr(base, floor), getattr(base, threshold))
    return make_params(type(base), {**base.model_dump(), floor: low})


def _loads(base: Params, names: Sequence[str]) -> list[dict[str, Any]]:
    """Every combination of the choices of fields that a load reads, what the search begins with first."""
    chosen = [knob for knob in knobs(type(base)) if knob.name in names and knob.reads == "load"]
    for knob in chosen:
        if knob.kind not in ("choice", "bool"):
            raise UsageError(f"{knob.name} is read while loading, and is no choice.", "Leave it out of --fields.")
    start = [getattr(base, knob.name) for knob in chosen]
    options = [knob.choices or (False, True) for knob in chosen]
    ordered = [[first, *(one for one in some if one != first)] for first, some in zip(start, options, strict=True)]
    return [dict(zip((knob.name for knob in chosen), values, strict=True)) for values in product(*ordered)]


def _first_look(manifest: RunManifest, dataset: Dataset, base: Params) -> tuple[str, Grid | None, Grid | None]:
    """What runs, and the thresholds that it can be swept over, as the evidence of the first picture tells."""
    pipeline, _ = loading.load(manifest.configurations[0])
    with pipeline:
        origin = Origin.of(pipeline).digest
        layers = pipeline.layers(_first_evidence(pipeline, manifest, dataset, base), base)
    if layers is None:
        return origin, None, None
    known = {knob.name: knob for knob in knobs(type(base))}
    low = getattr(base, base.floor[0]) if base.floor and layers.rank == base.floor[1] else None
    return origin, grid_of(known[layers.cut]), grid_of(known[layers.rank], low=low) if layers.rank else None


def _first_evidence(pipeline: Pipeline, manifest: RunManifest, dataset: Dataset, base: Params) -> Evidence:
    """Of the first picture on which the pipeline does not fail."""
    ask = selection.prompt_of(manifest.dataset, dataset, pipeline.info.prompts)
    words = ""
    for sample in dataset:
        try:
            return pipeline.infer([sample.image], [ask(sample)], base)[0].to_host()
        except (MemoryError, ImageError):
            raise
        except Exception as error:  # a pipeline's own: it counts as a failed image, as in a run
            words = words or f"{type(error).__name__}: {error}"
    raise ContractError(f"{pipeline.info.name} fails on every image of {dataset.name}, on the first with {words}.",
                        "Correct the pipeline, its parameters or what it is asked for, then tune again.")  # fmt: skip
