"""Windows of calls, batches and arrivals of pipelines whose times are known by their own clocks."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from time import perf_counter, sleep

import numpy as np
import pytest

from benchmarks.datasets import Sample
from benchmarks.evaluate import predict
from benchmarks.records import Protocol
from benchmarks.timing import arrivals, latency, rounds, throughput, times
from benchmarks.timing.latency import LatencyLog
from benchmarks.timing.record import Server, Throughput, Timing
from benchmarks.timing.rounds import Rounds, Windows
from benchmarks.timing.steadiness import Watch
from benchmarks.timing.throughput import Sweep, hold
from pipelines.base import Pipeline
from pipelines.types import Evidence, Image, PipelineInfo, Prediction, Prompt
from tests.benchmarks.pieces import Slow, SlowParams, ask, sample
from tests.benchmarks.pieces import timing as timing_of

pytestmark = pytest.mark.alone


class Known(Pipeline):
    """Takes 60 ms a call and 40 ms an image, in two stages, and keeps what it took by its own clock."""

    info = PipelineInfo(name="known", title="Known")
    Params = SlowParams

    def _load(self) -> None:
        self.taken: dict[int, list[float]] = {}
        self.parts: dict[str, list[float]] = {"call": [], "images": []}

    def _infer(self, images: list[Image], prompts: list[Prompt], params: SlowParams) -> list[Evidence]:
        start = perf_counter()
        with self.clock.stage("call"):
            sleep(0.060)
        between = perf_counter()
        with self.clock.stage("images"):
            sleep(0.040 * len(images))
        if len(images) == 1:
            self.parts["call"].append(between - start)
            self.parts["images"].append(perf_counter() - between)
        found = [Evidence(image.shape[:2], soft=image[None, ..., 0].astype(np.float32) / 255) for image in images]
        self.last = self.taken.setdefault(len(images), [])
        self.last.append(perf_counter() - start)
        return found

    def _decide(self, evidence: Evidence, params: SlowParams) -> Prediction:
        start = perf_counter()
        prediction = super()._decide(evidence, params)
        self.last[-1] += perf_counter() - start  # its own work too: with slow caches some 2 % of a batch
        return prediction


def measured(pipeline: Pipeline, samples: Sequence[Sample], *, budget_s: float, sizes: tuple[int, ...] = (1,),
             score: bool = True) -> tuple[Timing, Rounds]:  # fmt: skip
    """All windows, one after another, on a machine where nobody else is."""
    pipeline.load()
    log = LatencyLog()
    for outcome in predict(pipeline, samples, ask) if score else ():
        log.add(outcome)
    made = Rounds(pipeline, samples, ask, log, Protocol(budget_s=budget_s, batch_sizes=sizes),
                  Windows(Watch(reading=lambda: None)))  # fmt: skip
    for _ in made.blocks():
        pass
    figures = made.figures()
    return log.timing(load_s=0, first_ms=None, warm_up=0, peak_memory_mb={}, resumed=False, **figures), made


TRIES = 4
"""On a machine with other work a window may be held up; what is right once is not right by chance."""


def off(timing: Timing, taken: dict[int, list[float]]) -> float:
    """The largest share by which latency or throughput differ from what the pipeline itself saw."""
    own_s = {size: float(np.median(seconds)) for size, seconds in taken.items()}
    found = [(times.columns(timing, seed=0)["latency_ms"]["p50"], own_s[1] * 1e3)]
    found += [(rate.value, rate.batch_size / own_s[rate.batch_size]) for rate in timing.throughputs]
    return max(abs(value / truth - 1) for value, truth in found)


def stages_off(timing: Timing, parts: dict[str, list[float]]) -> float:
    """The largest share by which a stage differs from what the pipeline itself saw of it."""
    return max(abs(timing.stages_ms[name] / (float(np.mean(own_s)) * 1e3) - 1) for name, own_s in parts.items())


def test_a_known_pipeline_is_recovered_within_a_hundredth() -> None:
    for _ in range(TRIES):
        pipeline = Known()
        timing, _ = measured(pipeline, [sample(str(i)) for i in range(6)], budget_s=8, sizes=(1, 4))
        if off(timing, pipeline.taken) <= 0.01 and stages_off(timing, pipeline.parts) <= 0.03:
            break
    assert off(timing, pipeline.taken) <= 0.01
    row = times.columns(timing, seed=0)
    stages, mean_ms = timing.stages_ms, row["latency_ms"]["mean"]
    assert row["latency_ms"]["p50"] >= 100
    assert row["throughput_ips"].batch_size == 4
    assert row["throughput_ips"].value > 1.5 * 1e3 / mean_ms
    assert stages_off(timing, pipeline.parts) <= 0.03
    assert (stages["call"], stages["images"]) == (pytest.approx(60, rel=0.03), pytest.approx(40, rel=0.03))
    assert sum(stages.values()) == pytest.approx(mean_ms, rel=0.03)
    assert timing.overhead_ms is not None
    assert sum(stages.values()) + timing.overhead_ms == pytest.approx(mean_ms, abs=2e-3)
    assert timing.clock_ms is not None
    assert timing.clock_ms < 0.01 * mean_ms
    assert timing.windows >= 20


def test_every_image_is_timed_as_often_as_any_other_and_each_call_is_known_by_its_image() -> None:
    timing, _ = measured(
        Slow(SlowParams(per_call_ms=2, per_image_ms=0)), [sample(str(i)) for i in range(7)], budget_s=1
    )
    assert set(timing.samples) == {str(i) for i in range(7)}
    counted = np.bincount(latency.images_of(timing))
    assert counted.max() - counted.min() <= 1
    assert counted.min() > 5
    assert not timing.scored_calls
    assert timing.latency_round.count(0) == 7  # kept, but not counted
    assert sum(counted) == len(timing.latency_ms) - 7
    assert list(timing.latency_round) == sorted(timing.latency_round)


def test_where_the_budget_is_too_small_the_scored_calls_count_and_it_is_said() -> None:
    timing, _ = measured(
        Slow(SlowParams(per_call_ms=60, per_image_ms=0)), [sample(str(i)) for i in range(9)], budget_s=0.5
    )
    assert timing.scored_calls
    assert len(np.unique(latency.images_of(timing))) == 9
    assert times.flags(timing, 9, 1)["timed_while_scored"]
    again, _ = measured(Slow(SlowParams(per_call_ms=60, per_image_ms=0)), [sample(str(i)) for i in range(9)],
                        budget_s=0.5, score=False)  # fmt: skip
    assert times.flags(again, 9, 1)["timed_in_part"]
    assert not again.scored_calls
    assert again.throughputs  # a process that scored nothing has samples nevertheless


def test_pictures_that_fail_are_left_out_and_where_all_fail_it_ends() -> None:
    slow = Slow(SlowParams(per_call_ms=1, per_image_ms=0))
    timing, made = measured(slow, [sample("dark", 0), sample("bright")], budget_s=1)
    assert (timing.samples, made.failed) == (("bright",), {"dark"})
    nothing, _ = measured(slow, [sample("dark", 0)], budget_s=1)
    assert (nothing.latency_ms, nothing.throughputs, nothing.server) == ((), (), None)


def test_memory_that_ends_is_no_failed_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: object) -> list[Evidence]:
        raise MemoryError

    slow = Slow()
    monkeypatch.setattr(slow, "_infer", greedy)
    with pytest.raises(MemoryError):
        measured(slow, [sample("a")], budget_s=1, score=False)


class Says(Watch):
    """Finds the first windows disturbed."""

    def __init__(self, disturbed: int) -> None:
        super().__init__(reading=lambda: None)
        self.left = disturbed

    def end(self, living: int = 1) -> str | None:
        self.left -= 1
        return "others" if self.left >= 0 else None


@pytest.mark.parametrize(("disturbed", "kept"), [(2, 0), (10_000, 1)])
def test_images_of_a_disturbed_window_are_timed_again_and_it_ends_in_time(disturbed: int, kept: int) -> None:
    slow, samples = Slow(SlowParams(per_call_ms=4, per_image_ms=0)), [sample(str(i)) for i in range(5)]
    slow.load()
    log = LatencyLog()
    made = Rounds(slow, samples, ask, log, Protocol(budget_s=1, batch_sizes=(1,)), Windows(Says(disturbed)))
    start = perf_counter()
    for _ in made.blocks():
        pass
    assert perf_counter() - start < 2
    assert len(np.unique(np.asarray(log.apart.of))) == 5
    assert made.windows.disturbed >= 2
    assert (made.windows.kept >= 1) == bool(kept)
    assert kept or min(log.apart.round) == 1 + disturbed  # the n-th window of each is of the n-th turn, dropped or not


def test_a_disturbed_window_of_arrivals_is_counted_as_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    says, serve = Says(0), arrivals.Scenario.serve

    def disturbed(scenario: arrivals.Scenario) -> Server:
        says.left = 1
        return serve(scenario)

    monkeypatch.setattr(arrivals.Scenario, "serve", disturbed)
    monkeypatch.setattr(rounds, "REPEATED_SHARE", 10)  # there would be time for repeats
    slow = Slow(SlowParams(per_call_ms=0, per_image_ms=0))
    slow.load()
    made = Rounds(slow, [sample("a")], ask, LatencyLog(), Protocol(budget_s=1, batch_sizes=(1,)), Windows(says))
    for _ in made.blocks():
        pass
    assert made.figures()["server"].n >= 20
    assert (made.windows.disturbed, made.windows.kept) == (1, 1)


def test_a_process_that_scored_nothing_holds_each_image_once() -> None:
    slow = Slow(SlowParams(per_call_ms=1, per_image_ms=0))
    _, made = measured(slow, [sample("a"), sample("b")], budget_s=1, score=False)
    assert [one.id for one in made.log.worked] == ["a", "b"]


def test_calls_are_thinned_by_chance_and_the_means_are_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "MOST_APART", 200)
    log = LatencyLog()
    for index in range(4096):
        log.add_call(str(index % 16), rounds.span.Measured(float(index), None, {"a": float(index)}), 1 + index // 512)
    assert 50 <= len(log.apart.latency) <= 200
    assert set(log.apart.of) == set(range(16))  # a step of 16 would have kept one image alone
    assert np.mean(np.asarray(log.apart.latency)) == pytest.approx(2048, rel=0.15)
    assert log.stages_ms == {"a": 2047.5}
    made = log.timing(load_s=0, first_ms=None, warm_up=0, throughputs=(), peak_memory_mb={}, resumed=False)
    assert made.overhead_ms == 0
    assert set(made.samples) == {str(index) for index in range(16)}


def test_a_hundred_thousand_images_take_level_memory() -> None:
    def peak(n: int) -> int:
        log = LatencyLog()
        tracemalloc.start()
        try:
            for index in range(n):
                call = rounds.span.Measured(5.0, None, {"a": 5.0})
                log.scored.add(call, log._place(f"picture-{index}"), latency.SCORED)
            log.timing(load_s=0, first_ms=None, warm_up=0, throughputs=(), peak_memory_mb={}, resumed=False)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(100_000) - peak(1_000) < 25e6


def at_once(block: Callable[[], float]) -> tuple[float, bool]:
    return block(), True


def sweep(pipeline: Pipeline, sizes: tuple[int, ...], budget_s: float, n: int = 8) -> Sweep:
    pipeline.load()
    made = Sweep(pipeline, hold([sample(str(i)) for i in range(n)], ask, lambda one: one.image), sizes, at_once)
    for _ in made.blocks(budget_s):
        pass
    return made


def test_throughput_is_measured_in_batches_and_is_not_one_over_latency() -> None:
    slow = Slow(SlowParams(per_call_ms=10, per_image_ms=5))
    one, four = sweep(slow, (1, 4), 1).found()
    assert (one.batch_size, four.batch_size) == (1, 4)
    assert one.value <= 1000 / 15
    assert four.value <= 4 * 1000 / 30
    assert four.value > 1.3 * one.value
    assert four.windows == 6
    assert four.ci is not None
    assert four.ci[0] - 0.001 <= four.value <= four.ci[1] + 0.001
    assert set(slow.calls) == {1, 4}


@pytest.mark.parametrize(
    ("rates", "tried", "saturated", "best"),
    [({1: 50, 2: 51}, [1, 2], True, 2), ({1: 50, 2: 40}, [1, 2], True, 1), ({1: 10, 2: 20, 4: 30, 8: 30}, [1, 2, 4, 8], True, 4),
     ({1 << power: 10 * 1.2**power for power in range(9)}, [1 << power for power in range(9)], False, 256)],
)  # fmt: skip
def test_the_sweep_ends_where_it_no_longer_rises(monkeypatch: pytest.MonkeyPatch, rates: dict[int, float],
                                                 tried: list[int], saturated: bool, best: int) -> None:  # fmt: skip
    monkeypatch.setattr(Sweep, "_rate", lambda self, stream, size, window_s: rates[size])
    made = sweep(Slow(), (), 1000)
    assert (list(made.rates), made.saturated, made.best) == (tried, saturated, best)
    assert made.figures()["batch_size"] == best


def test_a_batch_that_fails_ends_the_sweep_and_keeps_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    slow = Slow(SlowParams(per_call_ms=1, per_image_ms=0, most=2))
    found = sweep(slow, (1, 2, 4), 0.5)
    assert [rate.batch_size for rate in found.found()] == [1, 2]
    assert found.failed is None
    assert "throughput at batch 4: MemoryError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "told"),
    [(ValueError("odd shape"), "ValueError"), (RuntimeError("odd"), "RuntimeError"), (RuntimeError("CUDA out of memory."), None)],
)  # fmt: skip
def test_a_batch_that_fails_for_another_reason_than_memory_is_told_by_its_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception, told: str | None
) -> None:
    slow = Slow(SlowParams(per_call_ms=1, per_image_ms=0))
    look = slow._infer

    def picky(images: list[Image], *given: object) -> list[Evidence]:
        if len(images) > 2:
            raise error
        return look(images, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(slow, "_infer", picky)
    timing, _ = measured(slow, [sample(str(i)) for i in range(8)], budget_s=2, sizes=())
    assert (timing.batch_failed, timing.saturated) == (told, False)
    raised = {name for name, is_raised in times.flags(timing, 8, 0).items() if is_raised}
    assert ("not_saturated" in raised) == (told is None)
    assert (f"batch_failed:{told}" in raised) == (told is not None)


def test_what_is_reported_of_a_slow_pipeline_is_of_windows_it_was_not_chosen_by() -> None:
    slow = Slow(SlowParams(per_call_ms=30, per_image_ms=30))  # larger batches are faster, so that the sweep goes on
    made = sweep(slow, (), 0.7)
    (best,) = (rate for rate in made.found() if rate.batch_size == made.best)
    assert 1 <= len(made.fresh) == best.windows
    assert best.value == np.median(made.fresh)


def test_a_throughput_of_few_windows_says_so() -> None:
    for windows, few in ((0, False), (2, True), (5, True), (6, False)):  # 0 = a timing of schema 1, which does not say
        rate = Throughput(value=5, batch_size=1, windows=windows)
        assert times.flags(timing_of(4).model_copy(update={"throughputs": (rate,)}), 4, 1)["few_windows"] == few


def test_no_batch_begins_for_which_there_is_no_time() -> None:
    slow = Slow(SlowParams(per_call_ms=0, per_image_ms=50))
    found = sweep(slow, (1, 2, 64), 0.4)
    assert 64 not in found.rates
    only = sweep(slow, (1, 2, 4), 0.01)
    assert [(rate.batch_size, rate.windows) for rate in only.found()] == [(1, 1)]
    assert sweep(slow, (1,), 1, n=0).found() == ()


def test_decoding_is_in_the_clock_of_the_second_figure() -> None:
    slow = Slow(SlowParams(per_call_ms=0, per_image_ms=5))
    slow.load()
    image = sample("a").image

    def decoded() -> Iterator[tuple[Image, Prompt]]:
        while True:
            sleep(0.02)
            yield image, Prompt()

    made = Sweep(slow, [(image, Prompt())], (1,), at_once)
    for _ in made.blocks(0.5):
        pass
    for _ in made.decoding_blocks(decoded(), 0.3):
        pass
    assert made.with_decode is not None
    assert made.with_decode.value <= 40 < 1.5 * 40 < made.found()[0].value
    judged = iter([False, True])
    made.judge = lambda block: (block(), next(judged))
    for _ in made.decoding_blocks(decoded(), 0.3):
        pass
    assert made.with_decode.windows == 1  # the disturbed one does not count
    none = Sweep(slow, [(image, Prompt())], (1,), at_once)
    none.rates = {1: [0.01]}
    assert list(none.decoding_blocks(decoded(), 0.3)) == []


def test_images_for_batches_are_evenly_spaced_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [sample(str(i), 1 + i) for i in range(100)]
    held = hold(samples, ask, lambda one: one.image)
    assert [int(image.max()) for image, _ in held] == [1 + i * 100 // 64 for i in range(64)]
    assert len(hold(samples, ask, lambda one: one.image, most=80)) == 80
    monkeypatch.setattr(throughput, "HELD_MB", 1e-4)
    assert len(hold(samples, ask, lambda one: one.image)) == 4


def test_a_request_waits_for_those_before_it() -> None:
    told = arrivals.responses_ms(lambda _: sleep(0.02), [0.0, 0.0, 0.0, 0.2])
    assert 20 <= told[0] < told[1] < told[2]
    assert told[2] >= 60
    assert 20 <= told[3] < told[2]


def test_arrivals_are_those_of_the_seed_and_too_few_are_none() -> None:
    slow = Slow(SlowParams(per_call_ms=5, per_image_ms=0))
    slow.load()
    held = [(sample("a").image, ask(sample("a")))]
    one, same, other = (arrivals.Scenario(slow, held, 0.005, seed) for seed in (1, 1, 2))
    assert one.requests(0.5) == same.requests(0.5) == other.requests(0.5) == 50
    assert one.gaps_s == same.gaps_s != other.gaps_s
    assert np.mean(one.gaps_s) == pytest.approx(0.01, rel=0.5)
    server = one.serve()
    assert (server.n, server.rate_ips, server.p95) == (50, 100, None)
    assert server.p50 >= 5
    assert arrivals.Scenario(slow, held, 1.0, 1).requests(10) == 0


@pytest.mark.parametrize(("images", "told"), [(16, False), (64, True)])
def test_requests_of_one_image_support_no_percentile_of_arrivals(images: int, told: bool) -> None:
    slow = Slow(SlowParams(per_call_ms=0, per_image_ms=0))
    slow.load()
    scenario = arrivals.Scenario(slow, [(sample(str(i)).image, Prompt()) for i in range(images)], 0.001, 1)
    assert scenario.requests(0.2) == 100
    server = scenario.serve()
    assert (server.n, server.p95 is not None) == (100, told)


def test_without_images_there_are_no_requests() -> None:
    slow = Slow()
    assert arrivals.Scenario(slow, [], 0.005, 1).requests(10) == 0


def test_a_window_is_a_step_so_that_others_can_take_turns() -> None:
    slow = Slow(SlowParams(per_call_ms=2, per_image_ms=0))
    slow.load()
    made = Rounds(slow, [sample("a")], ask, LatencyLog(), Protocol(budget_s=2, batch_sizes=(1,)),
                  Windows(Watch(reading=lambda: None)))  # fmt: skip
    start = perf_counter()
    assert len(list(islice(made.blocks(), 3))) == 3
    assert perf_counter() - start < 1
    assert made.windows.timed == 3
