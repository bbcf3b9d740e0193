"""Warm-up, throughput and memory of one process; latency is taken while predicting."""

from __future__ import annotations

import math
import resource
import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any

from benchmarks.datasets import Sample
from benchmarks.evaluate import Outcome, timed_call
from benchmarks.records import Throughput, Timing
from benchmarks.selection import PromptOf
from pipelines.base import Pipeline
from pipelines.types import Image, Prompt

WARM_UP_CALLS, WARM_UP_S, WARM_UP_TRIES = 10, 20.0, 3
WINDOW_S = 1.5
HELD_MB = 256
MOST_HELD = 64


class LatencyLog:
    """Collects the calls of one process, one an image, in level memory."""

    def __init__(self) -> None:
        self.latency = array("d")
        self.decode = array("d")
        self.stages: dict[str, float] = {}
        self.worked: list[Sample] = []
        self.stride = 1

    def add(self, outcome: Outcome) -> None:
        """Take the milliseconds of one image; an image whose call failed, or was not needed, has none."""
        self.decode.append(outcome.ms["decode"])
        if "latency" in outcome.ms:
            self._keep(outcome.sample)
            self.latency.append(outcome.ms["latency"])
            for name, value in outcome.stages_ms.items():
                self.stages[name] = self.stages.get(name, 0.0) + value

    def _keep(self, sample: Sample) -> None:
        """Hold evenly spaced samples for the throughput; a sample of a stream holds the bytes of its picture."""
        if len(self.latency) % self.stride == 0:
            self.worked.append(sample)
        if len(self.worked) > MOST_HELD:
            self.worked, self.stride = self.worked[::2], 2 * self.stride

    @property
    def stages_ms(self) -> dict[str, float]:
        """Mean a call of each stage; a stage that some calls skip counts as 0 there."""
        return {name: total / len(self.latency) for name, total in self.stages.items()}

    def timing(self, **measured: Any) -> Timing:
        """Everything that was measured; what is in no stage of the latency is overhead."""
        overhead = fmean(self.latency) - sum(self.stages_ms.values()) if self.latency else None
        return Timing(
            latency_ms=tuple(round(value, 4) for value in self.latency),
            stages_ms={name: round(value, 4) for name, value in self.stages_ms.items()},
            decode_ms=fmean(self.decode) if self.decode else None,
            overhead_ms=overhead,
            **measured,
        )


def warm_up(pipeline: Pipeline, samples: Iterable[Sample], prompt_of: PromptOf) -> tuple[float | None, int]:
    """Call on one image until the caches are warm: 10 calls or 20 s, whichever comes first.

    Args:
        pipeline: loaded.
        samples: the first of a few that the pipeline does not fail on is used.
        prompt_of: the prompt of a sample.

    Returns:
        Milliseconds of the first call, and how many calls there were; (None, 0) where every try failed.
    """
    for sample in islice(samples, WARM_UP_TRIES):
        image, prompt = sample.image, prompt_of(sample)
        try:
            return _warm_up_on(pipeline, image, prompt)
        except Exception as error:  # the image is recorded with this error when its turn comes
            print(f"warm-up on {sample.id}: {type(error).__name__}: {error}", file=sys.stderr)
    return None, 0


def _warm_up_on(pipeline: Pipeline, image: Image, prompt: Prompt) -> tuple[float, int]:
    start = perf_counter()
    first_ms = timed_call(pipeline, image, prompt).latency_ms
    calls = 1
    while calls < WARM_UP_CALLS and perf_counter() - start < WARM_UP_S:
        timed_call(pipeline, image, prompt)
        calls += 1
    return first_ms, calls


def throughputs(pipeline: Pipeline, samples: Sequence[Sample], prompt_of: PromptOf, batch_sizes: Sequence[int],
                deadline: float) -> tuple[Throughput, ...]:  # fmt: skip
    """Images a second over decoded images in memory, for growing batches; one that fails ends the sweep.

    Args:
        pipeline: loaded and warm.
        samples: that the pipeline can do; evenly spaced ones are decoded beforehand, up to 256 MB.
        prompt_of: the prompt of a sample.
        batch_sizes: in growing order.
        deadline: of `perf_counter`; a size beyond the first does not begin after it.
    """
    if not samples:
        return ()
    held = _hold(samples, prompt_of, most=max(batch_sizes))
    found: list[Throughput] = []
    for index, size in enumerate(batch_sizes):
        left_s = deadline - perf_counter()
        if found and left_s <= 0:
            break
        window_s = min(WINDOW_S, max(left_s, 0) / (len(batch_sizes) - index))
        try:
            found.append(Throughput(value=_images_per_second(pipeline, held, size, window_s), batch_size=size))
        except Exception as error:  # single images went well, so what ended is most likely the memory for batches
            print(f"throughput at batch {size}: {type(error).__name__}: {error}", file=sys.stderr)
            break
    return tuple(found)


def _hold(samples: Sequence[Sample], prompt_of: PromptOf, most: int) -> list[tuple[Image, Prompt]]:
    wanted = min(len(samples), max(most, 16))
    held: list[tuple[Image, Prompt]] = []
    for index in range(wanted):
        sample = samples[index * len(samples) // wanted]
        held.append((sample.image, prompt_of(sample)))
        if sum(image.nbytes for image, _ in held) > HELD_MB * 1e6:
            break
    return held


def _images_per_second(pipeline: Pipeline, held: Sequence[tuple[Image, Prompt]], size: int, window_s: float) -> float:
    """Whole batches, round and round through the held images, until the window is full; at least one batch."""
    stream, done = cycle(held), 0
    pipeline.clock.synchronise()
    start = perf_counter()
    while not done or perf_counter() - start < window_s:
        images, prompts = zip(*islice(stream, size), strict=True)
        for prediction in pipeline.predict(images, prompts):
            prediction.foreground()
        done += size
    pipeline.clock.synchronise()
    return done / (perf_counter() - start)


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
            timed_call(pipeline, largest.image, prompt_of(largest))
        except Exception as error:  # as in the warm-up
            print(f"memory on {largest.id}: {type(error).__name__}: {error}", file=sys.stderr)
    return peak_memory_mb(device)


def peak_memory_mb(device: str) -> dict[str, float | None]:
    """Largest resident set of this process, and largest allocation on the device, in 10**6 bytes."""
    return {"host": _peak_host_bytes() / 1e6, "device": _peak_device_bytes(device)}


def _peak_host_bytes() -> float:
    try:  # ru_maxrss would count what the parent process held before exec
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return 1024 * float(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _peak_device_bytes(device: str) -> float | None:
    if device != "cuda":
        return None
    import torch

    return float(torch.cuda.max_memory_allocated()) / 1e6
