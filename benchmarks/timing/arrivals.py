"""Response times where requests arrive by chance, at a stated share of what one call after another reaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter, sleep

import numpy as np

from benchmarks.timing.percentiles import percentiles
from benchmarks.timing.record import Server
from pipelines.base import Pipeline
from pipelines.types import Image, Prompt

SHARE = 0.5
USUAL_S, FEWEST = 1.5, 20
SPIN_S = 0.001
"""A sleeper wakes late, so the last millisecond is waited for awake."""


@dataclass
class Scenario:
    """The server scenario of MLPerf's loadgen (mlcommons/inference, loadgen/): Poisson arrivals from a fixed seed.

    Attributes:
        pipeline: loaded and warm; it works requests off one by one, in order.
        held: decoded images with their prompts, taken in turn.
        call_s: of a single call.
        seed: of the arrivals.
    """

    pipeline: Pipeline
    held: Sequence[tuple[Image, Prompt]]
    call_s: float
    seed: int
    gaps_s: list[float] = field(default_factory=list)

    def requests(self, budget_s: float) -> int:
        """Draw the arrivals of 1.5 s, or of as long as 20 take; 0 where the budget is shorter."""
        if not self.held or self.call_s <= 0:
            return 0
        mean_s = self.call_s / SHARE
        n = int(min(budget_s, max(USUAL_S, FEWEST * mean_s)) / mean_s + 1e-6)
        self.gaps_s = np.random.default_rng(self.seed).exponential(mean_s, n).tolist() if n >= FEWEST else []
        return len(self.gaps_s)

    def serve(self) -> Server:
        """Work the requests off; requests of one image are no new images, so that these decide what is supported."""
        images = [self._place(request) for request in range(len(self.gaps_s))]
        found = percentiles(responses_ms(self._call, self.gaps_s), images)
        p50, p95 = found["p50"], found["p95"]
        return Server(share=SHARE, rate_ips=SHARE / self.call_s, n=len(self.gaps_s), p50=p50 or 0.0, p95=p95)

    def _place(self, request: int) -> int:
        return request % len(self.held)

    def _call(self, index: int) -> None:
        image, prompt = self.held[self._place(index)]
        for prediction in self.pipeline.predict([image], [prompt]):
            prediction.foreground()
        self.pipeline.clock.synchronise()


def responses_ms(call: Callable[[int], None], gaps_s: Sequence[float]) -> list[float]:
    """From each arrival to the end of its call, however long it waited for those before it.

    Args:
        call: works one request off.
        gaps_s: between one arrival and the next.
    """
    found, arrival = [], perf_counter()
    for index, gap_s in enumerate(gaps_s):
        arrival += gap_s
        _wait_until(arrival)
        call(index)
        found.append((perf_counter() - arrival) * 1e3)
    return found


def _wait_until(moment: float) -> None:
    left_s = moment - perf_counter()
    if left_s > SPIN_S:
        sleep(left_s - SPIN_S)
    while perf_counter() < moment:
        pass
