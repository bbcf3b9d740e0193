"""What is measured of masks, against scikit-image, scipy and numpy by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import ndimage
from skimage import measure

from benchmarks.datasets import Truth
from benchmarks.profile.alignment import fit_of
from benchmarks.profile.masks import MaskLook, grid_of, measure_masks, object_contrast
from benchmarks.profile.outlines import outlines_of
from benchmarks.profile.pictures import reduced
from benchmarks.profile.polarity import NAMES, sides_of
from tests.benchmarks.copies import mask as disc
from tests.benchmarks.copies import picture


def look(truth: Truth) -> MaskLook:
    return measure_masks(truth, reduced(truth.union().astype(np.uint8) * 255))


def drawn(seed: int = 0, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return cv2.GaussianBlur(rng.random(size).astype(np.float32), (0, 0), 3) > 0.51


@pytest.mark.parametrize("seed", range(40))
def test_parts_and_holes_are_those_of_connected_components(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = tuple(rng.integers(1, 40, 2))
    mask = (rng.random(size) < rng.random()) if seed % 2 else drawn(seed, size)
    found = outlines_of(mask.astype(np.uint8))
    labels, n = ndimage.label(mask, np.ones((3, 3)))
    assert sorted(found.areas) == sorted(np.bincount(labels.ravel(), minlength=n + 1)[1:])
    ground, _ = ndimage.label(~mask)
    edge = set(np.unique(np.concatenate([ground[0], ground[-1], ground[:, 0], ground[:, -1]])))
    assert len(found.holes) == len(set(np.unique(ground)) - edge - {0})


def test_amounts() -> None:
    mask, ignore = np.zeros((100, 200), bool), np.zeros((100, 200), bool)
    mask[10:30, 10:30], mask[50:60, 100:110], ignore[:10] = True, True, True
    numbers = look(Truth({"a": mask}, ignore)).numbers
    assert numbers["area_share"] == 500 / (20_000 - 2_000)
    assert (numbers["objects"], numbers["ignore_share"]) == (2, 0.1)
    assert numbers["largest_object_share"] == 400 / 500
    assert numbers["object_area_px"] == 250
    assert numbers["object_side_share"] == np.sqrt(250 / 20_000)


@pytest.mark.parametrize("seed", range(5))
def test_shape_against_scikit_image(seed: int) -> None:
    mask = np.kron(drawn(seed, (48, 64)), np.ones((12, 12), bool))
    numbers = look(Truth({"a": mask})).numbers
    regions = measure.regionprops(measure.label(mask, connectivity=2))
    hulls = sum(region.area_convex for region in regions)
    assert numbers["convexity"] == pytest.approx(
        sum(region.area_filled for region in regions) / hulls, abs=0.03
    )  # of outlines through the centres of pixels
    assert numbers["holes"] == sum(1 - region.euler_number for region in regions)
    inner = ndimage.binary_erosion(mask, border_value=1)
    assert numbers["boundary_px"] == np.count_nonzero(mask & ~inner)
    frame = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
    assert numbers["border_share"] == pytest.approx(frame.mean())
    assert numbers["touches_border"] == frame.any()
    y, x = ndimage.center_of_mass(mask)
    assert numbers["centre_x"] == pytest.approx((x + 0.5) / mask.shape[1], abs=0.005)
    assert numbers["centre_y"] == pytest.approx((y + 0.5) / mask.shape[0], abs=0.005)


def test_compactness_of_discs_and_bars() -> None:
    round_, bar = disc((400, 400)), np.zeros((400, 400), bool)
    bar[200:204] = True
    assert look(Truth({"a": round_})).numbers["compactness"] == pytest.approx(0.9, abs=0.03)  # pixels have corners
    assert look(Truth({"a": bar})).numbers["compactness"] < 0.05


def test_grid_is_the_mean_of_cells() -> None:
    mask = np.kron(np.random.default_rng(0).random((64, 96)) < 0.5, np.ones((2, 2), bool))
    wanted = mask.reshape(32, 4, 32, 6).mean(axis=(1, 3))
    assert np.allclose(grid_of(mask.astype(np.uint8) * 255), wanted)
    assert np.allclose(look(Truth({"a": mask})).shares, wanted, atol=0.02)
    assert grid_of(np.full((5, 9), 255, np.uint8)).min() == pytest.approx(1)


def test_classes_and_size_classes() -> None:
    cat, dog = np.zeros((200, 200), bool), np.zeros((200, 200), bool)
    cat[:31, :33], cat[100:196, 100:196], dog[50:100, 50:100], dog[190:, :5] = True, True, True, True
    found = look(Truth({"cat": cat, "dog": dog, "bird": np.zeros((200, 200), bool)}))
    assert found.classes == {"cat": (2, 31 * 33 + 96 * 96), "dog": (2, 2500 + 50)}
    assert found.sizes.tolist() == [[2, 1, 1], [1, 2, 1]]
    assert found.pixels == 40_000


def test_an_empty_mask_has_no_shape() -> None:
    found = look(Truth({"a": np.zeros((40, 40), bool)}))
    assert found.numbers == {"area_share": 0, "objects": 0, "ignore_share": 0}
    assert not found.classes


def test_specks_and_pinholes() -> None:
    mask = disc((200, 200)).copy()
    mask[5:7, 20:180:20] = True
    mask[100, 80:120:10] = False
    mask[0, 0] = True  # at the edge it may be part of something
    numbers = look(Truth({"a": mask})).numbers
    assert (numbers["specks"], numbers["pinholes"]) == (8, 4)


def test_object_contrast_by_hand() -> None:
    image, inside = picture(3), disc()
    means = image[inside].mean(axis=0), image[~inside].mean(axis=0)
    found = object_contrast(inside.astype(np.uint8), image)["object_contrast"]
    assert found == pytest.approx(np.linalg.norm(means[0] - means[1]) / 255 / np.sqrt(3), rel=1e-6)
    assert object_contrast(np.ones((96, 128), np.uint8), image) == {}


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (12, 0), (-9, 8)])
def test_fit_finds_where_the_outline_belongs(dx: int, dy: int) -> None:
    grey = cv2.cvtColor(picture(1), cv2.COLOR_RGB2GRAY)
    moved = np.roll(disc(), (dy, dx), (0, 1)).astype(np.uint8) * 255
    found = fit_of(moved, grey)
    assert found is not None
    assert (found.dx, found.dy) == pytest.approx((-dx / 128, -dy / 96), abs=0.015)
    assert found.best > 0.5
    assert found.here < 0.3 or (dx, dy) == (0, 0)


def test_fit_without_an_outline() -> None:
    assert fit_of(np.zeros((96, 128), np.uint8), np.zeros((96, 128), np.uint8)) is None


def test_sides_turn_their_sign() -> None:
    image, inside = picture(2), disc().astype(np.uint8) * 255
    first, second = sides_of(inside, image), sides_of(255 - inside, image)
    assert tuple(first) == NAMES
    for name in NAMES:
        assert first[name] == pytest.approx(-second[name], abs=1e-6)
    assert sides_of(np.zeros((96, 128), np.uint8), image) == {}
