"""What is usual in a dataset: a median, and a spread that a few odd samples do not move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Usual:
    """Middle and spread of the values that most samples have.

    Attributes:
        middle: median.
        spread: of a normal distribution with these quartiles, and not less than a least one.
        n: values.
    """

    middle: float
    spread: float
    n: int

    def distance(self, values: Column) -> Column:
        """How many spreads values lie above the middle; NaN stays."""
        return (values - self.middle) / self.spread


def usual(values: Column, least: float) -> Usual | None:
    """What most samples are like; None where there are none.

    The spread is the larger of that of the median deviation and that of the quartiles: of two clusters, such as two
    formats of pictures, the median deviation may be 0.

    Args:
        values: ``(N,)``, NaN where a sample has none.
        least: spread that is taken where the values are closer together than that.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, middle, high = np.percentile(known, (25, 50, 75))
    deviation = float(np.median(np.abs(known - middle)))
    return Usual(float(middle), max(1.4826 * deviation, float(high - low) / 1.349, least), len(known))


def rows_of(flags: Flags) -> list[int]:
    """The rows that are flagged, rising.

    Args:
        flags: ``bool (N,)``.
    """
    return [int(row) for row in np.flatnonzero(flags)]
