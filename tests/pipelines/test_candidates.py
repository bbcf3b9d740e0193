"""Low-resolution maps of candidates at the image's own size: right pixels, bounded memory, right unions."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from pipelines import candidates
from pipelines.candidates import masks_of, prediction_of
from pipelines.types import Evidence, Floats

PADDED = {"canvas": (64, 64), "window": (0, 0, 32, 64)}
"""A picture of 100 x 50 in a square of 64: the left half is picture, the right half is padding."""


def evidence(maps: Floats, size: tuple[int, int], **places: object) -> Evidence:
    return Evidence(size, kind="logit", mask_maps=maps.astype(np.float32), **places)  # type: ignore[arg-type]


def dots(*cells: tuple[int, int]) -> Floats:
    """One map of 16 x 16 for each cell, which alone is positive."""
    maps = np.full((len(cells), 16, 16), -9.0)
    for index, cell in enumerate(cells):
        maps[(index, *cell)] = 9.0
    return maps


def corners(mask: np.ndarray) -> list[bool]:
    return [bool(mask[y, x]) for y in (0, -1) for x in (0, -1)]


def on_device(found: Evidence) -> Evidence:
    """The same maps as torch tensors, as they are left on a device."""
    return Evidence(found.size, "logit", mask_maps=torch.from_numpy(found.mask_maps), canvas=found.canvas,
                    window=found.window)  # fmt: skip


@pytest.mark.parametrize("device", [False, True])
def test_a_padded_map_lands_in_the_corners_of_the_picture(device: bool) -> None:
    found = evidence(dots((0, 0), (0, 7), (15, 0), (15, 7), (0, 15), (15, 15)), (100, 50), **PADDED)
    masks = masks_of(on_device(found) if device else found, range(6))
    for index in range(4):
        assert corners(masks[index]) == [index == corner for corner in range(4)]
        assert 20 < masks[index].sum() < 100  # about one cell of 6.25 pixels
    assert not masks[4:].any()  # what lies in the padding is not of the picture


@pytest.mark.parametrize("device", [False, True])
def test_a_stretched_map_lands_in_the_corners_of_the_picture(device: bool) -> None:
    found = evidence(dots((0, 0), (0, 15), (15, 0), (15, 15)), (100, 50))
    masks = masks_of(on_device(found) if device else found, range(4))
    for index in range(4):
        assert corners(masks[index]) == [index == corner for corner in range(4)]


@pytest.mark.parametrize("size", [(1, 1), (313, 471), (20, 3000), (1200, 800)])
@pytest.mark.parametrize("places", [{}, {"canvas": (1024, 1024), "window": (0, 0, 700, 1024)}])
def test_masks_are_those_of_a_bilinear_resize(size: tuple[int, int], places: dict[str, tuple[int, ...]]) -> None:
    maps = np.random.default_rng(0).normal(size=(3, 64, 64)).astype(np.float32)
    expected = torch.from_numpy(maps)[None]
    if places:
        expected = interpolate(expected, (1024, 1024), mode="bilinear")[..., :1024, :700]
    expected = interpolate(expected, size, mode="bilinear")[0] > 0
    found = evidence(maps, size, **places)
    for masks in (masks_of(found, [0, 1, 2]), masks_of(on_device(found), [0, 1, 2])):
        assert (masks != expected.numpy()).mean() <= 1e-4


def test_few_full_size_maps_are_on_a_device_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = on_device(evidence(np.random.default_rng(0).normal(size=(7, 8, 8)), (30, 40)))
    whole = masks_of(found, range(7))
    monkeypatch.setattr(candidates, "MAX_FLOATS", 2 * 30 * 40)
    assert np.array_equal(masks_of(found, range(7)), whole)


def test_three_hundred_candidates_need_little_more_memory_than_their_masks() -> None:
    found = evidence(np.random.default_rng(0).normal(size=(300, 16, 16)), (400, 300))
    tracemalloc.start()
    masks = masks_of(found, range(300))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert masks.shape == (300, 400, 300)
    assert peak < masks.nbytes + 8 * 4 * 400 * 300  # all maps as floats would be 300 of them


def boxes_drawn(*boxes: tuple[int, int, int, int]) -> Evidence:
    maps = np.full((len(boxes), 32, 32), -5.0)
    for drawn, (x0, y0, x1, y1) in zip(maps, boxes, strict=True):
        drawn[y0:y1, x0:x1] = 5.0
    return evidence(maps, (32, 32))


@pytest.mark.parametrize(
    ("boxes", "area"),
    [
        ((), 0),
        (((4, 4, 8, 8),), 16),
        (((0, 0, 4, 4), (28, 28, 32, 32)), 32),  # far apart
        (((0, 0, 8, 8), (8, 0, 16, 8)), 128),  # touching
        (((0, 0, 8, 8), (4, 0, 12, 8)), 96),  # overlapping
        (tuple((x, y, x + 1, y + 1) for x in range(20) for y in range(15)), 300),
    ],
)
def test_the_union_is_that_of_all_objects(boxes: tuple[tuple[int, int, int, int], ...], area: int) -> None:
    found, n = boxes_drawn(*boxes), len(boxes)
    prediction = prediction_of(found, np.arange(n), np.ones(n, np.float32), np.zeros(n, np.int64))
    assert len(prediction.masks) == n
    assert prediction.foreground().sum() == area
    assert prediction.boxes.tolist() == [list(box) for box in boxes]


def test_small_and_empty_masks_are_no_instances() -> None:
    found = boxes_drawn((0, 0, 8, 8), (0, 0, 0, 0), (9, 9, 11, 11))
    scores, labels = np.array([0.1, 0.2, 0.3], np.float32), np.array([4, 5, 6])
    every = prediction_of(found, [0, 1, 2], scores, labels)
    assert every.labels.tolist() == [4, 6]
    large = prediction_of(found, [0, 1, 2], scores, labels, min_area=5)
    assert large.labels.tolist() == [4]
    assert large.scores.tolist() == pytest.approx([0.1])


def test_the_threshold_is_one_of_logits() -> None:
    found = boxes_drawn((0, 0, 8, 8))
    assert masks_of(found, [0], threshold=4.9).sum() == 64
    assert not masks_of(found, [0], threshold=5.0).any()
    assert masks_of(found, [0], threshold=-5.1).all()
