"""What is empty, failed, undefined or no mask at all; and the pitfalls of others that ours must not share."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.metrics import METRICS, Region, measure_all, measure_failed
from pipelines.errors import ContractError, UsageError
from pipelines.types import Prediction

EMPTY = np.zeros((6, 8), np.bool_)
FULL = np.ones((6, 8), np.bool_)
PART = np.arange(48).reshape(6, 8) < 12
OVERLAPS = ["miou", "dice", "precision", "recall", "box_iou", "boundary_iou", "boundary_f"]
SALIENT = ["max_f", "adaptive_f", "e_measure", "e_measure_max", "e_measure_adp", "s_measure", "weighted_f"]
ALL = list(METRICS.values())


def value(name: str, *pairs: tuple[np.ndarray | None, np.ndarray]) -> float | None:
    return METRICS[name].function([pred for pred, _ in pairs], [target for _, target in pairs])


@pytest.mark.parametrize("name", OVERLAPS)
def test_e1_both_empty_is_1_and_one_empty_is_0(name: str) -> None:
    assert value(name, (EMPTY, EMPTY)) == 1
    assert value(name, (PART, EMPTY)) == 0
    assert value(name, (EMPTY, PART)) == 0
    assert value(name, (PART, PART)) == 1


@pytest.mark.parametrize("target", [EMPTY, PART, FULL])
def test_e2_a_failed_image_is_wrong_whatever_the_target(target: np.ndarray) -> None:
    for name in OVERLAPS:
        assert value(name, (None, target)) == 0
    assert value("mae", (None, target)) == 1
    negative = not target.any()
    for name in ("miss_rate", "box_miss_rate"):
        assert value(name, (None, target)) == (None if negative else 1)
    assert value("success@0.5", (None, target)) == (None if negative else 0)
    assert value("false_alarm_rate", (None, target)) == (1 if negative else None)
    assert value("iou_pooled", (None, target)) == (None if negative else 0)
    for name in SALIENT:
        assert value(name, (None, target)) == (None if negative else 0)
    assert value("miou_best@test", (None, target)) == 0
    assert value("il_mcc", (None, target), (PART, PART), (EMPTY, EMPTY)) == 0.5


def test_e2_a_failed_image_adds_its_target_to_the_pool() -> None:
    assert value("iou_pooled", (PART, PART), (None, FULL)) == 12 / (12 + 48)
    assert measure_failed(ALL, PART)["overlap"] == {"tp": 0, "fp": 0, "fn": 12, "tn": 36, "failed": 1}


def test_e3_the_mean_over_positive_images_stands_beside() -> None:
    pairs = ((EMPTY, EMPTY), (PART, PART), (EMPTY, PART), (FULL, EMPTY), (None, EMPTY))
    assert value("miou", *pairs) == 2 / 5
    assert value("miou_pos", *pairs) == 1 / 2


def test_e4_what_has_no_denominator_is_none() -> None:
    for name, metric in METRICS.items():
        assert metric.reduce([]) is None, name
    for name in ("miss_rate", "success@0.5", "miou_pos", "iou_pooled"):
        assert value(name, (EMPTY, EMPTY)) is None
    assert value("false_alarm_rate", (PART, PART)) is None
    assert METRICS["mae"].function([PART], [PART], [FULL]) is None


def test_a_target_that_is_ignored_altogether_is_empty() -> None:
    found = measure_all(ALL, PART, FULL, FULL)
    assert found["overlap"] == {"tp": 0, "fp": 0, "fn": 0, "tn": 0}
    assert METRICS["miou_pos"].value(found["overlap"]) is None


def test_success_counts_an_iou_that_equals_the_threshold() -> None:
    target = np.arange(100).reshape(10, 10) >= 0
    for t, n in ((0.5, 50), (0.75, 75), (0.9, 90)):
        assert value(f"success@{t}", (np.arange(100).reshape(10, 10) < n, target)) == 1
        assert value(f"success@{t}", (np.arange(100).reshape(10, 10) < n - 1, target)) == 0


def test_components_go_through_json_unchanged() -> None:
    soft = np.full(PART.shape, 0.3, np.float32)
    for found in (measure_all(ALL, PART, FULL, EMPTY, soft), measure_failed(ALL, FULL, PART)):
        assert json.loads(json.dumps(found)) == found


def test_pitfall_1_pooled_and_mean_differ_where_sizes_do() -> None:
    small, large = np.ones((720, 1280), np.bool_), np.ones((2160, 3840), np.bool_)
    pairs = ((small, small), (np.zeros_like(large), large))
    assert value("iou_pooled", *pairs) == pytest.approx(0.10)
    assert value("miou", *pairs) == 0.5


def test_pitfall_2_background_is_not_counted() -> None:
    target = np.arange(100).reshape(10, 10) < 10
    nothing = np.zeros_like(target)
    assert (value("miou", (nothing, target)), value("iou_pooled", (nothing, target))) == (0, 0)


def test_pitfall_3_two_empty_masks_do_not_poison_the_mean() -> None:
    assert value("miou", (EMPTY, EMPTY), (EMPTY, PART)) == 0.5


def test_pitfall_5_ignoring_the_background_would_be_recall() -> None:
    target = np.arange(100).reshape(10, 10) < 20
    assert value("miou", (np.ones_like(target), target)) == pytest.approx(0.2)
    assert value("recall", (np.ones_like(target), target)) == 1


@pytest.mark.parametrize("label", [2, 255])
def test_pitfall_6_a_label_that_is_not_known_is_an_error(label: int) -> None:
    pred = PART.astype(np.uint8)
    pred[0, 0] = label
    with pytest.raises(ContractError, match=f"holds {label}"):
        value("miou", (pred, PART))


def test_pitfall_7_nothing_is_resized() -> None:
    with pytest.raises(ContractError, match="own size"):
        value("miou", (PART[::2, ::2], PART))
    with pytest.raises(ContractError, match="own size"):
        measure_all(ALL, PART, PART, soft=np.zeros((3, 4), np.float32))


def test_pitfall_8_a_faint_map_stays_faint() -> None:
    faint = np.linspace(0, 1e-3, 48, dtype=np.float32).reshape(6, 8)
    assert METRICS["mae"].function([faint], [EMPTY]) == pytest.approx(faint.mean(), abs=1e-9)
    with pytest.raises(ContractError, match="probabilities"):
        METRICS["mae"].function([faint * 1e5], [EMPTY])
    with pytest.raises(ContractError, match="probabilities"):
        METRICS["mae"].function([faint * np.float32(np.nan)], [EMPTY])


def test_pitfall_11_instances_are_joined_not_intersected() -> None:
    left, right = np.zeros((2, 6, 8), np.bool_)
    left[:, :2], right[:, 6:] = True, True
    prediction = Prediction.of(np.stack([left, right]))
    assert value("miou", (prediction.foreground(), left | right)) == 1


def test_pitfall_13_mean_dice_is_not_that_of_the_mean_iou() -> None:
    pairs = ((FULL, FULL), (FULL, PART))
    miou, dice = value("miou", *pairs), value("dice", *pairs)
    assert miou is not None and dice is not None
    assert abs(dice - 2 * miou / (1 + miou)) > 0.03


def test_pitfall_14_a_missing_prediction_is_not_skipped() -> None:
    assert value("miou", (PART, PART), (None, PART)) == 0.5


def test_arguments_that_are_no_masks_are_refused() -> None:
    wrong = [PART.astype(np.float32), PART.astype(np.int64), PART[None], PART[:0], np.True_, "mask"]
    for pred in wrong:
        with pytest.raises(ContractError, match="predicted mask must be bool"):
            measure_all(ALL, pred, PART)  # type: ignore[arg-type]
    for target in wrong:
        with pytest.raises(UsageError, match="target mask must be bool"):
            measure_all(ALL, PART, target)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="ignore mask"):
        measure_all(ALL, PART, PART, PART[:2])
    with pytest.raises(UsageError, match="second ignore mask"):
        measure_all(ALL, PART, Region.of(PART), EMPTY)
    with pytest.raises(UsageError, match="2 predictions, 1 targets"):
        METRICS["miou"].function([PART, PART], [PART])
    with pytest.raises(ContractError, match="predicted mask must be bool"):
        METRICS["miou"].function([PART.astype(np.float32)], [PART])


def test_an_argument_is_never_written_into() -> None:
    pred, target, ignore = PART.copy(), FULL.copy(), PART[:, ::-1].copy()
    for array in (pred, target, ignore):
        array.flags.writeable = False
    soft = np.zeros(PART.shape, np.float32)
    assert measure_all(ALL, pred, target, ignore, soft)["overlap"]["tp"] == np.count_nonzero(pred & ~ignore)


def test_e3_each_mean_over_all_images_stands_beside_that_over_those_with_a_target() -> None:
    alarm = [dict(measure_all(ALL, PART, PART)), dict(measure_all(ALL, PART, EMPTY))]
    for name, metric in METRICS.items():
        rows = [c[metric.family.name] for c in alarm if metric.family.name in c]
        if name.endswith("_pos") or not rows or metric.count(rows) < 2 or name in POOLED:
            continue
        positive = METRICS[f"{name}_pos"]
        assert positive.count(rows) == 1, name
        assert positive.reduce(rows) == pytest.approx(metric.reduce(rows[:1])), name


POOLED = ("iou_pooled", "il_mcc")
"""Sums over all images, to which an empty target adds nothing, or which need both kinds."""


def test_a_perfect_mask_reaches_the_end_of_the_range_and_not_its_last_bit_beyond() -> None:
    for side in range(2, 40):
        mask = np.zeros((side, side + 1), np.bool_)
        mask[: side // 2 + 1] = True
        for name in ("max_f", "adaptive_f"):
            assert METRICS[name].function([mask], [mask]) <= 1  # type: ignore[operator]


def test_e2_a_failed_image_of_which_nothing_counts_is_wrong_too() -> None:
    assert METRICS["mae"].reduce([measure_failed(ALL, PART, FULL)["soft"]]) == 1
