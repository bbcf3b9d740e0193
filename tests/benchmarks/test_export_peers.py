"""Other people's programs read what is exported, and see the masks that were stored."""

from __future__ import annotations

import contextlib
import gc
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage

from benchmarks import rle
from tests.benchmarks.exporting import CLASSES, HOME, Run, disc, make_run, record, write_records

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools' decode


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path)


@pytest.fixture
def home(run: Run, tmp_path: Path) -> Path:
    run.export(tmp_path / "out", "png", "coco", "yolo", "voc")
    return tmp_path / "out" / HOME


def filled(run: Run, name: str) -> list[tuple[str, float, np.ndarray]]:
    """Category, score and mask of the instances that have any pixel."""
    one = run.records[name]
    found = [(CLASSES[i.label], i.score, rle.decode(i.mask)) for i in one.instances]
    return [(category, score, mask) for category, score, mask in found if mask.any()]


def stem(image: dict[str, str]) -> str:
    return Path(image["file_name"]).with_suffix("").as_posix()


def test_pycocotools_reads_the_stored_masks(run: Run, home: Path) -> None:
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(home / "coco" / "annotations.json"))
    assert {number: one["name"] for number, one in coco.cats.items()} == dict(enumerate(CLASSES, 1))
    assert {stem(image) for image in coco.imgs.values()} == set(run.truth)
    assert coco.dataset["info"]["weights"][0]["licence"] == "Apache-2.0"
    assert coco.dataset["info"]["run_id"] == "r"
    for image in coco.imgs.values():
        with PILImage.open(home / "coco" / "images" / image["file_name"]) as picture:
            assert (image["width"], image["height"]) == picture.size
        annotations = coco.imgToAnns[image["id"]]
        stored = filled(run, stem(image))
        assert len(annotations) == len(stored)
        for annotation, (category, score, mask) in zip(annotations, stored, strict=True):
            assert np.array_equal(coco.annToMask(annotation), mask)
            assert coco.cats[annotation["category_id"]]["name"] == category
            assert (annotation["area"], annotation["score"], annotation["iscrowd"]) == (mask.sum(), score, 0)
            ys, xs = np.nonzero(mask)
            assert annotation["bbox"] == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]


def test_the_json_is_what_json_readers_take(home: Path) -> None:
    document = json.loads((home / "coco" / "annotations.json").read_text())
    assert list(document) == ["info", "licenses", "images", "annotations", "categories"]
    assert len({one["id"] for one in document["annotations"]}) == len(document["annotations"]) == 10


def test_supervision_reads_coco_exactly(run: Run, home: Path) -> None:
    import supervision

    found = supervision.DetectionDataset.from_coco(str(home / "coco/images"), str(home / "coco/annotations.json"))
    assert found.classes == list(CLASSES)
    assert len(found) == len(run.truth)
    images = (home / "coco" / "images").resolve()
    for path, detections in found.annotations.items():
        stored = filled(run, Path(path).relative_to(images).with_suffix("").as_posix())
        assert [found.classes[i] for i in detections.class_id] == [category for category, _, _ in stored]
        for mask, (_, _, wanted) in zip(detections.mask if stored else (), stored, strict=True):
            assert np.array_equal(mask, wanted)


def test_supervision_reads_yolo_as_well_as_it_fills_polygons(tmp_path: Path) -> None:
    """It fills with OpenCV, which counts the pixels right of and below an outline in, and draws the slits."""
    import supervision

    from benchmarks.datasets import Dataset
    from tests.benchmarks.exporting import generated

    size = (300, 400)
    found = [(0, 0.5, disc(size, 60, 60, 20)), (1, 0.5, disc(size, 200, 100, 60)), (2, 0.5, disc(size, 300, 200, 80, 30)),
             (1, 0.5, disc(size, 60, 200, 40) | disc(size, 140, 250, 40))]  # fmt: skip
    ours = record("a", size, found)
    run = Run(Dataset("one", "made", (generated("a", size),)), write_records(tmp_path / "run", [ours]), {"a": ours})
    run.export(tmp_path / "out", "yolo")
    home = tmp_path / "out" / HOME / "yolo"
    read = supervision.DetectionDataset.from_yolo(str(home / "images"), str(home / "labels"), str(home / "data.yaml"))
    assert read.classes == list(CLASSES)
    (detections,) = read.annotations.values()
    assert detections.class_id.tolist() == [0, 1, 2, 1]
    ious = [(a & b).sum() / (a | b).sum() for a, (_, _, b) in zip(detections.mask, found, strict=True)]
    assert min(ious) >= 0.9, ious
    assert ious[1] >= 0.97


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # datasets leaves the table open
@pytest.mark.parametrize("how", ["data_dir", "data_files"])
def test_the_datasets_library_reads_pictures_and_masks(run: Run, home: Path, tmp_path: Path, how: str) -> None:
    """By the table it does not matter that a name holds the word "test"; by the folder that would make a split."""
    import datasets

    place = home / "png" if how == "data_dir" else home / "png" / "metadata.csv"
    found = datasets.load_dataset("imagefolder", **{how: str(place)}, split="train", cache_dir=str(tmp_path / "cache"))
    assert found.column_names == ["image", "mask", "split"]
    rows = (home / "png" / "metadata.csv").read_text().splitlines()[1:]
    names = [Path(row.split(",")[1]).relative_to("masks").with_suffix("").as_posix() for row in rows]
    assert set(names) == set(run.truth)
    for name, row in zip(names, found, strict=True):
        assert row["image"].size == row["mask"].size == run.records[name].size[::-1]
        union = np.zeros(run.records[name].size, bool)
        for mask in run.truth[name].values():
            union |= mask
        assert np.array_equal(np.asarray(row["mask"]) == 255, union)
        assert row["split"] == ("test" if name == "made" else None)
    del found
    gc.collect()


def test_the_colours_are_those_of_voc(home: Path) -> None:
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 15: (192, 128, 128), 20: (0, 64, 128),
             21: (128, 64, 128), 255: (224, 224, 192)}  # fmt: skip
    with PILImage.open(home / "voc" / "SegmentationClass" / "made.png") as image:
        palette = np.reshape(image.getpalette(), (-1, 3))
    assert {number: tuple(palette[number].tolist()) for number in known} == known


def test_pillow_reads_the_numbers_and_colours_of_voc(run: Run, home: Path) -> None:
    rows = (home / "voc" / "labelmap.txt").read_text().splitlines()[1:]
    colours = {row.split(":")[0]: tuple(map(int, row.split(":")[1].split(","))) for row in rows}
    assert list(colours) == ["background", *CLASSES]
    for name in run.truth:
        with PILImage.open(home / "voc" / "SegmentationClass" / f"{name}.png") as image:
            assert image.mode == "P"
            ids, shown = np.asarray(image), np.asarray(image.convert("RGB"))
        with PILImage.open(home / "voc" / "SegmentationObject" / f"{name}.png") as image:
            objects = np.asarray(image)
        wanted = np.zeros_like(ids)
        for category, _, mask in sorted(filled(run, name), key=lambda one: one[1]):  # highest score on top
            wanted[mask] = CLASSES.index(category) + 1
        assert np.array_equal(ids, wanted)
        assert np.array_equal(objects > 0, ids > 0)
        for number, category in enumerate(["background", *CLASSES]):
            assert (shown[ids == number] == colours[category]).all()


def test_the_lists_of_voc_name_files_that_are_there(home: Path) -> None:
    lists = home / "voc" / "ImageSets" / "Segmentation"
    assert {path.name for path in lists.iterdir()} == {"default.txt", "test.txt"}
    assert (lists / "test.txt").read_text() == "made\n"
    for name in (lists / "default.txt").read_text().split():
        assert (home / "voc" / "SegmentationClass" / f"{name}.png").is_file()
        assert len(list((home / "voc" / "JPEGImages").glob(f"{name}.*"))) == 1
