"""Classes and questions: pooled IoU by class, and one vote a text and image."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.metrics import METRICS, Classes, Components, class_metrics, measure_all, measure_failed
from pipelines.errors import ContractError, UsageError

NAMES = ("cat", "dog", "owl")
IGNORED = 255
PAIR = [METRICS["miou_classes"], METRICS["miou_classes_bg"]]
VOTES = [METRICS["il_mcc"], METRICS["false_alarm_rate"]]
Labels = npt.NDArray[np.int64]


def sides(pred: Labels, target: Labels, names: tuple[str, ...] = NAMES) -> Classes:
    """Label maps as masks by class; a class that is nowhere is left out. Label 0 is background."""
    masks = [{name: side == i for i, name in enumerate(names, 1) if (side == i).any()} for side in (pred, target)]
    return Classes(names, *masks)


def measured(pred: Labels, target: Labels, metrics: Any = PAIR, **more: Any) -> dict[str, Any]:
    ignore = target == IGNORED
    wanted = np.where(ignore, 0, target)
    return measure_all(metrics, pred > 0, wanted > 0, ignore, classes=sides(pred, wanted), **more)


def by_histograms(pairs: list[tuple[Labels, Labels]], count: int) -> npt.NDArray[np.float64]:
    """IoU of each class as mmsegmentation counts it: histograms of labels where the target is not 255."""
    both, pred_area, target_area = np.zeros((3, count))
    for pred, target in pairs:
        counted = target != IGNORED
        p, t = pred[counted], target[counted]
        both += np.histogram(p[p == t], bins=count, range=(0, count - 1))[0]
        pred_area += np.histogram(p, bins=count, range=(0, count - 1))[0]
        target_area += np.histogram(t, bins=count, range=(0, count - 1))[0]
    with np.errstate(invalid="ignore"):
        return both / (pred_area + target_area - both)


def label_pairs(chance: np.random.Generator) -> list[tuple[Labels, Labels]]:
    """One to three pictures, in which some classes may be nowhere."""
    found = []
    some = [label for label in range(4) if chance.random() < 0.7] or [0]
    for _ in range(chance.integers(1, 4)):
        shape = tuple(chance.integers(1, 12, 2))
        pred, target = chance.choice(some, shape), chance.choice(some, shape)
        pred = np.where(chance.random(shape) < 0.5, target, pred)
        found.append((pred, np.where(chance.random(shape) < 0.1, IGNORED, target)))
    return found


def rows(pairs: list[tuple[Labels, Labels]]) -> list[Components]:
    return [measured(pred, target)["classes"] for pred, target in pairs]


def test_mean_over_classes_is_that_of_histograms() -> None:
    chance = np.random.default_rng(0)
    for _ in range(2000):
        pairs = label_pairs(chance)
        iou, found = by_histograms(pairs, 4), rows(pairs)
        for name, expected in (("miou_classes", iou[1:]), ("miou_classes_bg", iou)):
            value = METRICS[name].reduce(found)
            if np.isnan(expected).all():
                assert value is None
            else:
                assert value == pytest.approx(np.nanmean(expected), abs=1e-12)


def test_each_class_is_that_of_torchmetrics() -> None:
    import torch
    from torchmetrics.functional.classification import (
        multiclass_jaccard_index,
        multiclass_precision,
        multiclass_recall,
    )

    chance, table = np.random.default_rng(1), class_metrics(NAMES)
    functions = {"iou": multiclass_jaccard_index, "precision": multiclass_precision, "recall": multiclass_recall}
    assert list(table) == ["background", *NAMES]
    for _ in range(700):
        pairs = label_pairs(chance)
        pred, target = (torch.from_numpy(np.concatenate([pair[i].ravel() for pair in pairs])) for i in (0, 1))
        found = rows(pairs)
        for kind, function in functions.items():
            theirs = function(pred, target, num_classes=4, average="none", ignore_index=IGNORED, validate_args=False)
            for metrics, expected in zip(table.values(), theirs.tolist(), strict=True):
                value = metrics[kind].reduce(found)
                assert expected == (0 if value is None else pytest.approx(value, abs=1e-6))  # theirs has no null


def test_pitfall_2_background_counts_only_where_the_name_says_so() -> None:
    target = np.arange(100).reshape(10, 10) < 10
    nothing = rows([(np.zeros((10, 10), np.int64), target.astype(np.int64))])
    assert METRICS["miou_classes"].reduce(nothing) == 0
    assert METRICS["miou_classes_bg"].reduce(nothing) == pytest.approx(0.45)


def test_pitfall_4_a_class_that_is_nowhere_is_left_out() -> None:
    labels = np.array([[0, 1], [1, 1]])
    assert METRICS["miou_classes"].reduce(rows([(labels, labels)])) == 1
    assert METRICS["miou_classes_bg"].reduce(rows([(labels, labels)])) == 1
    nowhere = class_metrics(NAMES)["owl"]
    assert [metric.reduce(rows([(labels, labels)])) for metric in nowhere.values()] == [None, None, None]
    only_background = np.zeros((2, 2), np.int64)
    assert METRICS["miou_classes"].reduce(rows([(only_background, only_background)])) is None
    assert METRICS["miou_classes_bg"].reduce(rows([(only_background, only_background)])) == 1


def test_pitfall_6_a_class_that_the_dataset_does_not_name_is_an_error() -> None:
    full = np.ones((2, 2), np.bool_)
    with pytest.raises(ContractError, match="predicted class 'cow' is none of the dataset's.*cat, dog, owl"):
        measure_all(PAIR, full, full, classes=Classes(NAMES, {"cow": full}, {}))
    with pytest.raises(UsageError, match="target class 'cow'"):
        measure_all(PAIR, full, full, classes=Classes(NAMES, {}, {"cow": full}))
    with pytest.raises(UsageError, match="target class 'cow'"):
        measure_failed(PAIR, full, classes=Classes(NAMES, {"cow": full}, {"cow": full}))
    with pytest.raises(UsageError, match="come twice"):
        measure_all(PAIR, full, full, classes=Classes(("cat", "cat"), {}, {}))
    with pytest.raises(ContractError, match=r"predicted mask of 'cat' is \(1, 2\)"):
        measure_all(PAIR, full, full, classes=Classes(NAMES, {"cat": full[:1]}, {}))
    with pytest.raises(UsageError, match=r"target mask of 'cat' must be bool"):
        measure_all(PAIR, full, full, classes=Classes(NAMES, {}, {"cat": full.astype(np.float32)}))


def test_masks_of_classes_may_overlap_and_background_is_what_is_left() -> None:
    left, top = np.zeros((2, 4, 4), np.bool_)
    left[:, :2], top[:2] = True, True
    found = measure_all(PAIR, left | top, left | top, classes=Classes(("l", "t"), {"l": left}, {"l": left, "t": top}))
    assert found["classes"] == {"intersection": [4, 8, 0], "pred": [8, 8, 0], "target": [4, 8, 8]}
    assert METRICS["miou_classes"].reduce([found["classes"]]) == 1 / 2
    assert METRICS["miou_classes_bg"].reduce([found["classes"]]) == pytest.approx((4 / 8 + 1 + 0) / 3)


def test_a_failed_image_adds_its_targets_and_no_prediction() -> None:
    target = np.array([[0, 1, 1, 2]])
    found = measure_failed(PAIR, target > 0, classes=sides(target, target))["classes"]
    assert found == {"intersection": [0] * 4, "pred": [0] * 4, "target": [1, 2, 1, 0], "failed": 1}
    assert METRICS["miou_classes"].reduce([*rows([(target, target)]), found]) == 1 / 2


def test_without_classes_the_family_is_left_out() -> None:
    full = np.ones((2, 2), np.bool_)
    assert measure_all(PAIR, full, full) == measure_failed(PAIR, full) == {}
    assert METRICS["miou_classes"].per_image(full, full) == {}
    assert METRICS["miou_classes"].function([full, None], [full, full]) is None
    known = rows([(np.eye(2, dtype=np.int64), np.eye(2, dtype=np.int64))])
    assert METRICS["miou_classes"].count([*known, {}]) == 1


def test_a_class_called_background_keeps_its_name() -> None:
    table = class_metrics(("background", "cat"))
    components = {"intersection": [1, 2, 3], "pred": [4, 4, 4], "target": [4, 4, 4]}
    assert list(table) == ["background", "cat"]
    assert table["background"]["precision"].value(components) == 2 / 4
    assert table["cat"]["recall"].value(components) == 3 / 4
    assert table["cat"]["iou"].title == "IoU of cat, over all images together."


def test_components_of_classes_go_through_json_unchanged() -> None:
    labels = np.array([[0, 1, 2, IGNORED]])
    found = measured(labels % IGNORED, labels, list(METRICS.values()), absent=[True])
    assert json.loads(json.dumps(found)) == found


def test_mcc_is_that_of_torchmetrics() -> None:
    import torch
    from torchmetrics.functional.classification import binary_matthews_corrcoef

    chance = np.random.default_rng(2)
    held = 0
    for _ in range(2000):
        asked, found = chance.random((2, int(chance.integers(2, 12)))) < chance.random((2, 1))
        wanted, pred = (np.pad(side[:, None, None], ((0, 0), (0, 1), (0, 0))) for side in (asked, found))
        value = METRICS["il_mcc"].function(list(pred), list(wanted))
        if asked.all() or not asked.any():
            assert value is None
        elif found.all() or not found.any():
            assert value == 0
        else:
            held += 1
            expected = binary_matthews_corrcoef(torch.from_numpy(found).int(), torch.from_numpy(asked).int())
            assert value == pytest.approx(float(expected), abs=1e-6)
    assert held > 800


def test_a_vote_for_each_class_and_each_text_that_is_absent() -> None:
    pred, target = np.array([[1, 1, 2, 0]]), np.array([[1, 0, 0, 3]])
    found = measured(pred, target, VOTES, absent=[True, False, False])["presence"]
    assert found == {"tp": 1, "fp": 2, "fn": 1, "tn": 2}
    assert METRICS["false_alarm_rate"].reduce([found]) == 2 / 4
    assert METRICS["il_mcc"].reduce([found]) == 0
    union = measure_all(VOTES, pred > 0, target > 0, absent=[True])["presence"]
    assert union == {"tp": 1, "fp": 1, "fn": 0, "tn": 0}
    hidden = np.array([[IGNORED, 1, 1, 1]])  # class 2 is predicted under ignored pixels alone
    assert measured(np.array([[2, 1, 1, 1]]), hidden, VOTES)["presence"] == {"tp": 1, "fp": 0, "fn": 0, "tn": 2}


def test_e2_a_failed_image_gives_every_wrong_answer() -> None:
    target = np.array([[1, 0, 0, 3]])
    found = measure_failed(VOTES, target > 0, classes=sides(target, target), absent=2)["presence"]
    assert found == {"tp": 0, "fp": 3, "fn": 2, "tn": 0, "failed": 1}
    assert METRICS["il_mcc"].reduce([found]) == -1
    right = {"tp": 2, "fp": 0, "fn": 0, "tn": 3}
    assert METRICS["il_mcc"].reduce([found, right]) == pytest.approx((2 * 3 - 3 * 2) / 25)
    assert METRICS["false_alarm_rate"].reduce([found, right]) == 1 / 2
