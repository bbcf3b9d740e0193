"""The answer of a run in words: which pipeline, how sure, at what cost, and what cannot be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import leaderboard
from benchmarks.report import figures
from benchmarks.report.facts import Facts, Series
from benchmarks.report.ties import Pair
from benchmarks.rows import Row
from benchmarks.table import FLAGS

CAUTIONS = ("few_groups", "oracle_prompts", "limited", "resumed", "unstable", "disturbed")
LISTED = 4


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


def answer(facts: Facts, pairs: Sequence[Pair], weakest: str | None = None) -> Answer:
    """Put the result in words.

    Args:
        facts: of the run.
        pairs: the leader against every other.
        weakest: on which part of the images the leader is weakest, as a sentence.
    """
    if not facts.ran:
        return Answer("No pipeline ran, so there is no answer.", None, (_cure(facts),), (), _cautions(facts))
    if not facts.judged:
        return _without_quality(facts)
    leader = facts.judged[0]
    weak = (weakest,) if weakest else ()
    return Answer(
        _headline(leader.row, pairs, facts),
        leader.label,
        (
            *_certainty(leader.row, pairs, facts),
            *_faster_tie(facts, pairs),
            *_blind_speed(facts),
            *weak,
        ),
        _cost(leader.row, facts),
        _cautions(facts),
    )


def _headline(row: Row, pairs: Sequence[Pair], facts: Facts) -> str:
    how_good = f"mIoU {figures.score(row.miou)}"
    if not pairs and len(facts.series) > 1:
        return (f"Which of the {len(facts.series)} pipelines is best cannot be said: only {row.label} could be judged, "
                f"with {how_good}.")  # fmt: skip
    if not pairs:
        return f"{row.label} reaches {how_good}; it is the only pipeline of this run."
    tied = [pair.label for pair in pairs if pair.tie]
    if not tied:
        return f"{row.label} is the best of {len(facts.judged)} pipelines, with {how_good}."
    return f"{row.label} scores highest with {how_good}, but {and_others(tied)} cannot be told apart from it."


def _certainty(row: Row, pairs: Sequence[Pair], facts: Facts) -> tuple[str, ...]:
    ends = f" (95 % interval {figures.interval(row.miou_ci)})" if row.miou_ci else " (too few groups for an interval)"
    images = figures.count(row.scored, "image")
    said = [f"Its masks overlap the true ones by {figures.score(row.miou)} on average over {images}{ends}."]
    said += [_of_runner_up(pair) for pair in pairs[:1]]
    rest = len(facts.judged) - 2
    if rest > 0 and not any(pair.tie for pair in pairs):
        said.append(
            f"The other {rest} are further behind." if rest > 1 else f"{facts.judged[2].label} is further behind."
        )
    return tuple(said)


def _of_runner_up(pair: Pair) -> str:
    lead, p = figures.signed(pair.difference), f"p {figures.chance(pair.p)}"
    ends = f"{figures.signed(pair.ci[0])} to {figures.signed(pair.ci[1])}, " if pair.ci else ""
    if pair.tie:
        return f"Against the runner-up {pair.label} it is a tie: {lead} on the same images ({ends}{p})."
    return f"The lead over the runner-up {pair.label} is real: {lead} on the same images ({ends}{p})."


def _faster_tie(facts: Facts, pairs: Sequence[Pair]) -> tuple[str, ...]:
    """The fastest of those that are as good as the leader, where it is faster."""
    ours, tied = figures.p50(facts.judged[0].row), {pair.label for pair in pairs if pair.tie}
    quick = [(ms, one.label) for one in facts.judged if one.label in tied and (ms := figures.p50(one.row)) is not None]
    if ours is None or not quick or min(quick)[0] >= ours:
        return ()
    ms, label = min(quick)
    return (f"{label} is as good as far as these images tell, and takes {figures.milliseconds(ms)} "
            f"instead of {figures.milliseconds(ours)} an image.",)  # fmt: skip


def _blind_speed(facts: Facts) -> tuple[str, ...]:
    """The fastest of those of which only the speed is known."""
    quick = [(ms, one.label) for one in _blind(facts) if (ms := figures.p50(one.row)) is not None]
    if not quick:
        return ()
    ms, label = min(quick)
    return (f"Of those that could not be judged the fastest is {label}: {figures.milliseconds(ms)} an image.",)


def _blind(facts: Facts) -> list[Series]:
    """Those that ran, but whose quality was not measured."""
    judged = {one.label for one in facts.judged}
    return [one for one in facts.ran if one.label not in judged]


def _cost(row: Row, facts: Facts) -> tuple[str, ...]:
    environment = facts.manifest.environment
    machine = environment.get("gpu") if row.device == "cuda" else environment.get("cpu")
    rate = row.throughput_ips
    throughput = f", {figures.digits(rate.value)} images a second in batches of {rate.batch_size}" if rate else ""
    speed = (f"An image takes {figures.milliseconds(figures.p50(row))} (median, {machine or row.device}){throughput}; "
             f"memory peaks at {figures.memory(row)}.")  # fmt: skip
    return speed, licence(row)


def licence(row: Row) -> str:
    """What may be done with the weights, in one sentence."""
    if not row.weights:
        return "It needs no weights, so no model licence applies."
    names = listed([f"{one.licence} ({one.repo})" for one in row.weights])
    commercial = figures.commercial(row.weights)
    allowed = {"yes": "commercial use is allowed", "no": "commercial use is not allowed",
               "unclear": "whether commercial use is allowed is unclear"}[commercial]  # fmt: skip
    return f"Its weights are under {names}: {allowed}."


def _without_quality(facts: Facts) -> Answer:
    why = _why_unjudged(facts)
    timed = sorted((ms, one.row.label) for one in facts.ran if (ms := figures.p50(one.row)) is not None)
    headline = f"This run does not say which pipeline is best{', only what each one costs' * bool(timed)}."
    quickest = () if not timed else (
        f"The fastest is {timed[0][1]}: {figures.milliseconds(timed[0][0])} an image (median).",)  # fmt: skip
    cure = "Add masks to the dataset to learn which is best." if not _all_random(facts) else (
        "Run without --weights random, where the weights can be had, to learn which is best.")  # fmt: skip
    return Answer(headline, None, (why, *quickest), (cure,), _cautions(facts))


def _all_random(facts: Facts) -> bool:
    return all(map(_is_random, facts.ran))


def _is_random(one: Series) -> bool:
    return leaderboard.is_random(one.configuration)


def _why_unjudged(facts: Facts) -> str:
    if _all_random(facts):
        return "Every network ran with random weights: its speed and memory are real, and its masks mean nothing."
    return "The dataset has no masks to compare with: speed, memory and licences were measured, quality was not."


def _cure(facts: Facts) -> str:
    first = facts.series[0].row if facts.series else None
    return f"{first.label}: {first.reason}" if first and first.reason else "The run holds no pipeline."


def _cautions(facts: Facts) -> tuple[str, ...]:
    """What limits the answer, from what a reader has to know first."""
    said = []
    blind = [one.label for one in _blind(facts)] if facts.judged else []
    if blind:
        why = "ran with random weights" if all(map(_is_random, _blind(facts))) else "could not be judged"
        said.append(f"{and_others(blind)} {why}: of them only speed and memory count, and a better one may be "
                    "among them.")  # fmt: skip
    absent = [one.label for one in facts.series if one.row.status != "ok"]
    if absent and facts.ran:
        said.append(f"{and_others(absent)} gave no result, so nothing is said of "
                    f"{'it' if len(absent) == 1 else 'them'}; the reason stands in the table.")  # fmt: skip
    raised = {flag for one in facts.series[:1] for flag in one.row.flags}
    said += [sentence(flag, facts) for flag in CAUTIONS if flag in raised]
    return tuple(said)


def sentence(flag: str, facts: Facts) -> str:
    """What a flag means, as the terminal says it, as a sentence; one of a pipeline's own stands for itself."""
    name, _, value = flag.partition(":")
    if name == "errors":
        return f"{value} images failed and count as 0."
    words = FLAGS[name].format(groups=facts.manifest.dataset.n_groups, value=value) if name in FLAGS else flag
    return f"{words[:1].upper()}{words[1:]}."


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def and_others(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - LISTED
    return listed([*names[:LISTED], figures.count(more, "other")] if more > 0 else names)


def unjudged(one: Series) -> str:
    """Why a configuration that ran has no quality."""
    return "random weights" if _is_random(one) else "no masks"
