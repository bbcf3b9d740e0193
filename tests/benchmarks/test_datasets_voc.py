"""PASCAL VOC and CVAT's Segmentation mask: palettes, colours, lists, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.datasets import Dataset, open_dataset
from benchmarks.datasets.voc import TWENTY, claims
from pipelines.errors import DatasetError, ImageError
from pipelines.images.colour_table import voc_colours

IDS = np.zeros((20, 30), np.uint8)
IDS[2:8, 3:9], IDS[10:16, 3:9], IDS[8:10] = 1, 2, 255
CVAT = "# label:color_rgb:parts:actions\ncoin:250,50,83::\nbackground:0,0,0::\nleaf:51,221,255::\n"
COLOURS = {0: (0, 0, 0), 1: (250, 50, 83), 2: (51, 221, 255), 255: (224, 224, 192)}


def palette(colours: dict[int, tuple[int, int, int]] | None = None) -> bytes:
    table = np.array(voc_colours(), np.uint8) if colours is None else np.zeros((256, 3), np.uint8)
    for id_, colour in (colours or {}).items():
        table[id_] = colour
    return table.tobytes()


def indexed(ids: np.ndarray, colours: bytes) -> Image.Image:
    image = Image.frombytes("P", (ids.shape[1], ids.shape[0]), ids.astype(np.uint8).tobytes())
    image.putpalette(colours)
    return image


def painted(ids: np.ndarray, colours: dict[int, tuple[int, int, int]]) -> Image.Image:
    out = np.zeros((*ids.shape, 3), np.uint8)
    for id_, colour in colours.items():
        out[ids == id_] = colour
    return Image.fromarray(out)


def voc(root: Path, mask: Image.Image | None = None, *, labelmap: str = "", names: str = "ab", **lists: str) -> Path:
    for folder in ("JPEGImages", "SegmentationClass", *(["ImageSets/Segmentation"] if lists else [])):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        Image.new("RGB", (30, 20), (90, i, 90)).save(root / f"JPEGImages/{name}.jpg")
        (mask or indexed(IDS, palette())).save(root / f"SegmentationClass/{name}.png")
    for name, text in lists.items():
        (root / f"ImageSets/Segmentation/{name}.txt").write_text(text)
    if labelmap:
        (root / "labelmap.txt").write_text(labelmap)
    return root


def check(dataset: Dataset, first: str, second: str) -> None:
    assert dataset.format == "PASCAL VOC"
    truth = dataset["a"].truth()
    assert truth is not None
    assert truth.ignore is not None
    assert set(truth.masks) == {first, second}
    np.testing.assert_array_equal(truth.masks[first], IDS == 1)
    np.testing.assert_array_equal(truth.masks[second], IDS == 2)
    np.testing.assert_array_equal(truth.ignore, IDS == 255)


def test_the_colour_map() -> None:
    known = {0: (0, 0, 0), 1: (128, 0, 0), 8: (64, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}
    assert {i: voc_colours()[i] for i in known} == known
    assert len(set(voc_colours())) == 256


@pytest.mark.parametrize("kind", ["palette", "other palette", "grey", "colour"])
def test_voc_without_a_labelmap(tmp_path: Path, kind: str) -> None:
    masks = {"palette": indexed(IDS, palette()), "other palette": indexed(IDS, palette(COLOURS)),
             "grey": Image.fromarray(IDS), "colour": painted(IDS, dict(enumerate(voc_colours())))}  # fmt: skip
    dataset = open_dataset(voc(tmp_path, masks[kind]))
    check(dataset, "aeroplane", "bicycle")
    assert dataset.class_names == TWENTY
    assert any("assumed" in note for note in dataset.notes)
    (tmp_path / "dataset.yaml").write_text("classes: [coin, leaf]")
    declared = open_dataset(tmp_path)
    check(declared, "coin", "leaf")
    assert declared.class_names == ("coin", "leaf")
    assert not declared.notes


@pytest.mark.parametrize("kind", ["colour", "palette of its colours", "order", "grey"])
def test_cvat(tmp_path: Path, kind: str) -> None:
    masks = {"colour": painted(IDS, COLOURS), "palette of its colours": indexed(IDS, palette(COLOURS)),
             "order": indexed(IDS, palette()), "grey": Image.fromarray(IDS)}  # fmt: skip
    dataset = open_dataset(voc(tmp_path, masks[kind], labelmap=CVAT, default="a\nb\n"))
    check(dataset, "coin", "leaf")
    assert dataset.class_names == ("coin", "leaf")
    assert dataset.splits == ()


def test_the_colours_of_a_palette_decide(tmp_path: Path) -> None:
    swapped = {0: (0, 0, 0), 1: COLOURS[2], 2: COLOURS[1]}
    check(open_dataset(voc(tmp_path, indexed(IDS, palette(swapped)), labelmap=CVAT)), "leaf", "coin")
    dogs = "background:0,0,0::\nbicycle:0,128,0::\naeroplane:128,0,0::\n"  # in VOC's colours, in another order
    check(open_dataset(voc(tmp_path, indexed(IDS, palette()), labelmap=dogs)), "aeroplane", "bicycle")


def test_void_is_ignored_also_alone(tmp_path: Path) -> None:
    for mask in (indexed((IDS == 255) * 255, palette()), Image.fromarray(((IDS == 255) * 255).astype(np.uint8))):
        truth = open_dataset(voc(tmp_path, mask))["a"].truth()
        assert truth is not None
        assert truth.ignore is not None
        assert not truth.union().any()
        np.testing.assert_array_equal(truth.ignore, IDS == 255)


def test_lists_are_splits(tmp_path: Path) -> None:
    root = voc(tmp_path / "VOCdevkit/VOC2012", names="abc", train="a\n", val="b \n\n", trainval="a\nb\n")
    (root / "SegmentationObject").mkdir()
    assert claims(tmp_path) == "VOCdevkit/VOC2012/SegmentationClass/"
    for path in (tmp_path, tmp_path / "VOCdevkit", root):
        dataset = open_dataset(path)
        assert [(s.id, s.split) for s in dataset] == [("a", "train"), ("b", "val")]
        assert any("1 pictures are in no list" in note for note in dataset.notes)
        assert any("SegmentationObject/ is not read" in note for note in dataset.notes)
    (root / "ImageSets/Segmentation/train.txt").unlink()
    (root / "ImageSets/Segmentation/val.txt").unlink()
    assert open_dataset(root).splits == ("trainval",)


def test_pictures_without_masks_are_left_out(tmp_path: Path) -> None:
    root = voc(tmp_path)
    (root / "SegmentationClass/b.png").unlink()
    dataset = open_dataset(root)
    assert [s.id for s in dataset] == ["a"]
    assert any("1 pictures have no mask" in note for note in dataset.notes)


def after(change: Callable[[Path], object], **given: str) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        change(voc(root, **given))  # type: ignore[arg-type]

    return build


def nothing(root: Path) -> None:
    pass


BROKEN: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "unknown id": (
        lambda r: voc(r, Image.fromarray(IDS + 40)) and None,
        "the id 39 and 3 more|the id 40",
        "Declare its class",
    ),
    "undeclared colour": (
        lambda r: voc(r, painted(IDS, {1: (9, 8, 7)}), labelmap=CVAT) and None,
        r"the colour \(9, 8, 7\), which is not declared",
        "labelmap.txt",
    ),
    "id beyond the labelmap": (
        lambda r: voc(r, Image.fromarray(IDS * 0 + 3), labelmap=CVAT) and None,
        "'a.png' holds the id 3",
        "1 coin, 2 leaf. Declarations are in labelmap.txt",
    ),
    "no such picture": (
        after(nothing, train="a\nzz\n"),
        r"train\.txt line 2: 'zz' in JPEGImages/: the file 'zz\.jpg' does not exist",
        "add the file",
    ),
    "no such mask": (
        after(lambda r: (r / "SegmentationClass/b.png").unlink(), train="a\nb\n"),
        r"train\.txt line 2: 'b' in SegmentationClass/",
        "add the file",
    ),
    "up": (after(nothing, train="../a\n"), "line 1: .*leaves the dataset", "relative"),
    "absolute": (after(nothing, train="/etc/passwd\n"), "line 1: .*is absolute", "relative"),
    "listed twice": (after(nothing, train="a\n", val="b\na\n"), "'a' is listed already in .*train.txt line 1", "Remove"),
    "colour of two values": (after(nothing, labelmap="a:1,2::\n"), "labelmap.txt line 1: the colour '1,2'", "R,G,B"),
    "value of 256": (after(nothing, labelmap="#x\na:1,2,256::\n"), "labelmap.txt line 2: the colour", "R,G,B"),
    "no colon": (after(nothing, labelmap="coin\n"), "labelmap.txt line 1: 'coin' is no label", "R,G,B"),
    "label twice": (after(nothing, labelmap="a:1,2,3::\na:3,2,1::\n"), "line 2: it names 'a' again", "R,G,B"),
    "colour twice": (after(nothing, labelmap="a:1,2,3::\nb:1,2,3::\n"), "line 2: it has the colour", "R,G,B"),
    "no class": (after(nothing, labelmap="background:0,0,0::\n"), "labelmap.txt names no class", "R,G,B"),
    "mask without picture": (
        after(lambda r: (r / "JPEGImages/b.jpg").unlink()),
        "SegmentationClass/b.png: is a mask without a picture",
        "remove the mask",
    ),
    "no JPEGImages": (
        after(lambda r: [p.unlink() for p in (r / "JPEGImages").iterdir()] and (r / "JPEGImages").rmdir()),
        "but no JPEGImages/",
        "Save images",
    ),
    "class 255": (
        after(lambda r: (r / "dataset.yaml").write_text("classes: {255: a}")),
        "the class 255, which is void",
        "another id",
    ),
    "two years": (
        lambda r: [voc(r / year) for year in ("VOC2007", "VOC2012")] and None,
        "holds several datasets",
        "Open one",
    ),
    "another size": (
        after(lambda r: Image.new("L", (30, 19)).save(r / "SegmentationClass/a.png")),
        "30 x 20 and its mask SegmentationClass/a.png is 30 x 19",
        "never resized",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken(case: str, tmp_path: Path) -> None:
    build, message, cure = BROKEN[case]
    root = tmp_path / "set"
    root.mkdir()
    build(root)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DatasetError, match=message) as caught:
        open_dataset(root)
    assert cure in caught.value.cure
    assert "\n" not in str(caught.value)
    for problem in open_dataset(root, strict=False).problems:
        assert problem.reason.endswith(".")
        assert problem.cure.endswith(".")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unknown_id_in_a_later_file_is_told_on_reading(tmp_path: Path) -> None:
    root = voc(tmp_path)
    Image.fromarray(IDS + 30).save(root / "SegmentationClass/b.png")
    with pytest.raises(ImageError, match=r"'b\.png' holds the id"):
        open_dataset(root)["b"].truth()
