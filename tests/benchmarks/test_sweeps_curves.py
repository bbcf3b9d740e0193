"""Curves over thresholds: the metrics' own figures at each, and how far one may move."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics import METRICS, Region
from benchmarks.metrics.overlap import METRICS as OVERLAP
from benchmarks.sweeps import Counts, Grid, components, mean_curve, plateau, terms
from pipelines.errors import UsageError

RANKS, CUTS = 3, 5
NAMES = [metric.name for metric in OVERLAP]


def counts(seed: int, target: int = 40, rest: int = 60) -> Counts:
    """Of random masks; the last thresholds find nothing."""
    rng = np.random.default_rng(seed)
    tp, fp = (np.sort(rng.integers(0, most + 1, (RANKS, CUTS)))[:, ::-1].copy() for most in (target, rest))
    tp[:, -1] = fp[:, -1] = 0
    return Counts(tp, fp, target, target + rest)


def images() -> list[Counts]:
    empty = Region.of(np.zeros((4, 4), np.bool_))
    full = Region.of(np.ones((4, 4), np.bool_))
    grid, ranks = Grid("t", np.arange(CUTS) / 8), Grid("r", np.arange(RANKS) / 8)
    failed = [Counts.of_failed(region, grid, ranks) for region in (empty, full)]
    return [counts(0), counts(1, target=0), counts(2, rest=0), counts(3, 7, 3), counts(4, 0, 0), *failed]


@pytest.mark.parametrize("name", NAMES)
def test_terms_are_those_of_the_metric_at_each_threshold(name: str) -> None:
    metric = METRICS[name]
    for one in images():
        tops, bottoms = terms(metric, one)
        assert tops.dtype == bottoms.dtype == np.float64
        for rank in range(RANKS):
            for cut in range(CUTS):
                assert metric.terms(components(one, rank, cut)) == (tops[rank, cut], bottoms[rank, cut])


@pytest.mark.parametrize("name", NAMES)
def test_the_curve_is_the_figure_over_images_at_each_threshold(name: str) -> None:
    curve = mean_curve(METRICS[name], images())
    assert curve.shape == (RANKS, CUTS)
    for rank in range(RANKS):
        for cut in range(CUTS):
            wanted = METRICS[name].reduce([components(one, rank, cut) for one in images()])
            assert curve[rank, cut] == pytest.approx(wanted, abs=1e-12)


def test_a_figure_without_a_denominator_is_no_number() -> None:
    assert np.isnan(mean_curve(METRICS["miou_pos"], [counts(1, target=0)])).all()
    assert np.isnan(mean_curve(METRICS["iou_pooled"], [counts(1, target=0)])[:, -1]).all()
    assert METRICS["miou_pos"].reduce([components(counts(1, target=0), 0, 0)]) is None


def test_images_may_come_one_after_the_other() -> None:
    curve = mean_curve(METRICS["miou"], (counts(seed) for seed in range(3)))
    assert np.allclose(curve, np.mean([terms(METRICS["miou"], counts(seed))[0] for seed in range(3)], axis=0))


def test_what_needs_more_than_counts_is_refused() -> None:
    for name in ("mae", "boundary_iou", "miou_best@test"):
        with pytest.raises(UsageError, match="more than pixel counts"):
            terms(METRICS[name], counts(0))
    with pytest.raises(UsageError, match="no image"):
        mean_curve(METRICS["miou"], [])


@pytest.mark.parametrize(
    ("values", "best", "wanted"),
    [
        ([0.1, 0.495, 0.5, 0.49, 0.2, 0.5], 2, (1, 3)),
        ([0.5], 0, (0, 0)),
        ([0.5, 0.5, 0.5], 1, (0, 2)),
        ([0.5, 0.4, 0.3], 0, (0, 0)),
        ([0.3, 0.4, 0.5], 2, (2, 2)),
        ([0.5, np.nan, 0.5, 0.5], 2, (2, 3)),
        ([0.2, 0.1, 0.105], 1, (0, 2)),  # what is better is no loss
    ],
)
def test_the_plateau_is_the_unbroken_range_around_the_best(
    values: list[float], best: int, wanted: tuple[int, int]
) -> None:
    assert plateau(values, best) == wanted


def test_the_plateau_may_lose_more() -> None:
    assert plateau([0.1, 0.2, 0.3, 0.2], 2, lose=0.1) == (1, 3)
    assert plateau([0.2, 0.1, 0.105], 1, sign=-1) == (1, 2)  # less is better
