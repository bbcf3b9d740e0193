"""`classical@coin-seed` against a plain reading of the coin project's algorithm: masks equal bit by bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data

from pipelines import create
from pipelines.base import Pipeline
from pipelines.classical.scores import enclosed
from pipelines.params import make_params
from pipelines.types import Image, Prompt
from tests.pipelines.seed_reference import SeedParams, score, segment

OURS = {
    "blur_kernel_size": "blur_kernel", "blur_sigma": "blur_sigma", "canny_threshold_1": "canny_low",
    "canny_threshold_2": "canny_high", "clip_limit": "clahe_clip", "tile_grid_size": "clahe_tiles",
    "brightness_alpha": "brightness_alpha", "brightness_beta": "brightness_beta", "pre_blur": "blur_first",
    "sharpen_mode": "sharpen", "kernel_size": "mask_kernel", "sigma_x": "mask_sigma_x", "sigma_y": "mask_sigma_y",
}  # fmt: skip
MODES = {None: "none", "default": "kernel", "gaussian": "gaussian", "laplacian": "laplacian"}


def pictures() -> dict[str, Image]:
    """Real pictures, made smaller, and made-up ones of awkward sizes."""
    rng = np.random.default_rng(5)
    coins = cv2.cvtColor(skimage.data.coins(), cv2.COLOR_GRAY2RGB)
    smooth = cv2.GaussianBlur(rng.integers(0, 256, (90, 131, 3), np.uint8), (0, 0), 3)
    return {
        "coins": coins,
        "coffee": cv2.resize(skimage.data.coffee(), (301, 200), interpolation=cv2.INTER_AREA),
        "chelsea": cv2.resize(skimage.data.chelsea(), (225, 150), interpolation=cv2.INTER_AREA),
        "noise": rng.integers(0, 256, (83, 120, 3), np.uint8),
        "smooth": np.asarray(cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX), np.uint8),
        "black": np.zeros((40, 50, 3), np.uint8),
        "narrow": rng.integers(0, 256, (9, 300, 3), np.uint8),
        "1x1": np.full((1, 1, 3), 77, np.uint8),
    }


def draw(rng: np.random.Generator) -> SeedParams:
    """One point of the space that the coin project's study searched; sigma 0 often, Canny in any order."""
    sigmas = [0.0 if rng.random() < 0.25 else float(rng.uniform(0, 15)) for _ in range(3)]
    return SeedParams(
        blur_kernel_size=int(rng.choice(range(3, 20, 2))),
        blur_sigma=sigmas[0],
        canny_threshold_1=float(rng.integers(0, 256)),
        canny_threshold_2=float(rng.integers(0, 256)),
        clip_limit=float(rng.choice([0.0, rng.uniform(0, 10)])),
        tile_grid_size=int(rng.choice([8, 16, 32])),
        brightness_alpha=float(rng.choice([1.0, rng.uniform(0, 3)])),
        brightness_beta=float(rng.choice([0.0, rng.integers(-100, 101)])),
        pre_blur=bool(rng.random() < 0.5),
        sharpen_mode=list(MODES)[rng.integers(4)],
        kernel_size=int(rng.choice(range(3, 20, 2))),
        sigma_x=sigmas[1],
        sigma_y=sigmas[2],
    )


def ours(p: SeedParams) -> dict[str, Any]:
    """The same values under our names."""
    return {OURS[name]: MODES[value] if name == "sharpen_mode" else value for name, value in vars(p).items()}


@pytest.fixture(scope="module")
def seed() -> Iterator[Pipeline]:
    with create("classical", preset="coin-seed") as made:
        yield made


def predicted(pipeline: Pipeline, image: Image, p: SeedParams) -> Image:
    params = make_params(pipeline.Params, {**pipeline.params.model_dump(), **ours(p)})
    return pipeline.predict([image], [Prompt()], params)[0].foreground().astype(np.uint8) * np.uint8(255)


@pytest.mark.parametrize("name", pictures())
def test_the_preset_is_its_defaults(seed: Pipeline, name: str) -> None:
    image = pictures()[name]
    assert np.array_equal(seed.predict([image], [Prompt()])[0].foreground(), segment(image, SeedParams()) > 0)
    assert ours(SeedParams()).items() <= seed.params.model_dump().items()


@pytest.mark.parametrize("name", pictures())
def test_masks_are_equal_over_its_search_space(seed: Pipeline, name: str) -> None:
    image, rng = pictures()[name], np.random.default_rng(11)
    for _ in range(60):
        p = draw(rng)
        assert np.array_equal(predicted(seed, image, p), segment(image, p)), p


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pre_blur", [False, True])
@pytest.mark.parametrize("thresholds", [(40, 120), (200, 10), (0, 0), (255, 255)])
def test_masks_are_equal_in_every_mode_and_canny_order(
    seed: Pipeline, mode: str | None, pre_blur: bool, thresholds: tuple[float, float]
) -> None:
    p = SeedParams(sharpen_mode=mode, pre_blur=pre_blur, canny_threshold_1=thresholds[0],
                   canny_threshold_2=thresholds[1], sigma_x=0, sigma_y=3, blur_sigma=1.5)  # fmt: skip
    for image in (pictures()["coins"], pictures()["noise"]):
        assert np.array_equal(predicted(seed, image, p), segment(image, p))


def test_flooding_the_outside_is_drawing_the_outer_contours() -> None:
    rng = np.random.default_rng(3)
    for _ in range(400):
        shape = rng.integers(1, 40, 2)
        mask = np.where(rng.random(shape) < rng.random(), 255, 0).astype(np.uint8)
        contours, _hierarchy = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        drawn = cv2.drawContours(np.zeros_like(mask), contours, -1, (255,), cv2.FILLED)
        assert np.array_equal(enclosed(mask), drawn > 0)


def test_its_iou_is_that_of_our_mask(seed: Pipeline, tmp_path: Path) -> None:
    image, target = pictures()["coins"], np.zeros((303, 384), np.uint8)
    cv2.circle(target, (180, 150), 90, 255, -1)
    cv2.imwrite(str(tmp_path / "i.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    cv2.imwrite(str(tmp_path / "m.png"), target)
    pred = seed.predict([image], [Prompt()])[0].foreground()
    expected = np.count_nonzero(pred & (target > 0)) / np.count_nonzero(pred | (target > 0))
    assert score(tmp_path / "i.png", tmp_path / "m.png", SeedParams()) == pytest.approx(expected, abs=1e-12)


def test_a_sweep_after_canny_runs_no_stage_again(seed: Pipeline) -> None:
    image = pictures()["coins"]
    seed.cache.max_bytes = 10**8
    try:
        for size in (3, 9, 15):
            p = SeedParams(kernel_size=size)
            assert np.array_equal(predicted(seed, image, p), segment(image, p))
        assert set(seed.clock.seconds) == {"decide"}
        p = SeedParams(canny_threshold_1=90)
        assert np.array_equal(predicted(seed, image, p), segment(image, p))
        assert set(seed.clock.seconds) == {"canny", "contours", "decide"}
    finally:
        seed.cache.max_bytes = 0
        seed.cache.clear()
