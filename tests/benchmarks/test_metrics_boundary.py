"""The F-measure of contours against discs by scikit-image and distances by scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import dilation, disk

from benchmarks.metrics import METRICS, Region
from benchmarks.metrics.outline import Outline, Words, dilated, packed, reach_of
from benchmarks.peers import outlines
from tests.benchmarks.golden.pairs import Mask, mask, pairs

F = METRICS["boundary_f"]


def contour(mask: Mask) -> Mask:
    """Pixel by pixel: does the one to the right, below, or below to the right differ?"""
    found = np.zeros_like(mask)
    for dy, dx in ((0, 1), (1, 0), (1, 1)):
        height, width = mask.shape[0] - dy, mask.shape[1] - dx
        found[:height, :width] |= mask[:height, :width] != mask[dy:, dx:]
    return found


def by_disc(pred: Mask, target: Mask) -> float:
    """The definition, with scikit-image's dilation."""
    a, b = contour(pred), contour(target)
    if not a.any() or not b.any():
        return float(a.any() == b.any())
    disc = disk(max(1, math.ceil(0.008 * math.hypot(*pred.shape))))
    near_a, near_b = (dilation(side.astype(np.uint8), disc).astype(np.bool_) for side in (a, b))
    precision, recall = (a & near_b).sum() / a.sum(), (b & near_a).sum() / b.sum()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def test_boundary_iou_is_that_of_run_lengths_by_faster_coco_eval() -> None:
    pytest.importorskip("faster_coco_eval")
    held = 0
    for pred, target in pairs():
        if pred.any() and target.any() and min(pred.shape) > 2:  # below, its two backends differ from each other
            expected = outlines.by_runs(pred, target)
            assert METRICS["boundary_iou"].function([pred], [target]) == pytest.approx(expected, abs=1e-12)
            held += 1
    assert held > 600


def unpacked(words: Words, width: int) -> Mask:
    octets = words.astype("<u8").view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little")[:, :width].astype(np.bool_)


def test_boundary_f_is_that_of_discs_by_scikit_image() -> None:
    for pred, target in pairs():
        assert F.value(F.per_image(pred, target)) == by_disc(pred, target)


def test_boundary_f_is_that_of_discs_on_larger_pictures_too() -> None:
    chance = np.random.default_rng(5)
    for reach in (2, 3, 4, 5):
        for _ in range(4):
            height = int(chance.integers(60, 300))
            width = math.isqrt(int((reach / 0.008 - 2) ** 2) - height**2 if reach > 2 else 200**2 - 1)
            pred, target = mask(chance, (height, width)), mask(chance, (height, width))
            assert F.value(F.per_image(pred, target)) == by_disc(pred, target)


def test_contours_as_words_are_those_of_the_definition() -> None:
    for pred, _ in pairs():
        outline = Outline.of(pred.view(np.uint8))
        np.testing.assert_array_equal(unpacked(outline.words, pred.shape[1]), contour(pred))
        assert outline.area == contour(pred).sum()
        np.testing.assert_array_equal(unpacked(packed(pred.view(np.uint8)), pred.shape[1]), pred)


def test_dilation_reaches_as_far_as_the_euclidean_distance() -> None:
    chance = np.random.default_rng(6)
    for index in range(400):
        height, width = (int(side) for side in chance.integers(1, 200, 2))
        points = chance.random((height, width)) < chance.random() ** 4
        radius = int(chance.integers(1, 12) if index % 4 else chance.integers(60, 140))
        expected = ndimage.distance_transform_edt(~points) <= radius if points.any() else points
        np.testing.assert_array_equal(unpacked(dilated(packed(points.view(np.uint8)), radius), width), expected)


@pytest.mark.parametrize(
    ("shape", "reach"), [((1, 1), 1), ((88, 88), 1), ((89, 89), 2), ((512, 512), 6), ((2048, 2048), 24)]
)
def test_a_hit_lies_within_a_share_of_the_diagonal(shape: tuple[int, int], reach: int) -> None:
    assert reach_of(shape) == reach


def test_a_mask_that_fills_the_picture_has_no_contour() -> None:
    full, empty = np.ones((20, 20), np.bool_), np.zeros((20, 20), np.bool_)
    part = np.eye(20, dtype=np.bool_)
    assert F.function([full], [empty]) == F.function([full], [full]) == F.function([empty], [full]) == 1
    assert F.function([full], [part]) == F.function([part], [full]) == 0


def test_a_kept_target_is_traced_once() -> None:
    target = Region.of(np.eye(40, dtype=np.bool_))
    first = F.per_image(np.eye(40, k=1, dtype=np.bool_), target)
    near = target.outline.near
    assert F.per_image(np.eye(40, k=1, dtype=np.bool_), target) == first
    assert target.outline.near is near
    assert F.value(first) == 1
    assert F.value(F.per_image(np.eye(40, k=10, dtype=np.bool_), target)) == 0
