"""The images that one worker holds: their evidence is made once for each pass, and every decision is judged on it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import selection
from benchmarks.datasets import Sample
from benchmarks.metrics.region import Region
from benchmarks.sweeps import count, terms
from benchmarks.tune.passes import Passes
from benchmarks.tune.surface import Floats, Place, Surface
from benchmarks.tune.targets import Targets
from benchmarks.tune.task import Setting, Task
from pipelines.base import Pipeline
from pipelines.errors import ContractError
from pipelines.params import Params
from pipelines.registry import pipeline_class
from pipelines.types import Evidence

KEPT_MB = 256
"""Of terms of decisions that were judged before, in each worker."""

FINEST = 2.0**36
"""Of a share of pixels: 1e-11. A hundred thousand of them still add up exactly."""

Terms = tuple[Floats, Floats]
"""Numerators and denominators of an image, ``(ranks, cuts)`` each."""


@dataclass(frozen=True)
class Seen:
    """An image as the objective sees it.

    Attributes:
        sample: which one.
        fold: the study that does not see it.
        is_early: whether it is one of those that a trial is tried on first.
    """

    sample: Sample
    fold: int
    is_early: bool


@dataclass(frozen=True)
class Verdict:
    """What was judged.

    Attributes:
        setting: of the trial.
        images: that were judged.
        terms: by the id of the image, of as many as there was room for.
        surface: their sums.
    """

    setting: Setting
    images: Sequence[Seen]
    terms: dict[str, Terms]
    surface: Surface

    @property
    def nbytes(self) -> int:
        """Of the terms."""
        return sum(map(_size, self.terms.values()))


class Slice:
    """Some of the images of a task.

    Args:
        task: what is searched.
        ids: of the images.
        ready: the pipeline, where it is loaded already; closed with the slice.
    """

    def __init__(self, task: Task, ids: Sequence[str], ready: Pipeline | None = None) -> None:
        self.task = task
        dataset = selection.open_selected(task.manifest.dataset)
        kinds = pipeline_class(task.configuration.pipeline).info.prompts
        ask = selection.prompt_of(task.manifest.dataset, dataset, kinds, task.configuration.prompt)
        wanted = set(ids)
        self.images = [Seen(sample, task.fold[sample.id], sample.id in task.early)
                       for sample in dataset if sample.id in wanted]  # fmt: skip
        self.passes = Passes(task, [image.sample for image in self.images], ask, ready)
        self.targets = Targets()
        self.sweeps: dict[Any, bool] = {}
        self.judged: OrderedDict[Any, Verdict] = OrderedDict()
        self.last: Verdict | None = None

    def ids(self) -> list[str]:
        """Of its images, in the order of all that it returns."""
        return [image.sample.id for image in self.images]

    def sweepable(self, setting: Setting) -> bool:
        """Whether two thresholds are all that these parameters decide, and both are searched."""
        if self.task.cut is None:
            return False
        key = self._key(setting, swept=True)
        if key not in self.sweeps:  # asked again of what was chosen, whose weights may no longer be loaded
            self.sweeps[key] = self._sweepable(setting)
        return self.sweeps[key]

    def _sweepable(self, setting: Setting) -> bool:
        pipeline, evidence = self.passes.first(setting)
        try:
            layers = None if evidence is None else pipeline.layers(evidence, setting.params)
        except MemoryError:
            raise
        except Exception:  # a pipeline's own: the decisions will fail too, and count as failed images
            return False
        wanted = [grid.field if grid else None for grid in (self.task.cut, self.task.rank)]
        return layers is not None and [layers.cut, layers.rank] == wanted

    def judge(self, setting: Setting, *, swept: bool, early: bool = False) -> Surface:
        """Sums of the objective's terms in each fold.

        Args:
            setting: of the trial; of the fields that are swept the values say nothing.
            swept: whether `sweepable`, and so for all thresholds at once.
            early: on those images alone from which it is told whether a trial is worth going on with.
        """
        key = early, self._key(setting, swept)
        fresh = key not in self.judged
        if fresh:
            self.judged[key] = self._judged(setting, swept, [one for one in self.images if one.is_early or not early])
            while len(self.judged) > 1 and sum(one.nbytes for one in self.judged.values()) > KEPT_MB * 1e6:
                self.judged.popitem(last=False)
        self.judged.move_to_end(key)
        self.last = self.judged[key]
        surface = self.last.surface
        return surface if fresh else replace(surface, looks=0, infer_s=0.0, decide_s=0.0)

    def _judged(self, setting: Setting, swept: bool, images: Sequence[Seen]) -> Verdict:
        passes = self.passes
        passes.loaded(setting.params)  # a load is no part of a pass
        start, looks, looked_s = perf_counter(), passes.looks, passes.infer_s
        sums = np.zeros((self.task.folds, 2, *(self._shape() if swept else (1, 1))))
        known, room, errors = dict[str, Terms](), KEPT_MB * 1e6, 0
        for image in images:
            pair, failed = self._pair(image, setting, swept)
            sums[image.fold] += pair
            errors += failed
            room -= _size(pair)
            if room >= 0:
                known[image.sample.id] = pair
        infer_s = passes.infer_s - looked_s
        surface = Surface(sums, swept, errors, passes.looks - looks, infer_s, perf_counter() - start - infer_s)
        return Verdict(setting, images, known, surface)

    def at(self, places: Sequence[Place]) -> Floats:
        """Terms of each image at some pairs of thresholds of what was judged last, ``(places, images, 2)``.

        Images that were not looked at have no say: both terms are 0. What there was no room for is judged once more.
        """
        found = np.zeros((len(places), len(self.images), 2))
        if self.last is None:
            return found
        judged, last = {image.sample.id for image in self.last.images}, self.last
        for index, image in enumerate(self.images):
            if image.sample.id in judged:
                pair = last.terms.get(image.sample.id) or self._pair(image, last.setting, last.surface.swept)[0]
                found[:, index] = [(pair[0][place], pair[1][place]) for place in places]
        return found

    def latency_ms(self, setting: Setting) -> float:
        """Milliseconds of one image, as :meth:`Passes.latency_ms` measures them."""
        return self.passes.latency_ms(setting)

    def close(self) -> None:
        """Give the pipeline's memory back."""
        self.passes.close()

    def _key(self, setting: Setting, swept: bool) -> Any:
        apart = self.task.swept if swept else ()
        return swept, setting.words, tuple(value for name, value in setting.params if name not in apart)

    def _pair(self, image: Seen, setting: Setting, swept: bool) -> tuple[Terms, bool]:
        """Terms of an image, and whether the pipeline failed on it, while it looked or while it decided."""
        pipeline, evidence = self.passes.loaded(setting.params), self.passes.evidence(setting, image.sample)
        target = self.targets.of(image.sample)
        try:
            if evidence is not None:
                return _exact(self._terms(pipeline, target, evidence, setting.params, swept)), False
        except MemoryError:
            raise
        except Exception:  # a pipeline's own: it counts as a failed image, as in a run
            return _exact(self._failed(target, swept)), True
        return _exact(self._failed(target, swept)), True

    def _failed(self, target: Region, swept: bool) -> Terms:
        top, bottom = self.task.metric.terms(self.task.metric.family.failed(target))
        shape = self._shape() if swept else (1, 1)
        return np.full(shape, top, np.float64), np.full(shape, bottom, np.float64)

    def _terms(self, pipeline: Pipeline, target: Region, evidence: Evidence, params: Params, swept: bool) -> Terms:
        metric = self.task.metric
        if swept and self.task.cut is not None:
            layers = pipeline.layers(evidence, params)
            if layers is None:
                raise ContractError("Only some images have layers.", "Let the fields alone decide that.")
            return terms(metric, count(layers, target, self.task.cut, self.task.rank))
        components = metric.per_image(pipeline.decide(evidence, params).foreground(), target)
        top, bottom = metric.terms(components) if components else (0.0, 0.0)
        return np.full((1, 1), top, np.float64), np.full((1, 1), bottom, np.float64)

    def _shape(self) -> tuple[int, int]:
        assert self.task.cut is not None
        return 1 if self.task.rank is None else len(self.task.rank.values), len(self.task.cut.values)


def _exact(pair: Terms) -> Terms:
    """Rounded to a part of a power of two: such sums have no rounding error, so that no order of workers shows."""
    top, bottom = (np.round(side * FINEST) / FINEST for side in pair)
    return top, bottom


def _size(pair: Terms) -> int:
    return sum(side.nbytes for side in pair)


def split(ids: Sequence[str], jobs: int) -> Iterator[list[str]]:
    """As many parts of a list, every so manieth in one, so that all take about as long."""
    for job in range(min(jobs, len(ids))):
        yield list(ids[job::jobs])
