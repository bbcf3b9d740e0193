"""Why a row is the choice and how sure that is, in sentences for people who were not there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from benchmarks.recommend import choice
from benchmarks.recommend.choice import Flip, Limits, Pick, number
from benchmarks.records import Record
from benchmarks.rows import Row, was_tuned_here
from benchmarks.statistics.pairs import Pair

ALMOST_ALWAYS, MOSTLY = 0.95, 0.8
CLOSE, HALF = 0.1, 0.5
Ends = tuple[float, float]
Level = Literal["sure", "fairly sure", "a tie", "not sure", "speed alone", "nothing fits"]


class Compared(Protocol):
    """Rows on the same images; `benchmarks.recommend.resampled.SameImages` is one."""

    @property
    def n(self) -> int:
        """How many images."""

    def pair(self, first: str, second: str, /) -> Pair:
        """The mIoU of the first less that of the second, and whether that counts."""

    def shares(self, labels: Sequence[str]) -> dict[str, float]:
        """How often each is best on resampled images."""


class Sure(Record):
    """How sure a recommendation is.

    Attributes:
        level: in a word or two.
        share: of resampled sets of images on which the choice has the best mIoU of all that fit; None without quality.
        words: what speaks for it and against, in sentences.
    """

    level: Level
    share: float | None
    words: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """What a recommendation is made from.

    Attributes:
        rows: of the run.
        limits: that are asked for.
        images: those rows with a quality, on the same images.
        n_groups: of the dataset.
    """

    rows: Sequence[Row]
    limits: Limits
    images: Compared
    n_groups: int


def why(chosen: Pick, fit: Sequence[Row], case: Case) -> str:
    """Why a row is the choice, in plain words.

    Args:
        chosen: the choice.
        fit: rows that may be chosen.
        case: what is asked, and the images.
    """
    row, best = chosen.row, chosen.best
    others = f"the only one that fits {_asked(case.limits)}" if len(fit) == 1 else f"of the {len(fit)} that fit"
    if row.miou is None:
        head = f"{row.label} is {others}" if len(fit) == 1 else f"{row.label} is the fastest {others}"
        return f"{head}; quality is not known, so speed alone decides. {_cost(row)}"
    quality = f"mIoU {row.miou:.3f}{_ends(row.miou_ci)} on {row.scored} images"
    if len(fit) == 1:
        return f"{row.label} is {others}: {quality}. {_cost(row)}"
    if row is best:
        return f"{row.label} has the best quality {others}: {quality}.{_rivals(chosen, case)} {_cost(row)}"
    gap = case.images.pair(best.label, row.label)
    return (f"{row.label} is as good as the best {others}, as far as the images tell, and {_cheaper(row, best)}: "
            f"{quality}, against {best.miou:.3f} of {best.label} ({_gap(gap)}; cost decides a tie "
            f"within {choice.NEAR:g} of the best). {_cost(row)}")  # fmt: skip


def _rivals(chosen: Pick, case: Case) -> str:
    """Those that tie with the choice, which is the best: why they are not the choice."""
    said = ""
    if chosen.near:
        said += f" The images do not tell {_labels(chosen.near)} apart from it, at no lower cost."
    if chosen.far:
        groups = case.images.pair(chosen.best.label, chosen.far[0].label).difference.n_groups
        said += (f" {_labels(chosen.far)} cannot be told apart from it with so few groups ({groups}), but the mIoU is "
                 f"lower by more than {choice.NEAR:g}, up to which cost would decide.")  # fmt: skip
    return said


def _labels(rows: Sequence[Row]) -> str:
    return " and ".join(one.label for one in rows)


def _asked(limits: Limits) -> str:
    return "the limits" if limits != Limits() else "at all"


def _ends(ends: Ends | None) -> str:
    return f" ({ends[0]:.3f} to {ends[1]:.3f})" if ends else ""


def _gap(pair: Pair) -> str:
    gap = pair.difference
    kind = "exact bound" if gap.method == "exact" else "interval"
    ends = f", {kind} {gap.ci[0]:+.3f} to {gap.ci[1]:+.3f}" if gap.ci else ""
    return f"difference {gap.value or 0.0:+.3f}{ends}"


def _cheaper(row: Row, other: Row) -> str:
    """In what a row is cheaper than another of about the same quality."""
    if choice.p50_ms(row) * (1 + choice.SAME) < choice.p50_ms(other):
        return f"faster, {number(choice.p50_ms(row))} ms instead of {number(choice.p50_ms(other))} ms an image"
    if choice.memory_mb(row) * (1 + choice.SAME) < choice.memory_mb(other):
        return f"smaller, {number(choice.memory_mb(row))} MB instead of {number(choice.memory_mb(other))} MB"
    if choice.licence_rank(row) < choice.licence_rank(other):
        return "of a clearer licence"
    return "no more costly"


def _cost(row: Row) -> str:
    """Speed, memory and licence in one sentence."""
    parts = []
    if math.isfinite(choice.p50_ms(row)):
        parts.append(f"takes {number(choice.p50_ms(row))} ms an image (median, {row.device})")
    if row.throughput_ips:
        parts.append(f"does {number(row.throughput_ips.value)} images/s in batches of {row.throughput_ips.batch_size}")
    if math.isfinite(choice.memory_mb(row)):
        parts.append(f"peaks at {number(choice.memory_mb(row))} MB")
    return f"It {', '.join([*parts, _licence(row)])}."


def _licence(row: Row) -> str:
    licences = " and ".join(dict.fromkeys(one.licence for one in row.weights))
    use = ("may be used commercially", "may or may not be used commercially, which its licence leaves unclear",
           "may not be used commercially")[choice.licence_rank(row)]  # fmt: skip
    return f"{use} ({licences})" if licences else "needs no weights, so no licence of a model applies"


def sure(chosen: Pick, fit: Sequence[Row], case: Case, shares: Mapping[str, float]) -> Sure:
    """How sure the choice is.

    Args:
        chosen: the choice.
        fit: rows that may be chosen.
        case: what is asked, and the images.
        shares: how often each of `fit` is best on resampled images; empty where no quality is known.
    """
    row, share = chosen.row, shares.get(chosen.row.label)
    doubts = _doubts(row, case)
    rough = "few_groups" in row.flags or was_tuned_here(row)
    words = [*_stays_best(chosen, fit, case, shares), *doubts, *_notes(row, case)]
    if share is None:
        level: Level = "speed alone"
    elif row is not chosen.best:
        level = "a tie"
    else:
        sure = share >= ALMOST_ALWAYS and not doubts and not chosen.tied and not rough
        level = "sure" if sure else "fairly sure" if share >= MOSTLY else "not sure"
    return Sure(level=level, share=share, words=tuple(words))


def _stays_best(chosen: Pick, fit: Sequence[Row], case: Case, shares: Mapping[str, float]) -> list[str]:
    row, best = chosen.row, chosen.best
    if not shares:
        return ["The run knows no quality: a row that is as fast and far better would not be seen."]
    if len(fit) == 1:
        return ["Nothing else fits, so nothing could take its place."]
    images = f"resampled sets of the {case.images.n} images"
    if row is best:
        return [f"It stays the best of those that fit on {_share(shares[row.label])} of {images}."]
    gap = case.images.pair(best.label, row.label).difference
    worst = f" The loss may be as large as {gap.ci[1]:.3f}." if gap.ci and gap.ci[1] > 0 else ""
    return [f"By quality alone it is a tie: {row.label} is best on {_share(shares[row.label])} of {images}, "
            f"{best.label} on {_share(shares[best.label])}.{worst}"]  # fmt: skip


def _share(value: float) -> str:
    return f"{value:.0%}" if value in (0.0, 1.0) or 0.01 <= value <= 0.99 else f"{value:.1%}"


def _doubts(row: Row, case: Case) -> list[str]:
    """Limits that the figure keeps and its interval or its tail does not."""
    limits, said = case.limits, []
    latency, ends = row.latency_ms or {}, (row.latency_ci or {}).get("p50")
    if limits.latency_ms is not None:
        allowed, p95 = number(limits.latency_ms, 6), latency.get("p95")
        if ends and ends[1] > limits.latency_ms:
            said.append(f"The interval of its median latency reaches {number(ends[1], 4)} ms, over {allowed} ms.")
        if p95 is not None and p95 > limits.latency_ms:
            said.append(f"One image in twenty takes longer than {number(p95)} ms, over the limit of {allowed} ms.")
    rate = row.throughput_ips
    if limits.throughput_ips is not None and rate and rate.ci and rate.ci[0] < limits.throughput_ips:
        said.append(f"The interval of its throughput reaches {number(rate.ci[0])} images/s, under the limit.")
    if limits.miou is not None and row.miou_ci and row.miou_ci[0] < limits.miou:
        said.append(f"The interval of its mIoU reaches {row.miou_ci[0]:.3f}, under {number(limits.miou, 6)}.")
    if limits.memory_mb is not None and choice.memory_mb(row) > limits.memory_mb * (1 - CLOSE):
        said.append(f"Its memory is within {CLOSE:.0%} of the limit, and a larger picture may take more.")
    return said


def _notes(row: Row, case: Case) -> list[str]:
    """What else a reader has to know before relying on it."""
    latency = row.latency_ms or {}
    notes = {
        "On average its masks share less than half with the true ones; --min-miou asks for more.":
            row.miou is not None and row.miou < HALF,
        f"It failed on {row.errors} of {row.n} images, which count as 0.": row.errors > 0,
        f"The images make {case.n_groups} groups alone: read the shares and intervals as rough.":
            "few_groups" in row.flags,
        "Its times were not steady, so that they are rough.": not {"unstable", "disturbed"}.isdisjoint(row.flags),
        "Too few calls were timed to say how slow the slowest images are.":
            case.limits.latency_ms is not None and bool(latency) and latency.get("p95") is None,
        "Its weights are random: speed and memory are real, and its masks mean nothing.": "random_weights" in row.flags,
        "Its points or boxes were taken from the true masks: what one would click who knows the answer.":
            "oracle_prompts" in row.flags,
        "Its preset was tuned on images of this run: on new images it may well be worse.": was_tuned_here(row),
        "It is a part of the dataset, by --limit.": "limited" in row.flags,
    }  # fmt: skip
    return [note for note, holds in notes.items() if holds]


def instead(flip: Flip, chosen: Pick, case: Case) -> str:
    """How another row would be the choice, against the present one."""
    then, now = flip.pick.row, chosen.row
    if then.miou is None or now.miou is None:
        return f"{then.label} would be the choice, at {number(choice.p50_ms(then))} ms an image"
    pair = case.images.pair(then.label, now.label)
    gap = pair.difference.value or 0.0
    if pair.tie and abs(gap) <= choice.NEAR:
        return f"{then.label} would be the choice: as good as far as the images tell, and {_cheaper(then, now)}"
    if pair.tie:
        said = f"at {abs(gap):.3f} mIoU {'more' if gap > 0 else 'less'}"
        return f"{then.label} would be the choice, {said}, which cannot be told apart with so few groups"
    return f"{then.label} would {f'win by {gap:.3f} mIoU' if gap > 0 else f'be the choice, at {-gap:.3f} mIoU less'}"
