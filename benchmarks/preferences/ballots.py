"""Votes on pairs as the statistics read them, counted by pair and side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipelines.errors import UsageError

Choice = Literal["left", "right", "tie", "both_bad"]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

OUTCOMES: tuple[Choice, ...] = ("left", "right", "tie")
"""Those that say something of the one against the other."""


@dataclass(frozen=True)
class Ballot:
    """One vote.

    Attributes:
        left: label of what was shown on the left.
        right: label of the other.
        choice: what the visitor said.
        visitor: who voted; votes of one are not independent of each other.
    """

    left: str
    right: str
    choice: Choice
    visitor: str

    def __post_init__(self) -> None:
        if self.left == self.right:
            raise UsageError(f"A vote has {self.left!r} on both sides.", "Compare two different ones.")

    def has(self, label: str) -> bool:
        """Whether it is about this one."""
        return label in (self.left, self.right)


@dataclass(frozen=True)
class Tally:
    """Votes that compare, "both bad" left out, counted by who was on which side.

    Attributes:
        labels: of those compared.
        left: number of the one on the left, for each pair of sides, ``(P,)``.
        right: of the one on the right, ``(P,)``.
        counts: votes for the left, for the right, and ties, ``(P, 3)``.
        cell: pair and outcome of each vote, as an index into the flat counts, ``(n,)``.
        visitor: number of the visitor of each vote, ``(n,)``.
    """

    labels: tuple[str, ...]
    left: Ints
    right: Ints
    counts: Floats
    cell: Ints
    visitor: Ints

    @classmethod
    def of(cls, ballots: Sequence[Ballot], labels: Sequence[str]) -> Tally:
        """Count votes.

        Args:
            ballots: of which those count that compare two of the labels.
            labels: of those that are compared.
        """
        number = {label: place for place, label in enumerate(labels)}
        said = [one for one in ballots if one.choice in OUTCOMES and one.left in number and one.right in number]
        pairs, pair = _distinct([(number[one.left], number[one.right]) for one in said])
        _, visitor = _distinct([one.visitor for one in said])
        cell = pair * len(OUTCOMES) + np.array([OUTCOMES.index(one.choice) for one in said], np.int64)
        counts = np.bincount(cell, minlength=len(pairs) * len(OUTCOMES)).reshape(-1, len(OUTCOMES))
        sides = np.array(pairs, np.int64).reshape(-1, 2)
        return cls(tuple(labels), sides[:, 0], sides[:, 1], counts.astype(np.float64), cell, visitor)

    @property
    def n(self) -> int:
        """Votes."""
        return len(self.cell)

    @property
    def visitors(self) -> Ints:
        """Votes of each visitor, ``(visitors,)``."""
        return np.bincount(self.visitor)

    def beaten(self) -> Floats:
        """How often the row was preferred to the column, a tie counting for both, ``(K, K)``."""
        table = np.zeros((len(self.labels), len(self.labels)))
        np.add.at(table, (self.left, self.right), self.counts[:, 0] + self.counts[:, 2])
        np.add.at(table, (self.right, self.left), self.counts[:, 1] + self.counts[:, 2])
        return table


def _distinct(values: Sequence[Any]) -> tuple[list[Any], Ints]:
    """Every value once, and for each place which of them stands there."""
    places: dict[Any, int] = {}
    found = np.array([places.setdefault(value, len(places)) for value in values], np.int64)
    return list(places), found
