"""The columns of a row that come from its timing, and what a reader of them has to know."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.timing.latency import counted, images_of
from benchmarks.timing.percentiles import intervals, percentiles
from benchmarks.timing.record import Throughput, Timing
from benchmarks.timing.throughput import FRESH_WINDOWS

AS_TIMED = ("stages_ms", "load_s", "first_ms", "peak_memory_mb", "overhead_ms", "clock_ms", "interleaved", "windows",
            "disturbed", "parent_cpu_share")  # fmt: skip


def columns(timing: Timing, seed: int) -> dict[str, Any]:
    """By the names of the fields of a row.

    Args:
        timing: of the process that finished the configuration.
        seed: of the resampling.
    """
    calls, images = counted(timing), images_of(timing)
    latency_ms = np.asarray(timing.latency_ms)[calls]
    return {
        "latency_ms": percentiles(latency_ms, images),
        "latency_ci": intervals(latency_ms, images, seed),
        "latency_calls": len(calls),
        "device_ms": _device_ms(timing),
        "throughput_ips": best(timing),
        "throughput_with_decode_ips": timing.with_decode,
        "server_ms": timing.server,
        **{name: getattr(timing, name) for name in AS_TIMED},
    }


def _device_ms(timing: Timing) -> dict[str, float | int | None] | None:
    """As the latency, by the events of the device; None where not all calls have them."""
    calls = [timing.device_ms[call] for call in counted(timing)] if timing.device_ms else []
    known = [ms for ms in calls if ms is not None]
    return percentiles(known, images_of(timing)) if known and len(known) == len(calls) else None


def best(timing: Timing) -> Throughput | None:
    """The size that was chosen and then timed in windows of its own; where there are none, the fastest."""
    chosen = [rate for rate in timing.throughputs if rate.batch_size == timing.batch_size] or timing.throughputs
    found = max(chosen, key=lambda rate: rate.value, default=None)
    return found.model_copy(update={"value": round(found.value, 4)}) if found else None


def flags(timing: Timing, expected: int, sizes: int) -> dict[str, bool]:
    """Name → whether it is raised.

    Args:
        timing: of the process that finished the configuration.
        expected: images that could be timed.
        sizes: of batches that were asked for.
    """
    chosen = best(timing)
    return {
        "timed_in_part": len(np.unique(images_of(timing))) < expected,
        "timed_while_scored": timing.scored_calls,
        "few_windows": chosen is not None and 0 < chosen.windows < FRESH_WINDOWS,
        "fewer_batches": len(timing.throughputs) < sizes,
        "not_saturated": timing.saturated is False and timing.batch_failed is None,
        f"batch_failed:{timing.batch_failed}": timing.batch_failed is not None,
        "not_interleaved": timing.interleaved is False,
        "unstable": timing.stable is False,
        "disturbed": timing.disturbed_kept > 0,
        "resumed": timing.resumed,
    }
