"""What a metric is: components of one image, counted once a family, and how they become a figure over many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from benchmarks.metrics.region import Bits, Region
from benchmarks.statistics import Combine, ratio
from pipelines.errors import ContractError, UsageError
from pipelines.types import Mask

Components = Mapping[str, Any]
"""What is stored of one image, JSON-ready: numbers by name, or lists of numbers where a metric is a curve."""

Soft = npt.NDArray[np.floating[Any]]
Term = float | tuple[float, ...]
Direction = Literal["higher", "lower"]
Needs = Literal["mask", "soft"]


@dataclass(frozen=True)
class Family:
    """Components that several metrics share, so that an image is compared once for all of them.

    Attributes:
        name: under which the components are stored.
        compare: (prediction, target, probability map or None) → components.
        positive: components → whether the target has foreground.
    """

    name: str
    compare: Callable[[Region, Region, Soft | None], dict[str, Any]]
    positive: Callable[[Components], bool]

    def measure(self, pred: Mask | Bits, target: Mask | Bits | Region, ignore: Mask | Bits | None = None,
                soft: Soft | None = None) -> dict[str, Any]:  # fmt: skip
        """Components of one image; arguments as for :func:`measure_all`."""
        truth = as_target(target, ignore)
        return self.compare(truth.side(pred), truth, checked_soft(soft, truth))

    def failed(self, target: Mask | Bits | Region, ignore: Mask | Bits | None = None) -> dict[str, Any]:
        """Components of an image on which the pipeline failed: those of an empty mask, marked as wrong in any case."""
        truth = as_target(target, ignore)
        return {**self.compare(truth.side(None), truth, None), "failed": 1}


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
        """Components of one image.

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
            truth = as_target(target, ignore)
            return self.family.compare(truth.side(None), truth, checked_soft(cast(Soft, pred), truth))
        return self.family.measure(cast(Mask, pred), target, ignore, soft)

    def value(self, components: Components) -> float | None:
        """The figure of one image, or None where it is not defined."""
        return self.reduce([components])

    def columns(self, rows: Iterable[Components]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Numerators and denominators of the images, ``(n,)`` each, or ``(n, k)`` for a metric with k sums."""
        terms = [self.terms(components) for components in rows]
        return np.array([top for top, _ in terms], np.float64), np.array([bottom for _, bottom in terms], np.float64)

    def reduce(self, rows: Iterable[Components]) -> float | None:
        """The figure over images, or None where it has no denominator."""
        numerators, denominators = self.columns(rows)
        if not len(numerators):
            return None
        value = float(self.combine(numerators.sum(axis=0), denominators.sum(axis=0)))
        return None if np.isnan(value) else value

    def count(self, rows: Iterable[Components]) -> int:
        """How many images have a say in the figure."""
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

    def positive(c: Components) -> tuple[Term, Term]:
        return every(c) if family.positive(c) else (0.0, 0.0)

    return (
        Metric(name, f"Mean over images of {what}.", direction, (0.0, 1.0), needs, family, every),
        Metric(f"{name}_pos", f"Mean over the images with a target of {what}.", direction, (0.0, 1.0), needs, family,
               positive),
    )  # fmt: skip


def share(name: str, title: str, direction: Direction, family: Family, among: Callable[[Components], bool],
          hit: Callable[[Components], bool]) -> Metric:  # fmt: skip
    """The share of images with a property among those that could have it; None where there are none."""

    def terms(c: Components) -> tuple[Term, Term]:
        return (float(hit(c)), 1.0) if among(c) else (0.0, 0.0)

    return Metric(name, title, direction, (0.0, 1.0), "mask", family, terms)


def measure_all(metrics: Iterable[Metric], pred: Mask | Bits, target: Mask | Bits | Region,
                ignore: Mask | Bits | None = None, soft: Soft | None = None) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Components of one image by family, each family counted once.

    Args:
        metrics: whose families are wanted.
        pred: bool ``(H, W)``, or uint8 that holds 0 and 1 alone.
        target: likewise, or a `Region` that is kept while predictions change.
        ignore: likewise: pixels taken out of both sides, or None.
        soft: foreground probability, float ``(H, W)``; the mask itself where there is none.

    Raises:
        ContractError: what was predicted is no mask or map of the target's size.
        UsageError: the target or the ignore mask is none.
    """
    truth = as_target(target, ignore)
    found, chances = truth.side(pred), checked_soft(soft, truth)
    return {name: family.compare(found, truth, chances) for name, family in _families(metrics).items()}


def measure_failed(metrics: Iterable[Metric], target: Mask | Bits | Region,
                   ignore: Mask | Bits | None = None) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Components of an image on which the pipeline failed: it counts as wrong, whatever the target."""
    truth = as_target(target, ignore)
    return {name: family.failed(truth) for name, family in _families(metrics).items()}


def _families(metrics: Iterable[Metric]) -> dict[str, Family]:
    return {metric.family.name: metric.family for metric in metrics}


def as_target(target: Mask | Bits | Region, ignore: Mask | Bits | None = None) -> Region:
    """A target that is checked and remembers what was counted; one that is kept already holds its ignore mask."""
    if not isinstance(target, Region):
        return Region.of(target, ignore)
    if ignore is not None:
        raise UsageError("A target that is kept came with a second ignore mask.", "Give it to Region.of.")
    return target


def checked_soft(soft: Soft | None, target: Region) -> Soft | None:
    """The map as it is: never resized, stretched or clipped.

    Raises:
        ContractError: another size than the target's, no floats, or values outside [0, 1].
    """
    if soft is None:
        return None
    if soft.shape != target.bits.shape or not np.issubdtype(soft.dtype, np.floating):
        raise ContractError(
            f"The soft map must be float {target.bits.shape}, got {soft.dtype} {soft.shape}.",
            "Bring it up to the image's own size first.",
        )
    low, high = float(soft.min()), float(soft.max())
    if not (low >= 0 and high <= 1):  # so written, NaN is caught too
        raise ContractError(f"The soft map holds values from {low:g} to {high:g}.", "Give probabilities, not logits.")
    return soft
