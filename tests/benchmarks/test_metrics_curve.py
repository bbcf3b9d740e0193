"""Curves over 256 thresholds against loops over them, and the figures that are read from curves."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.metrics import METRICS, Region, iou_curve_of, measure_all, measure_failed
from benchmarks.metrics.curve import e_curve, f_curve, histogram_of, iou_curve, joint_histogram
from pipelines.errors import ContractError, UsageError
from tests.benchmarks.golden.pairs import Map, Mask, soft_pairs

Floats = npt.NDArray[np.float64]
FAMILY = METRICS["max_f"].family
EMPTY, FULL = np.zeros((6, 8), np.bool_), np.ones((6, 8), np.bool_)
PART = np.arange(48).reshape(6, 8) < 12


def cuts(soft: Map) -> npt.NDArray[np.bool_]:
    """A mask for each threshold, ``(256, H, W)``."""
    return np.floor(255 * soft) >= np.arange(256)[:, None, None]


def naive_iou(soft: Map, target: Mask) -> Floats:
    """One mask after the other."""
    found = []
    for pred in cuts(soft):
        union = (pred | target).sum()
        found.append((pred & target).sum() / union if union else 1.0)
    return np.array(found)


def naive_e(pred: Mask, target: Mask) -> float:
    """E-measure pixel by pixel."""
    if not target.any() or target.all():
        return float((pred == target).sum() / (target.size - 1 + np.spacing(1)))
    a, b = pred - pred.mean(), target - target.mean()
    aligned = 2 * a * b / (a**2 + b**2 + np.spacing(1))
    return float(((aligned + 1) ** 2 / 4).sum() / (target.size - 1 + np.spacing(1)))


def naive_f(pred: Mask, target: Mask) -> float:
    tp = (pred & target).sum()
    if not tp:
        return 0.0
    precision, recall = tp / pred.sum(), tp / target.sum()
    return float(1.3 * precision * recall / (0.3 * precision + recall))


def test_the_iou_curve_is_that_of_a_loop_over_thresholds() -> None:
    for soft, target in soft_pairs():
        expected = naive_iou(soft, target)
        np.testing.assert_array_equal(iou_curve_of(soft, target), expected)
        np.testing.assert_array_equal(iou_curve(FAMILY.measure(target, target, soft=soft)), expected)


def test_the_e_curve_is_that_of_the_pixels() -> None:
    chance = np.random.default_rng(0)
    for soft, target in soft_pairs():
        found = e_curve(FAMILY.measure(target, target, soft=soft))
        if target.size > 1:
            for k in chance.integers(0, 256, 4):
                assert found[k] == pytest.approx(naive_e(cuts(soft)[k], target), abs=1e-9)


def test_the_f_curve_is_that_of_precision_and_recall() -> None:
    chance = np.random.default_rng(1)
    for soft, target in soft_pairs():
        found = f_curve(FAMILY.measure(target, target, soft=soft))
        for k in chance.integers(0, 256, 4):
            assert found[k] == pytest.approx(naive_f(cuts(soft)[k], target), abs=1e-12)


def test_figures_are_maxima_of_mean_curves_over_the_images_they_are_about() -> None:
    chosen = [(soft, target) for soft, target in soft_pairs() if target.size > 1][:300]
    rows = [FAMILY.measure(target, target, soft=soft) for soft, target in chosen]
    positive = [row for row, (_, target) in zip(rows, chosen, strict=True) if target.any()]
    assert METRICS["max_f"].reduce(rows) == pytest.approx(np.mean([f_curve(r) for r in positive], axis=0).max())
    curves = np.array([e_curve(row) for row in positive])
    assert METRICS["e_measure"].reduce(rows) == pytest.approx(curves.mean())
    assert METRICS["e_measure_max"].reduce(rows) == pytest.approx(curves.mean(axis=0).max())
    best = np.mean([iou_curve(row) for row in rows], axis=0).max()
    assert METRICS["miou_best@test"].reduce(rows) == pytest.approx(best)
    assert [METRICS[name].count(rows) for name in ("max_f", "e_measure", "miou_best@test")] == [
        len(positive), len(positive), len(rows)]  # fmt: skip


def test_pitfall_9_the_best_threshold_is_labelled_and_no_less_than_any() -> None:
    metric = METRICS["miou_best@test"]
    assert "upper bound" in metric.title and "same images" in metric.title
    assert [name for name in METRICS if "threshold is picked" in METRICS[name].title] == []
    rng = np.random.default_rng(2)
    maps, targets = rng.random((3, 20, 20)), rng.random((3, 20, 20)) < 0.5
    best = metric.function(list(maps), list(targets))
    fixed = [METRICS["miou"].function([*(np.floor(255 * maps) >= k)], list(targets)) for k in range(0, 256, 5)]
    assert best is not None and best >= max(value for value in fixed if value is not None)


def test_a_mask_alone_is_its_own_map() -> None:
    for soft, target in soft_pairs()[:500]:
        pred = soft > 0.5
        found = FAMILY.measure(pred, target)
        assert found == FAMILY.measure(pred, target, soft=pred.astype(np.float32))
        assert set(found["levels"]) <= {0, 255}


def test_ignored_pixels_are_in_no_histogram() -> None:
    chance = np.random.default_rng(3)
    for soft, target in soft_pairs()[:500]:
        ignore = chance.random(target.shape) < 0.3
        if ignore.all():
            continue
        found = FAMILY.measure(target, target, ignore, soft)
        flat = soft[~ignore][None], target[~ignore][None]
        assert found == FAMILY.measure(flat[1], flat[1], soft=flat[0])
        np.testing.assert_array_equal(iou_curve_of(soft, target, ignore), iou_curve_of(*flat))


def test_components_are_short_lossless_and_json_ready() -> None:
    soft = np.linspace(0, 1, 48).reshape(6, 8)
    found = FAMILY.measure(PART, PART, soft=soft)
    assert json.loads(json.dumps(found)) == found
    np.testing.assert_array_equal(histogram_of(found), joint_histogram(soft, Region.of(PART)))
    assert len(found["levels"]) == 48
    assert FAMILY.measure(FULL, PART) == {"levels": [255], "foreground": [12], "background": [36], "positive": 1}


def test_counts_stay_exact_where_one_level_holds_more_than_a_float32_can_count() -> None:
    side = 4200
    soft, target = np.zeros((side, side), np.float32), np.zeros((side, side), np.bool_)
    soft[0, :3] = 0.5
    assert joint_histogram(soft, Region.of(target))[:, [0, 127]].tolist() == [[0, 0], [side**2 - 3, 3]]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_levels_are_those_of_the_floor(kind: type[np.floating]) -> None:
    soft = np.linspace(0, 1, 5000).astype(kind).reshape(50, 100)
    wide = soft.astype(np.result_type(kind, np.float32))
    expected = np.bincount(np.floor(wide * 255).astype(int).ravel(), minlength=256)
    found = FAMILY.measure(np.ones((50, 100), np.bool_), np.ones((50, 100), np.bool_), soft=soft)
    np.testing.assert_array_equal(histogram_of(found)[0], expected)


def test_empty_full_and_failed() -> None:
    assert (iou_curve(FAMILY.measure(EMPTY, EMPTY)) == [0, *[1] * 255]).all()
    failed = measure_failed([METRICS["max_f"]], PART)["curve"]
    for curve in (iou_curve, f_curve, e_curve):
        assert not curve(failed).any()
    for name in ("max_f", "e_measure", "e_measure_max"):
        assert METRICS[name].function([EMPTY], [EMPTY]) is None
        assert METRICS[name].function([PART, EMPTY], [PART, EMPTY]) == METRICS[name].function([PART], [PART])
    assert METRICS["e_measure_max"].function([PART], [PART]) == pytest.approx(48 / 47)  # above 1, and not clipped
    one = np.ones((1, 1), np.bool_)
    assert METRICS["e_measure"].function([one], [one]) is None
    assert METRICS["max_f"].function([one], [one]) == 1
    assert measure_all([METRICS["max_f"]], PART, PART, FULL)["curve"]["levels"] == []


def test_what_is_no_map_is_refused() -> None:
    with pytest.raises(ContractError, match="probabilities"):
        iou_curve_of(np.full((6, 8), 2.0), PART)
    with pytest.raises(ContractError, match="own size"):
        iou_curve_of(np.zeros((3, 4)), PART)
    with pytest.raises(UsageError, match="ignore mask"):
        iou_curve_of(np.zeros((6, 8)), PART, PART[:2])
