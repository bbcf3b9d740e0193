"""From the candidates of all studies to what is said of them: the choice, its curves, what matters, what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.leaderboard import is_random
from benchmarks.statistics.intervals import Interval, interval
from benchmarks.sweeps import Grid, plateau
from benchmarks.tune.candidates import WHOLE, Candidate
from benchmarks.tune.choice import Judge, Judged
from benchmarks.tune.crew import Crew
from benchmarks.tune.importance import importance
from benchmarks.tune.learning import Point, learning_curve
from benchmarks.tune.search import Search
from benchmarks.tune.surface import Floats
from benchmarks.tune.task import Setting, Task
from benchmarks.tune.trial import by_group, raised


@dataclass(frozen=True)
class Curve:
    """One swept threshold, all else as it was chosen.

    Attributes:
        field: the threshold.
        values: thresholds, rising.
        figures: the objective at each over all images.
        best: what was chosen; where the search began, it may lie beside the grid.
        plateau: thresholds around that at which it is at most 0.01 worse.
        of_folds: where it is best with each fold left out.
    """

    field: str
    values: tuple[float, ...]
    figures: tuple[float | None, ...]
    best: float
    plateau: tuple[float, float]
    of_folds: tuple[float, ...]


@dataclass(frozen=True)
class VariantResult:
    """What the search comes to with one checkpoint or one wording.

    Attributes:
        label: of the variant.
        value: the objective of its best candidate over all images.
        ci: 95 % interval of that, or None.
        start: the objective with nothing tuned, or None where that was not tried.
        params: of the best candidate.
    """

    label: str
    value: float | None
    ci: tuple[float, float] | None
    start: float | None
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """All that a search found.

    Attributes:
        task: what was searched.
        judged: what was chosen, and how good it is.
        params: that are kept.
        words: that go with them; empty = what the dataset says.
        candidates: of all studies.
        curves: of the swept thresholds.
        learning: what a choice on fewer images gives elsewhere.
        variants: checkpoints or wordings, the best first; one where nothing was varied.
        pareto: candidates of which no other is better and faster, the best first; empty where time is no objective.
        importance: field → its part in how much the objective varies; empty where that cannot be told.
        pass_s: seconds of a pass over all images with nothing known, decisions and scores included; None where evidence
            was stored before, so that none was made.
        decision_s: median seconds of trials whose evidence was there.
        given_up: trials that early images left no hope for, or whose values do not go together.
        errors: images on which what is kept failed.
    """

    task: Task
    judged: Judged
    params: Mapping[str, Any]
    words: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    curves: tuple[Curve, ...]
    learning: tuple[Point, ...]
    variants: tuple[VariantResult, ...]
    pareto: tuple[Candidate, ...]
    importance: Mapping[str, float]
    pass_s: float | None
    decision_s: float | None
    given_up: int = 0
    errors: int = 0

    @property
    def nothing(self) -> bool:
        """Whether nothing may be kept: all that was tried is too slow."""
        return self.judged.too_slow and self.judged.chosen is None

    @property
    def random(self) -> bool:
        """Whether the weights are random, so that no figure of quality means anything."""
        return is_random(self.task.configuration)


def search(finder: Search) -> Outcome:
    """Search, then judge.

    Args:
        finder: with its crew and storage.
    """
    task, crew = finder.task, finder.crew
    start = task.setting(task.variants[0], {})
    first = crew.judge(start, swept=False)
    terms = by_group(task, crew.ids, crew.at([(0, 0)]))[0]
    finder.run()
    candidates = finder.candidates()
    given_up = finder.given_up()
    judge = Judge(task.metric, task.fold_of_groups, terms, task.seed, start_may_stay(task, candidates), given_up)
    judged = judge.judge(eligible(task, candidates), task.folds)
    params = dict(judged.chosen.params_whole if judged.chosen else start.params.model_dump(mode="json"))
    words = judged.chosen.words if judged.chosen else start.words
    known = [one.decide_s for one in candidates if not one.infer_s and one.decide_s]
    return Outcome(
        task=task,
        judged=judged,
        params=raised(task, params),
        words=words,
        candidates=candidates,
        curves=_curves(task, crew, params, words),
        learning=tuple(learning_curve(judge, eligible(task, candidates), task.folds, task.seed)),
        variants=tuple(_variants(task, judge, candidates)),
        pareto=tuple(pareto(candidates, task.sign)),
        importance=importance(task, candidates),
        given_up=sum(given_up),
        errors=judged.chosen.errors if judged.chosen else first.errors,
        pass_s=first.infer_s + first.decide_s if first.looks == len(crew.ids) else None,
        decision_s=float(np.median(known)) if known else None,
    )


def eligible(task: Task, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that may be kept: fast enough, and where the exact optimum is known no luckier threshold than that.

    Args:
        task: what was searched.
        candidates: of all studies.
    """
    exact = bool(task.swept) and not task.space.without(task.swept)
    slow = float("inf") if task.most_ms is None else task.most_ms
    return [one for one in candidates
            if (one.latency_ms or 0.0) <= slow and not (exact and one.aim == "drawn")]  # fmt: skip


def start_may_stay(task: Task, candidates: Sequence[Candidate]) -> bool:
    """Whether what the search began with is fast enough, as the median of its trials tells.

    Args:
        task: what was searched.
        candidates: of all studies.
    """
    took = [one.latency_ms for one in candidates if one.aim == "start" and one.variant == 0 and one.latency_ms]
    return task.most_ms is None or not took or float(np.median(took)) <= task.most_ms


def _curves(task: Task, crew: Crew, params: Mapping[str, Any], words: tuple[str, ...]) -> tuple[Curve, ...]:
    """The objective along each swept threshold through what was chosen."""
    setting = Setting(type(task.setting(task.variants[0], {}).params).model_validate(params), words)
    if not task.swept or not crew.sweepable(setting):
        return ()
    surface = crew.judge(setting, swept=True)
    whole = surface.values(task.metric)
    if np.isnan(whole).all():
        return ()
    folds = [surface.values(task.metric, (fold,)) for fold in range(task.folds)] if task.folds > 1 else []
    grids = [(task.rank, 0), (task.cut, 1)]
    places = [0 if grid is None else grid.nearest(float(params[grid.field])) for grid, _ in grids]
    return tuple(_curve(grid, axis, whole, folds, places, task.sign, float(params[grid.field]))
                 for grid, axis in grids if grid is not None and grid.field in task.swept)  # fmt: skip


def _curve(grid: Grid, axis: int, whole: Floats, folds: Sequence[Floats], places: Sequence[int], sign: int,
           kept: float) -> Curve:  # fmt: skip
    along, chosen = _through(whole, axis, places), places[axis]
    low, high = plateau(along, chosen, sign=sign)
    lines = [sign * _through(one, axis, places) for one in folds]
    tops = [int(np.nanargmax(line)) for line in lines if not np.isnan(line).all()]
    return Curve(
        field=grid.field,
        values=tuple(grid.values.tolist()),
        figures=tuple(None if np.isnan(value) else float(value) for value in along),
        best=kept,
        plateau=(float(grid.values[low]), float(grid.values[high])),
        of_folds=tuple(float(grid.values[top]) for top in tops),
    )


def _through(values: Floats, axis: int, places: Sequence[int]) -> Floats:
    return values[:, places[1]] if axis == 0 else values[places[0]]


def _variants(task: Task, judge: Judge, candidates: Sequence[Candidate]) -> list[VariantResult]:
    """The best candidate of each variant over all images, and what the variant gives with nothing tuned."""
    found = []
    for index, variant in enumerate(task.variants):
        own = [one for one in candidates if one.variant == index and one.whole is not None]
        if not own:
            found.append(VariantResult(variant.label, None, None, None, {}))
            continue
        best = max(own, key=lambda one: (judge.sign * float(one.whole or 0.0), [-n for n in one.order]))
        first = [one for one in own if one.aim == "start"]
        begun = first[0].begun if first else None
        found.append(VariantResult(variant.label, best.whole, _interval(judge, best).ends, begun, best.params_whole))
    return sorted(found, key=lambda one: -judge.sign * (one.value if one.value is not None else -np.inf * judge.sign))


def pareto(candidates: Sequence[Candidate], sign: int) -> Iterator[Candidate]:
    """Those of which no other is at least as good and at least as fast, the best first.

    Args:
        candidates: with a latency; others are passed over.
        sign: 1 where more of the objective is better, else -1.
    """
    timed = [one for one in candidates if one.latency_ms is not None and one.whole is not None]
    fastest = float("inf")
    for one in sorted(timed, key=lambda one: (-sign * float(one.whole or 0.0), one.latency_ms, one.order)):
        if one.latency_ms is not None and one.latency_ms < fastest:
            fastest = one.latency_ms
            yield one


def _interval(judge: Judge, candidate: Candidate) -> Interval:
    terms = candidate.sums(WHOLE)
    return interval(terms[:, 0], terms[:, 1], range(len(terms)), seed=judge.seed, combine=judge.metric.combine,
                    limits=judge.metric.range)  # fmt: skip
