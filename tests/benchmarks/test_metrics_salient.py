"""Salient metrics against numbers that PySODMetrics 1.6.2 gave, and against plain readings of their definitions."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from benchmarks.metrics import METRICS, Case, Region, measure_all, measure_failed
from benchmarks.metrics.curve import e_curve, enhanced_alignment, f_curve
from benchmarks.metrics.structure import s_measure
from benchmarks.metrics.weighted import NEAREST, weighted_f
from tests.benchmarks.golden.cases import COUNT, case, digest
from tests.benchmarks.golden.pairs import Map, Mask, soft_pairs

GOLDEN = Path(__file__).parent / "golden" / "pysodmetrics.json"
SALIENT = ["adaptive_f", "e_measure_adp", "s_measure", "weighted_f"]
E = float(np.spacing(1))


@cache
def golden() -> list[dict[str, Any]]:
    return list(json.loads(GOLDEN.read_text(encoding="utf-8")))


def figures(soft: Any, target: Mask) -> dict[str, float]:
    """Every figure of one image, by the functions that also know what an empty target is."""
    found = measure_all([METRICS[name] for name in ("mae", "max_f", *SALIENT)], target, target, soft=soft)
    counts, curve, mae = found["adaptive"], found["curve"], METRICS["mae"].value(found["soft"])
    area, rest = counts["tp"] + counts["fn"], counts["fp"] + counts["tn"]
    assert mae is not None
    return {
        "mae": mae,
        "max_f": float(f_curve(curve).max()),
        "mean_f": float(f_curve(curve).mean()),
        "adaptive_f": METRICS["adaptive_f"].value(counts) or 0.0,
        "e_measure": float(e_curve(curve).mean()),
        "e_measure_max": float(e_curve(curve).max()),
        "e_measure_adp": float(enhanced_alignment(counts["tp"], counts["fp"], area, rest)),
        "s_measure": found["structure"]["s_measure"],
        "weighted_f": found["weighted"]["weighted_f"],
    }


def test_cases_are_made_again_as_they_were() -> None:
    assert len(golden()) == COUNT >= 200
    for row in golden():
        soft, target = case(row["seed"])
        assert digest(soft, target) == row["digest"]


@pytest.mark.parametrize("seed", range(COUNT))
def test_figures_are_those_of_pysodmetrics(seed: int) -> None:
    row, (soft, target) = golden()[seed], case(seed)
    found = figures(soft, target)
    undefined = [name for name in found if row[name] is None]
    assert undefined in ([], ["s_measure"])  # a quadrant without pixels is not a number there; ours leaves it out
    for name in set(found) - set(undefined):
        assert found[name] == pytest.approx(row[name], rel=0, abs=1e-6), name
    assert 0 <= found["s_measure"] <= 1


def test_the_golden_cases_are_many_and_of_many_kinds() -> None:
    made = [case(seed) for seed in range(COUNT)]
    assert sum(row["s_measure"] is not None for row in golden()) > 250
    assert {soft.dtype.char for soft, _ in made} == {"f", "d"}
    for wanted in (
        lambda s, t: 1 in t.shape,
        lambda s, t: t.all(),
        lambda s, t: not t.any(),
        lambda s, t: t.sum() == 1,
        lambda s, t: np.ptp(s) == 0,
        lambda s, t: np.array_equal(s, t),
        lambda s, t: np.array_equal(s, ~t),
        lambda s, t: t.size > 10_000,
    ):
        assert sum(bool(wanted(soft, target)) for soft, target in made) >= 5


def plain_s(p: Map, g: Mask) -> float:
    """S-measure with a loop over quadrants; one with no pixels has no weight."""
    if g.all() or not g.any():
        return float(p.mean() if g.any() else 1 - p.mean())

    def alike(x: Any) -> float:
        spread = np.std(x, ddof=1) if x.size > 1 and np.ptp(x) else 0.0
        return float(2 * x.mean() / (x.mean() ** 2 + 1 + spread + E))

    y, x = (round(float(v)) + 1 for v in np.argwhere(g).mean(axis=0))
    region = 0.0
    for part in (np.s_[:y, :x], np.s_[:y, x:], np.s_[y:, :x], np.s_[y:, x:]):
        a, b = p[part].ravel(), g[part].ravel().astype(np.float64)
        if not a.size:
            continue
        da, db = (v - v.mean() if np.ptp(v) else 0 * v for v in (a, b))
        vx, vy, cov = (float((u * v).sum() / max(a.size - 1, E)) for u, v in ((da, da), (db, db), (da, db)))
        top, bottom = 4 * a.mean() * b.mean() * cov, (a.mean() ** 2 + b.mean() ** 2) * (vx + vy)
        region += a.size / g.size * (top / (bottom + E) if top else float(not bottom))
    return max(0.0, (g.mean() * alike(p[g]) + (1 - g.mean()) * alike(1 - p[~g]) + region) / 2)


def plain_weighted(p: Map, g: Mask) -> float:
    """Weighted F-measure with scipy's nearest pixels and one two-dimensional filter."""
    if not g.any():
        return 0.0
    distance, nearest = ndimage.distance_transform_edt(~g, return_indices=True)
    error = np.abs(p - g)
    steps = np.arange(-3, 4)
    kernel = np.exp(-(steps[:, None] ** 2 + steps**2) / 50)
    smooth = ndimage.convolve(error[tuple(nearest)], kernel / kernel.sum(), mode="constant")
    inside = np.minimum(error, smooth)[g]
    outside = (error * (2 - np.exp(math.log(0.5) / 5 * distance)))[~g].sum()
    right = g.sum() - inside.sum()
    recall, precision = 1 - inside.mean(), right / (right + outside + E)
    return float(2 * recall * precision / (recall + precision + E))


def test_s_measure_is_that_of_a_plain_reading() -> None:
    for soft, target in soft_pairs():
        assert s_measure(soft, Region.of(target)) == pytest.approx(plain_s(soft, target), abs=1e-9)


def test_weighted_f_is_that_of_a_plain_reading() -> None:
    for soft, target in soft_pairs():
        assert weighted_f(soft, Region.of(target)) == pytest.approx(plain_weighted(soft, target), abs=1e-6)


def test_the_nearest_pixel_is_the_one_that_scipy_picks() -> None:
    """Of equally near ones; symmetric masks have most of them."""
    chance, seen = np.random.default_rng(0), 0
    for index in range(600):
        mask = chance.random(tuple(chance.integers(1, 40, 2))) < chance.random() ** 2
        mask = mask | mask[::-1] | mask[:, ::-1] | mask[::-1, ::-1] if index % 2 else mask
        if not mask.any():
            continue
        nearest = ndimage.distance_transform_edt(~mask, return_indices=True)[1]
        padded, left = np.pad(mask, 4), ~mask
        for dy, dx in NEAREST:
            there = padded[4 + dy : 4 + dy + mask.shape[0], 4 + dx : 4 + dx + mask.shape[1]] & left
            rows, columns = np.nonzero(there)
            assert (nearest[0][there] == rows + dy).all() and (nearest[1][there] == columns + dx).all()
            left = left & ~there
            seen += len(rows)
    assert seen > 50_000


def test_adaptive_counts_are_those_of_a_plain_reading() -> None:
    for soft, target in soft_pairs():
        pred = soft >= min(1.0, 2 * soft.mean())
        found = METRICS["adaptive_f"].family.measure(target, target, soft=soft)
        assert found == {"tp": (pred & target).sum(), "fp": (pred & ~target).sum(), "fn": (~pred & target).sum(),
                         "tn": (~pred & ~target).sum()}  # fmt: skip


def test_where_the_map_is_0_the_adaptive_threshold_is_too() -> None:
    target = np.eye(4, dtype=np.bool_)
    counts = METRICS["adaptive_f"].per_image(np.zeros((4, 4), np.float32), target)
    assert counts == {"tp": 4, "fp": 12, "fn": 0, "tn": 0}


@pytest.mark.parametrize("name", SALIENT)
def test_salient_figures_are_means_over_images_with_a_target(name: str) -> None:
    metric, target = METRICS[name], np.arange(48).reshape(6, 8) < 12
    soft, empty = np.where(target, 0.8, 0.1), np.zeros_like(target)
    alone = metric.function([soft], [target])
    assert alone is not None and 0.5 < alone < 1.1
    assert metric.function([soft, soft], [target, empty]) == alone
    assert metric.function([soft, None], [target, target]) == pytest.approx(alone / 2)
    assert metric.function([soft], [empty]) is None
    assert metric.function([soft], [target], [~empty]) is None
    assert metric.value(measure_failed([metric], empty)[metric.family.name]) is None


def test_ignored_pixels_are_left_out_of_every_sum() -> None:
    chance = np.random.default_rng(1)
    for soft, target in soft_pairs()[:600]:
        ignore = np.zeros_like(target)
        ignore[:, target.shape[1] // 2 :] = True  # cutting them off is then the same
        kept = np.s_[:, : target.shape[1] // 2]
        if not target[kept].size:
            continue
        region, junk = Region.of(target, ignore), np.where(ignore, chance.random(target.shape), soft)
        case = Case(region, region, junk)
        assert s_measure(case.map, region) == pytest.approx(s_measure(soft[kept], Region.of(target[kept])), abs=1e-9)
        cleared = np.where(ignore, 0, soft), target & ~ignore  # the filter sees background there, not the picture's end
        assert weighted_f(case.map, region) == pytest.approx(plain_weighted(*cleared), abs=1e-6)
        counts = METRICS["adaptive_f"].family.measure(target, target, ignore, junk)
        assert counts == METRICS["adaptive_f"].family.measure(target[kept], target[kept], soft=soft[kept])


def test_a_mask_alone_is_its_own_map() -> None:
    metrics = [METRICS[name] for name in SALIENT]
    for soft, target in soft_pairs()[:200]:
        pred = soft > 0.5
        assert measure_all(metrics, pred, target) == measure_all(metrics, pred, target, soft=pred.astype(np.float32))


def test_a_perfect_map_is_perfect() -> None:
    target: npt.NDArray[np.bool_] = np.arange(480).reshape(20, 24) % 7 < 3
    for name in ("s_measure", "weighted_f", "adaptive_f"):
        assert METRICS[name].function([target], [target]) == pytest.approx(1, abs=1e-12)
    assert METRICS["e_measure_adp"].function([target], [target]) == pytest.approx(480 / 479)


@pytest.mark.parametrize("top", [1.0, 0.5, 2.0**-10])
def test_a_map_that_hardly_varies_is_not_flat(top: float) -> None:
    """As of a network that is very sure: then a quadrant of one side alone is 0, where a flat one would be 1."""
    chance = np.random.default_rng(0)
    target = np.zeros((60, 70), np.bool_)
    target[:50, :60] = True
    least = np.float32(top * (1 - 2.0**-24))
    soft = np.where(chance.random(target.shape) < 0.5, np.float32(top), least)
    assert np.ptp(soft) > 0
    assert s_measure(soft, Region.of(target)) == pytest.approx(plain_s(soft.astype(np.float64), target), abs=1e-6)


def test_figures_are_the_same_at_every_call() -> None:
    """To the last bit, wherever in memory the arrays happen to lie: OpenCV's distances alone are not."""
    chance, metrics = np.random.default_rng(0), list(METRICS.values())
    for soft, target in soft_pairs()[:250]:
        expected, kept = measure_all(metrics, target, target, soft=soft), []
        for _ in range(6):
            kept += [np.ones(int(size), np.uint8) for size in chance.integers(1, 4000, 10)]
            assert measure_all(metrics, target.copy(), target.copy(), soft=soft.copy()) == expected


def test_maps_may_lie_in_memory_as_they_like() -> None:
    metrics = [METRICS[name] for name in ("mae", "max_f", *SALIENT)]
    for soft, target in soft_pairs()[:100]:
        single = soft.astype(np.float32)
        expected = measure_all(metrics, target, target, soft=single)
        wide = np.repeat(np.repeat(single, 2, axis=0), 3, axis=1)
        for other in (np.asfortranarray(single), wide[::2, ::3], single[::-1, ::-1].copy()[::-1, ::-1],
                      single.astype(">f4")):  # fmt: skip
            other.flags.writeable = False
            assert measure_all(metrics, target, target, soft=other) == expected
        assert figures(soft.astype(np.longdouble), target) == pytest.approx(figures(soft, target), abs=1e-12)
