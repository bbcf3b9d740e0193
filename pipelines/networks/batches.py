"""Batches that shrink where memory ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_batches(
    run: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item], flags: set[str]
) -> list[Result]:
    """Run all items at once; where memory ends, in halves, down to one at a time.

    Args:
        run: a batch → one result an item, in order.
        items: of the call; may be empty.
        flags: "oom_backoff:SIZE" is added, with the size that fitted.

    Raises:
        MemoryError: one item alone does not fit.
    """
    size, done = len(items), list[Result]()
    while len(done) < len(items):
        try:
            done.extend(run(items[len(done) : len(done) + size]))
            continue
        except RuntimeError as error:
            if not ran_out_of_memory(error):
                raise
            if size == 1:
                raise MemoryError(f"One image alone does not fit into memory: {error}") from error
        size = (size + 1) // 2  # outside of the handler, whose traceback holds the tensors of the failed call
        flags.difference_update({flag for flag in flags if flag.startswith("oom_backoff")})
        flags.add(f"oom_backoff:{size}")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return done


def ran_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of torch says that memory ended; on a CPU that is told by its text alone."""
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)
