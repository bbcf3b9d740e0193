"""Which images are shown, by rule: where the leader is worst and best, where all differ most, each one's worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.report import figures
from benchmarks.report.facts import Facts, Series
from benchmarks.report.outlines import Outline, share_of_difference

MOST_PIPELINES = 8
MOST_WORST_OF_OTHERS = 6
WORST, DIFFERENT, BEST = 4, 4, 2


@dataclass(frozen=True)
class Choice:
    """One image and why it is shown.

    Attributes:
        id: of the sample.
        why: in a few words.
    """

    id: str
    why: str


@dataclass(frozen=True)
class Chapter:
    """Images that are shown for one reason.

    Attributes:
        name: for the address within the page.
        title: the reason.
        choices: most telling first.
    """

    name: str
    title: str
    choices: tuple[Choice, ...]


def shown(facts: Facts) -> tuple[Series, ...]:
    """The pipelines whose masks mean something, best first, as many as fit side by side."""
    return tuple(one for one in facts.series if one.meaningful)[:MOST_PIPELINES]


def chapters(facts: Facts) -> tuple[Chapter, ...]:
    """Images to show; those without a target can only be told by how the pipelines differ, or by rule."""
    series = shown(facts)
    if not series:
        return ()
    found = [_worst(series[0]), _different(series), _best(series[0]), _worst_of_others(series[1:])]
    found = [chapter for chapter in found if chapter.choices]
    return tuple(found) or (_spread(series[0]),)


def _worst(one: Series) -> Chapter:
    ranked = sorted(one.by_id.items(), key=lambda item: (item[1], item[0]))
    ranked = ranked[: min(WORST, (len(ranked) + 1) // 2)]
    choices = tuple(Choice(name, f"IoU {figures.score(iou)} of {one.label}") for name, iou in ranked)
    return Chapter("worst", f"Worst images of {one.label}", choices)


def _best(one: Series) -> Chapter:
    ranked = sorted(one.by_id.items(), key=lambda item: (-item[1], item[0]))
    ranked = ranked[: min(BEST, len(ranked) // 2)]
    choices = tuple(Choice(name, f"IoU {figures.score(iou)} of {one.label}") for name, iou in ranked)
    return Chapter("best", f"Best images of {one.label}", choices)


def _different(series: Sequence[Series]) -> Chapter:
    kept = [one.outlines for one in series if one.outlines is not None]
    ranked = sorted(((-share_of_difference(_masks(name, kept)), name) for name in series[0].ids), key=lambda item: item)
    choices = tuple(Choice(name, f"the masks of the pipelines overlap by {figures.score(1 + less)}")
                    for less, name in ranked[:DIFFERENT] if less < 0)  # fmt: skip
    return Chapter("different", "Where the pipelines differ most", choices if len(kept) > 1 else ())


def _masks(name: str, kept: Sequence[dict[str, Outline]]) -> list[Outline]:
    return [outlines[name] for outlines in kept if name in outlines]


def _worst_of_others(others: Sequence[Series]) -> Chapter:
    found = [(one, min(one.by_id.items(), key=lambda item: (item[1], item[0]))) for one in others if one.by_id]
    choices = tuple(Choice(name, f"IoU {figures.score(iou)}, the worst of {one.label}") for one, (name, iou) in found)
    return Chapter("others", "The worst image of each other pipeline", choices[:MOST_WORST_OF_OTHERS])


def _spread(one: Series) -> Chapter:
    """Where nothing tells good from bad: evenly spaced images, in the order of their names."""
    names = sorted(one.ids)
    picked = dict.fromkeys(names[index * len(names) // WORST] for index in range(min(WORST, len(names))))
    return Chapter("spread", "Some images", tuple(Choice(name, "evenly spaced") for name in picked))
