"""Every metric against an independent implementation, over random, empty, full, tiny and odd-sized masks."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage
from skimage.measure import regionprops
from skimage.morphology import erosion

from benchmarks.metrics import METRICS, Components, Metric, Region, measure_all
from benchmarks.metrics.region import band_width, eroded
from pipelines.types import tight_box
from tests.benchmarks.golden.pairs import PAIRS, pairs

Mask = npt.NDArray[np.bool_]
ALL = list(METRICS.values())


@cache
def components() -> list[dict[str, Components]]:
    return [dict(measure_all(ALL, pred, target)) for pred, target in pairs()]


@cache
def theirs() -> dict[str, npt.NDArray[np.float64]]:
    """Values of each pair by torchmetrics; where exactly one side is empty, precision and recall are 0 by our policy."""
    import torch
    from torchmetrics.functional.classification import (
        binary_f1_score,
        binary_jaccard_index,
        binary_precision,
        binary_recall,
    )

    torch.set_num_threads(1)
    functions = {"miou": binary_jaccard_index, "dice": binary_f1_score, "precision": binary_precision,
                 "recall": binary_recall}  # fmt: skip
    found: dict[str, list[float]] = {name: [] for name in functions}
    for pred, target in pairs():
        tensors = torch.from_numpy(pred).float(), torch.from_numpy(target).int()
        for name, function in functions.items():
            one_empty = name in ("precision", "recall") and pred.any() != target.any()
            options = {"validate_args": False, "zero_division": 1} if name != "miou" else {"validate_args": False}
            value = 0.0 if one_empty else float(function(*tensors, **options))
            found[name].append(1.0 if not pred.any() and not target.any() else value)
    return {name: np.array(values) for name, values in found.items()}


def ours(name: str) -> npt.NDArray[Any]:
    metric = METRICS[name]
    return np.array([metric.value(c[metric.family.name]) for c in components()])


def positives() -> npt.NDArray[np.bool_]:
    return np.array([target.any() for _, target in pairs()])


def reduced(name: str) -> float | None:
    return METRICS[name].reduce([c[METRICS[name].family.name] for c in components()])


def test_counts_are_those_of_numpy() -> None:
    for (pred, target), found in zip(pairs(), components(), strict=True):
        expected = {"tp": (pred & target).sum(), "fp": (pred & ~target).sum(), "fn": (~pred & target).sum(),
                    "tn": (~pred & ~target).sum()}  # fmt: skip
        assert found["overlap"] == expected


@pytest.mark.parametrize("name", ["miou", "dice", "precision", "recall"])
def test_overlap_is_that_of_torchmetrics(name: str) -> None:
    np.testing.assert_allclose(ours(name).astype(float), theirs()[name], rtol=0, atol=1e-6)
    assert reduced(name) == pytest.approx(theirs()[name].mean(), abs=1e-6)


def test_pooled_iou_is_that_of_all_pixels_in_one_picture() -> None:
    import torch
    from torchmetrics.functional.classification import binary_jaccard_index

    for start in range(0, PAIRS, 20):
        chunk = pairs()[start : start + 20]
        pred, target = (np.concatenate([pair[i].ravel() for pair in chunk]) for i in (0, 1))
        value = METRICS["iou_pooled"].function([p for p, _ in chunk], [t for _, t in chunk])
        expected = binary_jaccard_index(torch.from_numpy(pred).float(), torch.from_numpy(target).int())
        assert value == pytest.approx(float(expected), abs=1e-6)


def test_shares_are_counted_from_torchmetrics_iou() -> None:
    iou, positive = theirs()["miou"], positives()
    assert reduced("miss_rate") == pytest.approx(np.mean(iou[positive] == 0), abs=1e-12)
    for t in (0.5, 0.75, 0.9):
        assert reduced(f"success@{t}") == pytest.approx(np.mean(iou[positive].astype(np.float32) >= np.float32(t)))
    alarms = [pred.any() for pred, target in pairs() if not target.any()]
    assert reduced("false_alarm_rate") == pytest.approx(np.mean(alarms), abs=1e-12)


@pytest.mark.parametrize(
    "name", ["miou", "dice", "precision", "recall", "boundary_iou", "boundary_f", "mae", "box_iou"]
)
def test_positive_only_means_leave_the_others_out(name: str) -> None:
    values = ours(name).astype(float)
    assert reduced(f"{name}_pos") == pytest.approx(values[positives()].mean(), abs=1e-12)
    rows = [c[METRICS[name].family.name] for c in components()]
    assert METRICS[name].count(rows) == PAIRS
    assert METRICS[f"{name}_pos"].count(rows) == positives().sum()


def test_boundary_iou_is_that_of_bands_by_scikit_image() -> None:
    def band(mask: Mask) -> Mask:
        width = band_width(mask.shape)
        padded = np.pad(mask.astype(np.uint8), width)  # background all around
        inner = erosion(padded, np.ones((2 * width + 1, 2 * width + 1), np.uint8))[width:-width, width:-width]
        return np.asarray(mask & ~inner.astype(np.bool_))

    for (pred, target), found in zip(pairs(), components(), strict=True):
        a, b = band(pred), band(target)
        assert (found["boundary"]["intersection"], found["boundary"]["union"]) == ((a & b).sum(), (a | b).sum())


def test_erosion_is_the_repeated_one_of_the_definition() -> None:
    chance = np.random.default_rng(1)
    square = np.ones((3, 3), np.bool_)
    for pred, _ in pairs()[:500]:
        width = int(chance.integers(1, 12))
        padded = np.pad(pred, 1)
        expected = ndimage.binary_erosion(padded, square, iterations=width, border_value=1)[1:-1, 1:-1]
        np.testing.assert_array_equal(eroded(pred.view(np.uint8), width), expected)
    assert [band_width(shape) for shape in ((1, 1), (512, 512), (2048, 2048), (30, 40))] == [1, 14, 58, 1]


def test_box_iou_is_that_of_boxes_by_scikit_image() -> None:
    def box(mask: Mask) -> Mask:
        filled = np.zeros_like(mask)
        if mask.any():
            y0, x0, y1, x1 = regionprops(mask.astype(np.uint8))[0].bbox
            filled[y0:y1, x0:x1] = True
        return filled

    for (pred, target), found in zip(pairs(), components(), strict=True):
        a, b = box(pred), box(target)
        assert (found["box"]["intersection"], found["box"]["union"]) == ((a & b).sum(), (a | b).sum())
        assert Region.of(pred).box == tight_box(pred)
    missed = [not (box(p) & box(t)).any() for p, t in pairs() if t.any()]
    assert reduced("box_miss_rate") == pytest.approx(np.mean(missed), abs=1e-12)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_mae_is_that_of_torchmetrics(kind: type[np.floating[Any]]) -> None:
    import torch
    from torchmetrics.functional.regression import mean_absolute_error

    chance = np.random.default_rng(2)
    for pred, target in pairs() if kind is np.float32 else pairs()[:200]:
        soft = chance.random(pred.shape).astype(kind)
        expected = mean_absolute_error(torch.from_numpy(soft).double(), torch.from_numpy(target).double())
        found = METRICS["mae"].family.measure(pred, target, soft=soft)
        assert METRICS["mae"].value(found) == pytest.approx(float(expected), abs=1e-6)
        assert METRICS["mae"].per_image(soft, target) == found


def test_mae_of_a_mask_alone_takes_the_mask_for_the_map() -> None:
    expected = [np.mean(pred != target) for pred, target in pairs()]
    np.testing.assert_allclose(ours("mae").astype(float), expected, rtol=0, atol=1e-12)


def test_ignored_pixels_are_as_if_they_were_not_there() -> None:
    chance = np.random.default_rng(3)
    for pred, target in pairs():
        ignore = np.asarray(chance.random(pred.shape) < 0.3)
        found = measure_all(ALL, pred, target, ignore)
        p, t = pred[~ignore], target[~ignore]
        assert found["overlap"] == {"tp": (p & t).sum(), "fp": (p & ~t).sum(), "fn": (~p & t).sum(),
                                    "tn": (~p & ~t).sum()}  # fmt: skip
        assert (found["soft"]["abs_error_sum"], found["soft"]["pixels"]) == ((p != t).sum(), p.size)
        cleared = measure_all(ALL, pred & ~ignore, target & ~ignore)
        for family in ("boundary", "contour", "box"):
            assert found[family] == cleared[family]


def test_a_kept_target_and_masks_of_0_and_1_give_the_same() -> None:
    for pred, target in pairs()[:200]:
        kept = Region.of(target.astype(np.uint8))
        expected = measure_all(ALL, pred, target)
        for _ in range(2):
            assert measure_all(ALL, pred.astype(np.uint8), kept) == expected
        views = np.asfortranarray(pred), np.asfortranarray(target)
        assert measure_all(ALL, *views) == expected
        assert measure_all(ALL, pred[::-1, ::-1], target[::-1, ::-1])["overlap"] == expected["overlap"]


def test_counts_stay_exact_on_a_large_picture() -> None:
    full, empty = np.ones((6000, 6000), np.bool_), np.zeros((6000, 6000), np.bool_)
    found = METRICS["miou"].per_image(full, empty)
    assert found == {"tp": 0, "fp": 36_000_000, "fn": 0, "tn": 0}


def test_every_metric_says_what_it_is() -> None:
    assert [name for name in METRICS if not name.endswith("_pos")] == [
        "miou", "iou_pooled", "dice", "precision", "recall", "miss_rate", "success@0.5", "success@0.75", "success@0.9",
        "false_alarm_rate", "il_mcc", "boundary_iou", "boundary_f", "mae", "box_iou", "box_miss_rate", "miou_classes",
        "miou_classes_bg", "max_f", "e_measure", "e_measure_max", "miou_best@test", "adaptive_f", "e_measure_adp",
        "s_measure", "weighted_f",
    ]  # fmt: skip
    assert [name for name in METRICS if name.endswith("_pos")] == [
        "miou_pos", "dice_pos", "precision_pos", "recall_pos", "boundary_iou_pos", "boundary_f_pos", "mae_pos",
        "box_iou_pos", "miou_best@test_pos",
    ]  # fmt: skip
    ranges = {"il_mcc": (-1.0, 1.0), **dict.fromkeys(("e_measure", "e_measure_max", "e_measure_adp"), (0.0, 2.0))}
    for name, metric in METRICS.items():
        assert (metric.name, metric.range) == (name, ranges.get(name, (0.0, 1.0)))
        assert metric.title.endswith(".") and metric.title.count(".") == 1 + metric.title.count("0.")
        assert metric.direction == ("lower" if "miss" in name or "alarm" in name or "mae" in name else "higher")
        assert metric.version == (2 if name == "false_alarm_rate" else 1)


def test_a_metric_of_several_sums_fits_the_type() -> None:
    def mean_of_classes(tops: Any, bottoms: Any) -> Any:
        with np.errstate(invalid="ignore"):
            return np.nanmean(tops / bottoms, axis=-1)

    def terms(c: Components) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return (c["tp"], c["tn"]), (c["tp"] + c["fp"] + c["fn"], c["tn"] + c["fp"] + c["fn"])

    overlap = METRICS["miou"].family
    both = Metric("both", "IoU.", "higher", (0.0, 1.0), "mask", overlap, terms, combine=mean_of_classes)
    target = np.eye(4, dtype=np.bool_)
    assert both.function([target, np.zeros_like(target)], [target, target]) == pytest.approx((4 / 8 + 24 / 28) / 2)
    assert both.columns([overlap.measure(target, target)] * 3)[0].shape == (3, 2)
