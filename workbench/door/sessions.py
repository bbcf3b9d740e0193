"""What Gradio keeps of each session, made small: a call of a program is a session too, and there are thousands."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from copy import copy
from time import monotonic
from typing import Any

from workbench.visitors import Presence

IDLE = 100
"""Lines of sessions that wait for nothing, of which none is dropped before there are more."""

UNREAD_S, SWEEP_S, MOST_UNREAD = 60.0, 10.0, 500
"""Seconds for which an answer that nobody reads is kept, seconds between two searches for such, and how many stay."""

HEARTBEAT = "/gradio_api/heartbeat/"


class Unkept(dict[int, dict[str, Any]]):
    """What each component shows in a session, which is not kept.

    Gradio describes every component of the page anew for each session, for links that open somebody's session again.
    This app gives no such links, and that takes 35 ms and half a megabyte a session.
    """

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: int) -> dict[str, Any]:
        return {}

    def __setitem__(self, key: int, value: dict[str, Any]) -> None:
        """Nothing is kept."""


class Lines(OrderedDict[str, Any]):
    """Messages on their way to each session; one that waits for none is dropped when others come.

    Gradio's own has a fixed number of them, and drops the first that came, whether somebody waits there or not. It
    also takes a session for one that waits until somebody reads its answers, which nobody has to do.

    Args:
        waiting: numbers of the events whose answers each session has not read.
        running: events that are not done, by number.
        now: the clock.
    """

    def __init__(self, waiting: dict[str, set[str]], running: Mapping[str, Any],
                 now: Callable[[], float] = monotonic) -> None:  # fmt: skip
        super().__init__()
        self.waiting, self.running, self.now = waiting, running, now
        self.next, self.swept_s = IDLE, now()
        self.done: dict[str, tuple[frozenset[str], float]] = {}

    def __setitem__(self, session: str, line: Any) -> None:
        if session not in self and (len(self) >= self.next or self.now() - self.swept_s >= SWEEP_S):
            self._drop([one for one in self if not self.waiting.get(one)] if len(self) >= self.next else [])
            self._drop_unread()
            self.next, self.swept_s = len(self) + IDLE, self.now()
        super().__setitem__(session, line)

    def _drop_unread(self) -> None:
        """Of sessions for which nothing runs: those seen so long before, and of the others the oldest of too many."""
        found = {one: frozenset(ids) for one in self
                 if (ids := self.waiting.get(one)) and not any(number in self.running for number in ids)}  # fmt: skip
        known, now = self.done, self.now()
        self.done = {one: known[one] if one in known and known[one][0] == ids else (ids, now)
                     for one, ids in found.items()}  # fmt: skip
        old = [one for one, (_, since) in self.done.items() if now - since >= UNREAD_S]
        left = [one for one in self.done if one not in old]
        self._drop([*old, *left[: max(0, len(left) - MOST_UNREAD)]])

    def _drop(self, sessions: Iterable[str]) -> None:
        for one in sessions:
            del self[one]
            self.waiting.pop(one, None)
            self.done.pop(one, None)


class Heartbeats:
    """Middleware of ASGI that tells of each page when its heartbeat begins and ends.

    Args:
        app: what lies behind it.
        presence: is told.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], presence: Presence) -> None:
        self.app, self.presence = app, presence

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """One request."""
        page = scope["path"].partition(HEARTBEAT)[2] if scope["type"] == "http" else ""
        if not page:
            await self.app(scope, receive, send)
            return
        self.presence.come(page)
        try:
            await self.app(scope, receive, send)
        finally:
            self.presence.go(page)


def lighten(served: Any) -> None:
    """Have the app that is served keep less of each session.

    Args:
        served: that Gradio's ``launch`` returned.
    """
    from gradio.state_holder import SessionState, StateHolder

    class States(StateHolder):
        """Sessions that begin as a copy of one, in place of being made anew."""

        def __getitem__(self, session: str) -> SessionState:
            if session not in self.session_data:
                self.session_data[session] = begun(first)
            return super().__getitem__(session)

    demo = served.get_blocks()
    first, states = SessionState(demo), States()  # type: ignore[no-untyped-call]
    states.set_blocks(demo)
    served.state_holder = states
    queue = demo._queue
    queue.pending_messages_per_session = Lines(queue.pending_event_ids_session, queue.event_ids_to_events)


def forget(demo: Any, session: str) -> None:
    """Drop what is kept of a session whose page is gone; a page that comes again begins anew.

    Args:
        demo: of Gradio.
        session: name of it.
    """
    states = demo.state_holder
    with states.lock:
        states.session_data.pop(session, None)
        states.time_last_used.pop(session, None)


def begun(first: Any) -> Any:
    """A new state of a session, with all in it that a session may change."""
    state = copy(first)
    state.blocks_config = copy(first.blocks_config)
    state.config_values, state.state_data, state._state_ttl = Unkept(), {}, {}
    return state
