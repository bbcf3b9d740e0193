"""What visitors have open: one picture each with its cards, kept while there is room."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock
from time import monotonic
from typing import Any

from benchmarks.datasets.sample import Truth
from pipelines.errors import UsageError
from pipelines.types import Image, Prompt
from workbench.service import Card

MOST, AWAY_S = 500, 60.0


@dataclass
class Visit:
    """A picture that a visitor has open.

    Attributes:
        path: of the upload.
        name: that the picture goes by.
        image: ``uint8 (H, W, 3)``.
        prompt: what was looked for last.
        cards: by pipeline, as they stand.
        kinds: of file that is wanted, by pipeline.
        look: how results are to be shown now, as the page said last.
        moved: knobs that were moved while a pipeline was at work, by pipeline and name.
        truth: what is really there, or None.
        truth_from: of which upload it was read, and at which cut.
        pending: pipelines whose card is not there yet.
        off: set to call off what runs.
        knowing: held while the true mask is read.
        instead_of: path of the picture whose place it took, until its page says that it knows; "" of one unknown.
    """

    path: str
    name: str
    image: Image
    prompt: Prompt = Prompt()
    cards: dict[str, Card] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    look: Any = None
    moved: dict[str, dict[str, Any]] = field(default_factory=dict)
    truth: Truth | None = None
    truth_from: tuple[str | None, int] = (None, 0)
    pending: set[str] = field(default_factory=set)
    off: Event = field(default_factory=Event)
    knowing: Lock = field(default_factory=Lock)
    instead_of: str | None = None

    @property
    def nbytes(self) -> int:
        """What its arrays take in memory."""
        masks = [card.prediction.masks.nbytes for card in list(self.cards.values()) if card.prediction]
        soft = [card.soft.nbytes for card in list(self.cards.values()) if card.soft is not None]
        true = [mask.nbytes for mask in self.truth.masks.values()] if self.truth else []
        ignored = self.truth.ignore.nbytes if self.truth and self.truth.ignore is not None else 0
        return int(self.image.nbytes + sum(masks) + sum(soft) + sum(true) + ignored)


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
        self.lost: OrderedDict[str, None] = OrderedDict()
        self.lock = Lock()

    def begin(self, visitor: str, visit: Visit) -> Visit:
        """A new picture; what ran for the one before is called off, and that one is dropped with all that it had."""
        with self.lock:  # at once, or one of two that begin together is replaced and runs on
            before = self.held.pop(visitor, None)
            self.held[visitor] = visit
            lost = visitor in self.lost
            self.lost.pop(visitor, None)
            visit.instead_of = before.path if before else "" if lost else None
        self._end(visitor, before)
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
            self.drop(other)

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
        self._end(visitor, visit)

    def drop(self, visitor: str) -> None:
        """As `leave`, but without having been asked to, so that the visitor is to be told."""
        with self.lock:
            if visitor in self.held:
                self.lost[visitor] = None
            while len(self.lost) > MOST:
                self.lost.popitem(last=False)
        self.leave(visitor)

    def stop(self, visitor: str) -> None:
        """Call off what runs for a visitor, and keep what is there."""
        visit = self.find(visitor)
        if visit is not None:
            visit.off.set()

    def was_dropped(self, visitor: str) -> bool:
        """Whether a visitor had a picture open that was dropped."""
        with self.lock:
            return visitor in self.lost

    def _end(self, visitor: str, visit: Visit | None) -> None:
        if visit is not None:
            visit.off.set()
            self.forget(visitor)


class Presence:
    """Who is there, by the heartbeats of pages. A network that breaks for a moment costs nobody what they have.

    Args:
        stop: told at once of each page whose last heartbeat ended.
        drop: told of each page that did not come back.
        away_s: seconds after which it is told so.
        now: the clock.
    """

    def __init__(self, stop: Callable[[str], None], drop: Callable[[str], None], away_s: float = AWAY_S,
                 now: Callable[[], float] = monotonic) -> None:  # fmt: skip
        self.stop, self.drop, self.away_s, self.now = stop, drop, away_s, now
        self.beating, self.away, self.lock = Counter[str](), dict[str, float](), Lock()

    def come(self, page: str) -> None:
        """A heartbeat begins."""
        with self.lock:
            self.beating[page] += 1
            self.away.pop(page, None)

    def go(self, page: str) -> None:
        """A heartbeat ended."""
        with self.lock:
            self.beating[page] -= 1
            gone = self.beating[page] <= 0
            if gone:
                del self.beating[page]
                self.away[page] = self.now()
        if gone:
            self.stop(page)

    def sweep(self) -> None:
        """Drop all that are away for too long."""
        with self.lock:
            gone = [page for page, since in self.away.items() if self.now() - since >= self.away_s]
            for page in gone:
                del self.away[page]
        for page in gone:
            self.drop(page)
