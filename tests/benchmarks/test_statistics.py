"""Intervals cover what they say, by groups; what a sample does not support is None."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.metrics import METRICS
from benchmarks.statistics.intervals import effective_groups, interval


def mean_interval(values: np.ndarray, groups: Any = None, **options: Any) -> Any:
    return interval(values, np.ones(len(values)), range(len(values)) if groups is None else groups, **options)


@pytest.mark.parametrize(("n_groups", "low", "high"), [(20, 0.90, 0.98), (60, 0.93, 0.97), (100, 0.93, 0.97)])
def test_an_interval_covers_the_truth_as_often_as_it_says(n_groups: int, low: float, high: float) -> None:
    chance, hits, trials = np.random.default_rng(n_groups), 0, 1000
    for trial in range(trials):
        found = mean_interval(chance.beta(8, 2, n_groups), resamples=500, seed=trial)
        hits += found.lo <= 0.8 <= found.hi
        assert found.few_groups is (n_groups < 50)
    assert low <= hits / trials <= high


def test_many_groups_give_the_percentile_interval_of_scipy() -> None:
    values = np.random.default_rng(0).beta(5, 2, 120)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=10_000, rng=np.random.default_rng(1))
    found = mean_interval(values)
    assert found.method == "percentile"
    assert found.ends == pytest.approx(tuple(theirs.confidence_interval), abs=0.002)


def test_few_groups_give_the_bca_interval_of_scipy_a_little_wider() -> None:
    values = np.random.default_rng(0).beta(5, 1, 49)
    theirs = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=10_000, rng=np.random.default_rng(1))
    found = mean_interval(values)
    assert (found.method, found.few_groups) == ("bca", True)
    assert found.ends == pytest.approx(tuple(theirs.confidence_interval), abs=0.006)
    assert found.hi - found.lo > theirs.confidence_interval.high - theirs.confidence_interval.low


def test_images_of_one_group_do_not_count_as_independent() -> None:
    values = np.random.default_rng(3).random(60)
    alone = mean_interval(values)
    repeated = mean_interval(np.repeat(values, 10), np.repeat(np.arange(60), 10))
    assert repeated.ends == pytest.approx(alone.ends, abs=1e-12)
    assert (repeated.n, repeated.n_groups) == (600, 60)


def test_a_pooled_figure_sums_its_counts_again() -> None:
    chance = np.random.default_rng(4)
    sizes = chance.integers(10, 1000, 200)
    found = interval(sizes * 0.25, sizes, [f"scene {i}" for i in range(200)])
    assert found.ends is None  # the ratio is the same whatever is drawn, which says nothing of other groups
    assert found.reason == "every group gives the same figure"


def test_groups_with_no_denominator_have_no_say() -> None:
    found = interval([1, 0, 0, 1, 0], [1, 1, 0, 1, 0], ["a", "b", "b", "c", "d"])
    assert (found.n, found.n_groups, found.few_groups) == (3, 3, True)


@pytest.mark.parametrize(
    ("tops", "bottoms", "groups", "reason"),
    [
        ([], [], [], "no group"),
        ([0, 0], [0, 0], ["a", "b"], "no group"),
        ([1, 0], [1, 1], ["a", "a"], "one group"),
    ],
)
def test_what_is_not_defined_is_none_with_a_reason(tops: Any, bottoms: Any, groups: Any, reason: str) -> None:
    found = interval(tops, bottoms, groups)
    assert (found.lo, found.hi, found.ends, found.method) == (None, None, None, "none")
    assert found.reason is not None and reason in found.reason


def test_groups_that_agree_are_not_certainty() -> None:
    assert mean_interval(np.full(12, 0.7), limits=(0, 1)).ends is None
    for value, ends in ((0.0, (0, 1 - 0.025 ** (1 / 12))), (1.0, (0.025 ** (1 / 12), 1))):  # Clopper and Pearson
        found = mean_interval(np.full(12, value), limits=(0, 1))
        assert found.method == "exact"
        assert found.ends == pytest.approx(ends)


def test_a_group_that_holds_half_of_the_images_makes_the_others_count_less() -> None:
    assert effective_groups(np.ones(20)) == pytest.approx(20)
    assert effective_groups(np.array([25.0, *np.ones(24)])) == pytest.approx(49**2 / (25**2 + 24))
    random = np.random.default_rng(8)
    hits = 0
    for _ in range(200):
        means = random.beta(9, 1, 25)
        values = np.concatenate([np.full(25, means[0]), means[1:]])
        found = interval(values, np.ones(49), [0] * 25 + list(range(1, 25)), resamples=500, limits=(0, 1))
        hits += found.lo is not None and found.hi is not None and found.lo <= 0.9 <= found.hi
    assert hits >= 0.9 * 200


def test_t_stands_in_where_bca_is_not_defined() -> None:
    two = mean_interval(np.array([0.9, 1.0]), limits=(0, 1))
    assert two.hi == 1.0 and two.lo is not None and two.lo < 0.9


def test_the_same_seed_gives_the_same_interval_in_any_order_of_groups() -> None:
    values = np.random.default_rng(5).random(70)
    assert mean_interval(values) == mean_interval(values)
    assert mean_interval(values, seed=1) != mean_interval(values)


def test_a_figure_of_several_sums_has_an_interval_too() -> None:
    chance = np.random.default_rng(6)
    tops = chance.random((80, 3))

    def best(sums: Any, counts: Any) -> Any:
        return (sums / counts).max(axis=-1)

    found = interval(tops, np.ones_like(tops), range(80), combine=best)
    assert found.lo < tops.mean(axis=0).max() < found.hi  # type: ignore[operator]
    assert interval(tops[:, 0], np.ones(80), range(80)).ends != found.ends


def test_memory_is_level() -> None:
    values = np.random.default_rng(7).random(30_000)
    tracemalloc.start()
    mean_interval(values, np.arange(30_000) % 2000, resamples=2000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_an_interval_of_a_metric() -> None:
    target = np.arange(64).reshape(8, 8) < 20
    rows = [METRICS["miou_pos"].per_image(np.arange(64).reshape(8, 8) < n, target) for n in range(1, 61)]
    found = interval(*METRICS["miou_pos"].columns(rows), range(60))
    value = METRICS["miou_pos"].reduce(rows)
    assert value is not None and found.lo is not None and found.hi is not None
    assert found.lo < value < found.hi


def test_lengths_that_differ_are_an_error() -> None:
    with pytest.raises(ValueError, match="3 groups"):
        interval([1, 2], [1, 1], ["a", "b", "c"])
