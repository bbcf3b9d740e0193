"""Exports as files: what they hold, and what is refused."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from benchmarks import specs
from benchmarks.datasets import Sample
from benchmarks.export import FORMATS, originals
from benchmarks.export.staging import LISTING
from pipelines.errors import DatasetError
from pipelines.images import OWN_FOLDER, load_image
from tests.benchmarks.exporting import (
    CLASSES,
    CONFIGURATION,
    HOME,
    Run,
    disc,
    files,
    generated,
    make_run,
    one_picture,
)

DATASETS = ("png", "coco", "yolo", "voc")
OURS = {LISTING, "manifest.json"}
IMAGES = {"png": "images", "coco": "images", "yolo": "images", "voc": "JPEGImages"}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path)


def test_the_command_line_knows_every_format() -> None:
    assert tuple(FORMATS) == specs.EXPORT_FORMATS


def test_one_file_a_picture(run: Run, tmp_path: Path) -> None:
    done = run.export(tmp_path / "out", *FORMATS)
    home = tmp_path / "out" / HOME
    good = set(run.truth)
    assert good == {"plain", "upright", "turned", "empty", "sub/deep", "scan", "deep16", "made"}
    assert files(home / "rgba") == {f"{name}.png" for name in good} | OURS
    assert files(home / "crop") == {f"{name}.png" for name in good - {"empty"}} | OURS
    for name in DATASETS:
        pictures = {Path(file).with_suffix("").as_posix() for file in files(home / name / IMAGES[name])}
        assert pictures == good
    for name in FORMATS:
        assert done.files[name] == len(files(home / name) - OURS)
    assert done.files["png"] == 17
    assert done.failed == 1


def test_the_manifest_of_a_format_says_what_produced_its_files(run: Run, tmp_path: Path) -> None:
    done = run.export(tmp_path / "out", "png", "yolo", "soft")
    home = tmp_path / "out" / HOME
    about = json.loads((home / "yolo" / "manifest.json").read_text())
    assert (about["format"], about["run_id"], about["label"]) == ("yolo", "r", "x:a/b=1")
    assert about["params"] == {"threshold": 0.5}
    assert about["weights"] == [{"repo": "o/n", "revision": "a" * 40, "licence": "Apache-2.0", "commercial": True,
                                 "gated": False, "note": "", "sha256": {}}]  # fmt: skip
    assert about["sources"] == {"a": "b"}
    assert about["environment"] == {"cpu": "c", "packages": {"numpy": "2"}}
    assert about["dataset"]["hash"] == "h"
    assert {"exclude", "prompt", "prompt_classes", "split", "limit"} < about["dataset"].keys()
    assert "spec" not in about["dataset"]  # a path of this machine
    assert about["failed"] == {"failed": "RuntimeError: it is dark"}
    assert (about["missing"], about["names"]) == (0, list(CLASSES))
    assert (about["files"], about["images"]) == (17, 8)
    assert "0 px" in (home / "yolo" / "data.yaml").read_text()
    index = json.loads((home / "manifest.json").read_text())
    assert index["formats"].keys() == {"png", "yolo"}
    assert index["formats"]["yolo"] == about
    assert (index["formats"]["png"]["files"], index["formats"]["png"]["names"]) == (17, [])
    assert str(done) == ("png 17 files, yolo 17 files, no soft map: the pipeline gives masks only. "
                         "1 image failed, not exported.")  # fmt: skip
    assert not (home / "soft").exists()


def test_a_second_export_says_what_it_replaces_and_leaves_other_formats_their_provenance(
    run: Run, tmp_path: Path
) -> None:
    run.export(tmp_path / "out", "png", "coco")
    fewer = Run(run.dataset.select([s for s in run.dataset if s.id == "plain"]), run.store, run.records)
    done = fewer.export(tmp_path / "out", "png", run_id="second", class_names=("leaf",))
    assert str(done) == "png 3 files. Replaces that of run r, 8 images."
    formats = json.loads((tmp_path / "out" / HOME / "manifest.json").read_text())["formats"]
    assert [(name, formats[name]["run_id"], len(formats[name]["failed"])) for name in formats] == [
        ("png", "second", 0), ("coco", "r", 1),
    ]  # fmt: skip
    assert formats["coco"]["dataset"]["class_names"] == list(CLASSES)


def test_masks_cut_outs_and_crops_are_the_prediction(run: Run, tmp_path: Path) -> None:
    run.export(tmp_path / "out", "png", "rgba", "crop")
    home = tmp_path / "out" / HOME
    for sample in run.dataset:
        if sample.id in run.truth:
            mask = cv2.imread(str(home / "png" / "masks" / f"{sample.id}.png"), cv2.IMREAD_UNCHANGED)
            union = np.zeros(sample.size, bool)
            for one in run.truth[sample.id].values():
                union |= one
            assert np.array_equal(mask, union * np.uint8(255))
            cut_out = cv2.imread(str(home / "rgba" / f"{sample.id}.png"), cv2.IMREAD_UNCHANGED)
            assert np.array_equal(cut_out[..., 3], mask)
            assert np.array_equal(cut_out[..., 2::-1], np.where(union[..., None], sample.image, 0))
            if union.any():
                ys, xs = np.nonzero(union)
                crop = load_image(home / "crop" / f"{sample.id}.png")
                assert np.array_equal(crop, sample.image[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1])


def test_pictures_are_the_original_bytes_or_an_upright_png(run: Run, tmp_path: Path) -> None:
    run.export(tmp_path / "out", *DATASETS)
    home, data = tmp_path / "out" / HOME, tmp_path / "data" / "images"
    for name in ("plain.png", "upright.jpg", "sub/deep.png"):
        assert (home / "coco" / "images" / name).read_bytes() == (data / name).read_bytes()
    for sample in run.dataset:
        if sample.id in ("turned", "scan", "deep16", "made"):
            picture = cv2.imread(str(home / "png" / "images" / f"{sample.id}.png"), cv2.IMREAD_UNCHANGED)
            assert picture.dtype == np.uint8
            assert np.array_equal(picture[..., ::-1], sample.image)
    for name in ("plain.png", "turned.png"):
        places = {(home / one / IMAGES[one] / name).stat().st_ino for one in DATASETS}
        assert len(places) == 1  # once on the disk for all four
        assert not (data / name).exists() or (data / name).stat().st_ino not in places  # and never the user's own file


def test_where_there_are_no_links_files_are_copied(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    run.export(tmp_path / "out", "png", "coco")
    home = tmp_path / "out" / HOME
    assert (home / "png/images/plain.png").read_bytes() == (home / "coco/images/plain.png").read_bytes()


def test_a_cmyk_jpeg_and_a_file_that_is_no_picture_become_png(tmp_path: Path) -> None:
    from dataclasses import replace

    Image.new("CMYK", (30, 20), (10, 20, 30, 40)).save(tmp_path / "c.jpg")
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    for name in ("c.jpg", "rows.parquet"):
        sample = replace(generated("a", (20, 30)), path=tmp_path / name)
        data, suffix = originals.picture(sample)
        assert suffix == ".png"
        assert np.array_equal(load_image(data, OWN_FOLDER), sample.image)


def profiled(mode: str, profile: bytes) -> Image.Image:
    image = Image.fromarray(np.random.default_rng(3).integers(0, 255, (20, 30, 3), np.uint8)).convert(mode)
    image.info["icc_profile"] = profile
    return image


def pictures() -> dict[str, tuple[Image.Image, dict[str, Any], bool]]:
    """Name → picture, how it is saved, and whether every reader sees the same in it."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    rgb = profiled("RGB", b"")
    return {
        "rgb.png": (rgb, {}, True),
        "grey.png": (rgb.convert("L"), {}, True),
        "grey.jpg": (rgb.convert("L"), {}, True),
        "srgb.png": (rgb, {"icc_profile": srgb}, True),
        "other.png": (rgb, {"icc_profile": lab}, False),
        "broken.png": (rgb, {"icc_profile": b"no profile"}, False),
        "alpha.png": (rgb.convert("RGBA"), {}, False),
        "grey alpha.png": (rgb.convert("LA"), {}, False),
        "key.png": (rgb, {"transparency": (1, 2, 3)}, False),
        "palette.png": (rgb.quantize(20), {}, False),
        "bits.png": (rgb.convert("1"), {}, False),
    }


@pytest.mark.parametrize("name", ["rgb.png", "grey.png", "grey.jpg", "srgb.png", "other.png", "broken.png", "alpha.png",
                                  "grey alpha.png", "key.png", "palette.png", "bits.png"])  # fmt: skip
def test_only_what_every_reader_sees_alike_keeps_its_bytes(tmp_path: Path, name: str) -> None:
    from benchmarks.datasets import open_dataset

    image, how, alike = pictures()[name]
    (tmp_path / "d").mkdir()
    image.save(tmp_path / "d" / name, **how)
    (sample,) = open_dataset(str(tmp_path / "d"))
    data, suffix = originals.picture(sample)
    assert (data == (tmp_path / "d" / name).read_bytes()) == alike
    assert suffix == (Path(name).suffix if alike else ".png")
    assert np.array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1], sample.image)


def test_soft_maps_are_copied_byte_for_byte(tmp_path: Path) -> None:
    run = one_picture(tmp_path, soft_map="soft/0.png")
    path = run.store.folder / CONFIGURATION.id / "soft" / "0.png"
    path.parent.mkdir()
    cv2.imwrite(str(path), np.arange(600, dtype=np.uint8).reshape(20, 30))
    done = run.export(tmp_path / "out", "soft", "rgba")
    home = tmp_path / "out" / HOME
    assert (home / "soft" / "a.png").read_bytes() == path.read_bytes()
    assert set(np.unique(cv2.imread(str(home / "rgba" / "a.png"), cv2.IMREAD_UNCHANGED)[..., 3])) == {0, 255}
    assert not done.notes["soft"]
    path.unlink()
    assert "did not keep" in str(run.export(tmp_path / "out", "soft"))
    assert not (home / "soft").exists()  # the map of before is not left behind


def test_a_stream_is_exported_too(run: Run, tmp_path: Path) -> None:
    assert run.export(tmp_path / "out", *FORMATS, streamed=True).files == run.export(tmp_path / "held", *FORMATS).files


def test_records_are_read_one_at_a_time(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [0]

    class Counted(Sample):
        @property
        def image(self) -> np.ndarray:
            held[0] += 1
            return super().image

    samples = tuple(Counted(**{name: getattr(s, name) for name in s.__dataclass_fields__}) for s in run.dataset)
    run.dataset = run.dataset.select(samples)
    run.export(tmp_path / "out", *FORMATS)
    assert held[0] == 8 + 1 + 3  # once for cut-out and crop, and again where a file cannot be copied


def test_without_records_nothing_is_written(tmp_path: Path) -> None:
    run = one_picture(tmp_path)
    run.store.records_path(CONFIGURATION.id).unlink()
    done = run.export(tmp_path / "out", "png")
    assert not done.files
    assert "nothing to export" in str(done)
    assert not (tmp_path / "out").exists()


def test_images_without_a_record_are_counted(tmp_path: Path) -> None:
    run = one_picture(tmp_path)
    run.dataset = run.dataset.select([*run.dataset, generated("b", (20, 30))])
    done = run.export(tmp_path / "out", "png")
    assert (done.files["png"], done.missing, done.failed) == (3, 1, 0)
    assert "1 image without a record" in str(done)


def test_a_label_that_was_not_asked_for_has_a_number(tmp_path: Path) -> None:
    run = one_picture(tmp_path, found=[(2, 0.5, disc((20, 30), 9, 9, 4))], texts=(), classes=None)
    run.export(tmp_path / "out", "coco", class_names=())
    document = json.loads((tmp_path / "out" / HOME / "coco" / "annotations.json").read_text())
    assert [one["name"] for one in document["categories"]] == ["label 2"]
    assert document["annotations"][0]["category_id"] == 1


def test_where_every_image_failed_the_manifest_says_so(tmp_path: Path) -> None:
    run = one_picture(tmp_path)
    run.export(tmp_path / "out", *FORMATS)
    run = one_picture(tmp_path / "again", error="no")
    done = run.export(tmp_path / "out", *FORMATS)
    assert set(done.files.values()) == {0}
    assert files(tmp_path / "out" / HOME) == {"manifest.json", ".lock"}


def test_pictures_that_the_run_did_not_see_are_refused(tmp_path: Path) -> None:
    run = one_picture(tmp_path)
    run.dataset = run.dataset.select([generated("a", (30, 20))])
    with pytest.raises(DatasetError, match="not the picture"):
        run.export(tmp_path / "out", "png")


def test_before_anything_is_measured_a_run_looks_at_the_folder(
    photographs: Path, plugin_site: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from benchmarks import runner
    from benchmarks.command import run_command
    from benchmarks.run import app

    mine = photographs.parent / "out" / "bright" / "png" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of it")
    monkeypatch.chdir(photographs.parent)
    monkeypatch.syspath_prepend(str(plugin_site))
    monkeypatch.setattr(runner, "execute", lambda *_: pytest.fail("too late"))
    monkeypatch.setattr(
        sys, "argv", ["run", "--dataset", str(photographs), "--pipelines", "bright", "--export", "png:out"]
    )
    assert run_command(app) == 2
    assert "mine.txt" in capfd.readouterr().err
    sys.argv[-1] = f"png:{photographs}/masks/out"
    assert run_command(app) == 2
    assert "lies in the dataset" in capfd.readouterr().err
    assert not (photographs / "masks" / "out").exists()
