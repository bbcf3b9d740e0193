"""Downloads: the bytes of an export of a run, and what other programs read in them."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image as Pillow

from benchmarks.soft_maps import SoftMaps
from pipelines.errors import UnknownNameError, UsageError
from tests.benchmarks.exporting import CLASSES, HOME, make_run
from tests.workbench.results import CONFIGURATION, SIZE, WHEN, nothing, of_run, produced, result
from workbench.files.downloads import FILES, coco_json, download, file_name, soft_png, stem

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools' decode
SINGLE = tuple(name for name in FILES if name != "psd")


def opened(data: bytes) -> np.ndarray:
    with Pillow.open(io.BytesIO(data)) as image:
        image.load()
        assert image.format == "PNG"
        return np.asarray(image)


def test_files_are_those_of_an_export_byte_for_byte(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.export(tmp_path / "out", "png", "rgba", "crop", "yolo", "coco")
    home = tmp_path / "out" / HOME
    exported = json.loads((home / "coco" / "annotations.json").read_text())
    ids = {Path(one["file_name"]).with_suffix("").as_posix(): one["id"] for one in exported["images"]}
    results = of_run(run)
    assert len(results) == 8
    for name, found in results.items():
        assert download(found, "mask") == (home / "png" / "masks" / f"{name}.png").read_bytes()
        assert download(found, "cut_out") == (home / "rgba" / f"{name}.png").read_bytes()
        if name != "empty":
            assert download(found, "crop") == (home / "crop" / f"{name}.png").read_bytes()
        assert download(found, "yolo") == (home / "yolo" / "labels" / f"{name}.txt").read_bytes()
        ours = json.loads(download(found, "coco"))
        theirs = [one for one in exported["annotations"] if one["image_id"] == ids[name]]
        numbers = ("id", "image_id")
        assert [{k: v for k, v in one.items() if k not in numbers} for one in ours["annotations"]] == [
            {k: v for k, v in one.items() if k not in numbers} for one in theirs
        ]
        assert ours["categories"] == exported["categories"]
        names = yaml.safe_load(download(found, "yolo_names"))["names"]
        assert names == yaml.safe_load((home / "yolo" / "data.yaml").read_bytes())["names"] == dict(enumerate(CLASSES))


def test_a_soft_map_is_the_one_that_a_run_keeps(tmp_path: Path) -> None:
    found = result()
    kept = SoftMaps(tmp_path, 10).keep("a", found.soft)
    assert kept is not None
    assert soft_png(found) == (tmp_path / kept).read_bytes()


def test_pillow_reads_the_pictures() -> None:
    found = result()
    mask = found.prediction.masks.any(axis=0)
    assert np.array_equal(opened(download(found, "picture")), found.image)
    shown = opened(download(found, "mask"))
    assert shown.dtype == np.uint8
    assert np.array_equal(shown, np.where(mask, 255, 0))
    cut = opened(download(found, "cut_out"))
    assert np.array_equal(cut[..., 3], np.where(mask, 255, 0))
    assert np.array_equal(cut[mask][:, :3], found.image[mask])
    assert not cut[~mask].any()
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert np.array_equal(opened(download(found, "crop")), found.image[box])
    soft = opened(download(found, "soft"))
    assert found.soft is not None
    assert np.array_equal(soft, np.floor(found.soft * 255))
    cut = opened(download(found, "soft_cut_out"))
    assert np.array_equal(cut[..., 3], soft)
    assert np.array_equal(cut[soft > 0][:, :3], found.image[soft > 0])
    assert not cut[soft == 0].any()


def test_pycocotools_reads_the_masks(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    found = result()
    (tmp_path / "coco.json").write_bytes(download(found, "coco"))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "coco.json"))
    assert coco.imgs == {1: {"id": 1, "file_name": "picture.png", "height": SIZE[0], "width": SIZE[1]}}
    assert [one["name"] for one in coco.cats.values()] == ["a coin", "a leaf"]
    assert [one["id"] for one in coco.anns.values()] == [1, 2, 3]
    for annotation, mask, score, label in zip(coco.anns.values(), found.prediction.masks, [0.9, 0.5, 0.75], [1, 0, 1],
                                              strict=False):  # fmt: skip
        assert np.array_equal(coco.annToMask(annotation), mask)
        assert annotation["area"] == mask.sum()
        assert annotation["score"] == score
        assert annotation["category_id"] == label + 1
        x, y, width, height = annotation["bbox"]
        assert not mask[: int(y)].any()
        assert mask[int(y) : int(y + height), int(x) : int(x + width)].sum() == mask.sum()


def test_pycocotools_fills_the_outlines_of_yolo() -> None:
    from pycocotools import mask as coco

    found, height, width = result(), *SIZE
    lines = download(found, "yolo").decode().splitlines()
    assert [int(line.split()[0]) for line in lines] == [1, 0, 1]
    for line, mask in zip(lines, found.prediction.masks, strict=False):
        corners = np.array(line.split()[1:], float).reshape(-1, 2) * (width, height)
        filled = coco.decode(coco.frPyObjects([corners.ravel().tolist()], height, width))[..., 0]
        assert np.array_equal(filled, mask)


def test_where_nothing_was_found_there_are_empty_files_and_reasons() -> None:
    found = nothing()
    assert not opened(download(found, "mask")).any()
    assert not opened(download(found, "cut_out")).any()
    assert download(found, "yolo") == b""
    told = json.loads(download(found, "coco"))
    assert (told["annotations"], [one["name"] for one in told["categories"]]) == ([], ["foreground"])
    with pytest.raises(UsageError, match="no Crop.*Nothing was found"):
        download(found, "crop")
    for kind in ("soft", "soft_cut_out"):
        with pytest.raises(UsageError, match="masks only"):
            download(found, kind)
    with pytest.raises(UnknownNameError, match="'mask'"):
        download(found, "masc")


def test_equal_results_give_equal_bytes() -> None:
    assert all(download(result(), kind) == download(result(), kind) for kind in SINGLE)


def test_what_produced_a_file_is_said_without_the_folders_of_this_machine() -> None:
    info = json.loads(coco_json(result()))["info"]
    assert info["created"] == WHEN.isoformat()
    assert (info["pipeline"], info["preset"], info["device"]) == ("clipseg", "fine", "cpu")
    assert info["params"] == CONFIGURATION.params
    assert info["prompt"] == {"texts": ["a coin", "a leaf"], "boxes": [], "points": []}
    assert info["weights"][0]["licence"] == "MIT"
    assert info["weights_from"] == "weights"
    assert (info["ms"], info["flags"]) == ({"infer": 12.5}, ["tiled"])
    assert info["environment"]["packages"] == {"numpy": "2"}
    assert info["sources"] == {"pipelines": "f" * 64}
    assert produced().weights == CONFIGURATION.weights


@pytest.mark.parametrize(("name", "wanted"), [
    ("photo.png", "photo"), ("../../etc/passwd", "passwd"), ("C:\\temp\\a b.jpeg", "a_b"), ("", "picture"), ("..", "picture"),
    ("<script>alert(1)</script>.png", "script"), ("a\r\nSet-Cookie: x", "a_Set-Cookie_x"), ("münze 日本", "münze_日本"),
    ("=cmd|' /C calc'!A0", "C_calc_A0"), ("x" * 500, "x" * 60), ("a.b.c", "a_b"), ("CON", "CON"),
])  # fmt: skip
def test_names_of_files_are_harmless(name: str, wanted: str) -> None:
    assert stem(name) == wanted
    assert file_name(result(name), "mask") == f"{wanted}_clipseg_mask.png"
