"""What a study searches: fields of a pipeline, each with the range and the scale that its declaration gives."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.errors import UnknownNameError, UsageError
from pipelines.params import STEPS, Knob, Params, Reads, knobs

if TYPE_CHECKING:
    from optuna.trial import Trial

SPAN = 0.25
"""Part of a field's range that is searched on either side of where it starts; a study of few trials sees no more."""


@dataclass(frozen=True)
class Field:
    """One field that is searched.

    Attributes:
        knob: its declaration.
        start: where the search begins.
        choices: values that are tried; empty for a range.
        low: smallest value of a range.
        high: largest value of a range.
        step: grid, or None.
    """

    knob: Knob
    start: Any
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None

    @property
    def name(self) -> str:
        """Of the field."""
        return self.knob.name

    def suggest(self, trial: Trial) -> Any:
        """A value for a trial."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        if self.knob.kind == "int":
            step = int(self.step or 1)
            log = self.knob.log and step == 1
            return trial.suggest_int(self.name, int(self.low), int(self.high), step=step, log=log)
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.knob.log and not self.step)


@dataclass(frozen=True)
class Space:
    """The fields of a study, those of the dearest step first."""

    fields: tuple[Field, ...]

    def __bool__(self) -> bool:
        return bool(self.fields)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the fields."""
        return tuple(field.name for field in self.fields)

    def of(self, *reads: Reads) -> Space:
        """The fields that these steps read."""
        return Space(tuple(field for field in self.fields if field.knob.reads in reads))

    def without(self, names: Iterable[str]) -> Space:
        """All but some."""
        left_out = set(names)
        return Space(tuple(field for field in self.fields if field.name not in left_out))

    def only(self, names: Iterable[str]) -> Space:
        """Some of them."""
        wanted = set(names)
        return Space(tuple(field for field in self.fields if field.name in wanted))

    def start(self) -> dict[str, Any]:
        """Where the search begins."""
        return {field.name: field.start for field in self.fields}


def space_of(base: Params, names: Sequence[str] | None, relevant: Iterable[str], span: float = SPAN,
             grids: Mapping[str, tuple[float, float, float]] | None = None) -> Space:  # fmt: skip
    """What is searched around some parameters.

    Args:
        base: where the search begins.
        names: fields that the user names; None = every field that is meant to be searched.
        relevant: fields that can change the result at all, given `base`.
        span: part of a field's range on either side of where it starts; 1 = the whole range.
        grids: field → smallest value, largest value and step of those that are swept, whose whole range is searched.

    Raises:
        UnknownNameError: there is no such field.
        UsageError: nothing is left to search, or a field has no bounds to search between.
    """
    known = {knob.name: knob for knob in knobs(type(base))}
    for name in names or ():
        if name not in known:
            raise UnknownNameError("parameter", name, known)
    chosen = names if names is not None else [n for n in known if known[n].search and n in set(relevant)]
    fields = [_field(known[name], getattr(base, name), span, (grids or {}).get(name)) for name in dict.fromkeys(chosen)]
    if not fields:
        raise UsageError("There is no field to search.", "Name some with --fields.")
    return Space(tuple(sorted(fields, key=lambda field: STEPS.index(field.knob.reads))))


def _field(knob: Knob, start: Any, span: float, grid: tuple[float, float, float] | None) -> Field:
    if grid is not None:
        low, high, step = grid
        return Field(knob, min(max(low + round((start - low) / step) * step, low), high), (), low, high, step)
    if knob.kind in ("bool", "choice"):
        return Field(knob, start, (False, True) if knob.kind == "bool" else knob.choices)
    if knob.low is None or knob.high is None:
        raise UsageError(f"The field {knob.name} has no bounds to search between.", "Leave it out of --fields.")
    low, high = _around(knob, float(start), span)
    if knob.kind == "int":
        step = int(knob.step or 1)
        low = start - step * math.floor((start - low) / step)
        high = start + step * math.floor((high - start) / step)
        return Field(knob, start, (), low, high, step)
    return Field(knob, start, (), low, high)


def _around(knob: Knob, start: float, span: float) -> tuple[float, float]:
    """The part of a field's range around a value, on the scale that it is searched on."""
    least, most = float(knob.low or 0.0), float(knob.high or 0.0)
    if knob.log and least > 0:
        reach = span * math.log(most / least)
        return max(least, start * math.exp(-reach)), min(most, start * math.exp(reach))
    reach = span * (most - least)
    return max(least, start - reach), min(most, start + reach)
