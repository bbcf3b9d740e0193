"""Which fields matter: where the values of the best trials differ from those of all by more than chance.

PED-ANOVA (Watanabe, Bansal and Hutter, PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
Subspaces, IJCAI 2023) compares the densities of both. It always names some field, also of noise; so it is first tested
whether the best trials lie anywhere else than as many drawn at random (statistic of Kuiper, 1960, which sees values
that crowd in the middle of a range as well as those at its ends).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.tune.candidates import Candidate
from benchmarks.tune.space import Field
from benchmarks.tune.surface import Floats
from benchmarks.tune.task import Task

Ints = npt.NDArray[np.int64]

BEST = 10
"""One trial in so many is among the best."""

STEPS = 50
"""Places on a range at which its density is told."""

NARROWEST = 0.3
"""Steps of the grid: of the normal curve around a value, 90 % are then within the value's own step."""

DRAWS, CHANCE = 400, 0.05
"""Draws of as many trials at random; in fewer than that share of them some field may look as important."""


def importance(task: Task, candidates: Sequence[Candidate]) -> dict[str, float]:
    """Each field's part in what makes the best trials good, the largest first; empty where it cannot be told.

    Args:
        task: what was searched.
        candidates: of all studies.
    """
    usable = [one for one in candidates if one.whole is not None]
    fields = [field for field in task.space.fields if len({str(one.params_whole[field.name]) for one in usable}) > 1]
    if len(fields) < 2 or len(usable) < 2 * len(fields):
        return {}
    figures = task.sign * np.array([one.whole for one in usable], np.float64)
    best = figures >= np.sort(figures)[-int(np.ceil(len(figures) / BEST))]
    places = [_places(field, [one.params_whole[field.name] for one in usable]) for field in fields]
    if best.all() or not _is_told(places, best):
        return {}
    apart = [_divergence(its, best, bool(field.choices)) for field, its in zip(fields, places, strict=True)]
    shares = {field.name: found / sum(apart) for field, found in zip(fields, apart, strict=True)}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _places(field: Field, values: Sequence[Any]) -> Ints:
    """Where each value is: the index of a choice, or of the nearest of some steps between the ends of a range."""
    if field.choices:
        return np.array([field.choices.index(value) for value in values], np.int64)
    low, high, held = field.low, field.high, np.asarray(values, np.float64)
    if field.knob.log and low > 0:
        low, high, held = np.log(low), np.log(high), np.log(held)
    return np.clip(np.round((held - low) / (high - low) * (STEPS - 1)), 0, STEPS - 1).astype(np.int64)


def _is_told(places: Sequence[Ints], best: npt.NDArray[np.bool_]) -> bool:
    """Whether the best lie elsewhere than almost all draws of as many do, in the field in which either does most."""
    chance, count = np.random.default_rng(0), int(best.sum())
    drawn = np.array([np.flatnonzero(best), *(chance.permutation(len(best))[:count] for _ in range(DRAWS))])
    most = np.max([_kuiper(its, drawn) for its in places], axis=0)
    return bool(np.mean(most[1:] >= most[0]) < CHANCE)


def _kuiper(places: Ints, drawn: Ints) -> Floats:
    """How far the share of some trials up to a place is above that of all, and below it, at most: ``(draws,)``.

    Args:
        places: of all trials.
        drawn: trials of each draw, ``(draws, count)``.
    """
    size = int(places.max()) + 1
    rows = np.arange(len(drawn))[:, None] * size
    counts = np.bincount((places[drawn] + rows).ravel(), minlength=len(drawn) * size).reshape(len(drawn), size)
    gaps = np.cumsum(counts / drawn.shape[1] - np.bincount(places, minlength=size) / len(places), axis=1)
    return np.asarray(gaps.max(axis=1) - gaps.min(axis=1), np.float64)


def _divergence(places: Ints, best: npt.NDArray[np.bool_], are_choices: bool) -> float:
    """Pearson's, of the density of the best trials from that of all."""
    size = int(places.max()) + 1 if are_choices else STEPS
    top, local = (_density(np.bincount(some, minlength=size), are_choices) for some in (places[best], places))
    return float(np.sum(local * (top / local - 1) ** 2))


def _density(counts: Ints, are_choices: bool) -> Floats:
    """Of what was counted at each place, with one more trial that may be anywhere; smooth along a range."""
    prior, number = 1 / len(counts), int(counts.sum())
    if are_choices:
        return np.asarray((counts + prior) / (number + 1), np.float64)
    at = np.arange(len(counts))
    every = np.repeat(at, counts)
    quarter, three = np.percentile(every, (25, 75))
    spread = min(float(every.std()), (three - quarter) / 1.34)
    width = max(1.06 * spread * number**-0.2, NARROWEST)  # the rule of Scott, 1992
    curves = np.exp(-0.5 * ((at[:, None] - at) / width) ** 2)
    smooth = counts @ (curves / curves.sum(axis=1, keepdims=True))
    return np.asarray((smooth + prior) / (number + 1), np.float64)
