"""Images a second in batches: growing sizes until it no longer rises, then windows that none of them was chosen by."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.datasets import Sample
from benchmarks.peers.interleave import median_interval
from benchmarks.selection import PromptOf
from benchmarks.timing.record import Throughput
from pipelines.base import Pipeline
from pipelines.types import Image, Prompt

RISE = 1.03
SWEEP_WINDOWS, FRESH_WINDOWS, DECODE_WINDOWS = 2, 6, 2
"""Six are the fewest whose smallest and largest bound the median at 95 %."""

OVERRUNS = 2
"""The last batch of a window is let through: in the sweep there is room for two windows more."""

FRESH_SHARE = 0.4
"""Of the budget, kept from the sweep: what is chosen for being fastest looks faster than it is, until timed again."""

WINDOW_S = 0.25
MOST_AT_ONCE = 256
HELD_MB = 256
FEWEST_HELD = 64
"""As many as are remembered of the scored: the 95th percentile of the arrivals asks for 59 images."""

Asked = tuple[Image, Prompt]
Judge = Callable[[Callable[[], float]], tuple[float, bool]]
"""Makes a window, and says whether it counts."""


class Sweep:
    """Throughput over decoded images in memory.

    Args:
        pipeline: loaded and warm.
        held: decoded images that the pipeline can do, with their prompts; gone through again and again.
        sizes: of the batches, in growing order; none = 1, 2, 4 and so on, until it rises by 3 % no longer.
        judge: makes each window.

    Attributes:
        saturated: whether it ended because it no longer rose; None where the sizes were given.
        failed: the type of the error that ended it, where that was not the memory.
        with_decode: with the decoding of the pictures in the clock, at the best size.
    """

    def __init__(self, pipeline: Pipeline, held: Sequence[Asked], sizes: Sequence[int], judge: Judge) -> None:
        self.pipeline, self.held, self.judge = pipeline, held, judge
        self.sizes = tuple(sizes)
        self.rates: dict[int, list[float]] = {}
        self.fresh: list[float] = []
        self.saturated: bool | None = None if sizes else False
        self.failed: str | None = None
        self.with_decode: Throughput | None = None

    @property
    def best(self) -> int:
        """The size with the highest median."""
        return max(self.rates, key=lambda size: median(self.rates[size]))

    def blocks(self, budget_s: float) -> Iterator[None]:
        """One step is one window.

        Args:
            budget_s: of all windows together; the first window is made in any case.
        """
        left_s = budget_s
        for taken_s in self._sweep((1 - FRESH_SHARE) * budget_s):
            left_s -= taken_s
            yield
        self.rates = {size: found for size, found in self.rates.items() if found}
        while self.rates and len(self.fresh) < FRESH_WINDOWS and self._has_time(self.best, left_s):
            each_s = left_s / (FRESH_WINDOWS - len(self.fresh))
            batch_s = self.best / median(self.rates[self.best])  # the last one is let through, so windows run over
            taken_s, went_well = self._window(self.best, min(WINDOW_S, each_s - batch_s), self.fresh)
            left_s -= taken_s
            yield
            if not went_well:
                break

    def _sweep(self, budget_s: float) -> Iterator[float]:
        """Windows that a size is chosen by; one step is one window, and gives the seconds that it took."""
        left_s, sizes = budget_s, self.sizes or tuple(1 << power for power in range(MOST_AT_ONCE.bit_length()))
        window_s = min(WINDOW_S, budget_s / (SWEEP_WINDOWS * len(self.sizes or (1, 2, 4)) + OVERRUNS))
        for size in sizes if self.held else ():
            while len(self.rates.get(size, ())) < SWEEP_WINDOWS and self._has_time(size, left_s):
                taken_s, went_well = self._window(size, window_s, self.rates.setdefault(size, []))
                left_s -= taken_s
                yield taken_s
                if not went_well:
                    break
            if not self.rates.get(size) or self._is_flat(size):
                break

    def decoding_blocks(self, stream: Iterator[Asked], budget_s: float) -> Iterator[None]:
        """The same at the best size, each picture decoded in the clock; nothing where a batch takes longer.

        Args:
            stream: without an end; decodes when it is asked for the next.
            budget_s: of all windows together.
        """
        found: list[float] = []
        left_s, window_s = budget_s, min(WINDOW_S, budget_s / DECODE_WINDOWS)
        while self.rates and len(found) < DECODE_WINDOWS and self._has_time(self.best, left_s):
            start = perf_counter()
            rate, counts = self.judge(lambda: self._rate(stream, self.best, window_s))
            if counts:
                found.append(rate)
            left_s -= perf_counter() - start
            yield
        if found:
            self.with_decode = Throughput(value=median(found), batch_size=self.best, windows=len(found))

    def figures(self) -> dict[str, Any]:
        """What was found, by the names of the fields of a timing."""
        found = {"throughputs": self.found(), "saturated": self.saturated, "with_decode": self.with_decode}
        return {**found, "batch_failed": self.failed, "batch_size": self.best if self.rates else None}

    def found(self) -> tuple[Throughput, ...]:
        """One a size; that of the best is made of fresh windows, where there was time for any."""
        made = {size: Throughput(value=median(rates), batch_size=size, windows=len(rates))
                for size, rates in self.rates.items()}  # fmt: skip
        if self.fresh:
            made[self.best] = Throughput(value=median(self.fresh), batch_size=self.best, windows=len(self.fresh),
                                         ci=median_interval(self.fresh))  # fmt: skip
        return tuple(made.values())

    def _is_flat(self, size: int) -> bool:
        before = [median(rates) for other, rates in self.rates.items() if other < size]
        if self.sizes or not before:
            return False
        self.saturated = median(self.rates[size]) <= RISE * max(before)
        return self.saturated

    def _has_time(self, size: int, left_s: float) -> bool:
        """Whether one batch fits in what is left, by its pace or the last size's; the first is always made."""
        known = [rates for rates in self.rates.values() if rates]
        return not known or left_s > size / median(self.rates.get(size) or known[-1])

    def _window(self, size: int, window_s: float, into: list[float]) -> tuple[float, bool]:
        """Seconds that a window took, and whether it went well; what counts is added."""
        start = perf_counter()
        try:
            rate, counts = self.judge(lambda: self._rate(cycle(self.held), size, window_s))
        except Exception as error:  # single images went well: what was found so far stays
            self.failed = self.failed or (None if _is_memory(error) else type(error).__name__)
            print(f"throughput at batch {size}: {type(error).__name__}: {error}", file=sys.stderr)
            return perf_counter() - start, False
        if counts:
            into.append(rate)
        return perf_counter() - start, True

    def _rate(self, stream: Iterator[Asked], size: int, window_s: float) -> float:
        """Whole batches until the window is full; at least one."""
        self.pipeline.clock.synchronise()
        start, done = perf_counter(), 0
        while not done or perf_counter() - start < window_s:
            images, prompts = zip(*islice(stream, size), strict=True)
            for prediction in self.pipeline.predict(images, prompts):
                prediction.foreground()
            done += size
        self.pipeline.clock.synchronise()
        return done / (perf_counter() - start)


def _is_memory(error: Exception) -> bool:
    if not isinstance(error, RuntimeError | MemoryError):
        return False
    from pipelines.networks.batches import ran_out_of_memory  # brings torch, which a pipeline without it never loads

    return ran_out_of_memory(error)


def hold(samples: Sequence[Sample], prompt_of: PromptOf, image_of: Callable[[Sample], Image],
         most: int = 0) -> list[Asked]:  # fmt: skip
    """Decode evenly spaced samples beforehand, up to 256 MB.

    Args:
        samples: that the pipeline can do.
        prompt_of: the prompt of a sample.
        image_of: decodes it, or has it still.
        most: as many as the largest batch are wanted.
    """
    wanted = min(len(samples), max(most, FEWEST_HELD))
    held: list[Asked] = []
    for index in range(wanted):
        sample = samples[index * len(samples) // wanted]
        held.append((image_of(sample), prompt_of(sample)))
        if sum(image.nbytes for image, _ in held) > HELD_MB * 1e6:
            break
    return held
