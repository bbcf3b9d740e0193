"""Which two to ask about next: those that were asked about least, on sides that are drawn."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random


def next_pair(pairs: Collection[frozenset[str]], asked: Mapping[frozenset[str], int],
              chance: Random) -> tuple[str, str]:  # fmt: skip
    """A pair, for the left and the right side.

    One of those that were asked about least is drawn, so that no pair is left behind. What was answered so far has no
    say, and who stands left is drawn too.

    Args:
        pairs: of two labels each, at least one; the order says nothing.
        asked: how often each pair was.
        chance: that draws.
    """
    least = min(asked.get(pair, 0) for pair in pairs)
    fewest = sorted(sorted(pair) for pair in pairs if asked.get(pair, 0) == least)
    left, right = chance.sample(chance.choice(fewest), 2)
    return left, right
