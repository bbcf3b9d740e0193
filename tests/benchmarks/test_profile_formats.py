"""The same pictures in every format have the same profile; several classes, ignored regions and a real run too."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.command import run_command
from benchmarks.datasets import open_dataset
from benchmarks.profile.profiling import profile
from benchmarks.run import app as run_app
from tests.benchmarks import tuning
from tests.benchmarks.test_formats_agree import LOSSLESS, POLYGONS, Item, folder
from tests.conftest import ROOT

SAME = ("width_px", "height_px", "brightness", "contrast", "sharpness", "entropy", "area_share", "objects", "holes")


@pytest.fixture
def items(photographs: Path) -> list[Item]:
    return [(s.id, s.path, s.target()) for s in open_dataset(photographs)]  # type: ignore[misc]


def told(spec: str | Path) -> dict[str, Any]:
    return profile(open_dataset(spec, strict=False), verify=False).document


def summaries(document: dict[str, Any]) -> dict[str, Any]:
    features = [*document["images"]["features"], *document["masks"]["features"]]
    return {one["name"]: one["all"] for one in features}


@pytest.mark.parametrize("name", [*LOSSLESS, *POLYGONS])
def test_every_format_has_the_profile_of_the_folder(tmp_path: Path, items: list[Item], name: str) -> None:
    plain = told(folder(tmp_path / "plain", items))
    form, write = (LOSSLESS | POLYGONS)[name]
    other = told(write(tmp_path / "other", items))
    assert other["dataset"]["format"] == form
    assert other["n"] == plain["n"] == len(items)
    assert other["images"]["unreadable"] == 0 and other["masks"]["with_masks"] == len(items)
    near = 0.01 if name in POLYGONS else 1e-9
    expected, found = summaries(plain), summaries(other)
    for feature in SAME:
        for figure in ("mean", "min", "max"):
            assert found[feature][figure] == pytest.approx(expected[feature][figure], rel=near), (feature, figure)
    assert [one["kind"] for one in other["suspects"]] == [one["kind"] for one in plain["suspects"]]


def test_several_classes_and_ignored_regions_are_counted_by_hand(tmp_path: Path) -> None:
    """Two classes and a void border: objects, pixels and what is ignored, as the drawing says."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for index in range(4):
        ids = np.zeros((40, 60), np.uint8)
        ids[5:15, 5:15], ids[5:15, 25:35], ids[20:35, 40 : 50 + index] = 1, 1, 2
        ids[:, :2] = 255
        image = np.where(ids[..., None] > 0, 220, 60).astype(np.uint8).repeat(3, 2)
        image = image + np.random.default_rng(index).integers(0, 20, image.shape, np.uint8)
        assert cv2.imwrite(str(tmp_path / "images" / f"p{index}.png"), image)
        assert cv2.imwrite(str(tmp_path / "masks" / f"p{index}.png"), ids)
    (tmp_path / "dataset.yaml").write_text("classes: {1: coin, 2: bar}\nignore: 255\n")
    document = told(tmp_path)
    classes = {one["name"]: one for one in document["masks"]["classes"]}
    assert {name: (one["images"], one["objects"]) for name, one in classes.items()} == {"coin": (4, 8), "bar": (4, 4)}
    pixels = {"coin": 4 * 200, "bar": sum(15 * (10 + index) for index in range(4))}
    assert classes["coin"]["pixel_share"] / classes["bar"]["pixel_share"] == pytest.approx(
        pixels["coin"] / pixels["bar"]
    )
    found = summaries(document)
    assert found["ignore_share"]["mean"] == pytest.approx(2 / 60)
    assert found["objects"]["mean"] == 3
    area = [(200 + 15 * (10 + index)) / (40 * 58) for index in range(4)]
    assert found["area_share"]["mean"] == pytest.approx(np.mean(area))
    assert document["masks"]["co_occurrence"] == [[4, 4], [4, 4]]


def test_pipelines_of_a_real_run_that_agree_against_a_mask_are_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two find the drawn disc; one mask says that it is elsewhere."""
    for index in range(10):
        mask = np.zeros((96, 120), np.uint8)
        cv2.circle(mask, (30 + 3 * index, 48), 14 + index, 255, -1)
        noise = np.random.default_rng(index).integers(0, 12, (96, 120, 3), np.uint8)
        tuning.write(tmp_path / "d", f"d{index}", np.where(mask[..., None] > 0, 220, 40).astype(np.uint8) + noise, mask)
    root = tmp_path / "d"
    wrong = root / "masks" / "d3.png"
    mask = np.asarray(cv2.imread(str(wrong), cv2.IMREAD_GRAYSCALE))
    assert cv2.imwrite(str(wrong), np.roll(mask, mask.shape[1] // 2, axis=1))
    tuning.installed(monkeypatch, tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), str(ROOT)]))
    monkeypatch.chdir(tmp_path)
    options = ["--dataset", str(root), "--pipelines", "classical,smooth", "--budget-s", "0.2", "--json"]
    monkeypatch.setattr(sys, "argv", ["run", *options])
    assert run_command(run_app) == 0
    run_id = json.loads(capfd.readouterr().out)["run_id"]
    (made,) = (path for path in Path("runs").iterdir() if path.name.startswith(run_id))
    document = profile(open_dataset(root, strict=False), run=made, verify=False).document
    found = [one["sample"] for one in document["suspects"] if one["kind"] == "label_disagreement"]
    assert found == [wrong.stem]
