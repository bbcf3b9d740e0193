"""Whose turn it is: work that takes the whole machine is done one after another, and whoever waits is told how long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Event

from pipelines.errors import ResourceError
from workbench.looks.process import CancelledError

POLL_S = 0.05


class Line:
    """A queue of one server. May be used from many threads.

    Args:
        most: who may wait or be served at one time.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.waiting: list[object] = []
        self.changed = Condition()

    @contextmanager
    def turn(self, off: Event, tell: Callable[[int], None]) -> Iterator[None]:
        """Wait for one's turn, and keep it while the block runs.

        Args:
            off: set by whoever does not want to wait any more.
            tell: told how many are before, each time that this changes; 0 = it is one's turn.

        Raises:
            ResourceError: too many wait already.
            CancelledError: it was called off while it waited.
        """
        ticket = self._joined()
        try:
            self._wait(ticket, off, tell)
            yield
        finally:
            with self.changed:
                self.waiting.remove(ticket)
                self.changed.notify_all()

    def _joined(self) -> object:
        with self.changed:
            if len(self.waiting) >= self.most:
                raise ResourceError(f"{len(self.waiting)} others are before you.", "Try again in some minutes.")
            ticket = object()
            self.waiting.append(ticket)
            return ticket

    def _wait(self, ticket: object, off: Event, tell: Callable[[int], None]) -> None:
        told = -1
        with self.changed:
            while True:
                before = self.waiting.index(ticket)
                if before != told:
                    tell(told := before)
                if not before:
                    return
                if off.is_set():
                    raise CancelledError("It was called off.", "Start it again.")
                self.changed.wait(POLL_S)
