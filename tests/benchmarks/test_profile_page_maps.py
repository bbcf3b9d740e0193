"""The heat map, the classes, the sizes and the splits of a profile's page tell the numbers of its document."""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.profile.page import page
from benchmarks.profile.page_maps import SHADES
from benchmarks.report.figures import share
from tests.benchmarks.profiled import finished_document
from tests.benchmarks.reporting import Seen


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Twelve pictures of three classes, with ignored pixels, made so that everything can be counted by hand."""
    folder = tmp_path_factory.mktemp("maps") / "classes"
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    (folder / "dataset.yaml").write_text("classes: {1: coin, 2: leaf, 3: stone}\nignore: 255\n")
    for n in range(12):
        mask = np.zeros((64, 64), np.uint8)
        mask[8:24, 8:24] = 1
        mask[40:48, 40:48] = 2 if n < 6 else 0
        mask[40:44, 8:12] = 3 if n < 2 else 0
        mask[:2] = 255
        picture = rng.integers(0, 60, (64, 64, 3), np.uint8) + (mask[..., None] % 255) * np.uint8(40)
        cv2.imwrite(str(folder / "images" / f"p{n:02d}.png"), picture)
        cv2.imwrite(str(folder / "masks" / f"p{n:02d}.png"), mask)
    return finished_document(folder)[0]


@pytest.fixture(scope="module")
def html(made: dict[str, Any]) -> str:
    return page(made, None)


def part(html: str, name: str) -> str:
    return html.split(f'<section id="{name}"')[1].split("</section>")[0]


def test_places_of_the_heat_map_tell_their_mean(made: dict[str, Any], html: str) -> None:
    grid = np.array(made["masks"]["position"])
    blocks = grid.reshape(8, 4, 8, 4).mean(axis=(1, 3))
    told = re.findall(r'class="tip">([^<]*)</text>', part(html, "position"))
    assert told == [share(float(value)) for value in blocks.ravel()]
    assert f"at most {share(float(grid.max()))} of the masks cover a place (top left)" in Seen(html).said


def test_every_cell_has_the_shade_of_its_share(made: dict[str, Any], html: str) -> None:
    grid = np.array(made["masks"]["position"])
    drawn = np.zeros(grid.shape)
    for path, opacity in re.findall(
        r'<path d="(M[^"]*)" class="heatmap" fill-opacity="([\d.]+)"', part(html, "position")
    ):
        for x, y in re.findall(r"M(\d+) (\d+)h", path):
            drawn[int(y) // 8, int(x) // 8] = float(opacity)
    assert drawn == pytest.approx(grid / grid.max(), abs=0.5 / SHADES + 0.01)


def test_classes_are_counted_and_shown_together(html: str) -> None:
    said = Seen(part(html, "classes")).said
    assert "coin 12 100.0 % 12" in said and "leaf 6 50.0 % 6" in said and "stone 2 16.7 % 2" in said
    assert "coin 12 6 2" in said and "leaf 6 6 2" in said and "stone 2 2 2" in said


def test_sizes_of_objects_are_shares_of_all(made: dict[str, Any], html: str) -> None:
    said = Seen(part(html, "position")).said
    counts = made["masks"]["size_classes"]
    assert sum(counts.values()) == 20
    for name, n in counts.items():
        assert f"{name} {n} ({share(n / 20)})" in said


def test_sizes_and_formats_of_files(html: str) -> None:
    said = Seen(part(html, "files")).said
    assert "64 × 64 12 100.0 %" in said and "format: PNG 12 100.0 %" in said and "mode: RGB 12 100.0 %" in said


def test_splits_that_differ_are_said(made: dict[str, Any], html: str) -> None:
    assert 'id="splits"' not in html
    rows = [{"a": "test", "b": "train", "feature": "brightness", "n_a": 9, "n_b": 9, "distance": 0.9, "p": 0.0004},
            {"a": "test", "b": "train", "feature": "objects", "n_a": 9, "n_b": 9, "distance": 0.1, "p": 1.0}]  # fmt: skip
    said = Seen(part(page({**made, "splits": rows}, None), "splits")).said
    assert "1 of 2 comparisons show a difference" in said
    assert (
        "Brightness test and train 0.900 < 0.001 differ" in said and "Objects test and train 0.100 1.000 alike" in said
    )
