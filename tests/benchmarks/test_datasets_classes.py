"""Declared classes, colours and ignored ids, and the columns absent, points and boxes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.datasets import Dataset, open_dataset
from benchmarks.datasets.sample import truth_of_classes
from pipelines.errors import DatasetError, ImageFormatError

IDS = np.zeros((20, 30), np.uint8)
IDS[2:8, 3:9], IDS[10:16, 3:9], IDS[10:16, 12:20], IDS[8:10] = 1, 2, 7, 255
RED, BLUE = [255, 0, 0], [0, 0, 200]


def folder(root: Path, ids: np.ndarray = IDS, text: str = "") -> Path:
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*ids.shape[:2], 3), 90, np.uint8)).save(root / "images/a.png")
    Image.fromarray(ids).save(root / "masks/a.png")
    (root / "dataset.yaml").write_text(text)
    return root


def check(dataset: Dataset, classes: dict[str, int], ignore: int | None, ids: np.ndarray = IDS) -> None:
    truth = dataset["a"].truth()
    assert truth is not None
    assert set(truth.masks) == set(classes)
    for name, id_ in classes.items():
        np.testing.assert_array_equal(truth.masks[name], ids == id_)
    np.testing.assert_array_equal(np.zeros(ids.shape, bool) if truth.ignore is None else truth.ignore, ids == ignore)


def test_ids_are_classes(tmp_path: Path) -> None:
    root = folder(tmp_path / "set", text="classes: {7: tree, 1: cat, 2: dog}\nignore: 255\n")
    dataset = open_dataset(root)
    assert dataset.class_names == ("tree", "cat", "dog")
    check(dataset, {"tree": 7, "cat": 1, "dog": 2}, 255)
    (root / "metadata.csv").write_text("file_name,mask_file_name\nimages/a.png,masks/a.png\n")
    listed = open_dataset(root)
    assert listed.format == "imagefolder"
    assert listed.class_names == dataset.class_names
    assert listed.hash == dataset.hash
    check(listed, {"tree": 7, "cat": 1, "dog": 2}, 255)


def test_a_list_of_names_is_ids_from_one_and_a_class_may_be_missing(tmp_path: Path) -> None:
    dataset = open_dataset(folder(tmp_path, (IDS == 2) * np.uint8(2), "classes: [cat, dog, cow]"))
    assert dataset.class_names == ("cat", "dog", "cow")
    check(dataset, {"dog": 2}, None, (IDS == 2) * np.uint8(2))


def test_colours_are_classes(tmp_path: Path) -> None:
    palette = np.zeros((256, 3), np.uint8)
    palette[1], palette[2] = RED, BLUE
    ids = np.where(IDS < 3, IDS, 0).astype(np.uint8)
    root = folder(tmp_path, palette[ids], f"classes: {{dog: {BLUE}, cat: {RED}}}")
    check(open_dataset(root), {"cat": 1, "dog": 2}, None, ids)
    image = Image.frombytes("P", (30, 20), ids.tobytes())
    image.putpalette(palette.tobytes())
    image.save(root / "masks/a.png")
    check(open_dataset(root), {"cat": 1, "dog": 2}, None, ids)
    (root / "dataset.yaml").write_text(f"classes: {{cat: {RED}}}\nignore: {BLUE}")
    check(open_dataset(root), {"cat": 1}, 2, ids)


def test_ignore_alone_holds_in_every_file(tmp_path: Path) -> None:
    void_alone = np.where(IDS == 255, IDS, 0).astype(np.uint8)
    root = folder(tmp_path, void_alone)
    truth = open_dataset(root)["a"].truth()
    assert truth is not None
    assert truth.ignore is None, "of 0 and 255 alone nothing can be told: a plain mask"
    plain = open_dataset(root).hash
    (root / "dataset.yaml").write_text("ignore: 255")
    declared = open_dataset(root)
    check(declared, {"foreground": 1}, 255, void_alone)
    assert declared.hash != plain
    folder(root, IDS, "ignore: none")
    truth = open_dataset(root)["a"].truth()
    assert truth is not None
    np.testing.assert_array_equal(truth.union(), IDS > 0)
    assert truth.ignore is None


def test_one_class_of_a_soft_mask(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(30, dtype=np.uint8) * 8, (20, 1))
    dataset = open_dataset(folder(tmp_path, ramp, "classes: [coin]\nmask_threshold: 128"))
    check(dataset, {"coin": 1}, None, (ramp >= 128).astype(np.uint8))


@pytest.mark.parametrize(
    ("classes", "message"),
    [({1: "a", 2: "b"}, "the id 7 and 1 more ids"), ({1: "a", 2: "b", 7: "c"}, "the id 255, which is neither")],
)
def test_undeclared_ids(tmp_path: Path, classes: dict[int, str], message: str) -> None:
    with pytest.raises(ImageFormatError, match=message):
        truth_of_classes(IDS, classes)
    with pytest.raises(DatasetError, match=message) as caught:
        open_dataset(folder(tmp_path, text=f"classes: {classes}"))
    assert "images/a.png" in caught.value.message
    assert "Declarations are in dataset.yaml" in caught.value.cure
    with pytest.raises(ImageFormatError, match="70000"):
        truth_of_classes(np.full((2, 2), 70000, np.int32), classes)


def test_an_undeclared_colour(tmp_path: Path) -> None:
    colours = np.array([[0, 0, 0], RED, BLUE], np.uint8)[np.where(IDS < 3, IDS, 0)]
    with pytest.raises(DatasetError, match=r"the colour \(0, 0, 200\), which is not declared"):
        open_dataset(folder(tmp_path, colours, f"classes: {{cat: {RED}}}"))


WRONG = {
    "classes: 3": "classes must map ids to names",
    "classes: {}": "classes must map ids to names",
    "classes: {cat: 1}": "the id 'cat'",
    "classes: {0: cat}": "0 is the background",
    "classes: {1: 2}": "the name 2",
    "classes: {70000: a}": "the id 70000",
    "classes: [a, a]": "a name twice",
    "classes: {a: [1, 2]}": r"a colour must be \[R, G, B\]",
    "classes: {a: [1, 2, 3], b: [1, 2, 3]}": "the colour .* twice",
    "classes: {a: [1, 2, 3]}\nignore: 255": "ignore must be a colour",
    "classes: {255: a}\nignore: 255": "both the class 'a' and the id to ignore",
    "ignore: yes": "ignore must be an id",
    "ignore: 65536": "ignore must be an id",
    "classes: [a, b]\nmask_threshold: 128": "there can be one class",
    "clases: [a]": "unknown key 'clases'",
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong_declarations(tmp_path: Path, text: str) -> None:
    root = folder(tmp_path, text=text)
    with pytest.raises(DatasetError, match=WRONG[text]) as caught:
        open_dataset(root)
    assert "\n" not in str(caught.value)
    assert open_dataset(root, strict=False).problems


def listed(root: Path, columns: str, *cells: str) -> Path:
    folder(root)
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    (root / "metadata.csv").write_text(f"file_name,mask_file_name,{columns}\nimages/a.png,masks/a.png,{quoted}\n")
    return root


def test_absent_points_and_boxes(tmp_path: Path) -> None:
    cells = ("cat", "dog; pink car", "[[3, 4], [29, 19.5, 0]]", "[[0, 0, 30, 20]]")
    root = listed(tmp_path, "prompt,absent,points,boxes", *cells)
    sample = open_dataset(root)["a"]
    assert sample.prompt.texts == ("cat",)
    assert sample.prompt.points == ((3, 4, 1), (29, 19.5, 0))
    assert sample.prompt.boxes == ((0, 0, 30, 20),)
    assert sample.absent == ("dog", "pink car")
    assert not sample.tags
    (root / "metadata.csv").unlink()
    (root / "metadata.jsonl").write_text(
        '{"file_name": "images/a.png", "mask_file_name": "masks/a.png", "prompt": ["cat"], "absent": '
        '["dog", "pink car"], "points": [[3, 4, 1], [29, 19.5, 0]], "boxes": [[0, 0, 30, 20]]}'
    )
    other = open_dataset(root)["a"]
    assert (other.prompt, other.absent) == (sample.prompt, sample.absent)


def test_points_alone_keep_the_texts_of_the_dataset(tmp_path: Path) -> None:
    root = listed(tmp_path, "points", "[[3, 4]]")
    (root / "dataset.yaml").write_text("prompt: coin")
    assert open_dataset(root)["a"].prompt.texts == ("coin",)
    assert open_dataset(root)["a"].prompt.points == ((3, 4, 1),)


CELLS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "point outside": ("points", ("[[30, 4]]",), r"the point \(30, 4\) lies outside the picture of 30 x 20"),
    "box outside": ("boxes", ("[[0, 0, 31, 4]]",), "leaves the picture of 30 x 20"),
    "empty box": ("boxes", ("[[5, 5, 5, 9]]",), "is empty"),
    "no JSON": ("points", ("3, 4",), "not a list of lists"),
    "flat": ("points", ("[3, 4]",), "points holds 3.0|points holds 3"),
    "three corners": ("boxes", ("[[1, 2, 3]]",), "boxes holds"),
    "label": ("points", ("[[1, 2, 5]]",), "the label 5"),
    "not finite": ("points", ("[[1, NaN]]",), "points holds"),
    "asked and absent": ("prompt,absent", ("Cat; dog", "cat"), "'cat' is both asked for and said to be absent"),
    "long absent": ("absent", ("x" * 2000,), "absent is refused"),
}


@pytest.mark.parametrize("case", CELLS)
def test_wrong_cells(tmp_path: Path, case: str) -> None:
    columns, cells, message = CELLS[case]
    root = listed(tmp_path, columns, *cells)
    with pytest.raises(DatasetError, match=message) as caught:
        open_dataset(root)
    assert "metadata.csv line 2" in caught.value.message
    assert "\n" not in str(caught.value)
    problem = open_dataset(root, strict=False).problems[0]
    assert problem.reason.endswith(".")
    assert problem.cure.endswith(".")


def mixed_voc_coco(root: Path) -> None:
    (root / "SegmentationClass").mkdir(parents=True)
    (root / "JPEGImages").mkdir()
    (root / "instances.json").write_text('{"images": [], "annotations": [], "categories": []}')


@pytest.mark.parametrize("build", [mixed_voc_coco])
def test_mixed_formats(tmp_path: Path, build: Callable[[Path], None]) -> None:
    build(tmp_path)
    with pytest.raises(DatasetError, match=r"is mixed: .*COCO, and 'SegmentationClass/' is PASCAL VOC") as caught:
        open_dataset(tmp_path)
    assert "by its own path" in caught.value.cure
