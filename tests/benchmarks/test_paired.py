"""Paired comparison agrees with scipy and with plain loops, finds what is planted, and finds nothing where nothing is."""

from __future__ import annotations

import importlib.util
import itertools
import time
import tracemalloc
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.metrics import METRICS
from benchmarks.records import SampleRecord
from benchmarks.statistics.paired import Difference, PerSample, SideBySide, difference, holm
from benchmarks.statistics.paired_latency import Calls, ratio
from benchmarks.statistics.pairs import Pair, every_pair, latency_pairs, verdict
from tests.benchmarks.pieces import record

CHECK = Path(__file__).parents[2] / "docs" / "measurements" / "statistics_check.py"


def per_sample(values: Any, weights: Any = None) -> PerSample:
    values = np.asarray(values, np.float64)
    bottoms = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    return PerSample(tuple(f"i{n}" for n in range(len(values))), values, bottoms)


def alone(n: int) -> dict[str, str]:
    return {f"i{k}": f"i{k}" for k in range(n)}


def two(n: int, loss: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    ious = chance.beta(8, 2, n)
    return ious, ious - loss + chance.normal(0, 0.03, n)


def test_interval_and_p_are_those_of_scipy() -> None:
    a, b = two(150, 0.004)
    found = difference(per_sample(a), per_sample(b), alone(150))
    theirs = stats.bootstrap((a - b,), np.mean, method="percentile", n_resamples=10_000, rng=np.random.default_rng(1))
    flips = stats.permutation_test((a - b,), np.mean, permutation_type="samples", rng=np.random.default_rng(2))
    assert found.value == pytest.approx((a - b).mean(), abs=1e-12)
    assert found.ci == pytest.approx(tuple(theirs.confidence_interval), abs=3e-4)
    assert found.p == pytest.approx(flips.pvalue, abs=0.01)
    assert (found.p < 0.05) == (stats.wilcoxon(a, b).pvalue < 0.05)
    assert found.method == "percentile" and not found.few_groups


def test_few_groups_are_flipped_in_every_way() -> None:
    a, b = two(10, 0.015, seed=4)
    found = difference(per_sample(a), per_sample(b), alone(10))
    gaps = a - b
    every = [abs(np.mean(gaps * signs)) for signs in itertools.product((-1, 1), repeat=10)]
    assert found.p == pytest.approx(np.mean(np.array(every) >= abs(gaps.mean()) - 1e-12), abs=1e-12)
    assert (found.few_groups, found.method, found.n_groups) == (True, "bca", 10)


def test_a_pooled_figure_sums_its_counts_again_when_groups_are_swapped() -> None:
    chance = np.random.default_rng(3)
    unions = chance.integers(10, 1000, (2, 9)).astype(float)
    tops = np.floor(unions * chance.random((2, 9)))
    found = difference(per_sample(tops[0], unions[0]), per_sample(tops[1], unions[1]), alone(9), limits=(0, 1))
    gap = tops[0].sum() / unions[0].sum() - tops[1].sum() / unions[1].sum()
    extreme = 0
    for swap in itertools.product((0, 1), repeat=9):
        rows, columns = np.array(swap), np.arange(9)
        first = tops[rows, columns].sum() / unions[rows, columns].sum()
        second = tops[1 - rows, columns].sum() / unions[1 - rows, columns].sum()
        extreme += abs(first - second) >= abs(gap) - 1e-12
    assert found.value == pytest.approx(gap)
    assert found.p == pytest.approx(extreme / 2**9)


def test_a_bootstrap_of_groups_in_a_plain_loop_gives_the_same_interval() -> None:
    a, b = two(180, 0.01, seed=5)
    names = np.random.default_rng(6).integers(0, 60, 180)
    groups = {f"i{k}": str(names[k]) for k in range(180)}
    found = difference(per_sample(a), per_sample(b), groups)
    members = [np.flatnonzero(names == name) for name in np.unique(names)]
    chance, means = np.random.default_rng(7), []
    for _ in range(3000):
        drawn = np.concatenate([members[place] for place in chance.integers(0, len(members), len(members))])
        means.append((a - b)[drawn].mean())
    assert found.n_groups == len(members)
    assert found.ci == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.0015)


def test_only_images_of_both_count() -> None:
    a, b = per_sample([0.9, 0.5, 0.7]), PerSample(("i2", "i0", "x"), np.array([0.6, 0.6, 0.0]), np.ones(3))
    found = difference(a, b, alone(3))
    assert (found.n, found.value) == (2, pytest.approx((0.3 + 0.1) / 2))
    nothing = difference(a, PerSample(("x",), np.ones(1), np.ones(1)), alone(3))
    assert (nothing.value, nothing.ci, nothing.p) == (None, None, None) and nothing.reason


def test_what_is_alike_is_a_tie_and_what_differs_alike_everywhere_is_not() -> None:
    same = difference(per_sample(np.full(40, 0.5)), per_sample(np.full(40, 0.5)), alone(40), limits=(0, 1))
    share = 1 - 0.025 ** (1 / 40)
    assert (same.value, same.p, same.method) == (0, 1, "exact")
    assert same.ci == pytest.approx((-share, share))
    worse = difference(per_sample(np.full(150, 0.4)), per_sample(np.full(150, 0.6)), alone(150), limits=(0, 1))
    assert worse.ci is not None and worse.ci[1] < 0 and worse.p is not None and worse.p < 0.001
    assert (verdict(same), verdict(worse), verdict(worse, higher=False)) == ("tie", "worse", "better")
    one = difference(per_sample([0.4, 0.4]), per_sample([0.6, 0.6]), {"i0": "g", "i1": "g"}, limits=(0, 1))
    assert one.ci is None and one.p == 1


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_of_the_leaderboard_can_be_compared(name: str) -> None:
    metric = METRICS[name]
    records = [[record(f"r{n}", found + side, 6, group=f"g{n % 7}") for n, found in enumerate((0, 3, 6, 8) * 3)]
               for side in (0, 1)]  # fmt: skip
    sides = [_terms(metric, rows) for rows in records]
    groups = {one.id: one.group for one in records[0]}
    found = difference(sides[0], sides[1], groups, metric.combine, metric.range)
    values = [metric.reduce([(one.components or {}).get(metric.family.name, {}) for one in rows]) for rows in records]
    if None in values:
        assert found.value is None
    else:
        assert found.value == pytest.approx(values[0] - values[1])
        assert found.p is not None and 0 < found.p <= 1


def _terms(metric: Any, rows: list[SampleRecord]) -> PerSample:
    counted = {one.id: (one.components or {}).get(metric.family.name) for one in rows}
    return PerSample.of(metric, {name: components for name, components in counted.items() if components})


def test_holm_is_the_step_down_procedure() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert holm([]) == []


def test_all_pairs_are_corrected_together() -> None:
    found = {("a", "b"): 0.02, ("a", "c"): 0.001, ("b", "c"): 0.8}
    gaps = {labels: Difference(0.1, (0.01, 0.2), p, 9, 9, True, "bca") for labels, p in found.items()}
    pairs = {(one.first, one.second): one for one in every_pair(gaps)}
    assert pairs["a", "b"].difference.p_holm == pytest.approx(0.04)
    assert [one.verdict for one in pairs.values()] == ["better", "better", "tie"]
    assert every_pair({("a", "b"): gaps["a", "b"], ("a", "c"): gaps["a", "b"]}, higher=False)[0].verdict == "worse"
    assert every_pair(dict.fromkeys([("a", "b"), ("a", "c"), ("b", "c")], gaps["a", "b"]))[0].verdict == "tie"


def gap(ci: tuple[float, float] | None, p: float, p_holm: float | None = None, value: float = 0.1) -> Difference:
    return Difference(value, ci, p, 9, 9, True, "bca", p_holm=p_holm)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (gap((0.01, 0.2), 0.01), "better"),
        (gap((0.01, 0.2), 0.01, 0.06), "tie"),
        (gap((0.01, 0.2), 0.06), "tie"),
        (gap((-0.01, 0.2), 0.01), "tie"),
        (gap(None, 0.01), "tie"),
        (gap((-0.2, -0.01), 0.01, value=-0.1), "worse"),
    ],
    ids=["both", "holm", "interval alone", "p alone", "no interval", "worse"],
)
def test_a_difference_counts_by_its_interval_and_its_p_value_together(found: Difference, expected: str) -> None:
    assert verdict(found) == expected
    pair = Pair("a", "b", found, verdict(found))
    back = pair.turned()
    assert (back.first, back.second, back.turned()) == ("b", "a", pair)
    assert back.verdict == verdict(back.difference)
    assert pair.tie == back.tie == (expected == "tie")


@pytest.mark.alone
def test_many_images_take_level_memory_and_few_take_milliseconds() -> None:
    pair, chance = SideBySide(2), np.random.default_rng(0)
    a, b = two(150, 0.01)
    difference(per_sample(a), per_sample(b), alone(150))  # draws are made
    start = time.perf_counter()
    difference(per_sample(a), per_sample(b), alone(150))
    assert time.perf_counter() - start < 0.25
    tracemalloc.start()
    for number, iou in enumerate(chance.random(12_000)):
        pair.add(str(number), ((iou, 1.0), (iou - 0.01, 1.0)))
    found = pair.difference(resamples=1000, flips=500)
    assert tracemalloc.get_traced_memory()[1] < 12e6
    tracemalloc.stop()
    assert found.value == pytest.approx(0.01) and found.n == 12_000


def calls(log_ms: np.ndarray, windows: int = 12) -> Calls:
    """Three rounds over the images, in windows of equal length."""
    rounds, images = log_ms.shape
    number = np.arange(log_ms.size) * windows // log_ms.size + 1
    return Calls(tuple(f"i{n}" for n in range(images)), np.tile(np.arange(images), rounds), number, log_ms.ravel())


def test_the_ratio_is_the_geometric_mean_over_images_however_often_each_was_timed() -> None:
    found = ratio(
        Calls.by_image({"x": [10, 10, 10], "y": [40], "z": [7]}), Calls.by_image({"y": [10], "x": [10, 10]}), {}
    )
    assert found.value == pytest.approx(2.0)
    assert (found.n, found.n_groups) == (2, 2)
    nothing = ratio(Calls.by_image({"x": [1]}), Calls.by_image({"y": [1]}), {})
    assert nothing.value is None and nothing.reason


def test_windows_that_were_slow_are_no_evidence_against_a_pipeline() -> None:
    """Of images alone a drift from window to window looks like a difference; clustered by window it does not."""
    naive = honest = 0
    for seed in range(100):
        chance = np.random.default_rng(seed)
        sides = [calls(chance.normal(0, 0.02, (3, 60))) for _ in range(2)]
        moved = [Calls(one.ids, one.image, one.window, one.log_ms + chance.normal(0, 0.05, 13)[one.window])
                 for one in sides]  # fmt: skip
        honest += (ratio(*moved, {}).p or 0) < 0.05
        flat = [Calls(one.ids, one.image, 0 * one.window, one.log_ms) for one in moved]
        naive += (ratio(*flat, {}).p or 0) < 0.05
    assert honest <= 10
    assert naive > 30


def test_calls_that_took_no_turns_allow_for_drift() -> None:
    chance = np.random.default_rng(1)
    base = chance.normal(3, 0.5, 50)
    a, b = (Calls.by_image({f"i{n}": [float(np.exp(base[n] + shift + chance.normal(0, 0.02)))] for n in range(50)})
            for shift in (np.log(1.06), 0.0))  # fmt: skip
    assert (ratio(a, b, {}).p or 1) < 0.001
    allowed = ratio(a, b, {}, drift=1.1)
    assert allowed.p == 1 and allowed.ci is not None and allowed.ci[0] < 1 < allowed.ci[1]
    twice = Calls(a.ids, a.image, a.window, a.log_ms + np.log(2))
    assert (ratio(twice, b, {}, drift=1.1).p or 1) < 0.001
    split = Calls(a.ids, a.image, np.arange(50) // 25, a.log_ms)
    assert ratio(split, b, {}).p == 1  # two windows are too few to see the drift between them


def test_pairs_by_time_say_who_is_faster() -> None:
    chance = np.random.default_rng(2)
    sides = {
        name: calls(np.log(ms) + chance.normal(0, 0.02, (3, 40))) for name, ms in (("a", 10), ("b", 10), ("c", 12))
    }
    found = {(one.first, one.second): one.verdict for one in latency_pairs(sides, {})}
    assert found == {("a", "b"): "tie", ("a", "c"): "better", ("b", "c"): "better"}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("statistics_check", CHECK)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("kind", "planted", "least", "most"),
    [("replay", 1.0, 0, 6), ("calm_replay", 1.0, 0, 6), ("calm_replay", 1.03, 36, 40), ("replay_by_image", 1.03, 36, 40),
     ("quality", 0.0, 0, 6), ("quality", 0.01, 36, 40)],
)  # fmt: skip
def test_what_is_planted_is_found_and_nothing_else(
    script: ModuleType, kind: str, planted: float, least: int, most: int
) -> None:
    noise = np.random.default_rng(0).gamma(1, 0.1, 5000) - 0.1
    found = script.significant(getattr(script, kind), noise, 40, planted)
    assert least <= found["by_p"] <= most
    assert least <= found["by_interval"] <= most


def test_a_promise_that_is_not_kept_is_said(script: ModuleType) -> None:
    one = {"replays": 200, "by_p": 17, "by_interval": 17}
    held = {"datasets": 10, "groups": 20, "flagged_few": 9, "held": {"miou": 0.89}}
    wrong = script.broken({"latency_same": one, "miou_0.01_less": one, "coverage": [held]})
    assert [line.split(":")[0] for line in wrong] == [
        "latency_same",
        "miou_0.01_less",
        "miou of 20 groups",
        "20 groups",
    ]


def test_simulated_intervals_hold_the_truth(script: ModuleType) -> None:
    found = script.coverage(40, 60)
    assert min(found["held"].values()) >= 0.85
    assert script.coverage(2, 20)["flagged_few"] == 2
