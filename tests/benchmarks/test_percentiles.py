"""Percentiles over images, and whether their intervals hold what they say."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest

from benchmarks.timing import percentiles as module
from benchmarks.timing.percentiles import intervals, percentiles


def test_repeats_of_one_image_support_no_percentile() -> None:
    values = np.random.default_rng(0).lognormal(size=600)
    few, many = percentiles(values, np.arange(600) % 6), percentiles(values, np.arange(600))
    assert (few["n"], few["p90"], few["p99"]) == (6, None, None)
    assert few["p50"] == many["p50"] == round(float(np.median(values)), 4)
    assert many["p99"] == round(float(np.percentile(values, 99)), 4)
    assert percentiles([], []) == {"n": 0, "mean": None, "p50": None, "p90": None, "p95": None, "p99": None}


@pytest.mark.parametrize(
    ("n", "names"), [(0, ""), (1, ""), (28, ""), (29, "p90"), (59, "p90 p95"), (299, "p90 p95 p99")]
)
def test_percentiles_are_given_only_where_the_images_support_them(n: int, names: str) -> None:
    values = np.random.default_rng(8).random(n) * 100
    found = percentiles(values, np.arange(n))
    assert [name for name in ("p90", "p95", "p99") if found[name] is not None] == names.split()
    assert found["n"] == n
    if n:
        assert found["p50"] == pytest.approx(np.percentile(values, 50), abs=1e-3)
        assert found["mean"] == pytest.approx(values.mean(), abs=1e-3)
    for name in names.split():
        assert found[name] == pytest.approx(np.percentile(values, int(name[1:])), abs=1e-3)


def test_where_there_is_no_percentile_there_is_no_interval() -> None:
    values = np.arange(60.0)
    found = intervals(values, values)
    assert found["p95"] is not None and found["p99"] is None
    assert set(intervals(values[:5], values[:5]).values()) == {None}
    assert intervals(np.full(8, 5.0), np.arange(8))["p50"] == (5, 5)


def simulated(seed: int, images: int, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """Images differ a lot, repeats of one image a little."""
    chance = np.random.default_rng(seed)
    level = chance.lognormal(2, 0.5, images)
    of = np.repeat(np.arange(images), repeats)
    return level[of] * chance.normal(1, 0.02, len(of)), of


def test_intervals_hold_the_truth_as_often_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESAMPLES", 200)
    truth = {name: float(np.exp(2 + 0.5 * z)) for name, z in (("p50", 0), ("p90", 1.28155), ("p95", 1.64485))}
    found = [intervals(*simulated(seed, 100, 5), seed=seed) for seed in range(300)]
    for name, value in truth.items():
        inside = sum(ends is not None and ends[0] <= value <= ends[1] for ends in (one[name] for one in found))
        assert 0.92 <= inside / 300 <= 0.99, name
    means = [one["mean"] for one in found]
    assert 0.90 <= sum(ends is not None and ends[0] <= np.exp(2.125) <= ends[1] for ends in means) / 300 <= 0.99


def test_calls_of_one_image_are_not_taken_for_many() -> None:
    values, of = simulated(0, 30, 40)
    apart, joined = intervals(values, np.arange(len(values)))["p50"], intervals(values, of)["p50"]
    assert apart is not None and joined is not None
    assert joined[1] - joined[0] > 3 * (apart[1] - apart[0])


def test_many_images_take_level_time_and_the_width_stays() -> None:
    values = np.random.default_rng(0).lognormal(size=100_000)
    start = perf_counter()
    found = intervals(values, np.arange(100_000))["p50"]
    assert perf_counter() - start < 10
    assert found is not None
    expected = 2 * 1.96 * np.sqrt(np.pi / 2) / np.sqrt(100_000)
    assert found[1] - found[0] == pytest.approx(expected, rel=0.15)
    assert found[0] <= 1 <= found[1]
