"""Whether something is predicted where it is there, and nothing where it is not: one vote a text and image."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.metrics.case import Case
from benchmarks.metrics.metric import Components, Family, Metric, Term

Floats = npt.NDArray[np.float64]


def compare(case: Case) -> dict[str, int]:
    """Votes by outcome: one a class that was asked for, or one for the union, and one a text that is said to be absent.

    A failed image gives the wrong answer to every question.
    """
    votes = _votes(case)
    asked = [present for present, _ in votes]
    found = [not present if case.failed else predicted for present, predicted in votes]
    pairs = list(zip(asked, found, strict=True))
    return {
        "tp": pairs.count((True, True)),
        "fp": pairs.count((False, True)),
        "fn": pairs.count((True, False)),
        "tn": pairs.count((False, False)),
    }


def _votes(case: Case) -> list[tuple[bool, bool]]:
    """(Present in the target, predicted) of each question."""
    absent = [(False, alarm) for alarm in case.absent]
    if case.classes is None:
        return [(case.target.area > 0, case.pred.area > 0), *absent]
    there, found = ({name for name, mask in side.items() if mask.any()}
                    for side in (case.classes.targets, case.classes.preds))  # fmt: skip
    asked = case.classes.names if case.classes.asked is None else case.classes.asked
    return [*((name in there, name in found) for name in sorted(asked)), *absent]


def is_positive(c: Components) -> bool:
    """Whether anything that was asked for is there."""
    return bool(c["tp"] + c["fn"] > 0)


def _false_alarm(c: Components) -> tuple[Term, Term]:
    return c["fp"], c["fp"] + c["tn"]


def _four(c: Components) -> tuple[Term, Term]:
    votes = float(c["tp"] + c["fp"] + c["fn"] + c["tn"])
    return (c["tp"], c["fp"], c["fn"], c["tn"]), (votes,) * 4


def matthews(votes: Floats, _: Floats) -> Any:
    """Matthews correlation of the sums ``(..., 4)`` of tp, fp, fn, tn.

    0 where all answers are the same, NaN where the questions have only one right answer (SAM 3's evaluator, arXiv
    2511.16719).
    """
    tp, fp, fn, tn = np.moveaxis(votes, -1, 0)
    product = (tp + fn) * (fp + tn) * (tp + fp) * (fn + tn)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(product > 0, (tp * tn - fp * fn) / np.sqrt(product), 0.0)
    return np.where((tp + fn) * (fp + tn) > 0, value, math.nan)


PRESENCE = Family("presence", compare, is_positive)
METRICS = (
    Metric("false_alarm_rate", "Share of the questions for what is not there to which something is predicted.", "lower",
           (0.0, 1.0), "mask", PRESENCE, _false_alarm, version=2),
    Metric("il_mcc", "Matthews correlation of what is predicted at all with what is there, over images and texts.",
           "higher", (-1.0, 1.0), "mask", PRESENCE, _four, combine=matthews),
)  # fmt: skip
