"""The thresholds of a sweep: multiples of a power of two, which a float32 is compared with at no rounding error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipelines.errors import UsageError
from pipelines.params import Knob

MOST_STEPS = 320
"""Of a grid: 1/256 for a probability, 1/16 for a logit from -10 to 10."""

FINEST = 2**16
LARGEST = 2**14
"""Steps from 0: they are held in 16 bits, with a sign."""

MOST_LEVELS = 2**11
"""The level of a pixel and where it lies share 15 bits."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Thresholds of one field.

    A float32 times a power of two is exact, and so are its floor and ceiling. So ``p >= k / 256`` is
    ``floor(256 p) >= k``, and ``p > k / 256`` is ``ceil(256 p) > k``.

    Attributes:
        field: of the parameters.
        values: float64 ``(n,)``, rising, multiples of a power of two.
    """

    field: str
    values: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        steps = self.values * FINEST
        if not len(steps) or (np.diff(steps) <= 0).any() or (steps != np.round(steps)).any():
            raise _unfit(self.field, f"they rise in multiples of 1/{FINEST}")
        if np.abs(self.steps).max() > LARGEST or self.steps[-1] - self.steps[0] >= MOST_LEVELS:
            raise _unfit(self.field, f"they span fewer than {MOST_LEVELS} steps and lie up to {LARGEST} from 0")

    @cached_property
    def scale(self) -> int:
        """The power of two that makes every threshold a whole number."""
        shares = [int(step) for step in self.values * FINEST]
        return FINEST // math.gcd(FINEST, *shares)

    @cached_property
    def steps(self) -> npt.NDArray[np.int64]:
        """The thresholds times `scale`."""
        return (self.values * self.scale).astype(np.int64)

    @cached_property
    def levels(self) -> int:
        """How many numbers :meth:`rounded` gives: one more than there are from the first threshold to the last."""
        return int(self.steps[-1] - self.steps[0]) + 2

    def lowest(self, inclusive: bool) -> int:
        """What :meth:`rounded` makes of a value that passes no threshold."""
        return int(self.steps[0]) - inclusive

    def rounded(self, values: npt.NDArray[np.float32], inclusive: bool, *, scaled: npt.NDArray[np.float32],
                out: npt.NDArray[np.int16]) -> None:  # fmt: skip
        """Values as whole numbers, from `lowest` on, each of which is one more threshold that is passed.

        Args:
            values: float32, of any shape; what lies beyond the ends counts as the end.
            inclusive: whether a value passes a threshold that it is equal to.
            scaled: room for what lies between, of the same shape.
            out: where the answer goes, of the same shape.
        """
        with np.errstate(over="ignore"):
            np.multiply(values, np.float32(self.scale), out=scaled)
        (np.floor if inclusive else np.ceil)(scaled, out=scaled)
        np.clip(scaled, self.lowest(inclusive), self.lowest(inclusive) + self.levels - 1, out=scaled)
        np.copyto(out, scaled, casting="unsafe")

    def __len__(self) -> int:
        return len(self.values)

    def nearest(self, value: float) -> int:
        """Index of the threshold that is nearest to a value, the lower one of two."""
        return int(np.abs(self.values - value).argmin())


def grid_of(knob: Knob, most: int = MOST_STEPS, low: float | None = None) -> Grid:
    """The thresholds of a parameter: the finest step that needs at most so many of them.

    Args:
        knob: a number with bounds; its own step is not looked at, since 0.01 has no exact binary form.
        most: steps from the lowest to the highest bound.
        low: thresholds below are left out, such as those below the candidate floor of the evidence.

    Raises:
        UsageError: the parameter is no number with bounds, or no threshold is left.
    """
    if knob.kind != "float" or knob.low is None or knob.high is None or knob.low >= knob.high:
        raise UsageError(f"{knob.name} takes {knob.bounds}, which is no range.", "Sweep a number with two bounds.")
    least = knob.low if low is None else max(knob.low, low)
    scale = 2.0 ** math.floor(math.log2(most / (knob.high - knob.low)))
    steps = np.arange(math.ceil(least * scale), math.floor(knob.high * scale) + 1)
    return Grid(knob.name, steps / scale)


def _unfit(field: str, wanted: str) -> UsageError:
    return UsageError(f"The thresholds of {field} make no exact sweep.", f"Choose them so that {wanted}.")
