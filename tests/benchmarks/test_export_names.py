"""Names of exported files, folders and categories, how many a format can hold, and what ``--export`` may name."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import file_names, specs
from benchmarks.export import FORMATS
from pipelines.errors import UsageError
from tests.benchmarks.exporting import (
    HOME,
    Run,
    disc,
    generated,
    make_run,
    one_picture,
    record,
    write_records,
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path)


HOSTILE = ["../../up", "/etc/passwd", "..", ".", "", "a//b", "a/../../b", "nul\0byte", "new\nline", "back\\slash", "C:x",
           "~root", ".hidden", " blank ", "%2E", "x" * 300, "é" * 200, "/".join(["deep"] * 400), "\udcff", "a\u2028b",
           "a.png/b", "x" * 299 + "y", "-rf", "a b", "ünï", "100%", "aux?*|"]  # fmt: skip


def test_no_two_ids_share_a_name_and_none_leaves_the_folder() -> None:
    found = [file_names.file_name(name) for name in HOSTILE]
    assert len(set(found)) == len(HOSTILE)
    for name in found:
        parts = name.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert not any(part.startswith((".", "~", " ")) or part.endswith(" ") for part in parts)
        assert max(len(part.encode()) for part in parts) <= file_names.LONGEST_PART
        assert name.isprintable()


@pytest.mark.parametrize("name", ["a", "sub/b.v2", "crop/01", "a b", "ünï", "IMG_0001 (1)", "x.png", "#1"])
def test_an_id_that_came_from_a_file_is_its_name(name: str) -> None:
    assert file_names.file_name(name) == name


def test_hostile_ids_stay_below_the_folder(tmp_path: Path) -> None:
    from benchmarks.datasets import Dataset

    # Records are UTF-8, so that the half of a pair cannot come this far.
    wild = [name for name in HOSTILE if "\udcff" not in name]
    records = [record(name, (20, 30), [(0, 0.5, disc((20, 30), 9, 9, 5))]) for name in wild]
    run = Run(Dataset("wild", "made", tuple(generated(name, (20, 30)) for name in wild)),
              write_records(tmp_path / "run", records), {one.id: one for one in records})  # fmt: skip
    done = run.export(tmp_path / "box" / "out", *FORMATS)
    assert {path.name for path in tmp_path.iterdir()} == {"run", "box"}
    assert [path.name for path in (tmp_path / "box").iterdir()] == ["out"]
    home = tmp_path / "box" / "out" / HOME
    assert done.files["rgba"] == len(wild) == len(list((home / "rgba").rglob("*.png")))
    assert json.loads((home / "png" / "manifest.json").read_text())["renamed"]["../../up"] == "%2E./%2E./up"
    listed = json.loads((home / "coco" / "annotations.json").read_text())["images"]
    assert len({image["file_name"] for image in listed}) == len(wild)
    assert "../../up" in {image.get("sample_id") for image in listed}
    assert all((home / "coco" / "images" / image["file_name"]).is_file() for image in listed)
    rows = (home / "voc" / "ImageSets" / "Segmentation" / "default.txt").read_text().splitlines()
    assert all((home / "voc" / "SegmentationClass" / f"{row}.png").is_file() for row in rows)
    assert len(rows) == len(wild)


def test_texts_with_signs_of_their_own_are_quoted(tmp_path: Path) -> None:
    import yaml

    texts = ("=1+1", "a: b # c\nd", "a_ b _ c d", "background", '"', "{x}", " null")
    run = one_picture(
        tmp_path, found=[(i, 0.5, np.indices((20, 30))[0] == i) for i in range(7)], texts=texts, classes=None
    )
    run.export(tmp_path / "out", "coco", "yolo", "voc", class_names=())
    home = tmp_path / "out" / HOME
    categories = json.loads((home / "coco" / "annotations.json").read_text())["categories"]
    one_line = [text.replace("\n", " ").strip() for text in texts]
    assert [(one["id"], one["name"]) for one in categories] == list(enumerate(one_line, 1))
    assert yaml.safe_load((home / "yolo" / "data.yaml").read_text())["names"] == dict(enumerate(one_line))
    rows = (home / "voc" / "labelmap.txt").read_text().splitlines()
    assert [row.partition(":")[0] for row in rows[1:]] == [
        "background", "=1+1", "a_ b _ c d", "a_ b _ c d (2)", "background (2)", '"', "{x}", "null",
    ]  # fmt: skip
    about = json.loads((home / "voc" / "manifest.json").read_text())
    assert "'background' is 'background (2)'" in about["notes"][0]
    assert about["renamed_names"] == {"a: b # c\nd": "a: b # c d", " null": "null"}


def test_more_categories_than_voc_can_hold(tmp_path: Path) -> None:
    many = tuple(f"c{i}" for i in range(255))
    found = [(i, 0.5, np.arange(600).reshape(20, 30) == i) for i in range(255)]
    run = one_picture(tmp_path, found=found, texts=many, classes=None)
    with pytest.raises(UsageError, match="254 categories.*coco or yolo"):
        run.export(tmp_path / "out", "voc", class_names=())
    assert not list((tmp_path / "out").rglob("*.png"))
    run = one_picture(tmp_path / "fewer", found=found[1:], texts=many, classes=None)
    run.export(tmp_path / "out", "voc", class_names=())


def test_more_instances_than_a_palette_can_hold(tmp_path: Path) -> None:
    found = [(0, 0.5, np.arange(600).reshape(20, 30) == i) for i in range(300)]
    done = one_picture(tmp_path, found=found).export(tmp_path / "out", "voc")
    home = tmp_path / "out" / HOME / "voc"
    objects = cv2.imread(str(home / "SegmentationObject" / "a.png"), cv2.IMREAD_UNCHANGED)
    assert objects.dtype == np.uint16
    assert len(np.unique(objects)) == 301
    assert 255 not in objects
    assert "16-bit" in done.notes["voc"][0]


def test_the_folder_is_the_label_made_safe() -> None:
    labels = ["classical", "classical@coin-seed", "classical:cut_bias=0.1", "a/b", "a%2Fb", "..", "/", "x#2", "y" * 300]
    names = [file_names.folder_name(label) for label in labels]
    assert names[:3] == ["classical", "classical@coin-seed", "classical%3Acut_bias=0.1"]
    assert len(set(names)) == len(labels)
    assert not any("/" in name or name.startswith(".") or len(name) > 255 for name in names)


@pytest.mark.parametrize("text", [":x", "png,:x", ",png:x", " :x"])
def test_a_format_that_is_missing_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="a format is missing before the comma or colon"):
        specs.parse_export(text)


@pytest.mark.parametrize("spec", ["data", "data/images/plain.png", "hf:data", "hf-stream:data:train"])
def test_no_export_goes_into_the_dataset(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str) -> None:
    monkeypatch.chdir(tmp_path)
    source = specs.dataset_folder(spec)
    below = "data/images/out" if "images" in spec else "data/out"
    for folder in (below, f"run/../{below}"):
        with pytest.raises(UsageError, match="lies in the dataset.*outside"):
            specs.parse_export(f"png:{folder}", source)
    assert not Path(below).exists()
    assert specs.parse_export("png:out", source) == (("png",), Path("out"))


@pytest.mark.parametrize("spec", ["coins", "hf:owner/name", "nowhere", "hf-stream:owner/name:train"])
def test_a_dataset_that_is_no_folder_has_none(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coins").mkdir()
    assert specs.dataset_folder(spec) is None


def test_the_folder_of_a_coco_file_is_that_of_the_dataset(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    for name in ("annotations/instances_val.json", "data.yaml"):
        (tmp_path / name).write_text("{}")
        assert specs.dataset_folder(str(tmp_path / name)) == tmp_path
