"""Figures of several sums under the bootstrap, against a loop that draws images and computes each figure anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.metrics import METRICS, Classes, Metric, class_metrics, measure_all
from benchmarks.statistics.intervals import interval

IMAGES, RESAMPLES = 150, 150
NAMES = ("a", "b", "c")


def picture(chance: np.random.Generator) -> dict[str, Any]:
    """Components of every family for a small picture with three classes, one text that is absent, and a map."""
    target, other = chance.choice(4, (2, 5, 6), p=[0.7, 0.1, 0.1, 0.1])
    target = target * (chance.random() < 0.9)
    pred = np.where(chance.random((5, 6)) < 0.6, target, other * (chance.random() < 0.7))
    sides = [{name: labels == i for i, name in enumerate(NAMES, 1)} for labels in (pred, target)]
    soft = np.clip(0.5 * (target > 0) + 0.5 * chance.random((5, 6)), 0, 1)
    return measure_all(METRICS.values(), pred > 0, target > 0, None, soft, classes=Classes(NAMES, *sides),
                       absent=[chance.random() < 0.3])  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    chance = np.random.default_rng(0)
    return [picture(chance) for _ in range(IMAGES)]


def draws(groups: list[int]) -> npt.NDArray[np.int64]:
    """How often each group is in each resample, ``(resamples, groups)``: sums over single ones tell."""
    n = len(groups)
    seen: list[npt.NDArray[np.float64]] = []

    def spy(tops: Any, _: Any) -> Any:
        seen.append(tops)
        return tops @ np.arange(n)

    interval(np.eye(n), np.ones((n, n)), groups, RESAMPLES, combine=spy)
    counts = np.concatenate([tops for tops in seen if tops.ndim == 2])
    assert counts.shape == (RESAMPLES, n) and (counts.sum(axis=1) == n).all()
    return counts.astype(np.int64)


def check(metric: Metric, rows: list[dict[str, Any]]) -> None:
    """Ends are the quantiles of a loop over the same draws, where the plain percentile interval applies."""
    components = [row[metric.family.name] for row in rows]
    said = {i: c for i, c in enumerate(components) if np.any(metric.terms(c)[1])}  # the others are not drawn
    found = interval(*metric.columns(components), range(len(rows)), RESAMPLES, combine=metric.combine)
    loop = [metric.reduce([c for c, n in zip(said.values(), counts, strict=True) for _ in range(n)])
            for counts in draws(list(said))]  # fmt: skip
    assert (found.method, found.n) == ("percentile", len(said))
    assert found.ends is not None
    np.testing.assert_allclose(found.ends, np.quantile(np.array(loop, np.float64), [0.025, 0.975]), rtol=0, atol=1e-12)
    whole = metric.reduce(components)
    assert whole is not None and found.ends[0] < whole < found.ends[1]


@pytest.mark.parametrize(
    "name",
    ["il_mcc", "miou_classes", "miou_classes_bg", "max_f", "e_measure_max", "miou_best@test", "false_alarm_rate"],
)
def test_a_figure_of_several_sums_has_the_interval_of_a_loop(name: str, rows: list[dict[str, Any]]) -> None:
    check(METRICS[name], rows)


@pytest.mark.parametrize("name", ["background", *NAMES])
def test_each_class_has_the_interval_of_a_loop(name: str, rows: list[dict[str, Any]]) -> None:
    for metric in class_metrics(NAMES)[name].values():
        check(metric, rows)


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_has_an_interval_within_its_range(name: str, rows: list[dict[str, Any]]) -> None:
    metric = METRICS[name]
    found = interval(*metric.columns(row[metric.family.name] for row in rows), range(IMAGES), 200,
                     combine=metric.combine, limits=metric.range)  # fmt: skip
    assert found.ends is not None, found.reason
    assert metric.range[0] <= found.ends[0] <= found.ends[1] <= metric.range[1]
    assert found.n == metric.count([row[metric.family.name] for row in rows]) > 0
