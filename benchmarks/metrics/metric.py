"""What a metric is: components of one image, counted once a family, and how they become a figure over many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from benchmarks.metrics.case import Case, Classes, Soft
from benchmarks.metrics.region import Bits, Region
from benchmarks.statistics.intervals import Combine, ratio
from pipelines.errors import UsageError
from pipelines.types import Mask

Components = Mapping[str, Any]
"""What is stored of one image, JSON-ready: numbers by name, or lists of numbers where a metric is a curve."""

Term = float | tuple[float, ...]
Direction = Literal["higher", "lower"]
Needs = Literal["mask", "soft"]


@dataclass(frozen=True)
class Family:
    """Components that several metrics share, so that an image is compared once for all of them.

    Attributes:
        name: under which the components are stored.
        compare: what it counts of an image, JSON-ready; None where it has nothing to say, such as without classes.
        positive: components → whether the target has foreground.
    """

    name: str
    compare: Callable[[Case], dict[str, Any] | None]
    positive: Callable[[Components], bool]

    def components(self, case: Case) -> dict[str, Any]:
        """Of one image: what was counted, marked where the pipeline failed; empty where there is nothing to say."""
        found = self.compare(case) or {}
        return {**found, "failed": 1} if found and case.failed else found

    def measure(self, pred: Mask | Bits, target: Mask | Bits | Region, ignore: Mask | Bits | None = None,
                soft: Soft | None = None) -> dict[str, Any]:  # fmt: skip
        """Components of one image; arguments as for :func:`measure_all`."""
        return self.components(Case.of(pred, target, ignore, soft))

    def failed(self, target: Mask | Bits | Region, ignore: Mask | Bits | None = None) -> dict[str, Any]:
        """Components of an image on which the pipeline failed: those of an empty mask, marked as wrong in any case."""
        return self.components(Case.of_failed(target, ignore))


@dataclass(frozen=True)
class Metric:
    """One figure of the leaderboard: sums of per-image terms, combined.

    Attributes:
        name: id, as in records and options.
        title: what it averages, in one sentence.
        direction: whether more is better.
        range: smallest and largest value.
        needs: what of a pipeline it looks at.
        family: whose components it reads.
        terms: components of an image → its (numerator, denominator); a denominator of 0 leaves the image out.
        version: grows when the definition changes.
        combine: sums of numerators and denominators → figure, NaN where there is none; the ratio, if not given.
    """

    name: str
    title: str
    direction: Direction
    range: tuple[float, float]
    needs: Needs
    family: Family
    terms: Callable[[Components], tuple[Term, Term]]
    version: int = 1
    combine: Combine = ratio

    def per_image(self, pred: Mask | Bits | Soft | None, target: Mask | Bits | Region,
                  ignore: Mask | Bits | None = None, soft: Soft | None = None) -> dict[str, Any]:  # fmt: skip
        """Components of one image; empty where the family has nothing to say, such as of classes that nobody names.

        Args:
            pred: mask ``(H, W)``; for a metric that needs "soft" also the probability map itself; None = it failed.
            target: mask ``(H, W)``, or a `Region` that is kept.
            ignore: ``(H, W)`` pixels taken out of both, or None.
            soft: foreground probability ``(H, W)``; the mask itself where there is none.

        Raises:
            ContractError: what was predicted is no mask or map of the target's size.
            UsageError: the target or the ignore mask is none.
        """
        if pred is None:
            return self.family.failed(target, ignore)
        if self.needs == "soft" and soft is None and np.issubdtype(pred.dtype, np.floating):
            return self.family.components(Case.of(None, target, ignore, cast(Soft, pred)))
        return self.family.measure(cast(Mask, pred), target, ignore, soft)

    def value(self, components: Components) -> float | None:
        """The figure of one image, or None where it is not defined."""
        return self.reduce([components])

    def columns(self, rows: Iterable[Components]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Numerators and denominators of the images, ``(n,)`` each, or ``(n, k)`` for a metric with k sums."""
        terms = [self.terms(components) for components in rows]
        return np.array([top for top, _ in terms], np.float64), np.array([bottom for _, bottom in terms], np.float64)

    def reduce(self, rows: Iterable[Components]) -> float | None:
        """The figure over images, or None where it has no denominator; rows that are empty have no say."""
        numerators, denominators = self.columns(components for components in rows if components)
        if not len(numerators):
            return None
        value = float(self.combine(numerators.sum(axis=0), denominators.sum(axis=0)))
        return None if np.isnan(value) else value

    def count(self, rows: Iterable[Components]) -> int:
        """How many images have a say in the figure."""
        rows = [components for components in rows if components]
        return sum(bool(np.any(denominator)) for denominator in self.columns(rows)[1])

    def function(self, preds: Sequence[Mask | Bits | Soft | None], targets: Sequence[Mask | Bits | Region],
                 ignore: Sequence[Mask | Bits | None] | None = None) -> float | None:  # fmt: skip
        """The figure over pairs.

        Args:
            preds: masks, maps or None each, as `per_image` takes them.
            targets: as many.
            ignore: as many, or None.
        """
        ignores = [None] * len(preds) if ignore is None else ignore
        if not len(preds) == len(targets) == len(ignores):
            raise UsageError(
                f"There are {len(preds)} predictions, {len(targets)} targets and {len(ignores)} ignore masks.",
                "Give as many of each.",
            )
        return self.reduce([self.per_image(*trio) for trio in zip(preds, targets, ignores, strict=True)])


def image_mean(name: str, what: str, family: Family, value: Callable[[Components], float], *,
               direction: Direction = "higher", needs: Needs = "mask",
               defined: Callable[[Components], bool] = bool) -> tuple[Metric, Metric]:  # fmt: skip
    """A mean over images, and the same mean over the images whose target has foreground.

    Args:
        name: of the first; the second is called ``<name>_pos``.
        what: what is averaged, for the title.
        family: whose components are read.
        value: components → figure of the image.
        direction: whether more is better.
        needs: what of a pipeline it looks at.
        defined: components → whether the image has a figure at all.
    """

    def every(c: Components) -> tuple[Term, Term]:
        return (value(c), 1.0) if defined(c) else (0.0, 0.0)

    return (
        Metric(name, f"Mean over images of {what}.", direction, (0.0, 1.0), needs, family, every),
        positive_mean(f"{name}_pos", what, family, value, direction=direction, needs=needs, defined=defined),
    )


def positive_mean(name: str, what: str, family: Family, value: Callable[[Components], float], *,
                  direction: Direction = "higher", needs: Needs = "soft",
                  defined: Callable[[Components], bool] = bool,
                  limits: tuple[float, float] = (0.0, 1.0)) -> Metric:  # fmt: skip
    """A mean over the images whose target has foreground; arguments as for :func:`image_mean`, and the range."""

    def terms(c: Components) -> tuple[Term, Term]:
        return (value(c), 1.0) if family.positive(c) and defined(c) else (0.0, 0.0)

    return Metric(name, f"Mean over the images with a target of {what}.", direction, limits, needs, family, terms)


def share(name: str, title: str, direction: Direction, family: Family, among: Callable[[Components], bool],
          hit: Callable[[Components], bool]) -> Metric:  # fmt: skip
    """The share of images with a property among those that could have it; None where there are none."""

    def terms(c: Components) -> tuple[Term, Term]:
        return (float(hit(c)), 1.0) if among(c) else (0.0, 0.0)

    return Metric(name, title, direction, (0.0, 1.0), "mask", family, terms)


def measure_all(metrics: Iterable[Metric], pred: Mask | Bits, target: Mask | Bits | Region,
                ignore: Mask | Bits | None = None, soft: Soft | None = None, *, classes: Classes | None = None,
                absent: Sequence[bool] = ()) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Components of one image by family, each family counted once; one with nothing to say is left out.

    Args:
        metrics: whose families are wanted.
        pred: bool ``(H, W)``, or uint8 that holds 0 and 1 alone: the union of all classes.
        target: likewise, or a `Region` that is kept while predictions change.
        ignore: likewise: pixels taken out of both sides, or None.
        soft: foreground probability, float ``(H, W)``; the mask itself where there is none.
        classes: both sides class by class; None where the pipeline knows no classes or the dataset names none.
        absent: one per text that is said not to be in the picture: whether something was predicted for it.

    Raises:
        ContractError: what was predicted is no mask or map of the target's size, or of no class of the dataset.
        UsageError: the target or the ignore mask is none, or of no class of the dataset.
    """
    return _measured(metrics, Case.of(pred, target, ignore, soft, classes=classes, absent=absent))


def measure_failed(metrics: Iterable[Metric], target: Mask | Bits | Region, ignore: Mask | Bits | None = None, *,
                   classes: Classes | None = None, absent: int = 0) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Components of an image on which the pipeline failed: it counts as wrong, whatever the target.

    Args:
        metrics: whose families are wanted.
        target: as for :func:`measure_all`.
        ignore: likewise.
        classes: likewise; what it says was predicted is not looked at.
        absent: how many texts are said not to be in the picture.
    """
    return _measured(metrics, Case.of_failed(target, ignore, classes=classes, absent=absent))


def _measured(metrics: Iterable[Metric], case: Case) -> dict[str, dict[str, Any]]:
    families = {metric.family.name: metric.family for metric in metrics}
    found = {name: family.components(case) for name, family in families.items()}
    return {name: components for name, components in found.items() if components}
