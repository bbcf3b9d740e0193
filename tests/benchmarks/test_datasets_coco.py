"""COCO: masks come back pixel for pixel, pycocotools and supervision read the same, and every mistake is named."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PILImage

from benchmarks.datasets import open_dataset
from benchmarks.datasets.coco import claims, open_coco
from benchmarks.datasets.runlengths import RunLengthError, decoded
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
    run_lengths,
    write_json,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools' decode
SCENES = os.environ.get("COIN_SCENES")
real = pytest.mark.skipif(not SCENES, reason="COIN_SCENES names no folder of photographs")
CATEGORIES = [{"id": 3, "name": "leaf"}, {"id": 1, "name": "coin"}]
FORMS: dict[str, Callable[[Mask], Any]] = {
    "compressed": run_lengths,
    "uncompressed": lambda mask: run_lengths(mask, compressed=False),
    "polygon": lambda mask: [[v for point in polygon(mask) for v in point]],
}


def made(root: Path, form: str = "compressed", file: str = "annotations.json") -> dict[str, Any]:
    """Write the drawn masks as COCO; gives the document."""
    images, annotations = [], []
    for number, (name, by_class) in enumerate(masks().items(), 1):
        picture(root / f"images/{name}.png")
        images.append({"id": number, "file_name": f"{name}.png", "height": H, "width": W})
        for label, mask in by_class.items():
            category = {"leaf": 3, "coin": 1}[label]
            annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": category, "iscrowd": 0,
                                "area": int(mask.sum()), "bbox": [0, 0, W, H], "segmentation": FORMS[form](mask)})  # fmt: skip
    document = {"info": {}, "images": images, "annotations": annotations, "categories": [dict(c) for c in CATEGORIES]}
    write_json(root / file, document)
    return document


@pytest.mark.parametrize("form", FORMS)
def test_masks_come_back(form: str, tmp_path: Path) -> None:
    made(tmp_path / "set", form)
    assert claims(tmp_path / "set") == "annotations.json"
    dataset = opened(open_coco, tmp_path / "set")
    assert (dataset.format, dataset.class_names, len(dataset)) == ("COCO", ("leaf", "coin"), 6)
    assert_drawn(dataset, masks())
    assert_as_folder(dataset, tmp_path / "folder")
    assert pickle.loads(pickle.dumps(dataset["b_ring"])).target().any()
    assert dataset.hash == opened(open_coco, tmp_path / "set/annotations.json").hash


@pytest.mark.parametrize("form", FORMS)
def test_pycocotools_reads_the_same(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pycocotools.coco import COCO

    made(tmp_path, form)
    coco, dataset = COCO(tmp_path / "annotations.json"), opened(open_coco, tmp_path)
    for annotation in coco.loadAnns(coco.getAnnIds()):
        name = Path(coco.loadImgs(annotation["image_id"])[0]["file_name"]).stem
        label = coco.loadCats(annotation["category_id"])[0]["name"]
        np.testing.assert_array_equal(coco.annToMask(annotation), (dataset[name].targets or {})[label])


def test_supervision_reads_the_same(tmp_path: Path) -> None:
    import supervision as sv

    made(tmp_path)
    theirs = sv.DetectionDataset.from_coco(
        str(tmp_path / "images"), str(tmp_path / "annotations.json"), force_masks=True
    )
    dataset = opened(open_coco, tmp_path)
    for path, _, found in theirs:
        assert found.mask is None or (found.mask.any(axis=0) == dataset[Path(path).stem].target()).all()


def test_a_crowd_is_ignored_where_no_object_lies(tmp_path: Path) -> None:
    document = made(tmp_path)
    crowd = disc(40, 30, 25)
    document["annotations"].append({"id": 99, "image_id": 1, "category_id": 3, "iscrowd": 1,
                                    "segmentation": run_lengths(crowd, compressed=False)})  # fmt: skip
    write_json(tmp_path / "annotations.json", document)
    sample, coin = opened(open_coco, tmp_path)["a_disc"], masks()["a_disc"]["coin"]
    np.testing.assert_array_equal(sample.ignore(), crowd & ~coin)
    np.testing.assert_array_equal(sample.target(), coin)


def test_objects_and_polygons_are_united_and_clipped(tmp_path: Path) -> None:
    document = made(tmp_path)
    parts = [[-5.0, -5, 10, -5, 10, 10, -5, 10], [50, 50, 95, 50, 95, 65, 50, 65], [50, 20, 60, 20, 60, 30]]
    document["annotations"] = [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": parts}]
    write_json(tmp_path / "annotations.json", document)
    target = opened(open_coco, tmp_path)["a_disc"].target()
    assert target is not None
    assert target[:10, :10].all()
    assert target[50:, 50:].all()
    assert abs(int(target.sum()) - (100 + 400 + 50)) <= 6


def test_what_images_say_beyond_coco(tmp_path: Path) -> None:
    document = made(tmp_path)
    document["images"][0] |= {"group": "g", "split": "test", "prompt": "a coin; a medal", "background": "red", "n": 3,
                              "mask_file_name": "x.png", "list": [1], "license": 1}  # fmt: skip
    write_json(tmp_path / "annotations.json", document)
    sample = opened(open_coco, tmp_path)["a_disc"]
    assert (sample.group, sample.split, sample.prompt.texts) == ("g", "test", ("a coin", "a medal"))
    assert sample.tags == {"background": "red", "n": "3"}


LAYOUTS: dict[str, tuple[str, str, str | None, str]] = {
    "beside": ("annotations.json", "{}", None, "annotations.json"),
    "images": ("coins.json", "images/{}", None, "coins.json"),
    "official": ("annotations/instances_val2017.json", "val2017/{}", "val2017", "annotations/instances_val2017.json"),
    "official, images": ("annotations/instances_val.json", "images/val/{}", "val", "annotations/instances_val.json"),
    "roboflow": ("valid/_annotations.coco.json", "valid/{}", "valid", "valid/_annotations.coco.json"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, tmp_path: Path) -> None:
    file, pictures, split, claimed = LAYOUTS[layout]
    made(tmp_path, file=file)
    write_json(tmp_path / "other.json", {"version": 1})
    for path in sorted((tmp_path / "images").glob("*.png")):
        (tmp_path / pictures).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, tmp_path / pictures.format(path.name))
    assert claims(tmp_path) == claimed
    dataset = opened(open_coco, tmp_path)
    assert_drawn(dataset, masks())
    assert {s.split for s in dataset} == {split}


def test_a_file_for_each_split(tmp_path: Path) -> None:
    document = made(tmp_path, file="train.json")
    for split, part in (("train", slice(0, 3)), ("test", slice(3, 6))):
        kept = document["images"][part]
        ids = {image["id"] for image in kept}
        annotations = [a for a in document["annotations"] if a["image_id"] in ids]
        write_json(tmp_path / f"{split}.json", {**document, "images": kept, "annotations": annotations})
    dataset = opened(open_coco, tmp_path)
    assert dataset.splits == ("test", "train")
    assert_drawn(dataset, masks())


def test_other_things_are_not_coco(tmp_path: Path) -> None:
    assert open_coco("coins") is None
    assert open_coco(str(tmp_path)) is None
    write_json(tmp_path / "a.json", {"shapes": [], "imagePath": "a.png", "images": []})
    (tmp_path / "b.json").write_bytes(b"\xff\x00[")
    assert claims(tmp_path) is None
    assert open_coco(str(tmp_path / "a.json")) is None
    assert claims(tmp_path / "nowhere") is None


@pytest.mark.parametrize("text", ["\x00", "é", "o", "ooooooooooo", "~"])
def test_damaged_run_lengths(text: str) -> None:
    with pytest.raises(RunLengthError):
        decoded(text)


@real
def test_real_photographs_from_run_lengths_and_polygons(tmp_path: Path) -> None:
    folder, drawn = open_dataset(Path(str(SCENES))), opened(open_coco, Path(str(SCENES)) / "annotations.json")
    images, annotations = [], []
    for number, sample in enumerate(folder, 1):
        target, mask = sample.target(), drawn[sample.id].target()
        assert target is not None
        assert mask is not None
        assert (target & mask).sum() >= 0.99 * (target | mask).sum()
        assert drawn[sample.id].tags == {"background": sample.tags["background"]}
        assert sample.path is not None
        (tmp_path / sample.path.name).symlink_to(shutil.copy(sample.path, tmp_path / f"_{sample.path.name}"))
        images.append(
            {"id": number, "file_name": sample.path.name, "height": target.shape[0], "width": target.shape[1]}
        )
        annotations.append({"id": number, "image_id": number, "category_id": 1, "segmentation": run_lengths(target)})
    write_json(
        tmp_path / "annotations.json",
        {"images": images, "annotations": annotations, "categories": [dict(c) for c in CATEGORIES]},
    )
    for ours, sample in zip(opened(open_coco, tmp_path), folder, strict=True):
        np.testing.assert_array_equal(ours.target(), sample.target())
    assert_as_folder(drawn, tmp_path / "folder")


@real
def test_pycocotools_reads_the_real_annotations_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    from pycocotools.coco import COCO

    from benchmarks.datasets.coco_file import segmentation
    from benchmarks.datasets.polygons import draw

    coco = COCO(Path(str(SCENES)) / "annotations.json")
    for annotation in coco.loadAnns(coco.getAnnIds()):
        image = coco.loadImgs(annotation["image_id"])[0]
        size = (image["height"], image["width"])
        assert (draw([segmentation(annotation, size)], size) == coco.annToMask(annotation)).all()


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def build(root: Path) -> object:
        document = made(root)
        change(document)
        return (root / "annotations.json").write_text(json.dumps(document))

    return build


def annotation(**values: object) -> Callable[[Path], object]:
    return changed(lambda d: d["annotations"][1].update(values))


def shape(value: object) -> Callable[[Path], object]:
    return annotation(segmentation=value)


def image(**values: object) -> Callable[[Path], object]:
    return changed(lambda d: d["images"][1].update(values))


def raw(text: str | bytes) -> Callable[[Path], object]:
    def build(root: Path) -> object:
        made(root)
        return (root / "annotations.json").write_bytes(text if isinstance(text, bytes) else text.encode())

    return build


def counts(*values: object) -> Callable[[Path], object]:
    return shape({"size": [H, W], "counts": list(values)})


def link_out(root: Path) -> None:
    made(root)
    (root / "images/b_ring.png").unlink()
    (root / "images/b_ring.png").symlink_to(picture(root.parent / "secret.png"))


def json_link_out(root: Path) -> None:
    made(root)
    (root / "annotations.json").rename(root.parent / "secret.json")
    (root / "annotations.json").symlink_to(root.parent / "secret.json")


def two_files(root: Path) -> None:
    made(root)
    made(root, file="second.json")


ANN, IMG = "annotations.json annotation 2", "annotations.json image 2"
BROKEN: Broken = {
    "cut off": (raw('{"images": [{"id": 1'), "annotations.json is not JSON", "Export it again"),
    "deep": (raw('{"images": [' * 100_000), "nested too deeply", "Export"),
    "not UTF-8": (raw(b'{"images": [], "x": "\xff"}'), "is not UTF-8 from byte 21", "UTF-8"),
    "endless number": (raw('{"images": [' + "9" * 5000 + "]}"), "is not JSON", "Export"),
    "no annotations": (changed(lambda d: d.pop("annotations")), "annotations.json has no annotations", "'annotations'"),
    "no categories": (changed(lambda d: d["categories"].clear()), "has no categories", "'categories'"),
    "no images": (changed(lambda d: [d["images"].clear(), d["annotations"].clear()]), "lists no images", "'images'"),
    "category twice": (changed(lambda d: d["categories"].append({"id": 3, "name": "x"})), "category id 3 twice", "own"),
    "name twice": (changed(lambda d: d["categories"].append({"id": 7, "name": "coin"})), "of the name 'coin'", "Rename"),
    "category id": (changed(lambda d: d["categories"].append({"id": True, "name": "x"})), "category number 3", "id"),
    "category unknown": (annotation(category_id=8), f"{ANN}: has the category_id 8", "3 'leaf', 1 'coin'"),
    "category a list": (annotation(category_id=[1]), f"{ANN}: has the category_id a list of 1", "Correct"),
    "image unknown": (annotation(image_id=10**40), f"{ANN}: belongs to the image_id a number of more", "add the image"),
    "annotation id twice": (annotation(id=1), "annotation 1: has an id that an earlier", "own"),
    "annotation id": (annotation(id=True), "annotation number 2: has the id True", "Number"),
    "annotation a number": (changed(lambda d: d["annotations"].append(5)), "annotation number 7: is 5", "again"),
    "image id twice": (image(id=1), "image 1: two images have this id", "own"),
    "image id": (image(id=False), "image number 2: its id is False", "whole number"),
    "image a text": (changed(lambda d: d["images"].append("x")), "image number 7: its id is None", "whole number"),
    "picture twice": (image(file_name="a_disc.png"), f"{IMG}.*same picture as annotations.json image 1", "Keep one"),
    "picture missing": (image(file_name="images/b_rings.png"), f"{IMG}.*does not exist", "images/b_ring.png"),
    "no file_name": (image(file_name=None), f"{IMG}: its file_name is None", "as text"),
    "up": (image(file_name="../set/images/b_ring.png"), f"{IMG}.*leaves the dataset", "relative"),
    "absolute": (image(file_name="/etc/passwd"), f"{IMG}.*absolute", "relative"),
    "drive": (image(file_name="C:/a.png"), f"{IMG}.*drive", "relative"),
    "address": (image(file_name="https://example.org/a.png"), f"{IMG}.*address", "relative"),
    "link out": (link_out, f"{IMG}.*link that leaves", "Copy"),
    "file is a link out": (json_link_out, "annotations.json is a link that leaves", "Copy"),
    "turned": (image(width=H, height=W), f"{ANN}: has run lengths for 90 x 60, which is turned", "Encode"),
    "EXIF": (changed(lambda d: d["images"][5].update(width=H, height=W)), "the picture is 90 x 60.*60 x 90", "EXIF"),
    "size": (changed(lambda d: d["images"][5].update(width=W * 2, height=H * 2)), "180 x 120 pixels", "never resized"),
    "size a text": (image(width="90"), f"{IMG}.*its height is 60 and its width '90'", "whole numbers"),
    "surrogate": (image(group="\ud800"), f"{IMG}.*'group' holds what cannot be printed", "Correct"),
    "prompt": (image(prompt=5), f"{IMG}.*the prompt must be", "Correct"),
    "runs too few": (counts(1, 2), f"{ANN}: has run lengths that add up to 3 and not to 5400", "Encode"),
    "runs negative": (counts(5401, -1), f"{ANN}: has a run length that is not a whole number", "Encode"),
    "runs True": (counts(5399, True), f"{ANN}: has a run length that is not", "Encode"),
    "runs damaged": (shape({"size": [H, W], "counts": "ooo"}), f"{ANN}: has run lengths that are cut off", "Encode"),
    "runs without counts": (shape({"size": [H, W]}), f"{ANN}: has run lengths whose counts are None", "Encode"),
    "runs without size": (shape({"counts": [1]}), f"{ANN}: has run lengths of the size None", "Encode"),
    "odd": (shape([[1, 2, 3, 4, 5, 6, 7]]), f"{ANN}: has a polygon of 7 numbers", "x and y"),
    "two points": (shape([[1, 2, 3, 4]]), f"{ANN}: has a polygon of 2 points", "3 points"),
    "NaN": (shape([[1, 2, float("nan"), 4, 5, 6]]), f"{ANN}: has nan where a coordinate", "finite"),
    "infinite": (shape([[1, 2, float("inf"), 4, 5, 6]]), f"{ANN}: has inf where", "finite"),
    "huge": (shape([[1, 2, 10**300, 4, 5, 6]]), f"{ANN}: has a number of more than 30 digits", "finite"),
    "True": (shape([[1, 2, True, 4, 5, 6]]), f"{ANN}: has True where", "finite"),
    "far outside": (shape([[1, 2, 500, 4, 5, 6]]), f"{ANN}: has the coordinate x = 500, far outside", "scaled"),
    "flat": (shape([1, 2, 3, 4, 5, 6]), f"{ANN}: has a list of 6 as its segmentation", "list of polygons"),
    "a text": (shape("abc"), f"{ANN}: has 'abc' as its segmentation", "list of polygons"),
    "box": (shape([]), f"{ANN}: has only a box", "instance segmentation"),
    "keypoints": (annotation(segmentation=None, keypoints=[1, 2, 2]), f"{ANN}: has only keypoints", "instance"),
    "crowd": (annotation(iscrowd=2), f"{ANN}: has iscrowd 2", "Write 0"),
    "several files": (two_files, "2 COCO files that are no splits: annotations.json, second.json", "annotations.json"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused("coco:open_coco", tmp_path, monkeypatch, *BROKEN[case])


def test_all_problems_are_listed_and_the_other_pictures_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(root: Path) -> None:
        changed(lambda d: [a.update(segmentation=[]) for a in d["annotations"][:2]] + [d["images"][3].update(id=1.5)])(
            root
        )

    listed = assert_refused("coco:open_coco", tmp_path, monkeypatch, build, "3 more problems", "")
    rows = [problem.row for problem in listed.problems]
    assert rows == [
        f"annotations.json {row}" for row in ("image number 4", "annotation 1", "annotation 2", "annotation 4")
    ]
    assert [s.id for s in listed] == ["c_border", "e_two", "f_nothing"]


def test_a_list_is_told_of_when_named(tmp_path: Path) -> None:
    from pipelines.errors import DatasetError

    with pytest.raises(DatasetError, match=r"results.json holds a list of 0 and no COCO"):
        open_coco(str(write_json(tmp_path / "results.json", [])))


def test_what_cvat_puts_into_no_subset_is_no_split(tmp_path: Path) -> None:
    for name in ("images/default", "annotations"):
        (tmp_path / name).mkdir(parents=True)
    PILImage.new("RGB", (30, 20)).save(tmp_path / "images/default/a.png")
    drawn = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[5, 5, 15, 5, 15, 15, 5, 15]], "iscrowd": 0}
    image = {"id": 1, "width": 30, "height": 20, "file_name": "a.png"}
    document = {"categories": [{"id": 1, "name": "coin"}], "images": [image], "annotations": [drawn]}
    (tmp_path / "annotations/instances_default.json").write_text(json.dumps(document))
    (sample,) = open_dataset(tmp_path)
    assert (sample.split, int(sample.target().sum())) == (None, 100)  # type: ignore[union-attr]
