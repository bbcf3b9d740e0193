"""A first look at one picture: what runs, and which thresholds can be swept on what it gives."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks import loading, selection
from benchmarks.datasets import Dataset
from benchmarks.evidence import Origin, compact
from benchmarks.records import RunManifest
from benchmarks.sweeps import Grid, grid_of
from pipelines.base import Pipeline
from pipelines.errors import ContractError, ImageError
from pipelines.layers import Layers
from pipelines.params import Params, knobs
from pipelines.types import Evidence


@dataclass(frozen=True)
class Look:
    """What the evidence of a picture tells.

    Attributes:
        pipeline: loaded; to be closed by whoever takes it.
        origin: hash of what runs: weights, arithmetic, sources and libraries.
        grids: thresholds of the maps, and those of the scores where there are any; empty where nothing can be swept.
        evidence_mb: of the picture, in 10**6 bytes, as it is kept.
    """

    pipeline: Pipeline
    origin: str
    grids: tuple[Grid, ...]
    evidence_mb: float


def first_look(manifest: RunManifest, dataset: Dataset, base: Params) -> Look:
    """Load the pipeline and look at the first picture on which it does not fail.

    Args:
        manifest: of one configuration.
        dataset: of the search.
        base: parameters that it looks with.

    Raises:
        ContractError: it fails on every picture.
    """
    pipeline, _ = loading.load(manifest.configurations[0])
    try:
        found = _first_evidence(pipeline, manifest, dataset, base)
        layers = pipeline.layers(found, base)
        kept = compact(found).nbytes / 1e6 if pipeline.loaded else 0.0
        return Look(pipeline, Origin.of(pipeline).digest, _grids(layers, base), kept)
    except BaseException:
        pipeline.close()
        raise


def _grids(layers: Layers | None, base: Params) -> tuple[Grid, ...]:
    if layers is None:
        return ()
    known = {knob.name: knob for knob in knobs(type(base))}
    low = getattr(base, base.floor[0]) if base.floor and layers.rank == base.floor[1] else None
    ranks = (grid_of(known[layers.rank], low=low),) if layers.rank else ()
    return (grid_of(known[layers.cut]), *ranks)


def swept(grids: Sequence[Grid], names: Collection[str], base: Params) -> tuple[Grid | None, Grid | None]:
    """The thresholds of the maps and of the scores that are swept, each None where there are none.

    A threshold that is not searched is held where it is, on a grid of its own; where it lies between two thresholds of
    the grid, no exact sweep is possible, and all that is searched is sampled.

    Args:
        grids: of all thresholds that could be.
        names: fields that are searched.
        base: where the search begins.
    """
    if not any(grid.field in names for grid in grids):
        return None, None
    kept = [grid if grid.field in names else _held(grid, getattr(base, grid.field)) for grid in grids]
    if any(grid is None for grid in kept):
        return None, None
    return kept[0], kept[1] if len(kept) > 1 else None


def _held(grid: Grid, value: float) -> Grid | None:
    return replace(grid, values=np.array([value])) if value in grid.values else None


def _first_evidence(pipeline: Pipeline, manifest: RunManifest, dataset: Dataset, base: Params) -> Evidence:
    """Of the first picture on which the pipeline does not fail."""
    ask = selection.prompt_of(manifest.dataset, dataset, pipeline.info.prompts, manifest.configurations[0].prompt)
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
