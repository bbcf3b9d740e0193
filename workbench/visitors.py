"""What visitors have open: one picture each with its cards, kept while there is room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock

from benchmarks.datasets.sample import Truth
from pipelines.errors import UsageError
from pipelines.types import Image, Prompt
from workbench.service import Card

MOST = 500


@dataclass
class Visit:
    """A picture that a visitor has open.

    Attributes:
        path: of the upload.
        name: that the picture goes by.
        image: ``uint8 (H, W, 3)``.
        prompt: what was looked for last.
        cards: by pipeline, as they stand.
        truth: what is really there, or None.
        truth_from: of which upload it was read, and at which cut.
        pending: pipelines whose card is not there yet.
        off: set to call off what runs.
    """

    path: str
    name: str
    image: Image
    prompt: Prompt = Prompt()
    cards: dict[str, Card] = field(default_factory=dict)
    truth: Truth | None = None
    truth_from: tuple[str | None, int] = (None, 0)
    pending: set[str] = field(default_factory=set)
    off: Event = field(default_factory=Event)

    @property
    def nbytes(self) -> int:
        """What its arrays take in memory."""
        masks = [card.prediction.masks.nbytes for card in list(self.cards.values()) if card.prediction]
        soft = [card.soft.nbytes for card in list(self.cards.values()) if card.soft is not None]
        return int(self.image.nbytes + sum(masks) + sum(soft))


class Visits:
    """Visits by visitor; those that were used longest ago are dropped first. May be used from many threads.

    Args:
        room_mb: for all of them, in 10**6 bytes; the one in use is kept however large it is.
        forget: told of each visitor that is dropped.
        most: how many there are at one time.
    """

    def __init__(self, room_mb: float, forget: Callable[[str], None], most: int = MOST) -> None:
        self.room, self.forget, self.most = int(room_mb * 1e6), forget, most
        self.held: OrderedDict[str, Visit] = OrderedDict()
        self.lock = Lock()

    def begin(self, visitor: str, visit: Visit) -> Visit:
        """A new picture; what ran for the one before is called off, and that one is dropped with all that it had."""
        self.leave(visitor)
        with self.lock:
            self.held[visitor] = visit
        self.settle(visitor)
        return visit

    def get(self, visitor: str) -> Visit:
        """What a visitor has open.

        Raises:
            UsageError: nothing, or not any more.
        """
        with self.lock:
            if visitor not in self.held:
                raise UsageError("There is no picture, or it is no longer kept.", "Give the picture again.")
            self.held.move_to_end(visitor)
            return self.held[visitor]

    def find(self, visitor: str) -> Visit | None:
        """What a visitor has open, or None."""
        with self.lock:
            return self.held.get(visitor)

    def settle(self, visitor: str) -> None:
        """Drop others until all fit, after a visit has grown.

        Args:
            visitor: whose visit stays.
        """
        for other in self._too_much(visitor):
            self.leave(other)

    def _too_much(self, visitor: str) -> list[str]:
        with self.lock:
            used, left, found = sum(visit.nbytes for visit in self.held.values()), len(self.held), []
            for other, visit in self.held.items():
                if used <= self.room and left <= self.most:
                    break
                if other != visitor:
                    used, left = used - visit.nbytes, left - 1
                    found.append(other)
        return found

    def leave(self, visitor: str) -> None:
        """Call off what runs for a visitor, and drop all that was kept."""
        with self.lock:
            visit = self.held.pop(visitor, None)
        if visit is not None:
            visit.off.set()
            self.forget(visitor)
