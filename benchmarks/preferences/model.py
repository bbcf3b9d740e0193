"""The model of Davidson: how likely each vote is, by strengths, the advantage of a side and the share of ties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.preferences.ballots import Floats, Tally

RIDGE = 1e-7
"""Keeps what the votes leave open from running away; it costs less than 1e-4 of the likelihood at any bound."""

MOST_STEPS, MOST_HALVINGS, ENOUGH = 60, 40, 1e-9


@dataclass(frozen=True)
class Model:
    """The likelihood of a tally.

    Bradley and Terry (1952), with ties by Davidson (1970) and sides by Davidson and Beaver (1977).

    With strengths s and the advantage d of the left side, u = (s_left - s_right + d) / 2, and the left, the right
    and a tie are as likely as exp(u), exp(-u) and exp(t) are to each other. Of votes that are no ties this is the
    model of Bradley and Terry, and it is concave, so that there is one maximum.

    Attributes:
        tally: the votes.
        rows: u of each pair of sides is its row times the parameters, ``(P, M)``.
        ties: whether there are any; without one t is left out.
    """

    tally: Tally
    rows: Floats
    ties: bool

    @classmethod
    def of(cls, tally: Tally) -> Model:
        """The model of a tally; its parameters are strengths in the order of the labels, d, and t where it has ties."""
        ties, pairs, count = bool(tally.counts[:, 2].any()), np.arange(len(tally.left)), len(tally.labels)
        rows = np.zeros((len(pairs), count + 1 + ties))
        rows[pairs, tally.left] = 0.5
        rows[pairs, tally.right] = -0.5
        rows[:, count] = 0.5
        return cls(tally, rows, ties)

    @property
    def size(self) -> int:
        """Parameters."""
        return int(self.rows.shape[1])

    @property
    def level(self) -> Floats:
        """Strengths count from any level: the way in which only that changes, ``(M,)``."""
        way = np.zeros(self.size)
        way[: len(self.tally.labels)] = 1.0
        return way

    def chances(self, at: Floats) -> tuple[Floats, Floats]:
        """Of each outcome of each pair, ``(P, 3)``, and the logarithms of their sums, ``(P,)``.

        Args:
            at: parameters, ``(M,)``.
        """
        u = self.rows @ at
        said = np.stack([u, -u, np.full_like(u, at[-1] if self.ties else -np.inf)], axis=1)
        top = np.abs(u) if not self.ties else np.maximum(np.abs(u), at[-1])
        odds = np.exp(said - top[:, None])
        whole = odds.sum(axis=1)
        return odds / whole[:, None], top + np.log(whole)

    def climb(self, at: Floats) -> tuple[float, Floats, Floats]:
        """Log likelihood, its slope ``(M,)`` and its curvature with the sign turned ``(M, M)``.

        Args:
            at: parameters, ``(M,)``.
        """
        counts, (chances, logs) = self.tally.counts, self.chances(at)
        n, lead = counts.sum(axis=1), chances[:, 0] - chances[:, 1]
        won = counts[:, 0] - counts[:, 1]
        value = float(won @ (self.rows @ at) - n @ logs)
        slope = self.rows.T @ (won - n * lead)
        curve = self.rows.T @ ((n * (chances[:, 0] + chances[:, 1] - lead**2))[:, None] * self.rows)
        if self.ties:
            tied, mixed = chances[:, 2], -(n * chances[:, 2] * lead) @ self.rows
            value += float(counts[:, 2].sum() * at[-1])
            slope[-1] += float(counts[:, 2].sum() - n @ tied)
            curve[-1] += mixed
            curve[:, -1] += mixed
            curve[-1, -1] += float(n @ (tied * (1 - tied)))
        return value, slope, curve

    def best(self, origin: Floats, ways: Floats, begin: Floats | None = None) -> tuple[Floats, float]:
        """The most likely parameters among those that can be reached, by Newton's method, and their log likelihood.

        Args:
            origin: where to begin, ``(M,)``.
            ways: orthonormal directions in which to go, ``(M, Q)``.
            begin: how far to go in each at first, ``(Q,)``.
        """
        place = np.zeros(ways.shape[1]) if begin is None else begin
        at = origin + ways @ place
        value, slope, curve = self.climb(at)
        for _ in range(MOST_STEPS):
            pull = ways.T @ (slope - RIDGE * at)
            step = np.linalg.solve(ways.T @ curve @ ways + RIDGE * np.eye(len(place)), pull)
            if pull @ step < ENOUGH:
                break
            for halving in range(MOST_HALVINGS):
                there = at + ways @ step / 2**halving
                found = self.climb(there)
                if _held(found[0], there) >= _held(value, at):
                    break
            at, (value, slope, curve) = there, found
        return at, value

    def pulls(self, at: Floats, way: Floats) -> Floats:
        """The slope of the log likelihood of each vote alone, in one direction, ``(n,)``.

        Args:
            at: parameters, ``(M,)``.
            way: the direction, ``(M,)``.
        """
        chances, _ = self.chances(at)
        surprise = np.array([1.0, -1.0, 0.0]) - (chances[:, :1] - chances[:, 1:2])
        cells = surprise * (self.rows @ way)[:, None]
        if self.ties:
            cells += (np.array([0.0, 0.0, 1.0]) - chances[:, 2:]) * way[-1]
        return np.asarray(cells.ravel()[self.tally.cell])


def _held(value: float, at: Floats) -> float:
    return value - RIDGE / 2 * float(at @ at)
