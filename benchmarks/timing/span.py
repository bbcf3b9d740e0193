"""One timed call, the warm-up before it, what our clocks cost in it, and the memory that it takes."""

from __future__ import annotations

import math
import resource
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.datasets import Sample
from benchmarks.selection import PromptOf
from benchmarks.timing import nvidia
from pipelines.base import Pipeline
from pipelines.stages import StageClock
from pipelines.types import Image, Prompt

WARM_UP_CALLS, WARM_UP_S, WARM_UP_TRIES = 10, 20.0, 3
WARM_CALLS, WARM_AGREE = 3, 1.10
CLOCK_SHARE = 0.001
MOST_REPEATS = 1000
CLOCK_TRIES, CLOCK_READINGS = 5, 200


@dataclass(frozen=True)
class Measured:
    """What a call took, or the mean of a few on the same image where one is too short for the clock.

    Attributes:
        latency_ms: from the decoded array to the union mask, both in host memory.
        device_ms: the same between two events in the queue of the device; None where it has none.
        stages_ms: parts of the latency by name.
    """

    latency_ms: float
    device_ms: float | None
    stages_ms: dict[str, float]


class Events:
    """Two marks in the queue of a CUDA device."""

    def __init__(self) -> None:
        import torch

        made: Any = torch.cuda.Event
        self.first, self.last = made(enable_timing=True), made(enable_timing=True)

    def begin(self) -> None:
        """Mark the beginning."""
        self.first.record()

    def end(self) -> None:
        """Mark the end."""
        self.last.record()

    @property
    def ms(self) -> float:
        """Between both, once the device has come past the end."""
        return float(self.first.elapsed_time(self.last))


def events_of(device: str) -> Events | None:
    """Marks for a device that has a queue, else None."""
    return Events() if device == "cuda" else None


def timed_calls(pipeline: Pipeline, image: Image, prompt: Prompt, repeats: int = 1,
                events: Events | None = None) -> Measured:  # fmt: skip
    """Run one image alone, with the device synchronised before the clock starts and before it stops.

    Args:
        pipeline: loaded and warm.
        image: decoded.
        prompt: of the image.
        repeats: calls between the two readings of the clock; their mean is told.
        events: of the device, or None.
    """
    clock = pipeline.clock
    clock.reset()
    clock.synchronise()
    start = perf_counter()
    if events:
        events.begin()
    for _ in range(repeats):
        pipeline.decide(pipeline.infer([image], [prompt])[0]).foreground()
    if events:
        events.end()
    clock.synchronise()
    seconds = perf_counter() - start
    stages = {name: taken_s * 1e3 / repeats for name, taken_s in clock.seconds.items()}
    return Measured(seconds * 1e3 / repeats, events.ms / repeats if events else None, stages)


def warm_up(pipeline: Pipeline, samples: Iterable[Sample], prompt_of: PromptOf,
            alive: Callable[[], None] = lambda: None) -> tuple[float | None, int]:  # fmt: skip
    """Call on one image until three calls agree within 10 %, or 10 calls or 20 s are over, whichever comes first.

    Args:
        pipeline: loaded.
        samples: the first of a few that the pipeline does not fail on is used.
        prompt_of: the prompt of a sample.
        alive: called after each call.

    Returns:
        Milliseconds of the first call, and how many calls there were; (None, 0) where every try failed.
    """
    for sample in islice(samples, WARM_UP_TRIES):
        image, prompt = sample.image, prompt_of(sample)
        try:
            return _warm_up_on(pipeline, image, prompt, alive)
        except Exception as error:  # the image is recorded with this error when its turn comes
            print(f"warm-up on {sample.id}: {type(error).__name__}: {error}", file=sys.stderr)
    return None, 0


def _warm_up_on(pipeline: Pipeline, image: Image, prompt: Prompt, alive: Callable[[], None]) -> tuple[float, int]:
    start, taken_ms = perf_counter(), list[float]()
    while len(taken_ms) < WARM_UP_CALLS and perf_counter() - start < WARM_UP_S and not is_warm(taken_ms):
        taken_ms.append(timed_calls(pipeline, image, prompt).latency_ms)
        alive()
    return taken_ms[0], len(taken_ms)


def is_warm(taken_ms: Sequence[float]) -> bool:
    """Whether the last three calls agree, the first one of all left aside."""
    last = taken_ms[1:][-WARM_CALLS:]
    return len(last) == WARM_CALLS and max(last) <= WARM_AGREE * min(last)


class CountingClock(StageClock):
    """Counts how often a stage is entered."""

    entries = 0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count it, and time it as ever."""
        self.entries += 1
        with super().stage(name):
            yield


def clock_cost_ms(pipeline: Pipeline, image: Image, prompt: Prompt) -> tuple[float, Measured]:
    """What our own clocks cost inside the span of one call: two readings, and each stage that is entered.

    On CUDA two things are not in it: the two marks in the queue of the device, and that the end of each stage waits for
    the device, so that the processor cannot prepare the next stage meanwhile. With nothing queued a wait costs next to
    nothing, and so it is measured here; what the waits keep from overlapping shows only against a run without stages.

    Args:
        pipeline: loaded and warm; it is called once.
        image: decoded.
        prompt: of the image.

    Returns:
        Milliseconds of the clocks, and the call.
    """
    kept = pipeline.clock
    counting = CountingClock(kept.synchronise)
    pipeline.clock = counting
    try:
        call = timed_calls(pipeline, image, prompt)
    finally:
        pipeline.clock = kept
    return 1e3 * (pair_s() + counting.entries * _stage_s(StageClock(kept.synchronise))), call


def _stage_s(clock: StageClock) -> float:
    """Seconds of a stage in which nothing happens."""

    def once() -> None:
        with clock.stage("nothing"):
            pass

    return _seconds_each(once)


def pair_s() -> float:
    """Seconds of two readings of the clock."""
    return 2 * _seconds_each(perf_counter)


def _seconds_each(call: Callable[[], Any]) -> float:
    """Median over a few tries, so that neither a pause nor luck decides."""
    taken = []
    for _ in range(CLOCK_TRIES):
        start = perf_counter()
        for _ in range(CLOCK_READINGS):
            call()
        taken.append((perf_counter() - start) / CLOCK_READINGS)
    return median(taken)


def repeats_for(call_s: float, clock_s: float) -> int:
    """Calls on one image between two readings, so that reading costs less than a thousandth of them."""
    return min(MOST_REPEATS, max(1, math.ceil(clock_s / (CLOCK_SHARE * max(call_s, 1e-9)))))


def peak_of_a_call(
    pipeline: Pipeline, samples: Iterable[Sample], prompt_of: PromptOf, device: str
) -> dict[str, float | None]:
    """Peak memory after the warm-up and one call on the largest picture, before anything is scored or stored.

    A stream tells no sizes beforehand: then it is that of the pictures of the warm-up. Where the picture of the warm-up
    is as large as any, no further call is made.
    """
    if isinstance(samples, Sequence):
        largest = max(samples, key=lambda sample: math.prod(sample.size))  # of equals the first, as in the warm-up
        if largest is samples[0]:
            return peak_memory_mb(device)
        try:
            timed_calls(pipeline, largest.image, prompt_of(largest))
        except Exception as error:  # as in the warm-up
            print(f"memory on {largest.id}: {type(error).__name__}: {error}", file=sys.stderr)
    return peak_memory_mb(device)


def peak_memory_mb(device: str) -> dict[str, float | None]:
    """Largest resident set of this process, and on a device the largest allocation, in 10**6 bytes.

    On CUDA also what torch reserved for its allocations, and what the driver counts for this process, now.
    """
    host = {"host": _peak_host_bytes() / 1e6}
    if device != "cuda":
        return {**host, "device": None}
    import torch

    allocated, reserved = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    return {**host, "device": allocated / 1e6, "reserved": reserved / 1e6, "driver": nvidia.driver_mb()}


def device_total_mb(device: str) -> float | None:
    """Memory of the device, in 10**6 bytes; None on a CPU."""
    if device != "cuda":
        return None
    import torch

    return float(torch.cuda.mem_get_info()[1]) / 1e6


def _peak_host_bytes() -> float:
    try:  # ru_maxrss would count what the parent process held before exec
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return 1024 * float(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
