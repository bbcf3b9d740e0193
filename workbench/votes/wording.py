"""What is said of votes, as HTML: who was who, and the table of all of them; IoU in a column of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from threading import Lock
from time import monotonic

import numpy as np

from benchmarks.preferences.profile import Estimate
from benchmarks.preferences.standings import Standing, Standings, standings
from benchmarks.statistics.intervals import Interval
from workbench.votes.book import OWN_PICTURE, Reading, Vote, ballots, names
from workbench.votes.duels import Duel, Side

NO_VOTES = "<p>Nobody has voted yet.</p>"
SAID = {"left": "A is better", "right": "B is better", "tie": "as good as each other", "both_bad": "both bad"}
HEAD = ("Rank", "Who", "Preferred to average", "Elo", "Votes", "Won", "Lost", "As good", "Both bad", "IoU")
EXPLAINED = (
    "Ranks tie where votes do not tell two apart (5 %, corrected for all pairs). Behind a figure stands its 95 % "
    "interval; “from” and “up to” where it has one end alone. “Preferred” leaves out ties and “both bad”, which says "
    "nothing of the one against the other. IoU is the mean over the examples that were voted on; it is measured, not "
    "voted, and enters nothing else here. The mask of an own picture is the visitor's word, and left out."
)
MANY, EVERY_S = 2000, 10.0
LATE = f"Beyond {MANY} votes this table is made at most every {EVERY_S:.0f} seconds: the newest may not be in it yet."
SCROLLS = "overflow-x: auto; overflow-wrap: normal; margin: 8px 0"
"""A table that is wider than a telephone is moved sideways, and breaks no word."""


def who(duel: Duel, vote: Vote) -> str:
    """Who made which of the two, and whether the vote counts.

    Args:
        duel: that was voted on.
        vote: as it was written.
    """
    judged = any(side.iou is not None for side in (duel.left, duel.right))
    head = ["Result", "Made by", "Found", *(["IoU"] if judged else [])]
    rows = [_side(letter, side, judged) for letter, side in (("A", duel.left), ("B", duel.right))]
    note = "<p>IoU is measured against the true mask. Your vote does not enter it, nor it your vote.</p>"
    left_out = "".join(f'<p class="remark">{escape(one)}</p>' for one in duel.remarks)
    return f"<p role='status'>{_verdict(vote)}</p>{_table('Who was who', head, rows)}{note if judged else ''}{left_out}"


def _verdict(vote: Vote) -> str:
    if vote.choice is None:
        return "Here are the names. There is no vote on these two."
    said = f"Your vote: {SAID[vote.choice]}."
    seen = "It does not count: the tab Compare has shown you one of these results with its name."
    return f"{said} {'It is written down and counts.' if vote.counts else seen}"


def _side(letter: str, side: Side, judged: bool) -> list[str]:
    iou = ["not defined" if side.iou is None else f"{side.iou:.3f}"] if judged else []
    return [letter, f"{side.title} · {side.contestant.label}", f"{side.share:.1%} of the picture", *iou]


def board(reading: Reading) -> str:
    """The table of all votes.

    Args:
        reading: of the file.
    """
    given = ballots(reading.votes)
    void = sum(not vote.counts for vote in reading.votes)
    remarks = [f"{void} more do not count: names were shown, or both results were the same."] if void else []
    remarks += [LATE] if len(reading.votes) > MANY else []
    if not given:
        return NO_VOTES + _remarks([*remarks, *reading.remarks])
    found, judged = standings(given), ious(reading.votes)
    noted = [f"{row.label}: {row.remark}." for row in found.rows if row.remark]
    rows = [_row(row, judged.get(row.label, [])) for row in found.rows]
    said = f"<p>{_count(found.votes, 'vote')} of {_count(found.visitors, 'visitor')}. {_zero(found)}</p>"
    return (said + _table("Standings", list(HEAD), rows) + f"<p>{EXPLAINED}</p>"
            + _remarks([*noted, *found.remarks, *remarks, *reading.remarks]))  # fmt: skip


class Board:
    """The table of all votes, worked out once for the same votes, and where they are many, now and then.

    May be used from many threads.
    """

    def __init__(self) -> None:
        self.known, self.shown, self.lock = Reading(), NO_VOTES, Lock()
        self.made_s = -math.inf

    def of(self, reading: Reading) -> str:
        """The table; of two that ask at one time the second waits for that of the first."""
        with self.lock:
            due = len(reading.votes) <= MANY or monotonic() - self.made_s >= EVERY_S
            if reading is not self.known and due:  # a book gives the same one until a line comes to it
                self.known, self.shown = reading, board(reading)
                self.made_s = monotonic()
            return self.shown


def ious(votes: Sequence[Vote]) -> Mapping[str, list[float]]:
    """IoU of each contestant on each example that was voted on: their true masks are no visitor's."""
    called = names(votes)
    found: dict[str, dict[str, float]] = {}
    for vote in (one for one in votes if one.name != OWN_PICTURE):
        for side, iou in zip((vote.left, vote.right), vote.iou, strict=True):
            if vote.counts and iou is not None:
                found.setdefault(called[side.key], {})[vote.picture] = iou
    return {label: list(of.values()) for label, of in found.items()}


def _zero(found: Standings) -> str:
    """What "average" means."""
    if len(found.zero) > 1:
        return f"Average, an Elo of 1000, is for each group of its own: {escape('; '.join(found.zero.values()))}."
    (zero,) = found.zero.values()
    if zero in {row.label for row in found.rows}:
        return f"Average, an Elo of 1000, is {escape(zero)} here: too few of them have both won and lost."
    return f"Average, an Elo of 1000, is {escape(zero)}."


def _row(row: Standing, judged: Sequence[float]) -> list[str]:
    counts, bad = row.counts, row.counts.both_bad / row.counts.votes
    iou = f"{np.mean(judged):.3f} ({_count(len(judged), 'picture')})" if judged else "not known"
    return ["–" if row.rank is None else str(row.rank), row.label, _estimate(row.win_share, 100, " %"),
            _estimate(row.elo, 1, ""), *map(str, (counts.votes, counts.wins, counts.losses, counts.ties)),
            f"{bad:.0%}{_ends(row.both_bad)}", iou]  # fmt: skip


def _estimate(one: Estimate, by: float, unit: str) -> str:
    value, lo, hi = (None if end is None else f"{end * by:.0f}" for end in (one.value, one.lo, one.hi))
    if lo is None and hi is None:
        return "not known"
    ends = f"from {lo}{unit}" if hi is None else f"up to {hi}{unit}" if lo is None else f"{lo} to {hi}{unit}"
    if value is None:
        return ends
    return f"{value}{unit}" if one.lo == one.hi else f"{value}{unit} ({ends})"


def _ends(found: Interval) -> str:
    return "" if found.ends is None else f" ({found.ends[0] * 100:.0f} to {found.ends[1] * 100:.0f} %)"


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(one)}</td>' for one in row)}</tr>" for row in rows)
    return (f'<div role="region" aria-label="{title}" tabindex="0" style="{SCROLLS}">'
            f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>")  # fmt: skip


def _remarks(said: Sequence[str]) -> str:
    return "".join(f'<p class="remark">{escape(one)}</p>' for one in said)


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}{'' if n == 1 else 's'}"
