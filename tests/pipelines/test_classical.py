"""The classical pipeline: what it finds, what each knob does, and what it must bear."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data

from pipelines import create
from pipelines.base import Pipeline
from pipelines.classical.instances import divided
from pipelines.classical.regions import morphed
from pipelines.params import Knob, Params, knobs, make_params
from pipelines.types import Evidence, Image, Mask, Prediction, Prompt

GREY = {"method": "otsu", "clahe_tiles": 0, "blur_kernel": 1, "grabcut_iterations": 0}


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with create("classical") as made:
        yield made


def predicted(pipeline: Pipeline, image: Image, **values: Any) -> Prediction:
    """What the pipeline says with some fields changed."""
    return pipeline.predict([image], [Prompt()], make_params(pipeline.Params, values))[0]


def iou(pred: Mask, target: Mask) -> float:
    return np.count_nonzero(pred & target) / np.count_nonzero(pred | target)


def drawn(*shapes: tuple[int, int, int], size: tuple[int, int] = (200, 300)) -> Mask:
    """Discs given as x, y, radius."""
    mask = np.zeros(size, np.uint8)
    for x, y, radius in shapes:
        cv2.circle(mask, (x, y), radius, 1, -1)
    return mask > 0


def painted(mask: Mask, ground: Image | None = None, colour: tuple[int, int, int] = (170, 60, 40)) -> Image:
    """A mask in one colour, with a little noise and a slope of light, on plain paper or another ground."""
    height, width = mask.shape
    light = np.linspace(1, 0.8, width)[None, :, None]
    base = np.full((height, width, 3), (225, 222, 210)) if ground is None else ground
    noise = np.random.default_rng(0).normal(0, 2, (height, width, 1))
    image = np.where(mask[..., None], np.array(colour), base) * light + noise
    return np.asarray(cv2.GaussianBlur(np.clip(image, 0, 255).astype(np.uint8), (3, 3), 0), np.uint8)


def texture(name: str, tint: tuple[float, float, float], size: tuple[int, int]) -> Image:
    grey = cv2.resize(getattr(skimage.data, name)(), size[::-1], interpolation=cv2.INTER_AREA)
    return np.clip(grey[..., None] * np.array(tint), 0, 255).astype(np.uint8)


TWO = drawn((100, 100, 45), (180, 100, 45))
RING = drawn((150, 100, 70)) & ~drawn((150, 100, 35))
TRIANGLE = cv2.fillPoly(np.zeros((200, 300), np.uint8), [np.array([[60, 30], [250, 90], [110, 180]])], 1) > 0
CUT = drawn((0, 60, 60), (300, 150, 70), (150, 100, 40), (160, 210, 45))


@pytest.mark.parametrize(
    ("target", "ground"),
    [
        (drawn((100, 100, 50)), None),
        (TRIANGLE, None),
        (RING, None),
        (CUT, None),
        (TRIANGLE, texture("grass", (0.6, 0.9, 0.35), (200, 300))),
        (drawn((170, 90, 55)), texture("gravel", (0.9, 0.9, 0.85), (200, 300))),
        (TRIANGLE, texture("brick", (0.35, 0.5, 0.9), (200, 300))),
    ],
    ids=["disc", "triangle", "ring", "cut by the border", "grass", "gravel", "brick"],
)
def test_finds_objects_of_any_shape(pipeline: Pipeline, target: Mask, ground: Image | None) -> None:
    assert iou(predicted(pipeline, painted(target, ground)).foreground(), target) > 0.93


def test_a_soft_shadow_is_not_the_object(pipeline: Pipeline) -> None:
    target = drawn((140, 100, 50))
    shadow = cv2.GaussianBlur(np.roll(target, 8, (0, 1)).astype(np.float32), (0, 0), 6)[..., None] * 0.3
    ground = (np.array([225, 222, 210]) * (1 - shadow)).astype(np.uint8)
    assert iou(predicted(pipeline, painted(target, ground)).foreground(), target) > 0.93


def test_light_objects_on_dark_cloth_and_the_other_way_round(pipeline: Pipeline) -> None:
    target = drawn((100, 100, 50))
    cloth = np.full((200, 300, 3), (25, 27, 40), np.uint8)
    assert iou(predicted(pipeline, painted(target, cloth, (200, 200, 190))).foreground(), target) > 0.93
    assert iou(predicted(pipeline, painted(target, None, (40, 40, 42))).foreground(), target) > 0.93


def test_objects_of_the_colour_of_a_textured_ground_are_found_by_their_grain(pipeline: Pipeline) -> None:
    target, ground = drawn((110, 100, 55), (230, 80, 35)), texture("gravel", (0.9, 0.9, 0.85), (200, 300))
    image = painted(target, ground, (135, 135, 127))
    assert iou(predicted(pipeline, image).foreground(), target) > 0.75
    assert not predicted(pipeline, image, coarse_distance=0.0).foreground().any()
    assert not predicted(pipeline, painted(np.zeros_like(target), ground)).foreground().any()


def test_a_dark_corner_is_not_an_object_and_what_is_cut_by_the_border_is(pipeline: Pipeline) -> None:
    target = drawn((110, 100, 45), (0, 190, 40))
    y, x = np.mgrid[:200, :300]
    shade = 1 - 0.6 / (1 + np.exp((np.hypot(300 - x, y) - 90) / 12))
    image = (painted(target) * shade[..., None]).astype(np.uint8)
    assert iou(predicted(pipeline, image).foreground(), target) > 0.93
    assert predicted(pipeline, image, edge_contrast=0.0).foreground()[5, 295]


def test_real_coins_on_an_uneven_ground(pipeline: Pipeline) -> None:
    grey = skimage.data.coins()
    found = predicted(pipeline, cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), instances="components")
    assert grey[found.foreground()].mean() > grey[~found.foreground()].mean() + 40
    assert 12 <= len(found.masks) <= 30


@pytest.mark.parametrize("method", ["border", "otsu", "adaptive", "canny"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2), (20, 3000), (3000, 3), (64, 65)])
@pytest.mark.parametrize("fill", [0, 255, None])
def test_any_picture_gives_a_normal_prediction(
    pipeline: Pipeline, method: str, shape: tuple[int, int], fill: int | None
) -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (*shape, 3), np.uint8) if fill is None else np.full((*shape, 3), fill, np.uint8)
    for instances in ("one", "components", "distance", "watershed"):
        found = predicted(pipeline, image, method=method, instances=instances, min_area=0.0)
        assert found.size == shape
        assert found.masks.any(axis=(1, 2)).all()
        assert ((found.scores >= 0) & (found.scores <= 1)).all()
        if fill is not None and method != "adaptive":
            assert not found.foreground().any()


def test_equal_input_gives_equal_masks(pipeline: Pipeline) -> None:
    image = painted(CUT, texture("gravel", (1, 0.9, 0.8), (200, 300)))
    first = predicted(pipeline, image)
    cv2.setRNGSeed(12345)
    with create("classical") as other:
        assert np.array_equal(predicted(other, image.copy()).masks, first.masks)
    assert np.array_equal(predicted(pipeline, image).masks, first.masks)


# Every knob changes something, for a value and a setting in which it is read.
CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "method": ("otsu", {}),
    "brightness_alpha": (1.3, {}),
    "brightness_beta": (-60.0, {"method": "canny"}),
    "clahe_clip": (9.0, {"method": "otsu"}),
    "clahe_tiles": (3, {"method": "otsu"}),
    "sharpen": ("kernel", {"method": "canny"}),
    "blur_kernel": (15, {"method": "canny"}),
    "blur_sigma": (4.0, {"method": "canny"}),
    "blur_first": (True, {"method": "canny", "sharpen": "kernel"}),
    "canny_low": (150.0, {"method": "canny"}),
    "canny_high": (250.0, {"method": "canny"}),
    "fill_contours": (False, {"method": "canny"}),
    "adaptive_block": (31, {"method": "adaptive"}),
    "adaptive_offset": (-20.0, {"method": "adaptive"}),
    "invert": ("yes", {"method": "otsu"}),
    "grabcut_colour": ("rgb", {}),
    "guided_radius": (0, {}),
    "threshold": (0.9, {}),
    "mask_kernel": (31, {}),
    "mask_sigma_x": (0.0, {"mask_kernel": 31}),
    "mask_sigma_y": (0.5, {"mask_kernel": 31}),
    "refill": (True, {"mask_kernel": 5}),
    "closing": (0.08, {}),
    "max_hole": (1.0, {}),
    "opening": (0.1, {}),
    "min_area": (0.06, {}),
    "largest": (1, {}),
    "instances": ("one", {}),
    "split_depth": (0.9, {"instances": "watershed"}),
    "work_size": (100, {}),
    "border_width": (0.4, {"interior_weight": 0.0}),
    "surface_order": (0, {}),
    "grabcut_iterations": (0, {}),
    "cut_high": (0.5, {"cut_low": 0.3, "cut_bias": 0.4}),
    "cut_low": (0.95, {}),
    "spread_limit": (2.0, {}),
    "mode_bandwidth": (1.0, {}),
    "grabcut_foreground": (0.0, {}),
    "edge_contrast": (20.0, {"cut_bias": -0.3, "cut_low": 0.05, "cut_high": 0.05}),
    "coarse_distance": (20.0, {"cut_low": 0.95}),
    "coarse_texture": (10.0, {"cut_low": 0.95}),
}


def change(knob: Knob) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two settings that differ in one knob. GrabCut is left out before it, lest it mend what the knob does."""
    value, setting = CHANGES.get(knob.name, (knob.high if knob.default != knob.high else knob.low, {}))
    if knob.group == "border":
        setting = {"grabcut_iterations": 0, **setting}
    return setting, {**setting, knob.name: value}


@cache
def busy() -> Image:
    """Two that touch, one with a hole, one small, on gravel."""
    target = TWO | (drawn((240, 50, 30)) & ~drawn((240, 50, 12))) | drawn((30, 30, 9))
    return painted(target, texture("gravel", (0.9, 0.8, 0.7), (200, 300)), (150, 90, 50))


@cache
def seen(pipeline: Pipeline, params: Params) -> Evidence:
    """Many knobs begin with the same setting."""
    return pipeline.infer([busy()], [Prompt()], params)[0]


@pytest.mark.parametrize("name", [k.name for k in knobs(create("classical").Params)])
def test_every_knob_is_read_where_it_says(pipeline: Pipeline, name: str) -> None:
    knob = next(k for k in knobs(pipeline.Params) if k.name == name)
    base, changed = (make_params(pipeline.Params, values) for values in change(knob))
    evidence, moved = seen(pipeline, base), pipeline.infer([busy()], [Prompt()], changed)[0]
    same_evidence = np.array_equal(evidence.soft, moved.soft)
    assert same_evidence == (knob.reads == "decide")
    if knob.reads == "decide":
        before, after = pipeline.decide(evidence, base), pipeline.decide(evidence, changed)
        assert before.masks.shape != after.masks.shape or not np.array_equal(before.masks, after.masks)


def test_the_cache_never_gives_an_old_result(pipeline: Pipeline) -> None:
    image, prompt, rng = busy()[::2, ::2].copy(), [Prompt()], np.random.default_rng(2)
    with create("classical") as cached:
        cached.cache.max_bytes = 10**8
        for name in rng.permutation([k.name for k in knobs(pipeline.Params)]):
            knob = next(k for k in knobs(pipeline.Params) if k.name == name)
            params = make_params(pipeline.Params, change(knob)[1])
            fresh = pipeline.infer([image], prompt, params)[0]
            assert np.array_equal(cached.infer([image], prompt, params)[0].soft, fresh.soft), name
        assert cached.cache.hits > 0


@pytest.mark.parametrize("way", ["distance", "watershed"])
def test_touching_objects_are_parted(pipeline: Pipeline, way: str) -> None:
    image = painted(TWO)
    assert len(predicted(pipeline, image, instances="components").masks) == 1
    found = predicted(pipeline, image, instances=way)
    assert len(found.masks) == 2
    assert not (found.masks[0] & found.masks[1]).any()
    parts = drawn((100, 100, 45)), drawn((180, 100, 45))
    ordered = sorted(found.masks, key=lambda mask: float(np.nonzero(mask)[1].mean()))
    for part, mask in zip(parts, ordered, strict=True):
        assert iou(mask, part) > 0.9
    assert np.array_equal(found.foreground(), predicted(pipeline, image, instances="one").foreground())


@pytest.mark.parametrize("way", ["components", "distance", "watershed"])
def test_instances_are_a_partition_with_boxes_and_scores(pipeline: Pipeline, way: str) -> None:
    found = predicted(pipeline, busy(), instances=way)
    whole = predicted(pipeline, busy(), instances="one")
    assert found.masks.sum(axis=0).max() == 1
    assert np.array_equal(found.foreground(), whole.foreground())
    area = found.masks.sum(axis=(1, 2))
    assert (np.diff(area) <= 0).all()
    assert (found.scores > 0.5).all()
    for mask, box in zip(found.masks, found.boxes.astype(int), strict=True):
        x0, y0, x1, y1 = box
        assert mask[y0:y1, x0:x1].sum() == mask.sum()


def test_a_picture_full_of_specks_has_a_bounded_number_of_instances(pipeline: Pipeline) -> None:
    image = np.full((60, 60, 3), 20, np.uint8)
    image[1::3, 1::3] = 220
    free = {**GREY, "min_area": 0.0, "opening": 0.0, "closing": 0.0}
    found = predicted(pipeline, image, **free)
    assert len(found.masks) == 100
    assert np.array_equal(found.foreground(), predicted(pipeline, image, **free, instances="one").foreground())


def test_holes_are_filled_up_to_a_size_and_never_at_the_border(pipeline: Pipeline) -> None:
    disc = drawn((100, 100, 60))
    holes = drawn((90, 90, 4)) | drawn((110, 120, 15))
    image = np.where((disc & ~holes)[..., None], 220, 20).astype(np.uint8).repeat(3, 2)
    small = predicted(pipeline, image, **GREY, max_hole=0.002, closing=0.0, opening=0.0).foreground()
    assert small[90, 90]
    assert not small[120, 110]
    every = predicted(pipeline, image, **GREY, max_hole=1.0, closing=0.0, opening=0.0).foreground()
    assert every[120, 110]
    assert not every[0, 0]


def test_min_area_and_largest_keep_what_they_say(pipeline: Pipeline) -> None:
    image = (
        np.where(drawn((60, 60, 40), (180, 100, 20), (260, 40, 6))[..., None], 220, 20).astype(np.uint8).repeat(3, 2)
    )
    assert len(predicted(pipeline, image, **GREY, min_area=0.0).masks) == 3
    assert len(predicted(pipeline, image, **GREY, min_area=0.01).masks) == 2
    largest = predicted(pipeline, image, **GREY, min_area=0.0, largest=1)
    assert len(largest.masks) == 1
    assert largest.foreground()[60, 60]


def test_inversion_takes_the_dark_side(pipeline: Pipeline) -> None:
    target = drawn((150, 100, 60))
    dark = np.where(target[..., None], 30, 220).astype(np.uint8).repeat(3, 2)
    for way, image in (("yes", dark), ("auto", dark), ("auto", 250 - dark), ("no", 250 - dark)):
        assert iou(predicted(pipeline, image, **GREY, invert=way).foreground(), target) > 0.97


def test_grabcut_helps_a_poor_threshold(pipeline: Pipeline) -> None:
    target = TRIANGLE
    image = painted(target, texture("gravel", (0.9, 0.9, 0.85), (200, 300)), (200, 120, 40))
    plain, refined = (
        iou(predicted(pipeline, image, grabcut_iterations=n, guided_radius=0).foreground(), target) for n in (0, 3)
    )
    assert refined > 0.93
    assert refined >= plain - 0.01


def test_what_it_is_can_be_read_without_opencv() -> None:
    code = "import sys; from pipelines import info; info('classical'); print('cv2' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize("operation", [cv2.MORPH_OPEN, cv2.MORPH_CLOSE])
@pytest.mark.parametrize("diameter", [23, 41])
def test_large_discs_do_what_a_kernel_does(operation: int, diameter: int) -> None:
    rng = np.random.default_rng(diameter)
    noise = cv2.GaussianBlur(rng.normal(size=(300, 400)).astype(np.float32), (0, 0), 12)
    mask = np.where(noise > 0, 255, 0).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    expected = cv2.morphologyEx(mask, operation, disc)
    assert np.mean(morphed(mask, operation, diameter) == expected) > 0.985
    for flat in (0, 255):
        same = np.full((50, 60), flat, np.uint8)
        assert np.array_equal(morphed(same, operation, diameter), same)


def test_only_the_region_that_touches_is_divided() -> None:
    regions = drawn((100, 100, 45), (180, 100, 45)).astype(np.int32)
    regions[drawn((270, 30, 20))] = 2
    cores = np.ones(regions.shape, np.int32)
    cores[:, 140:] = 2  # it covers the third disc too, which must not become a part of the second
    labels, number = divided(regions, cores)
    assert number == labels.max() == 3
    assert len({int(labels[100, 100]), int(labels[100, 180]), int(labels[30, 270])}) == 3
    assert np.array_equal(labels > 0, regions > 0)
