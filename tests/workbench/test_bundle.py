"""Photoshop files and ZIPs of results, opened by other programs."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from PIL import Image as Pillow

from pipelines.errors import UsageError
from pipelines.types import Prediction
from tests.workbench.results import CONFIGURATION, SIZE, nothing, produced, result
from workbench.files import layered
from workbench.files.bundle import ABOUT, KINDS, bundle
from workbench.files.downloads import FILES, download
from workbench.files.result import Result


def zipped(results: Sequence[Result], most_mb: float = 10) -> bytes:
    with TemporaryDirectory() as folder:
        bundle(results, Path(folder) / "all.zip", most_mb)
        return (Path(folder) / "all.zip").read_bytes()


def layers(data: bytes) -> list[tuple[str, np.ndarray, np.ndarray | None]]:
    """Name, RGB on the whole canvas and mask on the whole canvas of each layer, from the lowest, as psd-tools has them."""
    from psd_tools import PSDImage

    document, found = PSDImage.open(io.BytesIO(data)), []
    for layer in document:
        pixels, mask = np.zeros((document.height, document.width, 3), np.uint8), None
        pixels[layer.top : layer.bottom, layer.left : layer.right] = np.asarray(layer.topil())[..., :3]
        if layer.mask is not None:
            mask = np.full((document.height, document.width), layer.mask.background_color, np.uint8)
            mask[layer.mask.top : layer.mask.bottom, layer.mask.left : layer.mask.right] = np.asarray(
                layer.mask.topil()
            )
        found.append((layer.name, pixels, mask))
    return found


def test_psd_tools_reads_named_layers_and_exact_masks() -> None:
    found = result()
    (name, pixels, mask), *instances = layers(download(found, "psd"))
    assert (name, mask) == ("Picture", None)
    assert np.array_equal(pixels, found.image)
    assert [name for name, _, _ in instances] == ["1 a leaf 0.90", "2 a coin 0.50", "3 a leaf 0.75"]
    for (_, pixels, mask), wanted in zip(instances, found.prediction.masks, strict=False):
        assert mask is not None
        assert np.array_equal(mask, np.where(wanted, 255, 0))
        assert np.array_equal(pixels[wanted], found.image[wanted])


def test_pillow_reads_the_flat_picture() -> None:
    with Pillow.open(io.BytesIO(download(result(), "psd"))) as image:
        assert (image.format, image.mode, image.size) == ("PSD", "RGB", SIZE[::-1])
        assert np.array_equal(np.asarray(image), result().image)
        # Pillow passes over layers of more than four channels, as those with transparency and a mask are.
        assert [layer[0] for layer in image.layers] == ["Picture"]  # type: ignore[attr-defined]


def test_hostile_and_foreign_names_of_layers_stay_in_one_line() -> None:
    labels = ("Münze 日本 😀", "a\nb\0" + "x" * 300)
    found = replace(result(), labels=labels)
    names = [name for name, _, _ in layers(download(found, "psd"))[1:]]
    assert names[1] == "2 Münze 日本 😀 0.50"
    assert names[0].startswith("1 a b xxx")
    assert len(names[0]) <= 110


def test_layers_are_no_more_than_a_program_can_bear(monkeypatch: pytest.MonkeyPatch) -> None:
    found = result()
    monkeypatch.setattr(layered, "MOST_LAYERS", 1)
    told = layers(download(found, "psd"))
    assert [name for name, _, _ in told] == ["Picture", "1 a leaf 0.90", "2 more"]
    assert np.array_equal(told[2][2] > 0, found.prediction.masks[1:].any(axis=0))  # type: ignore[operator]
    monkeypatch.setattr(layered, "MOST_LAYERS", 200)
    full = replace(found, prediction=Prediction.of(np.ones((20, *SIZE), np.bool_)))
    assert [name for name, _, _ in layers(download(full, "psd"))][8:] == ["8 a coin 1.00", "12 more"]


def test_a_picture_in_which_nothing_was_found_is_one_layer() -> None:
    assert [name for name, _, _ in layers(download(nothing(), "psd"))] == ["Picture"]


def read(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert all(not one.is_dir() and ".." not in one.filename for one in archive.infolist())
        assert len(set(archive.namelist())) == len(archive.namelist())
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_zip_holds_every_file_and_what_produced_them() -> None:
    found = result()
    files = read(zipped([found]))
    about = json.loads(files.pop(ABOUT))
    assert files == {file.name: download(found, kind) for kind, file in FILES.items()}
    assert {one["name"]: (one["sha256"], one["bytes"]) for one in about["files"]} == {
        name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in files.items()
    }
    assert all(one["holds"].endswith(".") for one in about["files"])
    assert about["without"] == {}
    assert about["produced"] == produced().to_json()
    assert about["picture"]["name"] == "photo"
    assert (about["picture"]["width"], about["picture"]["height"]) == SIZE[::-1]
    assert about["categories"] == ["a coin", "a leaf"]
    assert [(one["name"], one["category"], one["score"]) for one in about["found"]] == [
        ("a leaf", 1, 0.9), ("a coin", 0, 0.5), ("a leaf", 1, 0.75)]  # fmt: skip
    assert [one["pixels"] for one in about["found"]] == [int(mask.sum()) for mask in found.prediction.masks[:3]]
    assert "somebody" not in json.dumps(about)


def test_what_is_not_there_is_said_with_the_reason() -> None:
    files = read(zipped([nothing()]))
    about = json.loads(files[ABOUT])
    assert about["without"].keys() == {"crop.png", "soft.png", "cut_out_soft.png"}
    assert about["without"].keys().isdisjoint(files)
    assert "Nothing was found" in about["without"]["crop.png"]


def test_several_results_have_folders_of_their_own() -> None:
    other = produced(CONFIGURATION.model_copy(update={"pipeline": "../rmbg", "preset": "default"}))
    files = read(zipped([result(), replace(result(), produced=other), result(soft=False), result()]))
    folders = {name.split("/")[0] for name in files}
    assert folders == {"clipseg-fine", "clipseg-fine-2", "clipseg-fine-3", "rmbg-default"}
    assert json.loads(files["rmbg-default/about.json"])["produced"]["pipeline"] == "../rmbg"
    assert "clipseg-fine-2/soft.png" not in files
    with pytest.raises(UsageError, match="nothing to download"):
        zipped([])


def test_what_does_not_fit_is_left_out_the_least_needed_first_and_said() -> None:
    whole = [len(download(result(), kind)) for kind in KINDS]
    assert sorted(KINDS) == sorted(FILES)
    for kinds in range(len(KINDS) + 1):
        data = zipped([result()], sum(whole[:kinds]) / 1e6)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {entry.filename: entry.compress_size for entry in archive.infolist()}
        assert sum(sizes.values()) - sizes[ABOUT] <= sum(whole[:kinds])
        files = read(data)
        about = json.loads(files.pop(ABOUT))
        assert {FILES[kind].name for kind in KINDS[: min(kinds, 1)]} <= set(files)
        assert set(files) | set(about["without"]) == {file.name for file in FILES.values()}
        assert all("larger than" in why for why in about["without"].values())
    several = read(zipped([result(), result()], (2 * whole[0] + 1) / 1e6))
    assert {"clipseg-fine/mask.png", "clipseg-fine-2/mask.png"} <= set(several), "each has its mask before one has all"


def test_instances_are_empty_outside_of_their_masks_and_cost_little_there() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (400, 400, 3), np.uint8)
    masks = np.zeros((5, 400, 400), np.bool_)
    masks[:, 0, 0] = masks[:, -1, -1] = True  # boxes as large as the picture
    found = replace(
        result(), image=noise, prediction=Prediction.of(masks, np.ones(5), np.zeros(5, np.int64)), soft=None
    )
    data = download(found, "psd")
    assert len(data) < 2.2 * noise.nbytes
    assert not layers(data)[1][1][1:-1].any()


def test_equal_results_give_equal_archives() -> None:
    assert zipped([result()]) == zipped([result()])


def test_the_writer_of_photoshop_files_is_imported_only_when_one_is_written() -> None:
    import subprocess

    code = "import sys, workbench.files.bundle, workbench.views.render, workbench.views.comparisons, workbench.given.uploads, workbench.given.addresses; "
    code += "print([m for m in ('psd_tools', 'gradio', 'torch', 'pandas', 'plotly') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
