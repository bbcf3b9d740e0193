"""What the page of a study says again and again: names, figures and differences, as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import leaderboard
from benchmarks.report import figures
from benchmarks.report.markup import Markup, element, fragment
from benchmarks.tracking.scrubbed import last_part
from benchmarks.tune.candidates import Candidate
from benchmarks.tune.outcome import Outcome
from benchmarks.tune.task import Task
from pipelines.params import Knob, knobs
from pipelines.registry import pipeline_class

NAMES = {"miou": "mIoU"}


@dataclass(frozen=True)
class Told:
    """A search with the document of it.

    Attributes:
        outcome: of the search.
        said: the document.
    """

    outcome: Outcome
    said: Mapping[str, Any]

    @property
    def task(self) -> Task:
        """What was searched."""
        return self.outcome.task

    @property
    def name(self) -> str:
        """Of the objective."""
        return NAMES.get(self.task.objective, self.task.objective)

    @property
    def label(self) -> str:
        """Of what the search began with."""
        return self.task.configuration.label

    @property
    def dataset(self) -> str:
        """Its name, without the folders that it lies in."""
        return last_part(self.task.manifest.dataset.name)

    @property
    def best(self) -> Mapping[str, Any]:
        """What is kept."""
        found: Mapping[str, Any] = self.said["best"]
        return found

    @property
    def kept(self) -> bool:
        """Whether that is what the search began with."""
        return bool(self.said["start"]["kept"])

    @property
    def start(self) -> float | None:
        """The objective of what the search began with."""
        value: float | None = self.said["start"]["value"]
        return value

    @property
    def cv(self) -> float | None:
        """The objective on images that had no say."""
        value: float | None = self.best["cv_value"]
        return value

    @property
    def gain(self) -> float | None:
        """By how much the cross-validated figure is better than the start; below 0 where it is worse."""
        return None if self.cv is None or self.start is None else self.task.sign * (self.cv - self.start)

    @property
    def gain_ci(self) -> tuple[float, float] | None:
        """The interval of that, or None."""
        ends = self.best.get("gain_ci")
        return None if ends is None else (min(e * self.task.sign for e in ends), max(e * self.task.sign for e in ends))

    @property
    def random(self) -> bool:
        """Whether the weights are random, so that no figure means anything."""
        return leaderboard.is_random(self.task.configuration)

    @property
    def knobs(self) -> dict[str, Knob]:
        """Every field of the pipeline with its declaration."""
        return {knob.name: knob for knob in knobs(pipeline_class(self.task.configuration.pipeline).Params)}

    @property
    def changed(self) -> list[str]:
        """Fields that are not as they were; what follows another field on its own is left out."""
        floor = pipeline_class(self.task.configuration.pipeline).Params.floor
        before = self.task.configuration.params
        return [name for name, value in self.best["params"].items()
                if before.get(name) != value and name != (floor[0] if floor else None)]  # fmt: skip

    @property
    def plain(self) -> tuple[Candidate, ...]:
        """Candidates that have a figure over all images."""
        return tuple(one for one in self.outcome.candidates if one.whole is not None)

    @property
    def study(self) -> str:
        """The name of its folder, without those that it lies in."""
        return Path(self.said["study"]).name

    @property
    def unit(self) -> str:
        """What labelled images are counted in: groups, where images of one scene belong together."""
        data = self.said["dataset"]
        return "images" if data["n"] == data["n_groups"] else "groups of images"


def value(said: Any) -> str:
    """The value of a field, short."""
    if isinstance(said, bool):
        return "yes" if said else "no"
    return f"{said:.4g}".replace("-", "\N{MINUS SIGN}") if isinstance(said, float) else str(said)


def named(field: str, about: str | None) -> Markup:
    """The name of a field with what it is below it."""
    return fragment(field, element("small", about, class_="why") if about else None)


def seconds(took: float | None) -> str:
    """A time in s or ms."""
    return figures.milliseconds(None if took is None else took * figures.MS_IN_S)


def key(*parts: Markup) -> Markup:
    """A small picture that stands beside what it explains; 20 by 20."""
    return element("svg", parts, viewBox="0 0 20 20", class_="key", aria_hidden="true", focusable="false")


def legend(entries: Mapping[str, Markup]) -> Markup:
    """What each mark of a picture means."""
    return element("ul", [element("li", drawn, words) for words, drawn in entries.items()], class_="keys")


def wide(drawn: Markup, named: str) -> Markup:
    """A picture in a box that scrolls where the screen is small."""
    return element("div", drawn, class_="wide", tabindex=0, role="region", aria_label=named)
