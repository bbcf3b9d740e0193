"""From what the command line says to a task: the dataset is checked for leaks, and one picture is looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import plan, selection
from benchmarks.datasets import Dataset, open_dataset
from benchmarks.leaks import check_splits, merge_notes, merged_groups
from benchmarks.metrics import METRICS
from benchmarks.metrics.overlap import OVERLAP
from benchmarks.records import Protocol, RunManifest
from benchmarks.specs import parse_pipelines
from benchmarks.tune.folds import folds_of
from benchmarks.tune.look import Look, first_look, swept
from benchmarks.tune.passes import HELD_MB
from benchmarks.tune.space import Space, space_of
from benchmarks.tune.task import Task, Variant
from benchmarks.tune.variants import check_wordings, variants_of
from pipelines.base import Pipeline
from pipelines.errors import DatasetError, UnavailableError, UnknownNameError, UsageError
from pipelines.params import Params, knobs, make_params
from pipelines.registry import pipeline_class

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
    near: bool = True


@dataclass(frozen=True)
class Plan:
    """What a search begins with.

    Attributes:
        task: what is searched.
        dataset: on which.
        notes: what a reader should know, in sentences.
        ready: the pipeline, loaded; to be closed by whoever takes it.
    """

    task: Task
    dataset: Dataset
    notes: tuple[str, ...]
    ready: Pipeline


def plan_task(request: Request) -> Plan:
    """Look everything up and fix it.

    Raises:
        UsageError: a name, a value or an option is wrong.
        DatasetError: the dataset cannot be read, or has no masks.
        LeakError: images of the split are in another one too.
        UnavailableError: the pipeline cannot run here.
    """
    objective, _ = objectives(request.objective)
    metric = METRICS[objective]
    if request.fields == ():
        raise UsageError("--fields names no field.", "Name some, or leave it out.")
    if metric.needs != "mask" or metric.family.name in ("classes", "presence"):
        raise UsageError(f"{objective} looks at more than the mask.", "Take miou, dice or boundary_iou.")
    if request.most_ms is not None and not objectives(request.objective)[1]:
        raise UsageError("--max-latency-ms needs times.", f"Give --objective {objective},{LATENCY}.")
    split, notes = _split(request)
    manifest, dataset, begun = _planned(request, split)
    notes += begun
    if dataset.streamed or not all(sample.has_truth for sample in dataset):
        raise DatasetError(
            f"{dataset.name} has images without masks, or is a stream.",
            "Tune on a folder or a file in which every image has one; --exclude leaves some out.",
        )
    if split is not None:
        whole = open_dataset(request.dataset, strict=False)  # what was wrong with it is excluded
        check_splits(whole, split, left_out=manifest.dataset.exclude, near=request.near)
    groups = merged_groups(dataset, near=request.near)
    notes += merge_notes(dataset, groups)
    if not request.near:
        notes.append("Only pictures of the same bytes were taken for copies, as --copies exact says.")
    variants, lacking = variants_of(request.fields or (), request.wordings, manifest, as_it_stands=not begun)
    task, look = _task(request, manifest, dataset, groups, variants)
    return Plan(task, dataset, (*notes, *lacking, *_room_note(request, look, len(dataset))), look.pipeline)


def _planned(request: Request, split: str | None) -> tuple[RunManifest, Dataset, list[str]]:
    """The manifest of a run that is asked for what it would be anyway, or where nothing says that, a wording."""
    kind = pipeline_class(parse_pipelines(request.pipeline)[0].name)
    if request.wordings and "text" not in kind.info.prompts:
        raise UsageError(f"{kind.info.name} reads no text: no wording changes anything.", "Leave out --wording.")
    check_wordings(request.wordings)
    manifest, dataset = plan.plan(_run_of(request, split, request.prompts))
    notes: list[str] = []
    if manifest.configurations[0].unavailable is not None and request.wordings and not request.prompts:
        manifest, dataset = plan.plan(_run_of(request, split, request.wordings[:1]))
        notes.append(f"Nothing else says what to look for: the search begins with {request.wordings[0]!r}.")
    if (reason := manifest.configurations[0].unavailable) is not None:
        raise UnavailableError(reason, "Then tune again.")
    return manifest, dataset, notes


def _room_note(request: Request, look: Look, n: int) -> list[str]:
    """That not all evidence can be kept, so that a trial may cost more than it has to."""
    needed = look.evidence_mb * n
    if not look.pipeline.loaded or needed <= max(request.evidence_mb, HELD_MB):
        return []
    return [f"The evidence of {n} images takes some {needed:.0f} MB: what there is no room for is made again in every "
            f"trial. --evidence-mb {math.ceil(needed / 100) * 110} keeps it all."]  # fmt: skip


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
    known = open_dataset(request.dataset, strict=False, exclude=selection.read_exclusions(request.exclude)).splits
    found = next((name for name in SPLITS if name in known), None)
    if len(known) < 2:
        return None, []
    if found is None:
        raise UsageError(f"The dataset has the splits {', '.join(known)}.", "Say with --split which to tune on.")
    return found, [f"The split {found} is tuned on; --split names another."]


def _run_of(request: Request, split: str | None, asked: tuple[str, ...]) -> plan.Request:
    if "," in request.pipeline:
        raise UsageError(f"{request.pipeline!r} names more than one pipeline.", "Tune one at a time.")
    return plan.Request(request.dataset, request.pipeline, asked, split, request.exclude, request.limit,
                        request.device, request.weights, protocol=Protocol(seed=request.seed),
                        allow_tuned=request.allow_tuned)  # fmt: skip


def _task(request: Request, manifest: RunManifest, dataset: Dataset, groups: dict[str, str],
          variants: tuple[Variant, ...]) -> tuple[Task, Look]:  # fmt: skip
    only, (objective, timed) = manifest.configurations[0], objectives(request.objective)
    kind = pipeline_class(only.pipeline)
    base = make_params(kind.Params, only.params)
    lowered, folds = _lowered(base), _folds(request, groups)
    named = None if request.fields is None else [name for name in request.fields if _reads(base, name) != "load"]
    look = first_look(manifest, dataset, lowered)
    try:
        grids = look.grids if METRICS[objective].family is OVERLAP else ()
        ranges = {grid.field: (float(grid.values[0]), float(grid.values[-1]), 1 / grid.scale) for grid in grids}
        space = space_of(lowered, named, kind.relevant(base), request.span, ranges) if named != [] else Space(())
        cut, rank = swept(grids, space.names, lowered)
    except BaseException:
        look.pipeline.close()
        raise
    manifest = manifest.model_copy(update={"configurations": (
        only.model_copy(update={"params": lowered.model_dump(mode="json")}),)})  # fmt: skip
    return Task(manifest, objective, space, cut, rank, variants, folds, groups, max(1, request.folds),
                request.trials, request.seed, look.origin, _early(groups, request.seed), timed, request.most_ms,
                request.evidence, request.evidence_mb, request.near), look  # fmt: skip


def _folds(request: Request, groups: dict[str, str]) -> dict[str, int]:
    """Parts of the images; where pictures of one scene were taken for copies of each other, that is said."""
    try:
        return folds_of(groups, request.folds, request.seed)
    except UsageError as error:
        if not request.near:
            raise
        cure = f"{error.cure} Or --copies exact, if pictures that look alike are none."
        raise UsageError(error.message, cure) from error


def _early(groups: Mapping[str, str], seed: int) -> frozenset[str]:
    """Images that a trial is tried on first; none where there are too few groups to tell anything."""
    names = sorted(set(groups.values()))
    number = len(names) // EARLY_SHARE
    if number < FEWEST_EARLY:
        return frozenset()
    chosen = {names[i] for i in np.random.default_rng(seed).permutation(len(names))[:number]}
    return frozenset(sample for sample, group in groups.items() if group in chosen)


def _reads(base: Params, name: str) -> str:
    return next((knob.reads for knob in knobs(type(base)) if knob.name == name), "infer")


def _lowered(base: Params) -> Params:
    """The same with candidates decoded that are weaker than those that are kept, so that thresholds can be moved."""
    if base.floor is None:
        return base
    floor, threshold = base.floor
    low = min(FLOOR, getattr(base, floor), getattr(base, threshold))
    return make_params(type(base), {**base.model_dump(), floor: low})
