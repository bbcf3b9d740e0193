"""Who is preferred to whom: one row each, with intervals, ranks that tie, and what the votes cannot tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from benchmarks.preferences.ballots import Ballot, Floats, Tally
from benchmarks.preferences.profile import Estimate, Profile
from benchmarks.statistics.intervals import Interval, interval
from benchmarks.statistics.paired import LEVEL, holm
from pipelines.errors import UnknownNameError

ELO_MIDDLE, ELO_A_UNIT = 1000.0, 400 / math.log(10)
"""Of the scale of Elo: 400 points are odds of ten to one."""

FEW_VISITORS = 10
HERE = Estimate(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Counts:
    """Votes on one label.

    Attributes:
        votes: all of them, those of "both bad" too.
        wins: it was preferred.
        losses: the other was.
        ties: as good as the other.
        both_bad: neither was good.
    """

    votes: int
    wins: int
    losses: int
    ties: int
    both_bad: int

    @classmethod
    def of(cls, label: str, ballots: Sequence[Ballot]) -> Counts:
        """Count the votes that are about a label."""
        about = [one for one in ballots if one.has(label)]
        won = sum(one.choice == ("left" if one.left == label else "right") for one in about)
        tied, bad = (sum(one.choice == choice for one in about) for choice in ("tie", "both_bad"))
        return cls(len(about), won, len(about) - won - tied - bad, tied, bad)


@dataclass(frozen=True)
class Standing:
    """One label among those that it was compared with.

    Attributes:
        label: what it is called.
        group: number of those that votes connect with it; across groups nothing can be said.
        rank: 1 + how many of its group are surely better; None where it was never compared.
        strength: in log odds, against the zero of its group; no value where the votes put no bound to it.
        counts: of its votes.
        both_bad: share of its votes that said so, with its interval.
        remark: what a reader of the row has to know, or None.
    """

    label: str
    group: int
    rank: int | None
    strength: Estimate
    counts: Counts
    both_bad: Interval
    remark: str | None = None

    @property
    def elo(self) -> Estimate:
        """The strength on the scale of Elo; the zero of the group is 1000."""
        return _each(self.strength, lambda value: ELO_MIDDLE + ELO_A_UNIT * value)

    @property
    def win_share(self) -> Estimate:
        """How often it is preferred to the zero of its group where there is no tie, from 0 to 1."""
        return _each(self.strength, lambda value: 1 / (1 + math.exp(-value)))


@dataclass(frozen=True)
class Standings:
    """All labels, and what holds for all of them.

    Attributes:
        rows: groups one after another, the best first.
        p_values: of each pair of a group that they are equally strong, Holm's over all pairs.
        left: advantage of the left side in log odds, or None where nothing was compared.
        votes: all of them.
        visitors: who gave them.
        zero: what strengths are measured against, by group.
        remarks: what a reader of the table has to know.
    """

    rows: tuple[Standing, ...]
    p_values: Mapping[tuple[str, str], float]
    left: Estimate | None
    votes: int
    visitors: int
    zero: Mapping[int, str]
    remarks: tuple[str, ...]


def standings(ballots: Sequence[Ballot], reference: str | None = None, level: float = 0.95) -> Standings:
    """The table of votes.

    A tie is a third outcome with a share of its own (Davidson 1970). "Both bad" says nothing of the one against the
    other and does not enter the strengths; its share is told beside them. Strengths are measured against the mean of
    those that have both won and lost among each other, since one that only wins is stronger by an unknown amount, and
    a mean with it would be unknown too (Ford 1957).

    Args:
        ballots: in any order.
        reference: label that is the zero of its group instead.
        level: of confidence of all intervals.

    Raises:
        UnknownNameError: there is no vote on the reference.
    """
    labels = sorted({label for one in ballots for label in (one.left, one.right)})
    if reference is not None and reference not in labels:
        raise UnknownNameError("reference among the votes", reference, labels)
    tally = Tally.of(ballots, labels)
    table = _Table(ballots, tally, Profile(tally, level) if tally.n else None, reference)
    rows = sorted((table.row(label) for label in labels), key=table.order)
    left = table.profile.estimate(table.side()) if table.profile else None
    visitors = len({one.visitor for one in ballots})
    zero = {group: table.zero_name(group) for group in dict.fromkeys(row.group for row in rows)}
    remarks = [*_of_visitors(visitors), *table.of_groups(rows), *_of_sides(left)]
    return Standings(tuple(rows), table.p_values, left, len(ballots), visitors, zero, tuple(remarks))


class _Table:
    """Groups, zeros and tests, from which rows are made."""

    def __init__(self, ballots: Sequence[Ballot], tally: Tally, profile: Profile | None, reference: str | None) -> None:
        self.ballots, self.tally, self.profile, self.reference = ballots, tally, profile, reference
        self.groups, self.cores = _groups(tally.beaten())
        self.p_values = self._tested() if profile else {}

    def row(self, label: str) -> Standing:
        """The row of one label."""
        place = self.tally.labels.index(label)
        group, counts = self.groups[place], Counts.of(label, self.ballots)
        about = [one for one in self.ballots if one.has(label)]
        compared = self.groups.count(group) > 1
        strength = self._strength(place) if compared else Estimate(None, None, None)
        return Standing(label, group, 1 + self._better(place) if compared else None, strength, counts,
                        _share_bad(about), _remark(strength, counts, compared))  # fmt: skip

    def order(self, row: Standing) -> tuple[float, ...]:
        """Large groups first, then the best."""
        middle = float(self.profile.at[self.tally.labels.index(row.label)]) if self.profile else 0.0
        return -self.groups.count(row.group), row.group, row.rank or 0, -middle

    def side(self) -> Floats:
        """The way of the advantage of the left side."""
        way = np.zeros(self.profile.model.size if self.profile else 0)
        way[len(self.tally.labels)] = 1.0
        return way

    def zero(self, group: int) -> list[int]:
        """Those against whose mean strengths of a group are measured."""
        members = [place for place, of in enumerate(self.groups) if of == group]
        named = [place for place in members if self.tally.labels[place] == self.reference]
        return named or [place for place in members if self.cores[place]]

    def zero_name(self, group: int) -> str:
        """The zero of a group in words."""
        names = [self.tally.labels[place] for place in self.zero(group)]
        whole = len(names) == self.groups.count(group)
        return names[0] if len(names) == 1 else "the mean of all" if whole else f"the mean of {', '.join(names)}"

    def of_groups(self, rows: Sequence[Standing]) -> list[str]:
        """What is to be said of groups."""
        groups = {row.group: [one.label for one in rows if one.group == row.group] for row in rows}
        if len(groups) < 2:
            return []
        named = "; ".join(", ".join(members) for members in groups.values())
        return [f"No votes connect these, so that there is no ranking across them: {named}."]

    def _strength(self, place: int) -> Estimate:
        zero, profile = self.zero(self.groups[place]), self.profile
        assert profile is not None  # what is compared has votes
        way = np.zeros(profile.model.size)
        way[place] = 1.0
        way[zero] -= 1 / len(zero)
        return profile.estimate(way) if way.any() else HERE

    def _tested(self) -> dict[tuple[str, str], float]:
        assert self.profile is not None
        pairs = [(i, j) for i, j in combinations(range(len(self.groups)), 2) if self.groups[i] == self.groups[j]]
        found = []
        for one, other in pairs:
            way = np.zeros(self.profile.model.size)
            way[[one, other]] = 1.0, -1.0
            found.append(self.profile.p_value(way))
        names = self.tally.labels
        return {(names[i], names[j]): p for (i, j), p in zip(pairs, holm(found), strict=True) if p is not None}

    def _better(self, place: int) -> int:
        """How many are surely stronger: by the test of the pair, and by which of the two the votes favour."""
        assert self.profile is not None
        label, at, better = self.tally.labels[place], self.profile.at, 0
        for pair, p in self.p_values.items():
            if label in pair and p <= LEVEL:
                other = self.tally.labels.index(pair[1] if pair[0] == label else pair[0])
                better += bool(at[other] > at[place])
        return better


def _groups(beaten: Floats) -> tuple[list[int], list[bool]]:
    """Which votes connect, and who of them is in the largest part in which everyone has won and lost, ``(K,)`` each."""
    from scipy.sparse.csgraph import connected_components

    _, weak = connected_components(beaten > 0, directed=False)
    _, strong = connected_components(beaten > 0, connection="strong")
    sizes, votes = np.bincount(strong, minlength=1), np.bincount(strong, beaten.sum(axis=1) + beaten.sum(axis=0))
    core = {group: max({part for part, of in zip(strong, weak, strict=True) if of == group},
                       key=lambda part: (sizes[part], votes[part], -part)) for group in set(weak)}  # fmt: skip
    return [int(group) for group in weak], [bool(core[of] == part) for part, of in zip(strong, weak, strict=True)]


def _share_bad(about: Sequence[Ballot]) -> Interval:
    alone = len({one.visitor for one in about}) < 2
    of = [str(place) if alone else one.visitor for place, one in enumerate(about)]
    bad = [float(one.choice == "both_bad") for one in about]
    found = interval(bad, np.ones(len(bad)), of, limits=(0.0, 1.0))
    return replace(found, reason="one vote says nothing of the spread") if len(about) == 1 else found


def _remark(strength: Estimate, counts: Counts, compared: bool) -> str | None:
    if not compared:
        return "never compared: all its votes say that both are bad"
    if strength is HERE:
        return "the others are measured against it"
    if strength.lo is None and strength.hi is None:
        return "the votes put no bound to it" if strength.value is None else "too few visitors to bound it"
    if strength.value is not None:
        return None if None not in (strength.lo, strength.hi) else "too few visitors to bound it on one side"
    if strength.hi is None:
        said = "" if counts.losses or counts.ties else "won every comparison: "
        return f"{said}how much stronger it is has no upper bound"
    said = "" if counts.wins or counts.ties else "lost every comparison: "
    return f"{said}how much weaker it is has no lower bound"


def _of_visitors(visitors: int) -> list[str]:
    if visitors == 1:
        return ["All votes are of one visitor: the intervals say how this one would vote again, not how others would."]
    few = f"Only {visitors} visitors voted: their votes count as {visitors} opinions, and the intervals are rough."
    return [few] if 1 < visitors < FEW_VISITORS else []


def _of_sides(left: Estimate | None) -> list[str]:
    if left is None or left.value is None or left.lo is None or left.hi is None or left.lo <= 0 <= left.hi:
        return []
    share, side = 1 / (1 + math.exp(-abs(left.value))), "left" if left.value > 0 else "right"
    return [
        f"Of two equals the one on the {side} is preferred in {share:.0%}: sides are drawn, and this is allowed for."
    ]


def _each(one: Estimate, turned: Callable[[float], float]) -> Estimate:
    return Estimate(*(None if value is None else turned(value) for value in (one.value, one.lo, one.hi)))
