"""Stands in for the package spaces 0.51 on ZeroGPU: a call runs in a thread of a fork, pickled on its way there and back.

Like that one it raises an error of its own, with a title and a message, where no GPU can be had, where the fork ends,
and, with no more than its class, where the function raises.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import Any

asked: list[tuple[float, int]] = []
"""For each call: the seconds asked for, and the bytes that went in."""

QUOTA = "You have exceeded your ZeroGPU quota (30s requested vs. 0s left). Try again in 3:12:01."


class Error(Exception):
    """As `gradio.Error`, which costs seconds to import."""

    def __init__(self, message: str, title: str) -> None:
        super().__init__(message)
        self.message, self.title = message, title


def GPU(task: Callable[..., Any] | None = None, *, duration: float = 60, size: str | None = None) -> Any:
    if task is None:
        return partial(GPU, duration=duration, size=size)
    context = multiprocessing.get_context("fork")

    @wraps(task)
    def lent(*given: Any) -> Any:
        data = pickle.dumps(given)
        asked.append((duration, len(data)))
        if os.environ.get("QUOTA_USED"):
            raise Error(QUOTA, "ZeroGPU quota exceeded")
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_fork, args=(task, data, there))
        process.start()
        there.close()
        try:
            kind, said = pickle.loads(here.recv_bytes())
        except EOFError:
            raise Error("GPU task aborted", "ZeroGPU worker error") from None
        finally:
            process.join()
        if kind == "raised":
            raise Error(said, "ZeroGPU worker error")
        return said

    return lent


def _fork(task: Callable[..., Any], data: bytes, there: Any) -> None:
    def run() -> tuple[str, Any]:
        try:
            return "ok", task(*pickle.loads(data))
        except Exception as error:
            return "raised", type(error).__name__

    with ThreadPoolExecutor(1) as executor:
        there.send_bytes(pickle.dumps(executor.submit(run).result()))
