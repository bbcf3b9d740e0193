"""Strengths from votes: against other ways to find them, against what was planted, and where nothing can be said."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, permutations
from random import Random
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_expit
from scipy.stats import chi2

from benchmarks.preferences.ballots import OUTCOMES, Ballot, Tally
from benchmarks.preferences.model import Model
from benchmarks.preferences.pairing import next_pair
from benchmarks.preferences.profile import Profile
from benchmarks.preferences.standings import Standing, Standings, standings
from pipelines.errors import UnknownNameError, UsageError

STRENGTHS = np.array([-0.8, 0.1, 0.7])


def votes(chance: np.random.Generator, n: int, strengths: Any = STRENGTHS, *, ties: float = 0.0, left: float = 0.0,
          visitors: int | None = None) -> list[Ballot]:  # fmt: skip
    """Of the model of Davidson: pairs and sides are drawn, and each visitor says everything twice where they are few."""
    sides = list(permutations(range(len(strengths)), 2))
    found = []
    for vote in range(n):
        i, j = sides[chance.integers(len(sides))]
        gap = (strengths[i] - strengths[j] + left) / 2
        odds = np.array([np.exp(gap), np.exp(-gap), ties])
        said = OUTCOMES[int(np.searchsorted(np.cumsum(odds / odds.sum()), chance.random()))]
        found += [Ballot(f"p{i}", f"p{j}", said, str(vote))] * (1 if visitors is None else n // visitors)
    return found


def against_mean(profile: Profile, k: int, place: int) -> Any:
    way = np.zeros(profile.model.size)
    way[:k] = -1 / k
    way[place] += 1
    return way


def row(found: Standings, label: str) -> Standing:
    return next(one for one in found.rows if one.label == label)


def test_strengths_are_those_of_a_plain_optimiser() -> None:
    """The likelihood written down once more, vote by vote, and climbed by BFGS."""
    given = votes(np.random.default_rng(1), 300, [-1.0, 0.0, 0.3, 0.9], ties=0.8, left=0.4)

    def lost(at: Any) -> float:
        total = 0.0
        for one in given:
            gap = (at[int(one.left[1])] - at[int(one.right[1])] + at[4]) / 2
            said = {"left": gap, "right": -gap, "tie": at[5]}
            total -= said[one.choice] - np.log(np.exp(gap) + np.exp(-gap) + np.exp(at[5]))
        return total + 1e-3 * float(at[:4].mean()) ** 2

    expected = minimize(lost, np.zeros(6), method="BFGS").x
    profile = Profile(Tally.of(given, ["p0", "p1", "p2", "p3"]))
    assert profile.at[:4] - profile.at[:4].mean() == pytest.approx(expected[:4] - expected[:4].mean(), abs=2e-4)
    assert profile.at[4:] == pytest.approx(expected[4:], abs=2e-4)


def test_without_ties_and_sides_it_is_a_logistic_regression_and_hunters_iteration() -> None:
    """Of as many votes on either side for each pair, whose sides say nothing; MM: Hunter (2004)."""
    wins = np.array([[0, 3, 5], [7, 0, 2], [9, 6, 0]])
    given = [
        Ballot(f"p{winner}", f"p{loser}", "left", f"{winner}{loser}{n}")
        for winner, loser in permutations(range(3), 2) for n in range(wins[winner, loser])
    ]  # fmt: skip
    given += [Ballot(one.right, one.left, "right", f"{one.visitor}'") for one in given]
    profile = Profile(Tally.of(given, ["p0", "p1", "p2"]))
    strength = np.ones(3)
    for _ in range(2000):
        games = (wins + wins.T) / np.add.outer(strength, strength)
        strength = wins.sum(axis=1) / games.sum(axis=1)
        strength /= strength.prod() ** (1 / 3)
    assert profile.at[:3] - profile.at[:3].mean() == pytest.approx(np.log(strength), abs=1e-6)

    def lost(at: Any) -> float:
        return -sum(wins[i, j] * log_expit(at[i] - at[j]) for i, j in permutations(range(3), 2)) + at.mean() ** 2

    assert np.log(strength) == pytest.approx(minimize(lost, np.zeros(3)).x, abs=1e-4)


def test_an_interval_ends_where_the_profile_has_fallen_that_far() -> None:
    given = votes(np.random.default_rng(4), 80, ties=0.5)
    profile = Profile(Tally.of(given, ["p0", "p1", "p2"]))
    found = profile.estimate(against_mean(profile, 3, 2))
    model, depth = profile.model, profile.reach**2 * profile.few
    assert found.lo is not None and found.hi is not None and found.lo < found.value < found.hi
    for end in (found.lo, found.hi):

        def lost(free: Any, end: float = end) -> float:
            at = np.array([free[0] - end / 2, -free[0] - end / 2, end, *free[1:]])
            return -model.climb(at)[0]

        assert 2 * (profile.top + minimize(lost, np.zeros(3)).fun) == pytest.approx(depth, rel=0.02)
    assert depth == pytest.approx(chi2.ppf(0.95, 1), rel=0.2)


def test_five_hundred_simulations_hold_the_truth_as_often_as_is_said() -> None:
    hits = []
    for seed in range(500):  # one of the three each time: more of one simulation say little more
        profile = Profile(Tally.of(votes(np.random.default_rng(seed), 60, ties=0.5, left=0.3), ["p0", "p1", "p2"]))
        found, aim = profile.estimate(against_mean(profile, 3, seed % 3)), STRENGTHS[seed % 3] - STRENGTHS.mean()
        hits.append((found.lo is None or found.lo <= aim) and (found.hi is None or aim <= found.hi))
    assert 0.93 <= np.mean(hits) <= 0.97, np.mean(hits)


def test_votes_that_one_visitor_repeats_count_once() -> None:
    once = votes(np.random.default_rng(2), 120)
    often = [one for one in once for _ in range(5)]
    alone, said, told = (
        Profile(Tally.of(given, ["p0", "p1", "p2"]))
        for given in (once, often, [Ballot(b.left, b.right, b.choice, str(n)) for n, b in enumerate(often)])
    )
    way = against_mean(alone, 3, 0)
    assert said.design_effect(way, said.at) == pytest.approx(5, rel=0.02)
    ends = [one.estimate(way) for one in (alone, said, told)]
    widths = [one.hi - one.lo for one in ends]
    assert widths[1] == pytest.approx(widths[0], rel=0.05) and widths[2] < widths[0] / 2


def test_one_visitor_alone_speaks_for_nobody_else() -> None:
    given = [Ballot(one.left, one.right, one.choice, "me") for one in votes(np.random.default_rng(3), 60)]
    found = standings(given)
    assert found.visitors == 1 and "one visitor" in found.remarks[0]
    assert row(found, "p2").strength.lo is not None
    few = [Ballot(one.left, one.right, one.choice, str(n % 4)) for n, one in enumerate(given)]
    assert "Only 4 visitors" in standings(few).remarks[0]


def test_who_always_wins_has_one_end_and_no_estimate() -> None:
    given = votes(np.random.default_rng(5), 60)
    given += [Ballot(*pair, "left" if pair[0] == "best" else "right", f"b{n}")
              for n, pair in enumerate([("best", "p0"), ("p1", "best"), ("best", "p2"), ("p2", "best")] * 4)]  # fmt: skip
    found = standings(given)
    best, rest = row(found, "best"), [row(found, f"p{place}") for place in range(3)]
    assert best is found.rows[0] and best.strength.value is None and best.strength.hi is None
    assert best.strength.lo is not None and best.strength.lo > 0.5 and best.win_share.lo > 0.5
    assert best.remark == "won every comparison: how much stronger it is has no upper bound"
    assert all(one.strength.value is not None for one in rest)
    assert found.zero == {0: "the mean of p0, p1, p2"}
    without = standings([one for one in given if not one.has("best")])
    assert [one.strength.value for one in rest] == pytest.approx(
        [row(without, one.label).strength.value for one in rest], abs=0.02
    )


@pytest.mark.parametrize("often", [4, 40, 400])
def test_who_always_loses_has_the_other_end(often: int) -> None:
    given = votes(np.random.default_rng(5), 60)
    given += [Ballot(*pair, "right" if pair[0] == "last" else "left", f"b{n}")
              for n, pair in enumerate([("last", "p0"), ("p1", "last"), ("last", "p2"), ("p2", "last")] * often)]  # fmt: skip
    last = standings(given).rows[-1]
    assert last.label == "last" and last.strength.lo is None and last.strength.hi is not None
    assert -8 < last.strength.hi < -0.5
    assert last.remark == "lost every comparison: how much weaker it is has no lower bound"


def test_there_is_no_ranking_across_what_no_vote_connects() -> None:
    given = [Ballot("a", "b", "left", "1"), Ballot("b", "a", "left", "2"), Ballot("a", "b", "right", "3"),
             Ballot("c", "d", "tie", "4"), Ballot("e", "a", "both_bad", "5")]  # fmt: skip
    found = standings(given)
    assert [{one.label for one in found.rows if one.group == group} for group in found.zero] == [
        {"a", "b"}, {"c", "d"}, {"e"}]  # fmt: skip
    assert row(found, "e").rank is None and "never compared" in str(row(found, "e").remark)
    assert set(found.p_values) == {("a", "b"), ("c", "d")}
    assert any("no ranking across" in one for one in found.remarks)


def test_both_bad_is_a_share_of_its_own_and_moves_no_strength() -> None:
    given = votes(np.random.default_rng(6), 90, ties=0.5)
    bad = [Ballot("p0", "p1", "both_bad", f"x{n}") for n in range(30)]
    before, after = standings(given), standings(given + bad)
    for label in ("p0", "p1", "p2"):
        assert row(after, label).strength == row(before, label).strength
    counts = row(after, "p0").counts
    assert counts.both_bad == 30 and counts.votes == counts.wins + counts.losses + counts.ties + 30
    lo, hi = row(after, "p0").both_bad.ends
    assert lo < 30 / counts.votes < hi and row(after, "p2").both_bad.ends[0] == 0


def test_the_side_is_found_and_allowed_for() -> None:
    given = votes(np.random.default_rng(7), 1500, left=1.0)
    found = standings(given)
    assert found.left is not None and found.left.lo < 1.0 < found.left.hi
    assert "on the left is preferred" in found.remarks[-1]
    gap = row(found, "p2").strength.value - row(found, "p0").strength.value
    assert gap == pytest.approx(1.5, abs=0.3)


def test_ranks_tie_where_votes_do_not_tell_apart() -> None:
    even = standings(votes(np.random.default_rng(8), 60, [0.0, 0.0, 0.0, 0.0]))
    assert {one.rank for one in even.rows} == {1}
    far = standings(votes(np.random.default_rng(8), 800, [-1.5, 0.0, 0.0, 1.5]))
    assert [one.rank for one in far.rows] == [1, 2, 2, 4]
    assert [one.label for one in far.rows][::3] == ["p3", "p0"]


def test_a_reference_is_the_zero() -> None:
    found = standings(votes(np.random.default_rng(9), 200), reference="p1")
    assert row(found, "p1").elo.value == 1000 and row(found, "p1").win_share.value == 0.5
    assert found.zero == {0: "p1"} and "measured against it" in str(row(found, "p1").remark)
    assert row(found, "p2").elo.value == pytest.approx(1000 + 400 / np.log(10) * 0.6, abs=90)
    with pytest.raises(UnknownNameError, match="p1"):
        standings(votes(np.random.default_rng(9), 20), reference="p9")


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_votes_say_little_and_break_nothing(n: int) -> None:
    found = standings(votes(np.random.default_rng(n), n))
    assert all(one.strength.lo is None or one.strength.hi is None or one.strength.lo <= one.strength.hi
               for one in found.rows)  # fmt: skip
    assert all(one.remark for one in found.rows)
    assert standings([]).rows == () and standings([]).left is None


def test_ties_alone_say_nothing_and_with_them_a_win_says_little() -> None:
    tied = [Ballot("a", "b", "tie", str(n)) for n in range(40)]
    alone = standings(tied)
    assert {(one.strength.value, one.rank) for one in alone.rows} == {(None, 1)}
    assert {one.remark for one in alone.rows} == {"the votes put no bound to it"}
    won = [Ballot("a", "b", "left", "w"), Ballot("b", "a", "right", "v"), Ballot("a", "b", "right", "u"),
           Ballot("b", "a", "left", "t")]  # fmt: skip
    assert [one.strength.value for one in standings(tied + won).rows] == pytest.approx([0.0, 0.0], abs=1e-6)


def test_the_order_of_votes_says_nothing() -> None:
    given = votes(np.random.default_rng(10), 100, ties=0.4)
    one, other = standings(given), standings(given[::-1])
    assert [r.label for r in one.rows] == [r.label for r in other.rows]
    assert [r.strength.lo for r in one.rows] == pytest.approx([r.strength.lo for r in other.rows], abs=1e-3)


def test_nobody_is_compared_with_itself() -> None:
    with pytest.raises(UsageError, match="both sides"):
        Ballot("a", "a", "left", "1")


def test_slopes_are_those_of_differences() -> None:
    given = votes(np.random.default_rng(11), 50, ties=0.5)
    model = Model.of(Tally.of(given, ["p0", "p1", "p2"]))
    at = np.array([0.2, -0.1, 0.4, 0.3, -0.5])
    value, slope, curve = model.climb(at)
    step = 1e-5 * np.eye(5)
    assert slope == pytest.approx([(model.climb(at + d)[0] - model.climb(at - d)[0]) / 2e-5 for d in step], abs=1e-4)
    turned = [(model.climb(at - d)[1] - model.climb(at + d)[1]) / 2e-5 for d in step]
    assert curve == pytest.approx(np.array(turned), abs=1e-4)
    assert sum(model.pulls(at, d)[7] for d in np.eye(5)) == pytest.approx(sum(model.pulls(at, np.ones(5))[7:8]))
    assert [model.pulls(at, d).sum() for d in np.eye(5)] == pytest.approx(slope, abs=1e-9)
    assert value < 0


def test_pairs_are_asked_evenly_and_sides_are_drawn() -> None:
    pairs, asked, sides = {frozenset(p) for p in combinations("abcd", 2)}, Counter[frozenset[str]](), Counter[str]()
    chance = Random(1)
    for _ in range(600):
        left, right = next_pair(pairs, asked, chance)
        asked[frozenset((left, right))] += 1
        sides[left] += 1
    assert set(asked.values()) == {100} and all(110 < sides[label] < 190 for label in "abcd")
    assert {next_pair({frozenset("ab")}, asked, Random(seed)) for seed in range(20)} == {("a", "b"), ("b", "a")}
