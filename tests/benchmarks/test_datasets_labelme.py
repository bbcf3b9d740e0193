"""labelme: polygons, rectangles, circles and masks come back, and every mistake is named."""

import base64
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.datasets import open_dataset
from benchmarks.datasets.labelme import claims, open_labelme
from pipelines.types import Mask
from tests.benchmarks.drawn import (
    Broken,
    H,
    W,
    assert_as_folder,
    assert_drawn,
    assert_refused,
    disc,
    masks,
    opened,
    picture,
    polygon,
    write_json,
)

SCENES = os.environ.get("COIN_SCENES")


def outlined(label: str, mask: Mask) -> dict[str, Any]:
    return {"label": label, "points": polygon(mask), "shape_type": "polygon", "group_id": None, "flags": {}}


def stamped(label: str, mask: Mask) -> dict[str, Any]:
    """As labelme writes it: the PNG of the box, whose corners are its first and last pixel."""
    ys, xs = np.nonzero(mask)
    x0, y0, x1, y1 = int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())
    file = io.BytesIO()
    Image.fromarray(mask[y0 : y1 + 1, x0 : x1 + 1].astype(np.uint8)).save(file, "PNG")
    text = base64.b64encode(file.getvalue()).decode()
    return {"label": label, "points": [[x0, y0], [x1, y1]], "shape_type": "mask", "mask": text}


def document(name: str, shapes: list[Any], size: tuple[int, int] = (H, W)) -> dict[str, Any]:
    return {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": name, "imageData": None,
            "imageHeight": size[0], "imageWidth": size[1]}  # fmt: skip


def made(root: Path, shape: Callable[[str, Mask], dict[str, Any]] = outlined, images: str = "", jsons: str = "",
         path: str = "{}") -> Path:  # fmt: skip
    for name, by_class in masks().items():
        picture(root / images / f"{name}.png")
        shapes = [shape(label, mask) for label, mask in by_class.items()]
        write_json(root / jsons / f"{name}.json", document(path.format(f"{name}.png"), shapes))
    return root


@pytest.mark.parametrize("shape", [outlined, stamped])
def test_masks_come_back(shape: Callable[[str, Mask], dict[str, Any]], tmp_path: Path) -> None:
    root = made(tmp_path / "set", shape)
    assert claims(root) == "a_disc.json"
    dataset = opened(open_labelme, root)
    assert (dataset.format, dataset.class_names, dataset.notes) == ("labelme", ("coin", "leaf"), ())
    assert_drawn(dataset, masks())
    assert_as_folder(dataset, tmp_path / "folder")


@pytest.mark.parametrize(
    ("images", "jsons", "path", "split"),
    [
        ("images", "labels", "../images/{}", None),
        ("images", "labels", "..\\images\\{}", None),
        ("", "", "./{}", None),
        ("train", "train", "{}", "train"),
    ],
)
def test_where_pictures_are(images: str, jsons: str, path: str, split: str | None, tmp_path: Path) -> None:
    dataset = opened(open_labelme, made(tmp_path, outlined, images, jsons, path))
    assert_drawn(dataset, masks())
    assert {s.split for s in dataset} == {split}


def one(root: Path, *shapes: dict[str, Any]) -> Mask:
    picture(root / "a.png")
    write_json(root / "a.json", document("a.png", list(shapes)))
    target = opened(open_labelme, root)["a"].target()
    assert target is not None
    return target


def test_rectangles_and_circles(tmp_path: Path) -> None:
    expected = np.zeros((H, W), np.bool_)
    expected[10:20, 30:50] = True
    two = {"label": "a", "shape_type": "rectangle", "points": [[50, 20], [30, 10]]}
    four = {"label": "a", "shape_type": "rectangle", "points": [[30, 10], [50, 10], [50, 20], [30, 20]]}
    np.testing.assert_array_equal(one(tmp_path, two), expected)
    np.testing.assert_array_equal(one(tmp_path, four), expected)
    target = one(tmp_path, {"label": "a", "shape_type": "circle", "points": [[45, 30], [45, 55]]})
    drawn = disc(45, 30, 25)
    assert (target & drawn).sum() >= 0.99 * (target | drawn).sum()
    np.testing.assert_array_equal(one(tmp_path, {"label": "a", "points": polygon(drawn)}), drawn)


def test_ignored_background_and_pictures_without_a_file(tmp_path: Path) -> None:
    coin, other = disc(30, 30, 20), disc(45, 30, 20)
    picture(tmp_path / "b.png")
    write_json(tmp_path / "notes.json", {"a": 1})
    target = one(tmp_path, outlined("coin", coin), outlined("__ignore__", other), outlined("_background_", ~coin))
    dataset = opened(open_labelme, tmp_path)
    np.testing.assert_array_equal(target, coin)
    np.testing.assert_array_equal(dataset["a"].ignore(), other & ~coin)
    assert (dataset.class_names, len(dataset)) == (("coin",), 1)
    assert "1 JSON files are not labelme's" in dataset.notes[0]
    assert "1 pictures have no labelme file" in dataset.notes[1]


def test_a_large_embedded_picture_does_not_hide_the_format(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    values = document("a.png", [outlined("coin", disc(30, 30, 9))]) | {"imageData": "A" * 300_000}
    write_json(tmp_path / "a.json", dict(sorted(values.items())))
    assert len(opened(open_labelme, tmp_path)) == 1


def test_other_things_are_not_labelme(tmp_path: Path) -> None:
    assert open_labelme("coins") is None
    write_json(tmp_path / "a.json", {"images": [], "annotations": [], "categories": []})
    (tmp_path / "b.json").write_bytes(b'{"shapes": \xff')
    assert claims(tmp_path) is None
    assert open_labelme(str(tmp_path)) is None


@pytest.mark.skipif(not SCENES, reason="COIN_SCENES names no folder of photographs")
def test_real_photographs(tmp_path: Path) -> None:
    shutil.copytree(Path(str(SCENES)) / "images", tmp_path / "set")
    expected = {}
    for sample in open_dataset(Path(str(SCENES))):
        mask = sample.target()
        assert mask is not None
        assert sample.path is not None
        expected[sample.id] = {"coin": mask}
        shape = stamped if len(expected) % 2 else outlined
        write_json(tmp_path / f"set/{sample.id}.json", document(sample.path.name, [shape("coin", mask)], sample.size))
    dataset = opened(open_labelme, tmp_path / "set")
    assert_drawn(dataset, expected, 0.99)
    assert_as_folder(dataset, tmp_path / "folder")


def raw(text: str | bytes) -> Callable[[Path], object]:
    data = text if isinstance(text, bytes) else text.encode()
    return lambda root: (made(root) / "b_ring.json").write_bytes(data)


def values(**changes: object) -> Callable[[Path], object]:
    def build(root: Path) -> object:
        path = made(root) / "b_ring.json"
        return path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return build


def shape(**changes: object) -> Callable[[Path], object]:
    return values(shapes=[outlined("coin", disc(30, 30, 9)) | changes])


def mask(**changes: object) -> Callable[[Path], object]:
    return values(shapes=[stamped("coin", disc(30, 30, 9)) | changes])


def link_out(root: Path) -> None:
    made(root)
    (root / "b_ring.png").unlink()
    (root / "b_ring.png").symlink_to(picture(root.parent / "secret.png"))


FILE, ROW = "b_ring.json: ", "b_ring.json shape 1: "
BROKEN: Broken = {
    "cut off": (raw('{"shapes": [], "imagePath": "b_'), f"{FILE}b_ring.json is not JSON", "Export"),
    "deep": (raw('{"shapes": ' + "[" * 100_000), "nested too deeply", "Export"),
    "not UTF-8": (raw(b'{"shapes": [], "imagePath": "\xff"}'), "not UTF-8", "UTF-8"),
    "empty": (raw(""), "b_ring.json is empty", "Export"),
    "no path": (values(imagePath=None), f"{FILE}its imagePath is None", "relative"),
    "path a list": (values(imagePath=["a"]), f"{FILE}its imagePath is a list of 1", "relative"),
    "missing": (values(imagePath="b_rings.png"), f"{FILE}the file 'b_rings.png' does not exist", "'b_ring.png'"),
    "embedded": (values(imagePath="x.png", imageData="AAAA"), f"{FILE}the file 'x.png' does not", "save that as 'x.png'"),
    "absolute": (values(imagePath="/etc/passwd"), f"{FILE}.*absolute", "relative"),
    "up": (values(imagePath="../secret.png"), f"{FILE}.*leaves the dataset", "relative"),
    "up on Windows": (values(imagePath="..\\..\\secret.png"), f"{FILE}.*leaves the dataset", "relative"),
    "drive": (values(imagePath="C:\\a\\b.png"), f"{FILE}.*drive", "relative"),
    "address": (values(imagePath="https://example.org/a.png"), f"{FILE}.*address", "relative"),
    "folder": (values(imagePath="."), f"{FILE}the file '.' is a folder", "Correct"),
    "NUL": (values(imagePath="a\0b"), f"{FILE}.*control characters", "relative"),
    "link out": (link_out, f"{FILE}.*link that leaves", "Copy"),
    "picture twice": (values(imagePath="a_disc.png"), f"{FILE}its picture is also that of a_disc.json", "Keep one"),
    "shapes": (values(shapes={"a": 1}), f"{FILE}its shapes are an object", "Save"),
    "size": (values(imageHeight=H * 2), "the picture is 90 x 60 and b_ring.json says 90 x 120", "never resized"),
    "EXIF": (values(imageHeight=W, imageWidth=H), "the picture is 90 x 60 and b_ring.json says 60 x 90", "EXIF"),
    "size True": (values(imageHeight=True), f"{FILE}its imageHeight is True", "whole numbers"),
    "shape a text": (values(shapes=["a"]), f"{ROW}has no label", "Give it one"),
    "no label": (shape(label=" "), f"{ROW}has no label", "Give it one"),
    "label with half a character": (shape(label="\ud800"), f"{ROW}has no label", "Give it one"),
    "point": (shape(shape_type="point", points=[[1, 2]]), f"{ROW}is a point, which has no area", "polygon"),
    "linestrip": (shape(shape_type="linestrip"), f"{ROW}is a linestrip, which has no area", "polygon"),
    "kind": (shape(shape_type=["x"]), f"{ROW}is of the kind a list of 1", "rectangle"),
    "circle": (shape(shape_type="circle"), f"{ROW}is a circle with", "again"),
    "two points": (shape(points=[[1, 2], [3, 4]]), f"{ROW}has a polygon of 2 points", "3 points"),
    "no points": (shape(points=None), f"{ROW}has a point with None", "finite"),
    "NaN": (shape(points=[[1, 2], [3, float("nan")], [5, 6]]), f"{ROW}has a point with nan", "finite"),
    "True": (shape(points=[[1, 2], [3, True], [5, 6]]), f"{ROW}has a point with True", "finite"),
    "far": (shape(points=[[1, 2], [3, 4], [5, 600]]), f"{ROW}has the coordinate y = 600", "scaled"),
    "mask no base64": (mask(mask="!"), f"{ROW}has a mask that is no PNG", "again"),
    "mask no PNG": (mask(mask="AAAA"), f"{ROW}has a mask that is no PNG", "again"),
    "mask missing": (mask(mask=None), f"{ROW}has a mask that is no PNG", "again"),
    "mask of another size": (mask(points=[[0, 0], [9, 9]]), f"{ROW}has a mask of 18 x 18 pixels in a box", "again"),
    "mask outside": (mask(points=[[80, 20], [97, 37]]), f"{ROW}.*which leaves the picture", "again"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused("labelme:open_labelme", tmp_path, monkeypatch, *BROKEN[case])


def test_all_problems_are_listed_and_the_other_pictures_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(root: Path) -> None:
        values(shapes=[{"label": "a", "points": [[1, 2]]}, outlined("b", disc(9, 9, 5)), 7])(root)
        (root / "d_thin.json").write_text("{")

    listed = assert_refused("labelme:open_labelme", tmp_path, monkeypatch, build, "shape 1", "2 more problems")
    assert [problem.row for problem in listed.problems] == ["b_ring.json shape 1", "b_ring.json shape 3", "d_thin.json"]
    assert [s.id for s in listed] == ["a_disc", "c_border", "e_two", "f_nothing"]
