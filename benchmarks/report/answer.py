"""The answer of a run in words: which pipeline, how sure, at what cost, and what cannot be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks import rows
from benchmarks.report import figures
from benchmarks.report.cautions import cautions
from benchmarks.report.facts import Facts, Series
from benchmarks.report.ties import Pair
from benchmarks.rows import Row
from benchmarks.tracking.scrubbed import scrubbed


@dataclass(frozen=True)
class Answer:
    """What a reader takes away.

    Attributes:
        headline: one sentence.
        leader: the label of the pipeline that it names, or None.
        reasons: why, and how sure, in sentences.
        cost: speed, memory and licence of the leader, in sentences.
        cautions: what limits the answer, in sentences.
    """

    headline: str
    leader: str | None
    reasons: tuple[str, ...] = ()
    cost: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


def answer(facts: Facts, pairs: Sequence[Pair], weakest: Sequence[str] = ()) -> Answer:
    """Put the result in words.

    Args:
        facts: of the run.
        pairs: the leader against every other.
        weakest: on which parts of the images the leader is weak, in sentences.
    """
    found = _answer(facts, pairs, weakest)
    return replace(found, headline=f"Unfinished run: {found.headline}") if facts.unfinished else found


def _answer(facts: Facts, pairs: Sequence[Pair], weakest: Sequence[str]) -> Answer:
    if not facts.ran:
        return Answer("No pipeline ran, so there is no answer.", None, (_cure(facts),), (), cautions(facts))
    if not facts.judged:
        return _without_quality(facts)
    row, among = facts.rivals[0].row, _among_rivals(facts, pairs)
    reasons = (*_certainty(row, among, facts), *_faster_tie(facts, among), *_blind_speed(facts), *weakest)
    return Answer(_headline(row, among, facts), row.label, reasons, _cost(row, facts), cautions(facts))


def _among_rivals(facts: Facts, pairs: Sequence[Pair]) -> list[Pair]:
    labels = {one.label for one in facts.rivals}
    return [pair for pair in pairs if pair.label in labels]


def _headline(row: Row, pairs: Sequence[Pair], facts: Facts) -> str:
    how_good, rivals = f"mIoU {figures.score(row.miou)}", facts.rivals
    if len(rivals) == 1:
        return _of_one(row, how_good, facts)
    apart = _not_compared(pairs, facts)
    if apart:
        return f"{row.label} scores highest with {how_good}, but cannot be compared with {figures.and_others(apart)}."
    tied = [pair.label for pair in pairs if pair.tie]
    if not tied:
        return f"{row.label} is the best of {len(rivals)} pipelines, with {how_good}."
    return f"{row.label} scores highest with {how_good}, but {figures.and_others(tied)} cannot be told apart from it."


def _of_one(row: Row, how_good: str, facts: Facts) -> str:
    if len(facts.series) == 1:
        return f"{row.label} reaches {how_good}; it is the only pipeline of this run."
    if len(facts.judged) > 1:
        return f"{row.label} reaches {how_good}; it is the only one that was judged without knowing the true masks."
    return (f"Which of the {len(facts.series)} pipelines is best cannot be said: only {row.label} could be judged, "
            f"with {how_good}.")  # fmt: skip


def _not_compared(pairs: Sequence[Pair], facts: Facts) -> list[str]:
    """Rivals that the leader cannot be compared with."""
    compared = {pair.label for pair in pairs}
    return [one.label for one in facts.rivals[1:] if one.label not in compared]


def _why_not_compared(labels: Sequence[str], facts: Facts) -> list[str]:
    leader, others = facts.rivals[0], [one for one in facts.rivals if one.label in labels]
    if not others:
        return []
    shared = any(leader.by_id.keys() & one.by_id.keys() for one in others)
    why = "the difference is not defined on them" if shared else "no image was judged for both"
    return [f"Without a comparison on the same images an order says little: {why}."]


def _certainty(row: Row, pairs: Sequence[Pair], facts: Facts) -> tuple[str, ...]:
    ends = f" (95 % interval {figures.interval(row.miou_ci)})" if row.miou_ci else " (too few groups for an interval)"
    images = figures.count(row.scored, "image")
    said = [f"Its masks overlap the true ones by {figures.score(row.miou)} on average over {images}{ends}."]
    said += [_of_runner_up(pair) for pair in pairs[:1]]
    apart = _not_compared(pairs, facts)
    rest = [] if apart or any(pair.tie for pair in pairs) else [pair.label for pair in pairs[1:]]
    if rest:
        who = rest[0] if len(rest) == 1 else f"The other {len(rest)}"
        said.append(f"{who} {'is' if len(rest) == 1 else 'are'} further behind.")
    return (*said, *_why_not_compared(apart, facts))


def _of_runner_up(pair: Pair) -> str:
    ends = f"{said}, " if (said := pair.ends()) else ""
    about = f"{figures.signed(pair.difference)} on the same images ({ends}p {figures.chance(pair.p)})"
    if pair.tie:
        return f"It cannot be told apart from the runner-up {pair.label}: {about} is a tie."
    return f"The lead over the runner-up {pair.label} is real: {about}."


def _faster_tie(facts: Facts, pairs: Sequence[Pair]) -> tuple[str, ...]:
    """The fastest of those that are as good as the leader, where it is faster by more than 5 %."""
    leader, tied = facts.rivals[0].row, {pair.label for pair in pairs if pair.tie}
    ours, quick = figures.p50(leader), figures.fastest([one.row for one in facts.rivals if one.label in tied])
    theirs = figures.p50(quick[0]) if quick else None
    if ours is None or theirs is None or theirs >= ours or figures.alike(ours, theirs):
        return ()
    return (f"{quick[0].label} is as good as far as these images tell, and takes {figures.latency(quick[0])} "
            f"instead of {figures.latency(leader)} an image.",)  # fmt: skip


def _blind_speed(facts: Facts) -> tuple[str, ...]:
    """The fastest of those of which only the speed is known."""
    return _fastest("Of those that could not be judged", facts.blind)


def _fastest(who: str, found: Sequence[Series]) -> tuple[str, ...]:
    quick = figures.fastest([one.row for one in found])
    if not quick:
        return ()
    labels, ms = figures.and_others([row.label for row in quick]), figures.latency(quick[0])
    if len(quick) == 1:
        return (f"{who} the fastest is {labels}: {ms} an image (median).",)
    return (f"{who} the fastest are {labels}, about alike: from {ms} an image (median).",)


def _cost(row: Row, facts: Facts) -> tuple[str, ...]:
    environment = facts.manifest.environment
    machine = environment.get("gpu") if row.device == "cuda" else environment.get("cpu")
    rate = row.throughput_ips
    throughput = f", {figures.digits(rate.value)} images a second in batches of {rate.batch_size}" if rate else ""
    speed = (f"An image takes {figures.latency(row)} (median, {machine or row.device}){throughput}; "
             f"memory peaks at {figures.memory(row)}.")  # fmt: skip
    return speed, licence(row)


def licence(row: Row) -> str:
    """What may be done with the weights, in one sentence."""
    if not row.weights:
        return "It needs no weights, so no model licence applies."
    names = figures.listed([f"{one.licence} ({one.repo})" for one in row.weights])
    allowed = {"yes": "commercial use is allowed", "no": "commercial use is not allowed"}
    use = allowed.get(rows.commercial(row) or "", "whether commercial use is allowed is unclear")
    return f"Its weights are under {names}: {use}."


def _without_quality(facts: Facts) -> Answer:
    quickest = _fastest("Of all that ran", facts.ran)
    headline = f"This run does not say which pipeline is best{', only what each one costs' * bool(quickest)}."
    cure = "Add masks to the dataset to learn which is best." if not _all_random(facts) else (
        "Run without --weights random, where the weights can be had, to learn which is best.")  # fmt: skip
    return Answer(headline, None, (_why_unjudged(facts), *quickest), (cure,), cautions(facts))


def _all_random(facts: Facts) -> bool:
    return all(one.random for one in facts.ran)


def _why_unjudged(facts: Facts) -> str:
    if _all_random(facts):
        return "Every network ran with random weights: its speed and memory are real, and its masks mean nothing."
    return "The dataset has no masks to compare with: speed, memory and licences were measured, quality was not."


def _cure(facts: Facts) -> str:
    first = facts.series[0].row if facts.series else None
    return f"{first.label}: {scrubbed(first.reason)}" if first and first.reason else "The run holds no pipeline."
