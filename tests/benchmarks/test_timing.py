"""Latency, throughput and memory of a pipeline whose times are known."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest

from benchmarks import evaluate, scoring, timing
from benchmarks.metrics import METRICS
from tests.benchmarks.pieces import CONFIGURATION, Slow, SlowParams, ask, sample


@pytest.fixture
def slow() -> Slow:
    made = Slow(SlowParams(per_call_ms=10, per_image_ms=5))
    made.load()
    return made


def test_latency_is_the_call_and_its_stages_sum_to_it(slow: Slow) -> None:
    log = timing.LatencyLog()
    for outcome in evaluate.predict(slow, [sample(str(i)) for i in range(5)], ask):
        log.add(outcome)
    made = log.timing(load_s=0.0, first_ms=None, warm_up=0, throughputs=(), peak_memory_mb={}, resumed=False)
    assert min(made.latency_ms) >= 15
    assert made.stages_ms["wait"] >= 15
    assert made.overhead_ms is not None
    assert sum(made.stages_ms.values()) + made.overhead_ms == pytest.approx(np.mean(made.latency_ms), abs=1e-3)
    assert made.overhead_ms < 0.1 * np.mean(made.latency_ms)


def test_throughput_is_measured_in_batches_and_is_not_one_over_latency(slow: Slow) -> None:
    samples = [sample(str(i)) for i in range(8)]
    one, four = timing.throughputs(slow, samples, ask, (1, 4), perf_counter() + 1)
    assert (one.batch_size, four.batch_size) == (1, 4)
    assert one.value <= 1000 / 15
    assert four.value <= 4 * 1000 / 30
    assert four.value > 1.3 * one.value
    assert set(slow.calls) == {1, 4}


def test_a_batch_that_fails_ends_the_sweep_and_keeps_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    slow = Slow(SlowParams(per_call_ms=0, per_image_ms=0, most=2))
    found = timing.throughputs(slow, [sample(str(i)) for i in range(4)], ask, (1, 2, 4), perf_counter() + 0.3)
    assert [rate.batch_size for rate in found] == [1, 2]
    assert "throughput at batch 4: MemoryError" in capsys.readouterr().err


def test_no_size_but_the_first_begins_after_the_deadline(slow: Slow) -> None:
    found = timing.throughputs(slow, [sample("a")], ask, (1, 2, 4), perf_counter() - 1)
    assert [rate.batch_size for rate in found] == [1]
    assert timing.throughputs(slow, [], ask, (1,), perf_counter() + 1) == ()


def test_warm_up_is_counted_and_skips_pictures_that_fail(slow: Slow) -> None:
    first_ms, calls = timing.warm_up(slow, [sample("dark", 0), sample("bright")], ask)
    assert first_ms is not None
    assert first_ms >= 15
    assert calls == timing.WARM_UP_CALLS
    assert timing.warm_up(slow, [sample(str(i), 0) for i in range(9)], ask) == (None, 0)


def test_a_failed_picture_has_no_latency_and_its_record_says_why(slow: Slow) -> None:
    outcomes = list(evaluate.predict(slow, [sample("dark", 0), sample("bright")], ask))
    log = timing.LatencyLog()
    for outcome in outcomes:
        log.add(outcome)
    assert len(log.latency) == 1
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
    before = timing.peak_memory_mb("cpu")["host"]
    held = np.ones(int(4 * (before or 0) * 1e6 // 8 + 5e7))
    after = timing.peak_memory_mb("cpu")["host"]
    assert before is not None
    assert after is not None
    assert after - before >= 0.8 * (held.nbytes / 1e6 - before)
