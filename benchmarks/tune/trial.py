"""One trial: values are proposed, thresholds that can be swept are all tried at once, the rest is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.tune.candidates import TRAIN, Aim, Candidate, packed
from benchmarks.tune.choice import ahead_by
from benchmarks.tune.crew import Crew
from benchmarks.tune.surface import Floats, Place, Surface
from benchmarks.tune.task import Setting, Task, Variant
from pipelines.errors import ParameterError
from pipelines.params import knobs
from pipelines.registry import pipeline_class

if TYPE_CHECKING:
    from optuna.trial import Trial

HOPELESS = 2.0
"""Standard errors by which the best so far is ahead on the early images of a trial that is then given up."""


@dataclass(frozen=True)
class Trying:
    """Judges the trials of one study.

    Attributes:
        task: what is searched.
        crew: judges.
        variant: that the study holds fixed.
        fold: that the study does not see.
    """

    task: Task
    crew: Crew
    variant: Variant
    fold: int

    def judged(self, trial: Trial, best: Candidate | None, before: Sequence[Candidate], aim: Aim) -> Candidate | None:
        """What a trial comes to; None where its values do not go together, or the early images leave no hope.

        Args:
            trial: proposes.
            best: the best of the study so far, or None.
            before: all of the study so far.
            aim: what it is for; where that is the exact optimum, it proposes what `optimum` gave.
        """
        swept, searched = self.task.swept, self.task.space
        others = searched.without(swept)
        values = {one.name: one.suggest(trial) for one in others.fields}
        try:
            sweeps = bool(swept) and self.crew.sweepable(self.task.setting(self.variant, values))
            sampled = not sweeps or not others
            if sampled:
                values |= {one.name: one.suggest(trial) for one in searched.only(swept).fields}
            setting = self.task.setting(self.variant, values)
        except ParameterError:
            return None
        rival = best if self._is_new(setting, before) else None
        if rival is not None and self._is_hopeless(setting, rival, swept=sweeps, sampled=sampled):
            return None
        surface = self.crew.judge(setting, swept=sweeps)
        places = self._places(surface, setting, sampled=sampled and aim != "exact")
        begun = self._begun(surface, setting) if aim == "start" else None
        return replace(self._candidate(setting, surface, places), aim=aim, begun=begun)

    def optimum(self) -> dict[str, float]:
        """The swept thresholds that are best without the fold, where there is nothing else to search; else empty."""
        setting = self.task.setting(self.variant, {})
        if self.task.space.without(self.task.swept) or not self.task.swept or not self.crew.sweepable(setting):
            return {}
        place = self._places(self.crew.judge(setting, swept=True), setting, sampled=False)[TRAIN]
        grids = zip((self.task.rank, self.task.cut), place, strict=True)
        return {grid.field: float(grid.values[index]) for grid, index in grids if grid is not None}

    @property
    def _unseen(self) -> tuple[int, ...]:
        """Folds that the study does not see; a search without folds sees all."""
        return (self.fold,) if self.task.folds > 1 else ()

    def _is_new(self, setting: Setting, before: Sequence[Candidate]) -> bool:
        """Whether no candidate was judged on the same evidence. What memory holds says less: a kill loses it."""
        if not self.task.early or self.task.timed:
            return False
        read = [knob.name for knob in knobs(type(setting.params)) if knob.reads != "decide"]
        said = setting.params.model_dump(mode="json", include=set(read))
        return all(any(one.params_train[name] != value for name, value in said.items()) for one in before)

    def _is_hopeless(self, setting: Setting, best: Candidate, *, swept: bool, sampled: bool) -> bool:
        """Whether the best so far is surely ahead on the early images."""
        surface = self.crew.judge(setting, swept=swept, early=True)
        place = self._places(surface, setting, sampled=sampled)[TRAIN]
        early = {self.task.group[name] for name in self.task.early}
        seen = self.task.fold_of_groups != (self.fold if self.task.folds > 1 else -1)
        seen &= [group in early for group in sorted(set(self.task.group.values()))]
        terms = by_group(self.task, self.crew.ids, self.crew.at([place]))[0]
        return ahead_by(best.sums(TRAIN)[seen], terms[seen], self.task.metric, HOPELESS)

    def _here(self, setting: Setting) -> Place:
        """Places of a setting's own thresholds."""
        rank, cut = (grid.nearest(getattr(setting.params, grid.field)) if grid else 0
                     for grid in (self.task.rank, self.task.cut))  # fmt: skip
        return rank, cut

    def _begun(self, surface: Surface, setting: Setting) -> float | None:
        value = float(surface.values(self.task.metric)[self._here(setting) if surface.swept else (0, 0)])
        return None if np.isnan(value) else value

    def _places(self, surface: Surface, setting: Setting, *, sampled: bool) -> tuple[Place, Place]:
        """Thresholds that are best without the fold, and over all images."""
        if not surface.swept:
            return (0, 0), (0, 0)
        here = self._here(setting)
        if sampled:
            return here, here
        metric, sign = self.task.metric, self.task.sign
        unseen, all_of_it = (surface.settled(metric, sign, here, left) for left in (self._unseen, ()))
        return unseen, all_of_it

    def _candidate(self, setting: Setting, surface: Surface, places: tuple[Place, Place]) -> Candidate:
        metric, found = self.task.metric, self.crew.at(places)
        values = [float(surface.values(metric, left)[place])
                  for left, place in zip((self._unseen, ()), places, strict=True)]  # fmt: skip
        train, whole = (None if np.isnan(value) else value for value in values)
        params = [self._at(setting, surface, place) for place in places]
        return Candidate(words=setting.words, params_train=params[0], params_whole=params[1], train=train, whole=whole,
                         latency_ms=self._latency_ms(params[1], setting),
                         terms=packed(by_group(self.task, self.crew.ids, found)), errors=surface.errors,
                         infer_s=round(surface.infer_s, 4), decide_s=round(surface.decide_s, 4))  # fmt: skip

    def _latency_ms(self, params: dict[str, Any], setting: Setting) -> float | None:
        """Of what would be kept, and not of what is searched with, which decodes more candidates."""
        if not self.task.timed:
            return None
        kept = type(setting.params).model_validate(raised(self.task, params))
        return round(self.crew.latency_ms(Setting(kept, setting.words)), 4)

    def _at(self, setting: Setting, surface: Surface, place: Place) -> dict[str, Any]:
        values = setting.params.model_dump(mode="json")
        for grid, index in zip((self.task.rank, self.task.cut), place, strict=True):
            if surface.swept and grid is not None:
                values[grid.field] = float(grid.values[index])
        return values


def raised(task: Task, params: dict[str, Any]) -> dict[str, Any]:
    """The same, but no candidate is decoded that its own threshold drops again: that would cost time for nothing.

    Args:
        task: whose pipeline.
        params: all of them.
    """
    floor = pipeline_class(task.configuration.pipeline).Params.floor
    return params if floor is None else {**params, floor[0]: params[floor[1]]}


def by_group(task: Task, ids: Sequence[str], terms: Floats) -> Floats:
    """Sums over the images of each group, ``(places, groups, 2)``, groups in the order of their names.

    Args:
        task: whose groups.
        ids: of the images, in the order of the terms.
        terms: ``(places, images, 2)``.
    """
    names = sorted(set(task.group.values()))
    place = {name: index for index, name in enumerate(names)}
    of = np.array([place[task.group[name]] for name in ids])
    sums = np.zeros((len(terms), len(names), 2))
    for index in range(len(terms)):
        np.add.at(sums[index], of, terms[index])
    return sums
