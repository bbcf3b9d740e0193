"""One image as every metric sees it: both sides, the probability, the classes, and what is said not to be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.metrics.region import Bits, Region
from pipelines.errors import ContractError, UsageError, WorkbenchError
from pipelines.types import Mask

Soft = npt.NDArray[np.floating[Any]]
SINGLE = 4
"""Bytes of a float at single precision: what is shorter becomes so long, and what is longer double."""


@dataclass(frozen=True, eq=False)
class Classes:
    """Both sides class by class; masks of different classes may overlap.

    Attributes:
        names: of the dataset, in order.
        preds: class → bool ``(H, W)``; a class that is not in it is predicted nowhere.
        targets: likewise.
        asked: classes that the pipeline was asked for; None = all. Of the others it is not said that it misses them,
            but they count as predicted nowhere.
    """

    names: tuple[str, ...]
    preds: Mapping[str, Mask]
    targets: Mapping[str, Mask]
    asked: frozenset[str] | None = None

    def checked(self, target: Region) -> Classes:
        """The same without the pixels to ignore.

        Args:
            target: whose size and ignored pixels they share.

        Raises:
            ContractError: a predicted class is not in `names`, or its mask is none of the target's size.
            UsageError: a target's class or mask is so, or two names are equal.
        """
        if len(set(self.names)) < len(self.names):
            raise UsageError(f"Classes come twice: {', '.join(self.names)}.", "Name each class once.")
        preds = self._side(self.preds, target, "predicted", ContractError)
        return replace(self, preds=preds, targets=self._side(self.targets, target, "target", UsageError))

    def _side(self, masks: Mapping[str, Mask], target: Region, kind: str,
              error: type[WorkbenchError]) -> dict[str, Mask]:  # fmt: skip
        unknown = [name for name in masks if name not in self.names]
        if unknown:  # histograms over the known ones would drop it, and the mistake would cost nothing
            raise error(
                f"The {kind} class {unknown[0]!r} is none of the dataset's.",
                f"Known: {', '.join(self.names) or 'none'}.",
            )
        return {
            name: target.side(mask, what=f"{kind} mask of {name!r}", error=error).bits.view(np.bool_)
            for name, mask in masks.items()
        }


@dataclass(frozen=True, eq=False)
class Case:
    """One image, checked, and without the pixels to ignore. Make it with :meth:`of` or :meth:`of_failed`.

    Attributes:
        pred: the union of what was predicted.
        target: the union of all classes.
        soft: foreground probability ``(H, W)`` as it came, or None.
        classes: both sides class by class; None where the pipeline knows no classes or the dataset names none.
        absent: one per text that is said not to be in the picture: whether something was predicted for it.
        failed: whether the pipeline gave nothing at all; `pred` is then empty, and `absent` all true.
    """

    pred: Region
    target: Region
    soft: Soft | None = None
    classes: Classes | None = None
    absent: tuple[bool, ...] = ()
    failed: bool = False

    @classmethod
    def of(cls, pred: Mask | Bits | None, target: Mask | Bits | Region, ignore: Mask | Bits | None = None,
           soft: Soft | None = None, *, classes: Classes | None = None,
           absent: Sequence[bool] = ()) -> Case:  # fmt: skip
        """An image that the pipeline did; arguments and errors as for :func:`benchmarks.metrics.measure_all`."""
        truth = as_target(target, ignore)
        found, chances = truth.side(pred), checked_soft(soft, truth)
        known = None if classes is None else classes.checked(truth)
        return cls(found, truth, chances, known, tuple(bool(alarm) for alarm in absent))

    @classmethod
    def of_failed(cls, target: Mask | Bits | Region, ignore: Mask | Bits | None = None, *,
                  classes: Classes | None = None, absent: int = 0) -> Case:  # fmt: skip
        """An image on which the pipeline failed; predicted masks of `classes` are dropped, `absent` counts texts."""
        truth = as_target(target, ignore)
        known = None if classes is None else replace(classes, preds={}).checked(truth)
        return cls(truth.side(None), truth, None, known, (True,) * absent, failed=True)

    @cached_property
    def map(self) -> Soft:
        """The probability ``(H, W)``, float32 or float64, 0 where ignored; the mask itself where there is no map."""
        if self.soft is None:
            return self.pred.bits.astype(np.float32)
        soft: Soft = self.soft.astype(np.float32 if self.soft.itemsize <= SINGLE else np.float64, copy=False)
        return soft if self.target.ignore is None else np.where(self.target.ignore, soft.dtype.type(0), soft)


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
