"""What a worker times once its images are scored: window by window, one a turn, so that others can have theirs."""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from time import perf_counter
from typing import Any, TypeVar

from benchmarks.datasets import Sample
from benchmarks.evaluate import nothing_to_show
from benchmarks.records import Protocol
from benchmarks.selection import PromptOf
from benchmarks.timing import arrivals, span, throughput
from benchmarks.timing.latency import LatencyLog
from benchmarks.timing.steadiness import Watch
from pipelines.base import Pipeline
from pipelines.types import Image

LATENCY_SHARE, SWEEP_SHARE, DECODE_SHARE, SERVER_SHARE = 0.6, 0.25, 0.05, 0.05
"""Parts of the budget; what ends early leaves its part unused."""

LEAST_S = 7.5
"""Of single calls; with batches and arrivals each configuration is timed for 10 s at least."""

WINDOW_S, WINDOWS_WANTED = 0.5, 20
HELD_MB = 256
MOST_REPEATED, REPEATED_SHARE = 6, 0.2
"""Windows that are repeated, and the part of the time for a figure that they may take; then disturbed ones count."""

DECODE_REPEATED = throughput.DECODE_WINDOWS - 1
"""So that one counts in any case."""

SETTLED_SHARE = 0.2
"""A call shorter than this part of a window is made once before it: others have used the caches since."""

T = TypeVar("T")


class Windows:
    """Counts windows, and says which of them count: a disturbed one is repeated, but not for ever.

    Args:
        watch: looks at the machine at both ends.
    """

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.timed = self.disturbed = self.kept = 0
        self.living = 1
        self.allow(MOST_REPEATED, float("inf"))

    def allow(self, repeats: int, seconds: float) -> None:
        """How many of the windows to come may be repeated, and how long these may take together."""
        self.repeats_left, self.repeats_s_left = repeats, seconds

    def judged(self, block: Callable[[], T]) -> tuple[T, bool]:
        """What came of a window, and whether it counts."""
        start = perf_counter()
        self.watch.begin()
        result = block()
        reason = self.watch.end(self.living)
        taken_s = perf_counter() - start
        self.timed += 1
        if reason is None:
            return result, True
        self.disturbed += 1
        print(f"window {self.timed} was disturbed: {reason}", file=sys.stderr)
        if self.repeats_left and taken_s <= self.repeats_s_left:
            self.repeats_left, self.repeats_s_left = self.repeats_left - 1, self.repeats_s_left - taken_s
            return result, False
        self.kept += 1
        return result, True


@dataclass
class Rounds:
    """Everything that one process times apart from scoring.

    Attributes:
        pipeline: loaded and warm.
        samples: gone through in their order, again and again.
        ask: the prompt of a sample.
        log: what is known of the calls so far, and takes the new ones.
        protocol: seed, budget and batch sizes.
        windows: counts and judges.
        device: "cpu" or "cuda".
    """

    pipeline: Pipeline
    samples: Iterable[Sample]
    ask: PromptOf
    log: LatencyLog
    protocol: Protocol
    windows: Windows
    device: str = "cpu"
    seen_all: bool = False
    over: bool = False
    call_s: float = 0.0
    repeats: int = 1
    clock_ms: float | None = None
    measured: dict[str, Any] = field(default_factory=dict)
    again: deque[Sample] = field(default_factory=deque)
    failed: set[str] = field(default_factory=set)
    held: dict[str, Image] = field(default_factory=dict)
    held_bytes: int = 0

    def blocks(self) -> Iterator[None]:
        """One step is one window, to be made when it is this process's turn."""
        gc.collect()
        gc.freeze()  # what scoring has left behind is not gone through again while calls are timed
        yield from self._latency()
        self.windows.allow(MOST_REPEATED // 2, REPEATED_SHARE * SWEEP_SHARE * self.protocol.budget_s)
        held = throughput.hold(self.log.worked, self.ask, self._image, max(self.protocol.batch_sizes, default=0))
        self.held.clear()
        sweep = throughput.Sweep(self.pipeline, held, self.protocol.batch_sizes, self.windows.judged)
        yield from sweep.blocks(self.protocol.budget_s * SWEEP_SHARE)
        fresh = ((sample.image, self.ask(sample)) for sample in cycle(self.log.worked))
        self.windows.allow(DECODE_REPEATED, self.protocol.budget_s * DECODE_SHARE)
        yield from sweep.decoding_blocks(fresh, self.protocol.budget_s * DECODE_SHARE)
        self.measured = sweep.figures()
        mean_s = self.log.apart.ms / max(1, self.log.apart.calls) / 1e3
        server = arrivals.Scenario(self.pipeline, held, mean_s, self.protocol.seed)
        self.windows.allow(0, 0.0)  # a second time would take as long again, so a disturbed one is counted as kept
        if server.requests(self.protocol.budget_s * SERVER_SHARE):
            self.measured["server"] = self.windows.judged(server.serve)[0]
            yield

    def figures(self) -> dict[str, Any]:
        """What was found, by the names of the fields of a timing."""
        windows = self.windows
        return {
            "throughputs": (),
            **self.measured,
            "clock_ms": self.clock_ms,
            "windows": windows.timed,
            "disturbed": windows.disturbed if windows.watch.sees else None,
            "disturbed_kept": windows.kept,
        }

    def _latency(self) -> Iterator[None]:
        """Windows of single calls until every image was timed and 7.5 s are over, or the part of the budget is.

        Disturbed windows count as time spent: a machine that is never quiet does not keep us longer.
        """
        share_s = self.protocol.budget_s * LATENCY_SHARE
        least_s, window_s = min(LEAST_S, share_s), min(WINDOW_S, share_s / WINDOWS_WANTED)
        source, spent_s, number = self._images(), 0.0, 1
        self.windows.allow(MOST_REPEATED, REPEATED_SHARE * share_s)
        while spent_s < share_s and not self.over and not (self.seen_all and not self.again and spent_s >= least_s):
            start = perf_counter()
            calls, counts = self.windows.judged(lambda: self._window(source, window_s))
            spent_s += perf_counter() - start
            if counts:
                for sample, call in calls:
                    self.log.hold(sample)
                    self.log.add_call(sample.id, call, number)
            else:
                self.again.extend(sample for sample, _ in calls)
            number += 1  # of a dropped one too: windows of the same number are those of one turn of all
            yield

    def _window(self, source: Iterator[tuple[Sample, Image]], window_s: float) -> list[tuple[Sample, span.Measured]]:
        calls: list[tuple[Sample, span.Measured]] = []
        events, start = span.events_of(self.device), perf_counter()
        settled = self.call_s > SETTLED_SHARE * window_s
        for sample, image in source:
            try:
                if not settled:
                    self._settle(sample, image)
                    settled = True
                call = span.timed_calls(self.pipeline, image, self.ask(sample), self.repeats, events)
                self.call_s = call.latency_ms / 1e3
                calls.append((sample, call))
            except MemoryError:
                raise
            except Exception:  # it is recorded with its error; what fails has no time
                self.failed.add(sample.id)
            if perf_counter() - start >= window_s:
                break
        return calls

    def _settle(self, sample: Sample, image: Image) -> None:
        """A call that does not count; the first tells what our clocks cost, and how many calls a reading holds."""
        if self.clock_ms is not None:
            span.timed_calls(self.pipeline, image, self.ask(sample))
            return
        self.clock_ms, call = span.clock_cost_ms(self.pipeline, image, self.ask(sample))
        self.repeats = span.repeats_for(call.latency_ms / 1e3, span.pair_s())

    def _images(self) -> Iterator[tuple[Sample, Image]]:
        """Decoded pictures, those of disturbed windows first, round after round; ends where none can be timed."""
        found = True
        while found:
            found = False
            for sample, is_last in _with_last(self.samples):
                while self.again:
                    repeated = self.again.popleft()
                    yield repeated, self._image(repeated)
                self.seen_all = self.seen_all or is_last
                if sample.id not in self.failed and not nothing_to_show(self.pipeline, sample, self.ask(sample)):
                    found = True
                    yield sample, self._image(sample)
        self.over = True

    def _image(self, sample: Sample) -> Image:
        """Decoded outside of every clock but its own; a dataset that fits is decoded once."""
        if sample.id in self.held:
            return self.held[sample.id]
        start = perf_counter()
        image = sample.image
        self.log.add_decode((perf_counter() - start) * 1e3)
        if self.held_bytes + image.nbytes <= HELD_MB * 1e6:
            self.held[sample.id] = image
            self.held_bytes += image.nbytes
        return image


def _with_last(samples: Iterable[Sample]) -> Iterator[tuple[Sample, bool]]:
    """Each with whether it is the last one."""
    stream = iter(samples)
    before = next(stream, None)
    for sample in stream:
        if before is not None:
            yield before, False
        before = sample
    if before is not None:
        yield before, True
