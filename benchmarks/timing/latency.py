"""The calls that one process timed: gathered in level memory, and given back by image for paired comparison."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.datasets import Sample
from benchmarks.evaluate import Outcome
from benchmarks.store import RunStore
from benchmarks.timing.record import Timing
from benchmarks.timing.span import Measured
from benchmarks.timing.steadiness import steady
from pipelines.errors import UsageError

MOST_HELD = 64
MOST_SCORED, MOST_APART = 1 << 14, 1 << 16
"""More calls are thinned at random, so that memory stays level: a fixed step could hit the same images each round."""

ENOUGH_IMAGES = 299
"""From so many the 99th percentile is supported: no need of the calls that were scored in between."""

SCORED = 0
"""Round of the calls of the quality pass."""

Ints = npt.NDArray[np.int64]


def latencies(store: RunStore, configuration_id: str) -> Mapping[str, Sequence[float]]:
    """The calls that the figures of a configuration count, by image: what a paired comparison starts from.

    Args:
        store: of the run.
        configuration_id: whose calls.

    Returns:
        Sample id → milliseconds of its calls, in the order in which they were made.

    Raises:
        UsageError: the configuration was not timed, or by a version that did not keep which image a call was on.
    """
    timing = store.timing(configuration_id)
    if timing is None or (timing.latency_ms and not timing.samples):
        why = "was not timed" if timing is None else "was timed by a version that kept no images beside its calls"
        raise UsageError(f"{configuration_id} of {store.folder} {why}.", "Run it again with --fresh.")
    found: dict[str, list[float]] = {}
    for call in counted(timing):
        found.setdefault(timing.samples[timing.latency_of[call]], []).append(timing.latency_ms[call])
    return found


def counted(timing: Timing) -> Ints:
    """Places of the calls that the figures count: those made for their time alone, and the scored where it says so."""
    if timing.scored_calls or not timing.latency_round:
        return np.arange(len(timing.latency_ms))
    return np.flatnonzero(np.asarray(timing.latency_round) != SCORED)


def images_of(timing: Timing) -> Ints:
    """Which image each counted call was on; a timing of schema 1 has one call an image."""
    places = counted(timing)
    return np.asarray(timing.latency_of, np.int64)[places] if timing.latency_of else places


class _Calls:
    """Calls of one kind: sums over all of them, and as many of them as there is room for.

    Args:
        most: that are kept.
    """

    def __init__(self, most: int) -> None:
        self.most, self.chance = most, np.random.default_rng(0)
        self.calls, self.ms = 0, 0.0
        self.stages: dict[str, float] = {}
        self.latency, self.device = array("d"), array("d")
        self.of, self.round = array("q"), array("q")
        self.step = 1

    def add(self, call: Measured, image: int, number: int) -> None:
        self.calls += 1
        self.ms += call.latency_ms
        for name, value in call.stages_ms.items():
            self.stages[name] = self.stages.get(name, 0.0) + value
        if self.step > 1 and self.chance.random() * self.step >= 1:
            return
        self.latency.append(call.latency_ms)
        self.device.append(math.nan if call.device_ms is None else call.device_ms)
        self.of.append(image)
        self.round.append(number)
        if len(self.latency) > self.most:
            self._thin()

    def _thin(self) -> None:
        kept = self.chance.random(len(self.latency)) < 1 / 2
        self.step *= 2
        for name in ("latency", "device", "of", "round"):
            values = getattr(self, name)
            setattr(self, name, array(values.typecode, np.asarray(values)[kept].tobytes()))


class LatencyLog:
    """Collects the calls of one process, in level memory."""

    def __init__(self) -> None:
        self.scored, self.apart = _Calls(MOST_SCORED), _Calls(MOST_APART)
        self.names: dict[str, int] = {}
        self.worked: list[Sample] = []
        self.stride = 1
        self.decoded, self.decode_ms = 0, 0.0

    def add(self, outcome: Outcome) -> None:
        """Take the call that was scored; an image whose call failed, or was not needed, has none."""
        self.add_decode(outcome.ms["decode"])
        if "latency" in outcome.ms:
            self._hold(outcome.sample)
            call = Measured(outcome.ms["latency"], None, outcome.stages_ms)
            self.scored.add(call, self._place(outcome.sample.id), SCORED)

    def add_call(self, sample_id: str, call: Measured, number: int) -> None:
        """Take a call that was made for its time alone, in the window of that number, from 1."""
        self.apart.add(call, self._place(sample_id), number)

    def _place(self, sample_id: str) -> int:
        return self.names.setdefault(sample_id, len(self.names))

    def add_decode(self, ms: float) -> None:
        """Take the time of one decoding."""
        self.decoded, self.decode_ms = self.decoded + 1, self.decode_ms + ms

    def hold(self, sample: Sample) -> None:
        """Hold a sample for the throughput where no pass before has: a resumed process scores few or none.

        To be called before its call is added, by which it is known later.
        """
        if len(self.worked) < MOST_HELD and not self.scored.calls and sample.id not in self.names:
            self.worked.append(sample)

    def _hold(self, sample: Sample) -> None:
        """Hold evenly spaced samples for the throughput; a sample of a stream holds the bytes of its picture."""
        if self.scored.calls % self.stride == 0:
            self.worked.append(sample)
        if len(self.worked) > MOST_HELD:
            self.worked, self.stride = self.worked[::2], 2 * self.stride

    @property
    def counts_scored(self) -> bool:
        """Whether calls apart are of too few images, so that those that were scored have to count too."""
        apart = set(self.apart.of)
        return len(apart) < min(len(apart.union(self.scored.of)), ENOUGH_IMAGES)

    def _counted(self) -> tuple[_Calls, ...]:
        return (self.scored, self.apart) if self.counts_scored else (self.apart,)

    @property
    def stages_ms(self) -> dict[str, float]:
        """Mean a call of each stage; a stage that some calls skip counts as 0 there."""
        counted = self._counted()
        names = {name: None for part in counted for name in part.stages}
        calls = sum(part.calls for part in counted)
        return {name: sum(part.stages.get(name, 0.0) for part in counted) / calls for name in names}

    @property
    def overhead_ms(self) -> float | None:
        """Mean a call of what is in no stage."""
        counted = self._counted()
        calls = sum(part.calls for part in counted)
        return sum(part.ms for part in counted) / calls - sum(self.stages_ms.values()) if calls else None

    def timing(self, **measured: Any) -> Timing:
        """Everything that was measured; what is in no stage of the latency is overhead."""
        latency_ms, device_ms, of, rounds = (
            np.concatenate([np.asarray(getattr(part, name)) for part in (self.scored, self.apart)])
            for name in ("latency", "device", "of", "round")
        )
        used, places = np.unique(of, return_inverse=True)
        names = list(self.names)
        has_device = not np.isnan(device_ms).all() if len(device_ms) else False
        return Timing(
            latency_ms=tuple(np.round(latency_ms, 4).tolist()),
            latency_of=tuple(places.tolist()),
            latency_round=tuple(rounds.tolist()),
            device_ms=tuple(None if np.isnan(ms) else round(ms, 4) for ms in device_ms.tolist()) if has_device else (),
            samples=tuple(names[image] for image in used.astype(int)),
            scored_calls=self.counts_scored,
            stages_ms={name: round(value, 4) for name, value in self.stages_ms.items()},
            decode_ms=self.decode_ms / self.decoded if self.decoded else None,
            overhead_ms=self.overhead_ms,
            stable=steady(places, rounds, latency_ms),
            **measured,
        )
