"""Outlines give back the very mask they were made from, also in other people's programs."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco

from benchmarks.export import outlines
from benchmarks.export.yolo import line
from tests.conftest import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools' decode


def drawn(text: str, height: int, width: int) -> np.ndarray:
    """A line of a label file, filled by pycocotools."""
    values = np.array([float(value) for value in text.split()[1:]]).reshape(-1, 2) * (width, height)
    return coco.decode(coco.frPyObjects([values.ravel().tolist()], height, width))[..., 0].astype(bool)


def blobs(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return cv2.GaussianBlur(rng.random((height, width), np.float32), (0, 0), rng.uniform(0.5, 3)) > rng.uniform(
        0.45, 0.55
    )


def test_random_masks_come_back_pixel_for_pixel() -> None:
    rng, done = np.random.default_rng(0), 0
    while done < 900:
        height, width = (int(n) for n in rng.integers(1, 60, 2))
        kind = done % 3
        mask = (
            blobs(rng, height, width) if kind else rng.random((height, width)) < rng.random()
        )  # noise touches at corners
        if kind == 2:
            mask = mask ^ blobs(rng, height, width)
        if mask.any():
            assert np.array_equal(drawn(line(mask, 0), height, width), mask), (done, height, width)
            done += 1


def ring(radius: int) -> np.ndarray:
    y, x = np.ogrid[:41, :41]
    return (np.hypot(y - 20, x - 20).astype(int) // 4 % 2 == 0) & (np.hypot(y - 20, x - 20) < radius)


SPECIAL = {
    "one pixel": np.ones((1, 1), bool),
    "full": np.ones((7, 9), bool),
    "row": np.array([[1, 0, 1, 1, 0, 1]], bool),
    "column": np.array([[1, 0, 1, 1, 0, 1]], bool).T,
    "chess": np.indices((8, 9)).sum(0) % 2 == 0,
    "other chess": np.indices((8, 9)).sum(0) % 2 == 1,
    "corners": np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1]], bool),
    "hole": np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool),
    "hole at a corner": np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], bool),
    "holes in holes": ring(20),
    "diagonal": np.eye(11, dtype=bool),
    "all but a diagonal": ~np.eye(11, dtype=bool),
    "last pixel": np.arange(63).reshape(7, 9) == 62,
    "wide": np.arange(3000)[None].repeat(2, 0) % 7 == 3,
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_masks_come_back(name: str) -> None:
    mask = SPECIAL[name]
    assert np.array_equal(drawn(line(mask, 0), *mask.shape), mask)


def test_an_empty_mask_has_no_outline() -> None:
    assert outlines.outline(np.zeros((4, 5), bool)).shape == (0, 2)


def test_a_rectangle_has_four_corners_on_whole_numbers() -> None:
    mask = np.zeros((20, 30), bool)
    mask[5:9, 10:25] = True
    assert sorted(map(tuple, outlines.outline(mask).tolist())) == [(10, 5), (10, 9), (25, 5), (25, 9)]
    assert line(mask, 3).startswith("3 0.333333333 0.25 ")


def test_pixels_that_touch_at_a_corner_are_one_part_and_holes_are_not_cut() -> None:
    assert len(outlines.loops(np.eye(5, dtype=bool))) == 1
    assert len(outlines.loops(~np.eye(5, dtype=bool))) == 4  # around it, and three holes


def test_slits_are_short() -> None:
    """Each loop is about as far from the next as loops lie apart, whatever the shape of the picture."""
    for height, width in ((100, 100), (1000, 10), (10, 1000)):
        mask = np.zeros((height, width), bool)
        mask[::10, ::10] = True
        path = outlines.outline(mask)
        assert np.abs(np.diff(path, axis=0)).sum() < 100 * (4 + 2 * 10) * 1.5


SPECKLE = """
import resource, sys, time
import numpy as np
from benchmarks.export.outlines import outline

mask = np.random.default_rng(0).random((1000, 1000)) < float(sys.argv[1])
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
outline(mask)
print(time.monotonic() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize("density", ["0.05", "0.3", "0.5"])
def test_speckle_takes_seconds_and_little_memory(density: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SPECKLE, density], cwd=ROOT, capture_output=True, text=True, check=True
    )
    seconds, mebibytes = (float(value) for value in done.stdout.split())
    assert seconds < 5
    assert mebibytes < 300


def test_speckle_comes_back() -> None:
    mask = np.random.default_rng(0).random((700, 900)) < 0.4
    assert np.array_equal(drawn(line(mask, 0), *mask.shape), mask)


def test_large_corners_survive_nine_digits() -> None:
    mask = np.zeros((2, 60_000), bool)
    mask[1, 59_998:] = mask[0, 31_415] = True
    assert np.array_equal(drawn(line(mask, 0), *mask.shape), mask)
