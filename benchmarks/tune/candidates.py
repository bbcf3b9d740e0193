"""What is known of a trial once it is judged: figures, and the terms of every group, kept with the trial."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from benchmarks.tune.surface import Floats
from pipelines.errors import UsageError
from pipelines.params import make_params

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from benchmarks.tune.task import Task

RESULT = "result"
"""Attribute of a trial that holds it."""

MOST_BYTES = 1 << 28
"""Of a trial's terms, unpacked: 8 million groups."""

Aim = Literal["start", "exact", "drawn"]
"""What a trial is for: where the search begins, the optimum of an exact sweep, or whatever may be better."""

LONGEST = 200
"""Letters of what is wrong with a trial: a stranger may have written them."""

ROUNDING = 1e-9
"""Between a figure and the sums of its terms, which are exact."""

PLACES = 2
TRAIN, WHOLE = 0, 1
"""Places in `terms`: at the thresholds that are best without the fold, and at those that are best over all."""


@dataclass(frozen=True)
class Candidate:
    """A trial that was judged on all images.

    Attributes:
        words: what the pipeline was asked for; empty = what the dataset says.
        params_train: all parameters, with the thresholds that are best without the study's fold.
        params_whole: with those that are best over all images.
        train: the objective without the fold at the first, or None where it is not defined.
        whole: the objective over all images at the second.
        terms: numerators and denominators by group, ``(2, groups, 2)``, packed.
        errors: images on which the pipeline failed.
        infer_s: seconds of looking at pixels; 0 where all evidence was there.
        decide_s: seconds of all that came after.
        latency_ms: of one image, where that was asked for.
        aim: what the trial was for.
        begun: where it is the first, the objective over all images at the very thresholds that the search began with.
        variant: of its study.
        fold: that its study did not see.
        number: within its study.
    """

    words: tuple[str, ...]
    params_train: dict[str, Any]
    params_whole: dict[str, Any]
    train: float | None
    whole: float | None
    terms: str
    errors: int
    infer_s: float
    decide_s: float
    latency_ms: float | None = None
    aim: Aim = "drawn"
    begun: float | None = None
    variant: int = 0
    fold: int = 0
    number: int = 0

    def to_json(self) -> str:
        """For the storage."""
        left_out = ("variant", "fold", "number")
        return json.dumps({name: value for name, value in asdict(self).items() if name not in left_out})

    def sums(self, place: int) -> Floats:
        """Numerators and denominators by group, ``(groups, 2)``.

        Args:
            place: `TRAIN` or `WHOLE`.
        """
        found: Floats = unpacked(self.terms)[place]
        return found

    @property
    def order(self) -> tuple[int, int, int]:
        """Of equals the first is taken."""
        return self.number, self.variant, self.fold


def read(trials: Iterable[FrozenTrial], variant: int, fold: int, task: Task | None = None) -> Iterator[Candidate]:
    """The candidates of a study; what was pruned or failed is none.

    Args:
        trials: of the study.
        variant: of the study.
        fold: that it does not see.
        task: what is searched; each candidate is held against it, since others may write into the storage.

    Raises:
        UsageError: the storage holds what this search cannot have written.
    """
    from optuna.trial import TrialState

    for one in trials:
        if one.state == TrialState.COMPLETE and RESULT in one.user_attrs:
            try:
                found = _read(one, variant, fold)
                if task is None:
                    unpacked(found.terms)
                else:
                    found = checked(found, one.values, task)
            except (ValueError, OverflowError, zlib.error, UsageError) as error:
                why = error.message if isinstance(error, UsageError) else str(error)
                raise UsageError(
                    f"Trial {one.number} of fold {fold} in the storage is none of this search: {_shown(why)}",
                    "Give another --storage or --out, or remove what is stored there.",
                ) from error
            yield found


def _read(trial: FrozenTrial, variant: int, fold: int) -> Candidate:
    try:
        found: Candidate = _reader().validate_json(trial.user_attrs[RESULT])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise ValueError(f"{place!a}: {first['msg']}") from error
    return replace(found, variant=variant, fold=fold, number=trial.number)


@cache
def _reader() -> TypeAdapter[Candidate]:
    return TypeAdapter(Candidate)


def _shown(why: str) -> str:
    """One short line of what a stranger may have written, without what a terminal obeys."""
    line = "".join(letter if letter.isprintable() else " " for letter in why).strip()
    return f"{line[:LONGEST].rstrip('.')}{'...' if len(line) > LONGEST else '.'}"


def checked(one: Candidate, values: Sequence[float] | None, task: Task) -> Candidate:
    """A candidate that a study of a task can have written: its fields, its terms, and the figures that they give.

    Args:
        one: as it was stored.
        values: that its trial was told with.
        task: what is searched.

    Raises:
        ValueError: it cannot.
        UsageError: a parameter is unknown or out of its bounds.
    """
    if one.words != tuple(task.variants[one.variant].words):
        raise ValueError("it was asked for something else")
    if not 0 <= one.errors <= len(task.fold):
        raise ValueError(f"the pipeline failed on {one.errors} of {len(task.fold)} images")
    if not all(0 <= seconds < math.inf for seconds in (one.infer_s, one.decide_s)):
        raise ValueError(f"it took {one.infer_s} and {one.decide_s} seconds")
    if (one.latency_ms is not None) != task.timed or (one.latency_ms or 0) < 0:
        raise ValueError(f"its time is {one.latency_ms}")
    _check_figures(one, values, task)
    train, whole = (_checked_params(params, one, task) for params in (one.params_train, one.params_whole))
    return replace(one, params_train=train, params_whole=whole)


def _check_figures(one: Candidate, values: Sequence[float] | None, task: Task) -> None:
    seen = task.fold_of_groups != (one.fold if task.folds > 1 else -1)
    terms = unpacked(one.terms, len(seen))
    if not np.isfinite(terms).all() or (terms < 0).any():
        raise ValueError("its terms are no shares")
    figures = task.metric.combine(*np.stack([terms[TRAIN][seen].sum(axis=0), terms[WHOLE].sum(axis=0)], axis=1))
    pairs = zip(figures.tolist(), (one.train, one.whole), strict=True)
    if not all(np.isnan(figure) if said is None else abs(figure - said) <= ROUNDING for figure, said in pairs):
        raise ValueError("its figures are not those of its terms")
    told = [one.train, *([one.latency_ms] if task.timed else [])]
    if values is None or list(values) != told:
        raise ValueError("its trial was told with other values")


def _checked_params(params: dict[str, Any], one: Candidate, task: Task) -> dict[str, Any]:
    made: dict[str, Any] = make_params(task.params, params).model_dump(mode="json")
    held = {**task.configuration.params, **task.variants[one.variant].load}
    moved = [name for name, value in made.items() if name not in task.space.names and value != held[name]]
    if moved or len(params) != len(made):
        raise ValueError(f"it moves {moved[0]}, which is not searched" if moved else "it leaves parameters out")
    return made


def packed(terms: Floats) -> str:
    """An array ``(places, groups, 2)`` as text."""
    return f"{terms.shape[0]} {base64.b64encode(zlib.compress(terms.astype('<f8').tobytes())).decode()}"


def unpacked(text: str, groups: int | None = None) -> Floats:
    """The array of a text that `packed` made.

    Args:
        text: two places, and the terms of their groups.
        groups: how many there have to be; no more than these are unpacked.

    Raises:
        ValueError: it is no such text.
        zlib.error: likewise.
    """
    places, _, data = text.partition(" ")
    most = MOST_BYTES if groups is None else PLACES * groups * 2 * 8
    unpacker = zlib.decompressobj()
    found = unpacker.decompress(base64.b64decode(data, validate=True), most + 1)
    if not unpacker.eof or len(found) > most or (groups is not None and (places, len(found)) != (str(PLACES), most)):
        raise ValueError("its terms are not those of as many groups")
    return np.asarray(np.frombuffer(found, "<f8").reshape(int(places), -1, 2), np.float64)
