"""Whether intervals of strengths from votes hold the truth as often as they say, in many kinds of votes.

    python docs/measurements/votes.py [--runs 500] [--only NAME ...]

Prints one JSON document; the exit code is 1 where a setting that is held to it leaves 93 to 97 %.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.preferences.ballots import OUTCOMES, Ballot, Tally
from benchmarks.preferences.model import Model
from benchmarks.preferences.pairing import next_pair
from benchmarks.preferences.profile import Profile
from benchmarks.statistics.paired import LEVEL, holm

LEAST, MOST = 0.93, 0.97
Chance = np.random.Generator
Floats = np.ndarray


@dataclass(frozen=True)
class Setting:
    """How people vote.

    Attributes:
        k: pipelines, with strengths at equal distances from -spread to spread.
        n: votes.
        ties: how likely a tie is between equals, against each of the other two.
        left: advantage of the left side, in log odds.
        unbalanced: whether some pairs are asked about far more often.
        chosen: whether pairs are chosen as the app does, else drawn.
        visitors: who vote, each as often as it falls; None = each vote is of another.
        repeats: how likely one gives the answer to the same pair again that the visitor gave before.
        taste: SD of a visitor's own strengths around those of all.
        bad: whether "both bad" is said where both fail, weak ones more often.
        held: whether this setting has to keep 93 to 97 %.
    """

    k: int = 4
    n: int = 200
    spread: float = 1.0
    ties: float = 0.0
    left: float = 0.0
    unbalanced: bool = False
    chosen: bool = False
    visitors: int | None = None
    repeats: float = 0.0
    taste: float = 0.0
    bad: bool = False
    held: bool = True

    @property
    def labels(self) -> list[str]:
        return [f"p{place}" for place in range(self.k)]

    @property
    def strengths(self) -> Floats:
        return np.linspace(-self.spread, self.spread, self.k)


SETTINGS = {
    "4, 50 votes": Setting(4, 50),
    "4, 100 votes": Setting(4, 100),
    "4, 500 votes": Setting(4, 500),
    "8, 50 votes": Setting(8, 50),
    "8, 200 votes": Setting(8, 200),
    "8, 500 votes": Setting(8, 500),
    "4, 100 votes, ties": Setting(4, 100, ties=0.7),
    "8, 200 votes, ties and sides": Setting(8, 200, ties=0.7, left=0.5),
    "4, 100 votes, sides": Setting(4, 100, left=0.8),
    "4, 200 votes, unbalanced": Setting(4, 200, unbalanced=True),
    "8, 500 votes, unbalanced, ties, sides": Setting(8, 500, unbalanced=True, ties=0.5, left=0.4),
    "4, 100 votes, pairs chosen as in the app": Setting(4, 100, ties=0.5, chosen=True),
    "8, 200 votes, pairs chosen as in the app": Setting(8, 200, ties=0.5, chosen=True),
    "4, 200 votes of 20 who repeat themselves": Setting(4, 200, ties=0.5, visitors=20, repeats=0.8),
    "4, 200 votes of 8 who repeat themselves": Setting(4, 200, ties=0.5, visitors=8, repeats=0.8),
    "8, 500 votes of 40 who repeat themselves": Setting(8, 500, ties=0.5, visitors=40, repeats=0.8),
    "4, 300 votes of 30 with tastes": Setting(4, 300, ties=0.5, visitors=30, taste=0.7),
    "4, 300 votes of 8 with tastes": Setting(4, 300, ties=0.5, visitors=8, taste=0.7),
    "4, 200 votes, both bad": Setting(4, 200, ties=0.5, bad=True),
    "4, 50 votes, far apart": Setting(4, 50, spread=2.0, held=False),
    "8, 30 votes": Setting(8, 30, held=False),
    "4, 60 votes of 4 with tastes": Setting(4, 60, visitors=4, taste=0.7, held=False),
}


def outcome(gap: float, one: Setting, chance: Chance) -> int:
    """Left, right or tie, by the model of Davidson."""
    odds = np.array([np.exp((gap + one.left) / 2), np.exp(-(gap + one.left) / 2), one.ties])
    return int(np.searchsorted(np.cumsum(odds / odds.sum()), chance.random()))


def votes(one: Setting, chance: Chance) -> list[Ballot]:
    """What people say."""
    labels, found, last = one.labels, [], {}
    own = one.strengths + one.taste * chance.normal(size=(one.visitors or one.n, one.k))
    pairs, asked = {frozenset(pair) for pair in combinations(labels, 2)}, Counter[frozenset[str]]()
    draw = Random(int(chance.integers(1 << 30)))
    weights = np.array([1 / (1 + i) if one.unbalanced else 1.0 for i in range(one.k)])
    for vote in range(one.n):
        who = vote if one.visitors is None else int(chance.integers(one.visitors))
        if one.chosen:
            left, right = (labels.index(name) for name in next_pair(pairs, asked, draw))
            asked[frozenset((labels[left], labels[right]))] += 1
        else:
            left, right = (int(i) for i in chance.choice(one.k, 2, replace=False, p=weights / weights.sum()))
        said: Any = OUTCOMES[outcome(own[who][left] - own[who][right], one, chance)]
        if one.bad and chance.random() < badness(own[who][left]) * badness(own[who][right]):
            said = "both_bad"
        if (who, left, right) in last and chance.random() < one.repeats:
            said = last[who, left, right]
        last[who, left, right] = said
        found.append(Ballot(labels[left], labels[right], said, str(who)))
    return found


def badness(strength: float) -> float:
    """How likely a pipeline fails on a picture."""
    return float(1 / (1 + np.exp(1.5 * strength)))


def truth(one: Setting) -> Floats:
    """The strengths that intervals are to hold: with tastes, those of all votes together (by quadrature)."""
    if not one.taste:
        return one.strengths - one.strengths.mean()
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    pairs = [(i, j) for i in range(one.k) for j in range(one.k) if i != j]
    counts = np.zeros((len(pairs), 3))
    for place, (i, j) in enumerate(pairs):
        gap = one.strengths[i] - one.strengths[j] + one.left + np.sqrt(2) * one.taste * nodes
        odds = np.stack([np.exp(gap / 2), np.exp(-gap / 2), np.full_like(gap, one.ties)])
        counts[place] = (odds / odds.sum(axis=0)) @ weights / weights.sum()
    sides, none = np.array(pairs), np.zeros(0, np.int64)
    model = Model.of(Tally(tuple(one.labels), sides[:, 0], sides[:, 1], counts * 1e4, none, none))
    at, _ = model.best(np.zeros(model.size), np.eye(model.size))
    return at[: one.k] - at[: one.k].mean()


def ways(size: int, k: int) -> list[Floats]:
    """Each strength against the mean of all."""
    found = []
    for place in range(k):
        way = np.zeros(size)
        way[:k] = -1 / k
        way[place] += 1
        found.append(way)
    return found


def counted(ballots: Sequence[Ballot], labels: Sequence[str], how: str) -> Tally:
    """Votes as we count them, or in another way."""
    if how == "both bad as ties":
        ballots = [replace(one, choice="tie") if one.choice == "both_bad" else one for one in ballots]
    if how == "ties dropped":
        ballots = [one for one in ballots if one.choice != "tie"]
    tally = Tally.of(ballots, labels)
    if how == "ties as half a win for each":
        halves = tally.counts[:, 2:] / 2
        counts = np.concatenate([tally.counts[:, :2] + halves, 0 * halves], axis=1)
        return replace(tally, counts=counts)
    return tally


def covered(one: Setting, runs: int, how: str = "ours") -> dict[str, Any]:
    """How often intervals hold the truth, over all pipelines and simulations."""
    aims, hits, bounded, widths, begun = truth(one), 0, 0, [], time.perf_counter()
    errors, alarms, outside = [], 0, 0
    for seed in range(runs):
        profile = Profile(counted(votes(one, np.random.default_rng(seed)), one.labels, how))
        lines = ways(profile.model.size, one.k)
        found = [profile.estimate(way) for way in lines]
        held = [
            (e.lo is None or e.lo <= aim) and (e.hi is None or aim <= e.hi) for e, aim in zip(found, aims, strict=True)
        ]
        hits, outside = hits + sum(held), outside + (not all(held))
        errors += [e.value - aim for e, aim in zip(found, aims, strict=True) if e.value is not None]
        widths += [e.hi - e.lo for e in found if e.hi is not None and e.lo is not None]
        bounded += sum(e.value is not None for e in found)
        if not one.spread:
            alarms += tested(profile, one.k)
    total = runs * one.k
    said = {
        "coverage": round(float(hits / total), 4), "simulations": runs, "intervals": total,
        "all_held": round(1 - outside / runs, 4), "with_estimate": round(bounded / total, 4),
        "rms_error": round(float(np.sqrt(np.mean(np.square(errors)))), 4),
        "median_width": round(float(np.median(widths)), 4),
        "ms_each": round(1e3 * (time.perf_counter() - begun) / runs, 1),
    }  # fmt: skip
    weakest = [error for place, error in enumerate(errors) if place % one.k == 0] if bounded == total else []
    return said | ({"weakest_mean_error": round(float(np.mean(weakest)), 4)} if weakest else {}) | (
        {"alarms": alarms} if not one.spread else {}
    )  # fmt: skip


def tested(profile: Profile, k: int) -> bool:
    """Whether any pair is told apart."""
    ps = []
    for i in range(k):
        for j in range(i):
            way = np.zeros(profile.model.size)
            way[[i, j]] = 1.0, -1.0
            ps.append(profile.p_value(way))
    return min(p for p in holm(ps) if p is not None) <= LEVEL


def others(runs: int) -> dict[str, Any]:
    """The same votes counted in other ways."""
    tied, bad = Setting(4, 500, ties=1.0), Setting(4, 500, ties=0.5, bad=True)
    ways = [(tied, "ours"), (tied, "ties dropped"), (tied, "ties as half a win for each"), (bad, "ours"),
            (bad, "both bad as ties")]  # fmt: skip
    found = {}
    for one, how in ways:
        key = f"{how}, {'votes with both bad' if one.bad else 'votes with ties'}"
        found[key] = covered(one, runs, how)
        print(key, found[key], file=sys.stderr, flush=True)
    return found


def main() -> int:
    """Every setting, other ways of counting, and pipelines that do not differ."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--runs", type=int, default=500)
    asked.add_argument("--only", nargs="*", default=[*SETTINGS, "other ways", "no difference"])
    given = asked.parse_args()
    document: dict[str, Any] = {"settings": {}, "other_ways": {}, "no_difference": {}}
    for name in (name for name in SETTINGS if name in given.only):
        document["settings"][name] = {"held": SETTINGS[name].held} | covered(SETTINGS[name], given.runs)
        print(name, document["settings"][name], file=sys.stderr, flush=True)
    if "other ways" in given.only:
        document["other_ways"] = others(given.runs)
    for visitors in (None, 20) if "no difference" in given.only else ():
        even = Setting(5, 300, 0.0, ties=0.5, visitors=visitors, repeats=0.8)
        document["no_difference"][str(visitors)] = covered(even, given.runs)
    print(json.dumps(document, indent=1))
    wrong = [name for name, one in document["settings"].items()
             if one["held"] and not LEAST <= one["coverage"] <= MOST]  # fmt: skip
    print(f"outside 93 to 97 %: {wrong or 'none'}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
