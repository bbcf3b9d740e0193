"""What is known of a trial once it is judged: figures, and the terms of every group, kept with the trial."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchmarks.tune.surface import Floats
from pipelines.errors import UsageError

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

RESULT = "result"
"""Attribute of a trial that holds it."""

MOST_BYTES = 1 << 28
"""Of a trial's terms, unpacked: 8 million groups."""

Aim = Literal["start", "exact", "drawn"]
"""What a trial is for: where the search begins, the optimum of an exact sweep, or whatever may be better."""

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


def read(trials: Iterable[FrozenTrial], variant: int, fold: int) -> Iterator[Candidate]:
    """The candidates of a study; what was pruned or failed is none."""
    from optuna.trial import TrialState

    for one in trials:
        if one.state == TrialState.COMPLETE and RESULT in one.user_attrs:
            try:
                said = json.loads(one.user_attrs[RESULT])
                found = Candidate(
                    **{**said, "words": tuple(said["words"])}, variant=variant, fold=fold, number=one.number
                )
                unpacked(found.terms)
            except (TypeError, ValueError, KeyError, zlib.error) as error:
                raise UsageError(
                    f"Trial {one.number} of fold {fold} in the storage is none of this version's: {error}.",
                    "Give another --storage.",
                ) from error
            yield found


def packed(terms: Floats) -> str:
    """An array ``(places, groups, 2)`` as text."""
    return f"{terms.shape[0]} {base64.b64encode(zlib.compress(terms.astype('<f8').tobytes())).decode()}"


def unpacked(text: str) -> Floats:
    """The array of a text that `packed` made."""
    places, _, data = text.partition(" ")
    flat = np.frombuffer(zlib.decompressobj().decompress(base64.b64decode(data), MOST_BYTES), "<f8")
    return np.asarray(flat.reshape(int(places), -1, 2), np.float64)
