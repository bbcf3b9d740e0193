"""Calls, warm-up, clocks and memory of a pipeline whose times are known."""

from __future__ import annotations

from time import perf_counter, sleep

import numpy as np
import pytest

from benchmarks import evaluate, scoring
from benchmarks.metrics import METRICS
from benchmarks.timing import span
from benchmarks.timing.latency import LatencyLog
from tests.benchmarks.pieces import CONFIGURATION, Slow, SlowParams, ask, sample

pytestmark = pytest.mark.alone


@pytest.fixture
def slow() -> Slow:
    made = Slow(SlowParams(per_call_ms=10, per_image_ms=5))
    made.load()
    return made


def test_latency_is_the_call_and_its_stages_sum_to_it(slow: Slow) -> None:
    log = LatencyLog()
    for outcome in evaluate.predict(slow, [sample(str(i)) for i in range(5)], ask):
        log.add(outcome)
    made = log.timing(load_s=0.0, first_ms=None, warm_up=0, throughputs=(), peak_memory_mb={}, resumed=False)
    assert min(made.latency_ms) >= 15
    assert made.stages_ms["wait"] >= 15
    assert made.overhead_ms is not None
    assert sum(made.stages_ms.values()) + made.overhead_ms == pytest.approx(np.mean(made.latency_ms), abs=1e-3)
    assert made.overhead_ms < 0.1 * np.mean(made.latency_ms)


def test_a_timed_call_is_from_array_to_mask_and_knows_its_stages(slow: Slow) -> None:
    start = perf_counter()
    call = span.timed_calls(slow, sample("a").image, ask(sample("a")))
    outside_ms = (perf_counter() - start) * 1e3
    assert 15 <= call.stages_ms["wait"] <= call.latency_ms <= outside_ms
    assert call.device_ms is None
    assert sum(call.stages_ms.values()) <= call.latency_ms
    assert set(call.stages_ms) == {"wait", "decide"}


def test_a_short_call_is_repeated_and_its_mean_is_told() -> None:
    quick = Slow(SlowParams(per_call_ms=1, per_image_ms=0))
    call = span.timed_calls(quick, sample("a").image, ask(sample("a")), repeats=8)
    assert len(quick.calls) == 8
    assert 1 <= call.stages_ms["wait"] <= call.latency_ms < 8


@pytest.mark.parametrize(("call_ms", "repeats"), [(50, 1), (1, 1), (0.1, 2), (0.01, 20), (0, 1000)])
def test_reading_the_clock_stays_below_a_thousandth_of_what_it_reads(call_ms: float, repeats: int) -> None:
    assert span.repeats_for(call_ms / 1e3, 2e-7) == repeats
    assert call_ms == 0 or 2e-4 / (repeats * call_ms) <= 0.001 * (1 + 1e-9)


def test_our_clocks_are_a_hundredth_of_a_call_of_a_millisecond_at_most() -> None:
    made = Slow(SlowParams(per_call_ms=1, per_image_ms=0))
    made.load()
    kept = made.clock
    cost_ms, call = span.clock_cost_ms(made, sample("a").image, ask(sample("a")))
    assert made.clock is kept
    assert 0 < cost_ms < 0.01 * call.latency_ms


def test_the_cost_of_clocks_grows_with_the_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Slow(SlowParams(per_call_ms=0, per_image_ms=0))
    made.load()
    few, _ = span.clock_cost_ms(made, sample("a").image, ask(sample("a")))
    look = made._infer

    def many(*given: object) -> object:
        for _ in range(200):
            with made.clock.stage("more"):
                pass
        return look(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(made, "_infer", many)
    cost_ms, call = span.clock_cost_ms(made, sample("a").image, ask(sample("a")))
    assert cost_ms > 20 * few
    assert cost_ms <= 3 * call.latency_ms


def test_warm_up_ends_where_calls_agree_and_skips_pictures_that_fail(slow: Slow) -> None:
    alive: list[None] = []
    first_ms, calls = span.warm_up(slow, [sample("dark", 0), sample("bright")], ask, lambda: alive.append(None))
    assert first_ms is not None
    assert first_ms >= 15
    assert 4 <= calls == len(alive) <= span.WARM_UP_CALLS
    assert span.warm_up(slow, [sample(str(i), 0) for i in range(9)], ask) == (None, 0)


def test_it_is_not_warm_before_three_calls_after_the_first_agree() -> None:
    assert not span.is_warm([])
    assert not span.is_warm([10, 10, 10])
    assert span.is_warm([99, 10, 10, 10])
    assert not span.is_warm([99, 12, 10, 10])
    assert span.is_warm([99, 12, 10, 10, 10])


def test_warm_up_ends_after_ten_calls_that_never_agree(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, look = iter(range(0, 40, 2)), slow._infer

    def slower(*given: object) -> object:
        sleep(next(taken) ** 2 / 1e4)
        return look(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(slow, "_infer", slower)
    _, calls = span.warm_up(slow, [sample("a")], ask)
    assert calls == span.WARM_UP_CALLS


def test_a_failed_picture_has_no_latency_and_its_record_says_why(slow: Slow) -> None:
    outcomes = list(evaluate.predict(slow, [sample("dark", 0), sample("bright")], ask))
    log = LatencyLog()
    for outcome in outcomes:
        log.add(outcome)
    assert len(log.scored.latency) == 1
    assert [s.id for s in log.worked] == ["bright"]
    dark, bright = scoring.score(outcomes, scoring.Scoring(list(METRICS.values()), lambda s: s.id))
    assert dark.error == "RuntimeError: it is dark"
    assert (dark.mask_sha256, dark.instances) == (None, ())
    assert bright.components is not None
    assert bright.components["overlap"]["tp"] == 5
    assert bright.instances[0].mask.counts == (0, 5, 5)


def test_a_key_changes_with_everything_that_decides_the_result() -> None:
    keys = {
        scoring.sample_key(s, ask(s), configuration, sources)
        for s in (sample("a"), sample("b"), sample("a", 9))
        for configuration in (CONFIGURATION, CONFIGURATION.model_copy(update={"params": {"x": 1}}),
                              CONFIGURATION.model_copy(update={"device": "cuda"}))
        for sources in ({"pipelines": "1"}, {"pipelines": "2"})
    }  # fmt: skip
    assert len(keys) == 18


def test_memory_is_of_this_process() -> None:
    before = span.peak_memory_mb("cpu")["host"]
    held = np.ones(int(4 * (before or 0) * 1e6 // 8 + 5e7))
    after = span.peak_memory_mb("cpu")["host"]
    assert before is not None
    assert after is not None
    assert after - before >= 0.8 * (held.nbytes / 1e6 - before)
