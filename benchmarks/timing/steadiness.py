"""Whether a measurement can be trusted: windows that agree with each other, and what others took of the machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.timing import nvidia

WINDOWS, AGREE = 3, 1.10
"""The last three windows agree within 10 %, as NVIDIA's perf_analyzer asks (src/inference_profiler.cc)."""

FOREIGN_SHARE = 0.10
FOREIGN_WITH_LOAD = 0.02
"""Where more wants to run than there are cores; the load counts ourselves, so it says nothing alone."""

LEAST_FOREIGN_S = 0.03
"""The kernel counts in steps of 10 ms for each core."""


def steady(of: npt.NDArray[Any], rounds: npt.NDArray[Any], latency_ms: npt.NDArray[Any]) -> bool | None:
    """Whether the last three windows agree in latency (median) and throughput (mean) within 10 %.

    Windows hold other images, so each call is held against the median of its image's calls in other windows.

    Args:
        of: image of each call, ``(calls,)``.
        rounds: number of its window; 0 = a call that was scored.
        latency_ms: of each call.

    Returns:
        None where there are fewer than three windows: nothing shows then whether it is.
    """
    last = np.unique(rounds[rounds > 0])[-WINDOWS:]
    if len(last) < WINDOWS:
        return None
    late = np.isin(rounds, last)
    usual = float(np.median(latency_ms[slice(None) if late.all() else ~late]))
    known = ~late & np.isin(of, of[late])
    reference = _medians(of[known], latency_ms[known])
    levels = []
    for number in last:
        inside = rounds == number
        ratios = [
            ms / reference.get(int(image), usual) for image, ms in zip(of[inside], latency_ms[inside], strict=True)
        ]
        levels.append((np.median(ratios), np.mean(ratios)))
    lows, highs = np.min(levels, axis=0), np.max(levels, axis=0)
    return bool((highs <= AGREE * lows).all())


def _medians(of: npt.NDArray[Any], latency_ms: npt.NDArray[Any]) -> dict[int, float]:
    order = np.argsort(of, kind="stable")
    images, starts = np.unique(of[order], return_index=True)
    calls = np.split(latency_ms[order], starts[1:])
    return {int(image): float(np.median(some)) for image, some in zip(images, calls, strict=False)}


@dataclass(frozen=True)
class Reading:
    """Processor time until now, in seconds over all cores.

    Attributes:
        wall_s: of the clock.
        busy_s: that anybody took, and that the host of a virtual machine gave to others.
        own_s: that this process and its children took.
    """

    wall_s: float
    busy_s: float
    own_s: float


def read() -> Reading | None:
    """A reading, or None where the system tells nothing."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    except OSError:  # not Linux
        return None
    user, nice, system, _idle, _wait, hard, soft, steal = (float(field) for field in fields[:8])
    own = os.times()
    ticks = os.sysconf("SC_CLK_TCK")
    return Reading(perf_counter(), (user + nice + system + hard + soft + steal) / ticks, sum(own[:4]))


def foreign(before: Reading, after: Reading, cores: int, load: float) -> str | None:
    """What others took between two readings, where that is more than a tenth of the machine; else None.

    Args:
        before: at the beginning.
        after: at the end.
        cores: of the machine.
        load: average length of the queue of those who want to run.
    """
    wall_s = max(after.wall_s - before.wall_s, 1e-9)
    taken_s = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
    share = taken_s / (wall_s * cores)
    if taken_s < LEAST_FOREIGN_S:
        return None
    if share > FOREIGN_SHARE:
        return f"others took {share:.0%} of the processor"
    if load > cores and share > FOREIGN_WITH_LOAD:
        return f"a load of {load:.1f} on {cores} cores, of which others took {share:.0%}"
    return None


class Watch:
    """Looks at the machine at both ends of a window.

    Args:
        device: "cpu" or "cuda".
        reading: what is read at each end.
    """

    def __init__(self, device: str = "cpu", reading: Callable[[], Reading | None] = read) -> None:
        self.device, self.reading = device, reading
        self.cores = os.cpu_count() or 1
        self.before = reading()
        self.sees = self.before is not None

    def begin(self) -> None:
        """A window begins."""
        self.before = self.reading()

    def end(self, living: int = 1) -> str | None:
        """A window ends. The driver is asked each time, outside of every clock: what it says is of this moment alone.

        Args:
            living: processes of this run that are alive and may hold a context on the device.

        Returns:
            What disturbed it, or None.
        """
        after = self.reading()
        if self.before is not None and after is not None:
            reason = foreign(self.before, after, self.cores, os.getloadavg()[0])
            if reason:
                return reason
        return nvidia.disturbance(living) if self.device == "cuda" else None
