"""Two implementations timed in turn, A B A B in one process, so that a busy machine disturbs both alike."""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from time import process_time
from typing import Any, Literal

BLOCK_S = 0.03
"""Processor time of one block of calls: reading the clock costs nothing beside it."""

MAX_CALLS = 10_000
Call = Callable[[], Any]


@dataclass(frozen=True)
class Contest:
    """Two ways to the same result.

    Attributes:
        name: what is done, and at which size.
        ours: what of ours is called.
        peer: what it is held against.
        call_ours: does it once.
        call_peer: does it once, on the same input.
        equal: whether both give the same result; asked before anything is timed.
        goal: the least ratio that is wanted, or None.
        most_rounds: no more are held, where a call takes seconds; None for as many as are asked for.
    """

    name: str
    ours: str
    peer: str
    call_ours: Call
    call_peer: Call
    equal: Callable[[], bool]
    goal: float | None = None
    most_rounds: int | None = None


@dataclass(frozen=True)
class Row:
    """What came of a contest; what was not measured is None.

    Attributes:
        ratio: time of the peer over ours, median over the rounds.
        ratio_ci: 95 % interval of that median, or None with fewer than 6 rounds.
        met: whether the ratio reaches the goal; None without a goal.
        equal_outputs: without it no ratio is given.
        status: "ok", "unequal", or "unavailable" with the reason.
    """

    name: str
    ours: str
    peer: str
    goal: float | None = None
    ratio: float | None = None
    ratio_ci: tuple[float, float] | None = None
    rounds: int = 0
    met: bool | None = None
    equal_outputs: bool | None = None
    ours_ms: float | None = None
    peer_ms: float | None = None
    status: Literal["ok", "unequal", "unavailable"] = "ok"
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def measure(contest: Contest, rounds: int, seed: int = 0) -> Row:
    """Hold a contest.

    Time is that of the processor, for one thread: what other processes take from the machine does not count.

    Args:
        contest: what to time.
        rounds: pairs of blocks; each gives one ratio.
        seed: of the order within the rounds.
    """
    about = (contest.name, contest.ours, contest.peer, contest.goal)
    if not contest.equal():  # which also warms up both
        reason = "the outputs differ, so that a ratio would mean nothing"
        return Row(*about, met=None if contest.goal is None else False, equal_outputs=False, status="unequal",
                   reason=reason)  # fmt: skip
    rounds = min(rounds, contest.most_rounds or rounds)
    ours, peer = _blocks(contest, rounds, seed)
    ratios = [b / a for a, b in zip(ours, peer, strict=True)]
    ratio = median(ratios)
    met = None if contest.goal is None else ratio >= contest.goal
    return Row(*about, round(ratio, 3), median_interval(ratios), rounds, met, True, round(median(ours) * 1e3, 4),
               round(median(peer) * 1e3, 4))  # fmt: skip


def _blocks(contest: Contest, rounds: int, seed: int) -> tuple[list[float], list[float]]:
    """Seconds a call, one figure a round and side."""
    sides = [(call, _calls(call)) for call in (contest.call_ours, contest.call_peer)]
    found: tuple[list[float], list[float]] = ([], [])
    order, chance = [0, 1], random.Random(seed)
    for _ in range(rounds):
        chance.shuffle(order)  # else the second would always find the caches as the first leaves them
        for side in order:
            found[side].append(_seconds(*sides[side]))
    return found


def _calls(call: Call) -> int:
    """How many calls fill a block."""
    return max(1, min(MAX_CALLS, math.ceil(BLOCK_S / max(_seconds(call, 1), 1e-6))))


def _seconds(call: Call, calls: int) -> float:
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = process_time()
        for _ in range(calls):
            call()
        return (process_time() - start) / calls
    finally:
        if collecting:
            gc.enable()


def median_interval(values: list[float], level: float = 0.95) -> tuple[float, float] | None:
    """Interval of the median by order statistics, which assumes nothing of the spread; None where n is too small."""
    n, outside, cut = len(values), 0.0, 0
    while cut <= n // 2 and outside + 2 * math.comb(n, cut) / 2**n <= 1 - level:
        outside, cut = outside + 2 * math.comb(n, cut) / 2**n, cut + 1
    ordered = sorted(values)
    return (round(ordered[cut - 1], 3), round(ordered[n - cut], 3)) if cut else None
