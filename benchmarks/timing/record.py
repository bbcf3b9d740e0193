"""What one process measured of a configuration, as it is written."""

from __future__ import annotations

from benchmarks.records import Loaded, Record

TIMING_VERSION = 2
"""Of ``timing.json``: 1 had no samples beside the calls, no windows and no server; it is still read."""


class Throughput(Record):
    """Images a second at a batch size.

    Attributes:
        value: median of the windows.
        windows: how many; 0 = not said.
        ci: 95 % interval of the median by order statistics, from six windows on.
    """

    value: float
    batch_size: int
    windows: int = 0
    ci: tuple[float, float] | None = None


class Server(Record):
    """Response times where requests arrive by chance, one process working them off in order.

    Attributes:
        share: of the rate that one call after another reaches, at which requests arrive.
        rate_ips: requests a second.
        n: requests.
        p50: milliseconds from arrival to answer, waiting included.
        p95: likewise; None where they go over too few images.
    """

    share: float
    rate_ips: float
    n: int
    p50: float
    p95: float | None


class Timing(Record):
    """What one process measured; the times of two processes are never mixed.

    Attributes:
        locate_s: finding, fetching and hashing the weights, before the load.
        load_s: what `load` took; modules that the process had imported before are not in it.
        first_ms: first call, which pays for everything lazy.
        warm_up: calls left out of everything below.
        latency_ms: of each call; where one is shorter than a thousand readings of the clock, the mean of a few.
        latency_of: the place in `samples` of each call's image; empty = one call an image, in no known order.
        latency_round: 0 for the calls that were scored, then the number of the window.
        device_ms: the same calls by the events of the device, None for those scored; empty where it has none.
        samples: ids of the images that were timed.
        scored_calls: whether the figures count calls of round 0 too, there being too few others.
        stages_ms: means over the calls that the figures count.
        decode_ms: mean over these images, not part of the latency.
        overhead_ms: mean of the latency that is in no stage.
        clock_ms: what reading our clocks costs in one call; on CUDA without what waiting for each stage costs.
        throughputs: one a batch size.
        batch_size: the size that was chosen, and then timed in windows of its own.
        saturated: whether the throughput no longer rose; None where the sizes were given.
        batch_failed: the type of the error that ended the sweep, where it was not the memory.
        with_decode: throughput at the best size with the decoding of the pictures in the clock.
        server: None where there was no time for enough requests.
        windows: windows that were timed, for whatever figure.
        disturbed: how many of them others disturbed; None where that cannot be seen.
        disturbed_kept: those that count nevertheless, since they could not be repeated for ever.
        stable: whether the last three windows agree within 10 %; None of fewer, and in schema 1.
        interleaved: whether all configurations of the run took turns with it; None where it was alone.
        session: name of those that did.
        parent_cpu_share: cores' worth of processor time that the parent took meanwhile.
        peak_memory_mb: of the process ("host") and of torch's allocator ("device"), 10**6 bytes, before scoring.
        resumed: whether part of the images had been scored by a process before.
        loaded: what it ran with.
        flags: of the pipeline, such as "oom_backoff:2".
    """

    schema_version: int = TIMING_VERSION
    locate_s: float = 0.0
    load_s: float
    first_ms: float | None
    warm_up: int
    latency_ms: tuple[float, ...]
    latency_of: tuple[int, ...] = ()
    latency_round: tuple[int, ...] = ()
    device_ms: tuple[float | None, ...] = ()
    samples: tuple[str, ...] = ()
    scored_calls: bool = False
    stages_ms: dict[str, float]
    decode_ms: float | None
    overhead_ms: float | None
    clock_ms: float | None = None
    throughputs: tuple[Throughput, ...]
    batch_size: int | None = None
    saturated: bool | None = None
    batch_failed: str | None = None
    with_decode: Throughput | None = None
    server: Server | None = None
    windows: int = 0
    disturbed: int | None = None
    disturbed_kept: int = 0
    stable: bool | None = None
    interleaved: bool | None = None
    session: str | None = None
    parent_cpu_share: float | None = None
    peak_memory_mb: dict[str, float | None]
    resumed: bool
    loaded: Loaded = Loaded()
    flags: tuple[str, ...] = ()
