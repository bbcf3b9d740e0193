"""What is measured of pictures, against scikit-image, scipy, numpy and formulas by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow
from skimage import color, filters, measure

from benchmarks.profile.files import look_at_file
from benchmarks.profile.pictures import blur, colourfulness, measure_picture, reduced, structure
from pipelines.errors import ImageError


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    from benchmarks.datasets import open_dataset

    return open_dataset("coins")["composed/03"].image


def numbers_of(image: np.ndarray) -> dict[str, float]:
    return measure_picture(image, reduced(image))


def luma(image: np.ndarray) -> np.ndarray:
    return np.rint(image @ [0.299, 0.587, 0.114])


def test_size_and_light(image: np.ndarray) -> None:
    found, grey = numbers_of(image), luma(image)
    assert (found["width_px"], found["height_px"]) == image.shape[1::-1]
    assert found["megapixels"] == image.shape[0] * image.shape[1] / 1e6
    assert found["aspect"] == image.shape[1] / image.shape[0]
    assert found["brightness"] == pytest.approx(grey.mean() / 255, abs=1e-4)
    assert found["contrast"] == pytest.approx(grey.std() / 255, abs=1e-4)
    for percent in (1, 5, 50, 95, 99):
        assert found[f"luma_p{percent}"] == pytest.approx(np.percentile(grey, percent) / 255, abs=1.01 / 255)


def test_entropy_is_that_of_scikit_image(image: np.ndarray) -> None:
    assert numbers_of(image)["entropy"] == pytest.approx(measure.shannon_entropy(luma(image)), abs=0.01)


def test_clipped_shares() -> None:
    image = np.full((10, 10, 3), 128, np.uint8)
    image[:2], image[2:5] = 5, 250
    found = numbers_of(image)
    assert (found["clipped_dark"], found["clipped_light"]) == (0.2, 0.3)


def test_sharpness_is_the_variance_of_the_laplacian(image: np.ndarray) -> None:
    from scipy.ndimage import convolve

    lines = convolve(luma(image), np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]), mode="mirror")
    assert numbers_of(image)["sharpness"] == pytest.approx(lines.var(), rel=0.01)


def test_blur_is_the_blur_effect(image: np.ndarray) -> None:
    for sigma in (0, 1, 3):
        grey = np.rint(filters.gaussian(luma(image), sigma)).astype(np.uint8)
        wanted = max(_blur_of_rows(grey), _blur_of_rows(grey.T))
        assert blur(grey) == pytest.approx(wanted, abs=0.03)  # of every fourth line, and in whole numbers
        assert blur(grey) == pytest.approx(measure.blur_effect(grey / 255, h_size=9), abs=0.15)  # which takes Sobel's


def _blur_of_rows(grey: np.ndarray) -> float:
    from scipy.ndimage import uniform_filter1d

    sharp, soft = (
        np.abs(np.diff(one, axis=1)) for one in (grey.astype(float), uniform_filter1d(grey.astype(float), 9))
    )
    return float(1 - np.maximum(0, sharp - soft).sum() / sharp.sum())


def test_blur_of_what_is_too_small_or_flat() -> None:
    assert blur(np.zeros((5, 5), np.uint8)) == 1
    assert blur(np.full((50, 50), 7, np.uint8)) == 1


def test_colourfulness_by_the_formula(image: np.ndarray) -> None:
    red, green, blue = np.moveaxis(image.astype(float), -1, 0)
    first, second = red - green, 0.5 * (red + green) - blue
    wanted = np.sqrt(first.var() + second.var()) + 0.3 * np.sqrt(first.mean() ** 2 + second.mean() ** 2)
    assert colourfulness(image) == pytest.approx(wanted, rel=1e-5)
    assert numbers_of(image)["colourfulness"] == pytest.approx(wanted, rel=0.05)  # of some of the pixels
    assert colourfulness(np.dstack([image[..., 0]] * 3)) == 0


def test_structure_has_no_slope() -> None:
    y, x = np.mgrid[:320, :320]
    assert structure((x * 0.4 + y * 0.3).astype(np.uint8)) < 0.003
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 256, (32, 32)).astype(np.uint8)
    grey = np.kron(cells, np.ones((10, 10), np.uint8))
    ones = np.stack([np.ones(1024), *np.mgrid[:32, :32].reshape(2, -1)], axis=1)
    rest = cells.ravel() - ones @ np.linalg.lstsq(ones, cells.ravel().astype(float), rcond=None)[0]
    assert structure(grey) == pytest.approx(rest.std() / 255, rel=1e-6)


def test_reduced_is_the_mean_of_squares(image: np.ndarray) -> None:
    big = np.kron(image[:150, :200], np.ones((3, 3, 1), np.uint8))[:-1]
    small = reduced(big)
    assert small.shape == (149, 200, 3)
    assert np.array_equal(small, image[:149, :200])
    assert reduced(image[:20, :20]).shape == (20, 20, 3)
    assert reduced(np.zeros((1, 900), np.uint8)).shape == (1, 900)


def test_luma_agrees_with_scikit_image_where_weights_do(image: np.ndarray) -> None:
    grey = np.dstack([image[..., 1]] * 3)
    assert numbers_of(grey)["brightness"] == pytest.approx(color.rgb2gray(grey).mean(), abs=1e-3)


def test_what_a_file_says(tmp_path) -> None:
    exif = Pillow.Exif()
    exif[271], exif[272], exif[274] = "Maker", "Model 7\n", 6
    path = tmp_path / "a.jpg"
    Pillow.new("L", (30, 20)).save(path, exif=exif)
    found = look_at_file(path)
    assert (found.format, found.mode, found.turned, found.exif) == ("JPEG", "L", True, True)
    assert found.camera == "Maker Model 7"
    assert found.kilobytes == path.stat().st_size / 1000


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "bmp"])
def test_files_without_and_with_exif(tmp_path, suffix: str) -> None:
    plain, path = tmp_path / f"plain.{suffix}", tmp_path / f"a.{suffix}"
    Pillow.new("RGB", (30, 20)).save(plain)
    assert (look_at_file(plain).exif, look_at_file(plain).camera) == (False, "")
    if suffix in ("png", "webp"):
        exif = Pillow.Exif()
        exif[272] = "Phone"
        Pillow.new("RGB", (30, 20)).save(path, exif=exif)
        assert (look_at_file(path).exif, look_at_file(path).camera) == (True, "Phone")


def test_a_file_that_is_no_picture() -> None:
    with pytest.raises(ImageError):
        look_at_file(b"no picture")
