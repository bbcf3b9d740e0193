"""What a study is about: one pipeline on one dataset, the objective, what is searched, and how it is judged."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.metrics import METRICS, Metric
from benchmarks.records import Configuration, RunManifest
from benchmarks.sweeps import Grid
from benchmarks.tune.space import Space
from pipelines.params import Params, knobs, make_params
from pipelines.registry import pipeline_class

FEWEST = 2
"""Trials of a study: where the search begins, and where the exact sweep or the first proposal leads."""


@dataclass(frozen=True)
class Variant:
    """What is chosen outside of all searching, since each one costs a load or a pass over all images.

    Attributes:
        load: fields that a load reads.
        words: what the pipeline is asked for; empty = what it is asked for anyway.
        stamps: which files its weights are read from, where there are several sets of weights.
    """

    load: dict[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    stamps: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How tables call it."""
        said = [f"{name}={value}" for name, value in self.load.items()]
        return "; ".join([*said, *([", ".join(self.words)] if self.words else [])]) or "as it stands"


@dataclass(frozen=True)
class Setting:
    """All that decides what comes out.

    Attributes:
        params: of the pipeline.
        words: what it is asked for; empty = what the dataset says.
    """

    params: Params
    words: tuple[str, ...] = ()

    @property
    def infer_key(self) -> tuple[Any, ...]:
        """What evidence depends on: equal keys, equal evidence."""
        read = (knob.name for knob in knobs(type(self.params)) if knob.reads != "decide")
        return (*self.words, *((name, getattr(self.params, name)) for name in read))


@dataclass(frozen=True)
class Task:
    """Fixed before the first trial.

    Attributes:
        manifest: of a run of the one configuration that the search begins with.
        objective: name of the metric.
        space: what is searched.
        cut: thresholds of the maps that are swept, or None.
        rank: thresholds of the scores that are swept, or None.
        variants: each has studies of its own.
        fold: id → part of the images that the study of that number does not see.
        group: id → group of the image.
        folds: how many, at least one.
        trials: of all studies together.
        seed: of folds, proposals and resampling.
        origin: hash of what runs: weights, arithmetic, sources and libraries.
        early: ids of images that a trial which needs a pass is tried on first.
        timed: whether latency is a second objective.
        most_ms: what is kept takes no longer than so many milliseconds, or None.
        evidence: folder of stored evidence, or None.
        evidence_mb: room in it.
        near: whether pictures that look alike were kept together, and not those of the same bytes alone.
    """

    manifest: RunManifest
    objective: str
    space: Space
    cut: Grid | None
    rank: Grid | None
    variants: tuple[Variant, ...]
    fold: dict[str, int]
    group: dict[str, str]
    folds: int
    trials: int
    seed: int
    origin: str = ""
    early: frozenset[str] = frozenset()
    timed: bool = False
    most_ms: float | None = None
    evidence: Path | None = None
    evidence_mb: float = 0.0
    near: bool = True

    @property
    def configuration(self) -> Configuration:
        """With the parameters that the search begins with."""
        return self.manifest.configurations[0]

    @cached_property
    def params(self) -> type[Params]:
        """Of the pipeline; looked up once, since all installed packages are asked for it."""
        return pipeline_class(self.configuration.pipeline).Params

    @property
    def metric(self) -> Metric:
        """What is made as good as can be."""
        return METRICS[self.objective]

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.metric.direction == "higher" else -1

    @property
    def swept(self) -> tuple[str, ...]:
        """Fields that no trial has to sample: all their values come of one pass over the evidence."""
        grids = [grid.field for grid in (self.cut, self.rank) if grid is not None]
        return tuple(name for name in grids if name in self.space.names)

    @cached_property
    def fold_of_groups(self) -> npt.NDArray[np.int64]:
        """Fold of each group, ``(groups,)``, in the order of their names."""
        of = {group: self.fold[name] for name, group in self.group.items()}
        return np.array([of[group] for group in sorted(of)], np.int64)

    def studies(self) -> Iterator[tuple[int, int]]:
        """Variant and fold of each study, those of one variant together, so that what it loads is loaded once."""
        return product(range(len(self.variants)), range(self.folds))

    def quota(self, variant: int, fold: int) -> int:
        """Trials of a study: all have as many, the first ones take what is left over, and none has fewer than two."""
        studies = self.folds * len(self.variants)
        if not self.space:
            return 1  # nothing varies within a variant
        return max(FEWEST, self.trials // studies + (variant * self.folds + fold < self.trials % studies))

    def setting(self, variant: Variant, values: Mapping[str, Any]) -> Setting:
        """What the search begins with, but for some values.

        Raises:
            ParameterError: the values do not go together.
        """
        return Setting(make_params(self.params, {**self.configuration.params, **variant.load, **values}), variant.words)

    def key(self) -> str:
        """16 hexadecimal digits over all that decides what a trial comes to; how many there are is not part of it.

        Nor is the machine, unless it times: several may share a search, if their libraries and sources are the same.
        """
        fields = [[one.name, one.start, list(one.choices), one.low, one.high, one.step]
                  for one in self.space.fields]  # fmt: skip
        variants = [[sorted(one.load.items()), one.words, one.stamps] for one in self.variants]
        about, only = self.manifest.dataset.model_dump(mode="json", exclude={"spec"}), self.configuration
        said = [self.origin, about, only.pipeline, only.params, only.prompt, self.manifest.metrics[self.objective],
                self.objective, fields, variants, self.seed, self.folds, self.timed, sorted(self.fold.items()),
                sorted(self.group.items()), platform.node() if self.timed else ""]  # fmt: skip
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
