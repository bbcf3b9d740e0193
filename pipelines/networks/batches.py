"""Batches that shrink where memory ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

FLAG = "oom_backoff:"
TOLD_BY = ("not enough memory", "an't allocate memory", "annot allocate memory", "out of memory", "ALLOC_FAILED")
"""Of torch's allocators on Windows and Linux, of CUDA, and of cuBLAS and cuDNN."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_batches(
    run: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item], flags: set[str], unit: str = "images"
) -> list[Result]:
    """Run all items at once; where memory ends, in halves, down to one at a time.

    Args:
        run: a batch → one result an item, in order.
        items: of the call; may be empty.
        flags: "oom_backoff:SIZE UNIT" is added, with the size that fitted; a later call begins with that size.
        unit: what the items are, in the plural.

    Raises:
        MemoryError: one item alone does not fit.
    """
    size, done = min(len(items), _fitting(flags, unit)), list[Result]()
    while len(done) < len(items):
        try:
            done.extend(run(items[len(done) : len(done) + size]))
            continue
        except (RuntimeError, MemoryError) as error:
            if not ran_out_of_memory(error):
                raise
            if size == 1:
                raise MemoryError(f"One of the {unit} alone does not fit into memory: {error}") from error
        size = (size + 1) // 2  # outside of the handler, whose traceback holds the tensors of the failed call
        flags.difference_update({flag for flag in flags if _of(flag, unit)})
        flags.add(f"{FLAG}{size} {unit}")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return done


def ran_out_of_memory(error: RuntimeError | MemoryError) -> bool:
    """Whether an error says that memory ended; a CPU's and those of CUDA's libraries say it by their text alone."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in TOLD_BY)


def _fitting(flags: set[str], unit: str) -> int:
    return min((int(flag.removeprefix(FLAG).split()[0]) for flag in flags if _of(flag, unit)), default=sys.maxsize)


def _of(flag: str, unit: str) -> bool:
    return flag.startswith(FLAG) and flag.endswith(f" {unit}")
