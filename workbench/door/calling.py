"""Calls of programs that end when they are cancelled, or when nobody is there any more who waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from threading import Event
from typing import Any

LISTEN_S = 0.25
_OFF: ContextVar[Event] = ContextVar("off")


def called_off() -> Event:
    """Is set when the call that this runs in is to end."""
    return _OFF.get(Event())


def endable(function: Callable[..., Any], is_awaited: Callable[[], bool]) -> Callable[..., Any]:
    """The function in a thread, told by `called_off` when it is to end; it keeps its signature.

    Args:
        function: to call.
        is_awaited: whether somebody still waits for the call that this is asked in.
    """

    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        off = Event()
        _OFF.set(off)
        task = asyncio.create_task(asyncio.to_thread(function, *args, **kwargs))
        try:
            while not (await asyncio.wait({task}, timeout=LISTEN_S))[0]:
                if not is_awaited():
                    off.set()
        except asyncio.CancelledError:
            off.set()
            raise
        return task.result()

    return call
