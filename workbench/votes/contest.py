"""Who takes part in a blind comparison, and which two of them are next."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from random import Random
from threading import Lock

from benchmarks.preferences.pairing import next_pair
from pipelines.errors import UnavailableError, UsageError, WorkbenchError
from workbench.catalogue import Offer, Order
from workbench.votes.book import Vote

MOST_PAGES, MOST_NAMES = 500, 200
"""Of which is known what they have seen with its name, and how much of each."""


def contestants(offers: Sequence[Offer], random_weights: bool) -> list[Order]:
    """Who can take part: every preset of what runs here from a text or from nothing.

    Random weights find nothing that means anything; nobody is asked about them.

    Args:
        offers: of the service.
        random_weights: whether weights are random.
    """
    able = [one for one in offers if one.reason is None and (not one.prompts or "text" in one.prompts)]
    able = [one for one in able if not (random_weights and _has_weights(one))]
    return [Order(one.name, preset) for one in able for preset in one.presets]


def begins(orders: Sequence[Order]) -> list[Order]:
    """Who takes part at first: each pipeline once, or where there is but one, all its presets."""
    plain = [order for order in orders if order.preset == "default"]
    return plain if len(plain) > 1 else list(orders)


def _has_weights(offer: Offer) -> bool:
    from pipelines.registry import pipeline_class

    return bool(offer.info and offer.info.weights_for(pipeline_class(offer.name).Params()))


class Named:
    """Whose result on which picture a page has seen with its name, however many pictures it has opened since.

    May be used from many threads; what was seen longest ago is forgotten first.
    """

    def __init__(self) -> None:
        self.held: OrderedDict[str, OrderedDict[tuple[str, str], None]] = OrderedDict()
        self.lock = Lock()

    def add(self, page: str, picture: str, labels: Iterable[str]) -> None:
        """A page is shown results with their names.

        Args:
            page: that shows them.
            picture: hash of its pixels.
            labels: of those who made them.
        """
        with self.lock:
            seen = self.held.setdefault(page, OrderedDict())
            for label in labels:
                seen[picture, label] = None
                seen.move_to_end((picture, label))
            self.held.move_to_end(page)
            while len(seen) > MOST_NAMES:
                seen.popitem(last=False)
            while len(self.held) > MOST_PAGES:
                self.held.popitem(last=False)

    def of(self, page: str, picture: str) -> set[str]:
        """Labels that a page has seen with a picture."""
        with self.lock:
            return {label for seen, label in self.held.get(page, ()) if seen == picture}

    def leave(self, page: str) -> None:
        """Forget a page."""
        with self.lock:
            self.held.pop(page, None)


class Draw:
    """Pairs for a picture, one after another, those that were asked about least first.

    Args:
        orders: of whom the visitor has seen no result of this picture with its name, by label.
        votes: so far, on any picture.
        chance: that draws.
    """

    def __init__(self, orders: Mapping[str, Order], votes: Sequence[Vote], chance: Random) -> None:
        self.orders, self.chance = orders, chance
        self.asked = Counter(frozenset((vote.left.label, vote.right.label)) for vote in votes)
        self.failed: dict[str, str] = {}

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Left and right of each pair, of those that have not failed in the meantime."""
        left = {frozenset(pair) for pair in combinations(self.orders, 2)}
        while left := {pair for pair in left if not pair & self.failed.keys()}:
            pair = next_pair(left, self.asked, self.chance)
            left.discard(frozenset(pair))
            yield pair

    def over(self) -> WorkbenchError:
        """Why there are no two to show."""
        if len(self.orders) - len(self.failed) < 2:
            return UnavailableError(f"Fewer than two have a result. {' '.join(self.failed.values())}",
                                    "Tick others, or take another picture.")  # fmt: skip
        return UsageError("All of them found exactly the same here, so that there is nothing to choose.",
                          "Take another picture.")  # fmt: skip
