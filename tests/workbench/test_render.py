"""Pictures: what each pixel of an overlay, a cut-out, a soft map and a wipe is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipelines.errors import ContractError, ParameterError
from tests.benchmarks.exporting import disc
from workbench.views.render import (
    COLOURS,
    cut_out,
    mask_picture,
    overlay,
    rgb,
    soft_picture,
    wipe,
)

SIZE = (60, 80)
IMAGE = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
MASK = disc(SIZE, 40, 30, 15)
BLUE, ORANGE = (0, 114, 178), (230, 159, 0)


def edge(mask: np.ndarray) -> np.ndarray:
    """Pixels within one of the edge, on both sides; an edge of the picture counts."""
    block, padded = np.ones((3, 3), np.uint8), np.pad(mask.astype(np.uint8), 1)
    return (cv2.dilate(padded, block) != cv2.erode(padded, block))[1:-1, 1:-1]


def luminance(colours: np.ndarray) -> np.ndarray:
    """Relative, of sRGB (WCAG 2.2)."""
    value = colours.astype(float) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


@pytest.mark.parametrize("opacity", [0.0, 0.4, 1.0])
def test_an_overlay_mixes_the_colour_of_the_label_and_leaves_the_rest(opacity: float) -> None:
    before = IMAGE.copy()
    for label, colour in ((0, BLUE), (1, ORANGE), (8, ORANGE)):
        shown = overlay(IMAGE, MASK[None], [label], opacity)
        inside, outside = MASK & ~edge(MASK), ~MASK & ~edge(MASK)
        mixed = IMAGE[inside] * (1 - opacity) + np.array(colour) * opacity
        assert np.abs(shown[inside] - mixed).max() <= 1
        assert np.array_equal(shown[outside], IMAGE[outside])
        assert shown.dtype == np.uint8
    assert np.array_equal(IMAGE, before)


def test_an_outline_is_in_the_colour_inside_and_black_and_white_outside() -> None:
    for label in range(8):
        shown = overlay(IMAGE, MASK[None], [label], 0)
        assert (shown[edge(MASK) & MASK] == rgb(COLOURS[label % 7])).all()
        rim = shown[edge(MASK) & ~MASK]
        assert np.isin(rim, (0, 255)).all()
        black = (rim == 0).all(axis=1).mean()
        assert black == 0 if label % 4 == 0 else 0.25 < black < 0.75


def test_labels_differ_without_colour() -> None:
    rims = {overlay(IMAGE, MASK[None], [label], 0.5)[edge(MASK) & ~MASK].tobytes() for label in range(4)}
    assert len(rims) == 4


def test_of_masks_that_overlap_the_smaller_lies_on_top_whatever_the_order() -> None:
    small = disc(SIZE, 40, 30, 6)
    one = overlay(IMAGE, np.stack((MASK, small)), [0, 1], 1)
    other = overlay(IMAGE, np.stack((small, MASK)), [1, 0], 1)
    assert np.array_equal(one, other)
    assert tuple(one[30, 40]) == ORANGE
    assert tuple(one[30, 50]) == BLUE


def test_an_edge_of_the_picture_is_an_edge_of_the_mask() -> None:
    shown = overlay(IMAGE, np.ones((1, *SIZE), np.bool_), [0], 0)
    frame = np.pad(np.zeros((SIZE[0] - 2, SIZE[1] - 2), np.bool_), 1, constant_values=True)
    assert (shown[frame] == BLUE).all()
    assert np.array_equal(shown[~frame], IMAGE[~frame])


def test_nothing_found_is_the_picture_itself() -> None:
    none = np.zeros((0, *SIZE), np.bool_)
    assert np.array_equal(overlay(IMAGE, none, [], 0.5), IMAGE)
    assert np.array_equal(overlay(IMAGE, np.zeros((1, *SIZE), np.bool_), [0], 0.5), IMAGE)
    assert overlay(IMAGE, none, [], 0.5) is not IMAGE


def test_lines_grow_with_the_picture() -> None:
    mask = np.zeros((1000, 2000), np.bool_)
    mask[300:700, 800:1200] = True
    shown = overlay(np.full((1000, 2000, 3), 99, np.uint8), mask[None], [0], 0)
    row = shown[500, 1180:1230]
    assert (row == BLUE).all(axis=1).sum() == 4
    assert (row == 255).all(axis=1).sum() == 4


def test_a_mask_is_white_on_black() -> None:
    shown = mask_picture(MASK)
    assert shown.shape == (*SIZE, 3)
    assert np.array_equal(shown, np.where(MASK, 255, 0)[..., None].repeat(3, axis=2))


def test_a_cut_out_of_a_mask_is_transparent_and_wiped_outside() -> None:
    shown = cut_out(IMAGE, MASK)
    assert shown.shape == (*SIZE, 4)
    assert np.array_equal(shown[..., 3], np.where(MASK, 255, 0))
    assert np.array_equal(shown[MASK][:, :3], IMAGE[MASK])
    assert not shown[~MASK].any()


@pytest.mark.parametrize(("background", "colour"), [
    ("white", (255, 255, 255)), ("black", (0, 0, 0)), ("#cc79a7", (204, 121, 167)), ("#00FF00", (0, 255, 0)),
])  # fmt: skip
def test_a_cut_out_lies_on_a_colour(background: str, colour: tuple[int, int, int]) -> None:
    shown = cut_out(IMAGE, MASK, background)
    assert np.array_equal(shown[MASK], IMAGE[MASK])
    assert (shown[~MASK] == colour).all()
    soft = np.linspace(0, 1, MASK.size, dtype=np.float32).reshape(SIZE)
    alpha = np.floor(soft * 255)[..., None] / 255
    exact = IMAGE * alpha + np.array(colour) * (1 - alpha)
    mixed = cut_out(IMAGE, soft, background)
    assert np.abs(mixed - exact).max() <= 0.5 + 1e-9
    assert mixed.dtype == np.uint8


def test_a_checkerboard_has_squares_of_two_greys() -> None:
    ground = cut_out(np.zeros((64, 128, 3), np.uint8), np.zeros((64, 128), np.bool_), "checker")
    assert set(np.unique(ground)) == {204, 255}
    assert (ground[:4, :4] == ground[0, 0]).all()
    assert (ground[0, 0] != ground[0, 4]).all()
    assert (ground[0, 0] != ground[4, 0]).all()
    assert (ground[0, 0] == ground[4, 4]).all()
    large = cut_out(np.zeros((1000, 4000, 3), np.uint8), np.zeros((1000, 4000), np.bool_), "checker")
    assert (large[:62, :62] == large[0, 0]).all()


@pytest.mark.parametrize("background", ["", "green", "#fff", "#gggggg", "#0072b2;}", "rgb(0,0,0)", "<script>"])
def test_other_backgrounds_are_refused(background: str) -> None:
    with pytest.raises(ParameterError, match="no background"):
        cut_out(IMAGE, MASK, background)
    with pytest.raises(ParameterError, match="not a colour"):
        rgb(background)


def test_a_soft_cut_out_keeps_the_colours_that_are_seen() -> None:
    soft = np.zeros(SIZE, np.float32)
    soft[10:20], soft[20:30], soft[30:40] = 0.5, 1.0, 0.001
    shown = cut_out(IMAGE, soft)
    assert [shown[row, 0, 3] for row in (0, 15, 25, 35)] == [0, 127, 255, 0]
    assert np.array_equal(shown[10:30, :, :3], IMAGE[10:30])
    assert not shown[30:].any()


def test_a_soft_map_grows_lighter_in_even_steps() -> None:
    ramp = (np.arange(256, dtype=np.float32)[None] + 0.5).repeat(2, axis=0).clip(0, 255) / 255
    shown = soft_picture(ramp)
    light = np.cbrt(luminance(shown[0]))  # as CIE lightness
    assert (np.diff(light) > -1e-3).all()
    steps = np.diff(light[::32])
    assert steps.max() < 2 * steps.min()
    assert (shown[0, 0], shown[0, -1])[1][0] > 200 > 60 > shown[0, 0].max() - 30
    grey = soft_picture(ramp, "grey")
    assert np.array_equal(grey[0, :, 0], np.arange(256))
    assert (np.ptp(grey, axis=2) == 0).all()


def test_a_wipe_is_one_left_and_the_other_right_of_a_line() -> None:
    after = 255 - IMAGE
    shown = wipe(IMAGE, after, 0.25)
    assert np.array_equal(shown[:, :18], IMAGE[:, :18])
    assert np.array_equal(shown[:, 22:], after[:, 22:])
    assert (shown[:, 19:21] == 255).all()
    assert (shown[:, [18, 21]] == 0).all()
    assert np.array_equal(wipe(IMAGE, after, 0), after)
    assert np.array_equal(wipe(IMAGE, after, 1), IMAGE)
    assert np.array_equal(wipe(IMAGE, after, 0.001), after)


def test_wrong_sizes_and_shares_are_refused() -> None:
    for call in (
        lambda: overlay(IMAGE, MASK[None, 1:], [0], 0.5),
        lambda: cut_out(IMAGE[1:], MASK),
        lambda: wipe(IMAGE, IMAGE[:, 1:], 0.5),
    ):
        with pytest.raises(ContractError):
            call()
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(ParameterError):
            overlay(IMAGE, MASK[None], [0], share)
        with pytest.raises(ParameterError):
            wipe(IMAGE, IMAGE, share)


def test_neighbouring_colours_differ_for_everybody() -> None:
    colours = np.array([rgb(colour) for colour in COLOURS])
    assert len(set(COLOURS)) == 7
    assert (np.abs(np.diff(luminance(colours))) > 0.03).all()
