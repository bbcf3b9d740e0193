"""YOLO-seg: outlines come back as masks, supervision reads the same files, and every mistake is named."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets import Dataset, open_dataset
from benchmarks.datasets.yolo import claims, open_yolo
from pipelines.types import Mask
from tests.benchmarks.drawn import (
    Broken,
    assert_as_folder,
    assert_drawn,
    assert_refused,
    masks,
    opened,
    picture,
    polygon,
)

SCENES = os.environ.get("COIN_SCENES")
YAML = "train: images\nnames: [leaf, coin]\nnc: 2\n"


def line(mask: Mask, number: int) -> str:
    extent = mask.shape[::-1]
    return " ".join(
        [str(number), *(f"{v / n:.6f}" for point in polygon(mask) for v, n in zip(point, extent, strict=True))]
    )


def made(root: Path, yaml: str = YAML, images: str = "images", labels: str = "labels") -> Path:
    for name, by_class in masks().items():
        picture(root / f"{images}/{name}.png")
        (root / labels).mkdir(parents=True, exist_ok=True)
        lines = [line(mask, ["leaf", "coin"].index(label)) for label, mask in by_class.items()]
        (root / labels / f"{name}.txt").write_text("\n".join(lines))
    (root / "data.yaml").write_text(yaml)
    return root


def test_outlines_come_back(tmp_path: Path) -> None:
    root = made(tmp_path / "set")
    assert claims(root) == "data.yaml"
    dataset = opened(open_yolo, root)
    assert (dataset.format, dataset.class_names, dataset.splits) == ("YOLO-seg", ("leaf", "coin"), ("train",))
    assert_drawn(dataset, masks(), 0.99)
    assert_as_folder(dataset, tmp_path / "folder")
    assert dataset.hash == opened(open_yolo, root / "data.yaml").hash
    assert not dataset.notes


def test_supervision_reads_the_same(tmp_path: Path) -> None:
    import supervision as sv

    root = made(tmp_path)
    (root / "labels/f_nothing.txt").write_text("")
    theirs = sv.DetectionDataset.from_yolo(
        str(root / "images"), str(root / "labels"), str(root / "data.yaml"), force_masks=True
    )
    dataset, compared = opened(open_yolo, root), 0
    for path, _, found in theirs:
        sample = dataset[Path(path).stem]
        if found.mask is None or sample.id == "d_thin":  # it fills polygons with their edge pixels, which widens a line
            continue
        for label, mask in (sample.targets or {}).items():
            of_class = found.mask[found.class_id == dataset.class_names.index(label)].any(axis=0)
            assert (of_class & mask).sum() >= 0.85 * (of_class | mask).sum(), (sample.id, label)
            compared += 1
    assert compared == 5


PLACES: dict[str, tuple[str, str, str, str]] = {
    "roboflow": ("train: ../train/images", "train/images", "train/labels", ""),
    "nested": ("train: images/train", "images/train", "labels/train", ""),
    "list of folders": ("train: [./images/train/]", "images/train", "labels/train", ""),
    "path": ("path: sub\ntrain: images", "sub/images", "sub/labels", ""),
    "path up": ("path: ../sub\ntrain: images", "sub/images", "sub/labels", ""),
    "path elsewhere": (
        "path: /home/someone/set\ntrain: images",
        "images",
        "labels",
        "'/home/someone/set' is not below",
    ),
    "path on Windows": ("path: C:\\set\ntrain: images", "images", "labels", "is not below the dataset's folder"),
    "twice images": ("train: images/images", "images/images", "images/labels", ""),
    "beside": ("train: all", "all", "all", ""),
}


@pytest.mark.parametrize("place", PLACES)
def test_where_pictures_and_labels_are(place: str, tmp_path: Path) -> None:
    yaml, images, labels, note = PLACES[place]
    dataset = opened(open_yolo, made(tmp_path, f"{yaml}\nnames: {{0: leaf, 1: coin}}\n", images, labels))
    assert_drawn(dataset, masks(), 0.99)
    assert note in " ".join(dataset.notes)
    assert bool(dataset.notes) == bool(note)


def test_a_list_of_pictures_and_another_file_name(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "data.yaml").rename(tmp_path / "dataset.yaml")
    (tmp_path / "dataset.yaml").write_text("val: val.txt\nnames: [leaf, coin]\n")
    (tmp_path / "val.txt").write_text("./images/a_disc.png\nimages/b_ring.png\n\n")
    for path in (tmp_path / "labels").glob("[c-f]*"):
        path.unlink()
    dataset = opened(open_yolo, tmp_path)
    assert ([s.id for s in dataset], dataset.splits) == (["a_disc", "b_ring"], ("val",))


def test_missing_and_empty_labels_are_negatives_and_small_overshoots_are_clipped(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "labels/a_disc.txt").unlink()
    (tmp_path / "labels/b_ring.txt").write_text("\n")
    (tmp_path / "labels/c_border.txt").write_bytes(b"\xef\xbb\xbf1 -0.0004 0 1.0004 0 1 1 0 1\r\n")
    dataset = opened(open_yolo, tmp_path)
    assert "1 pictures have no label file" in dataset.notes[0]
    for name, covered in (("a_disc", 0), ("b_ring", 0), ("c_border", 1)):
        target = dataset[name].target()
        assert target is not None
        assert target.mean() == covered


def test_other_things_are_not_yolo(tmp_path: Path) -> None:
    assert open_yolo("coins") is None
    (tmp_path / "dataset.yaml").write_text("name: x\nprompt: y\n")
    (tmp_path / "conf.yaml").write_bytes(b"\xff\xfe\x00")
    assert claims(tmp_path) is None
    assert open_yolo(str(tmp_path)) is None
    assert open_yolo(str(tmp_path / "dataset.yaml")) is None


@pytest.mark.skipif(not SCENES, reason="COIN_SCENES names no folder of photographs")
def test_real_photographs(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    shutil.copytree(Path(str(SCENES)) / "images", tmp_path / "images")
    (tmp_path / "data.yaml").write_text("train: images\nnames: [coin]\n")
    expected = {}
    for sample in open_dataset(Path(str(SCENES))):
        mask = sample.target()
        assert mask is not None
        expected[sample.id] = {"coin": mask}
        (tmp_path / f"labels/{sample.id}.txt").write_text(line(mask, 0))
    dataset = opened(open_yolo, tmp_path)
    assert_drawn(dataset, expected, 0.99)
    assert_as_folder(dataset, tmp_path / "folder")


def labels(text: str | bytes) -> Callable[[Path], object]:
    def build(root: Path) -> object:
        data = text if isinstance(text, bytes) else text.encode()
        return (made(root) / "labels/b_ring.txt").write_bytes(data)

    return build


def yaml(text: str) -> Callable[[Path], object]:
    return lambda root: made(root, text)


def then(change: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda root: change(made(root))


def labels_link_out(root: Path) -> None:
    made(root)
    (root / "labels/b_ring.txt").rename(root.parent / "secret.txt")
    (root / "labels/b_ring.txt").symlink_to(root.parent / "secret.txt")


def folder_link_out(root: Path) -> None:
    made(root)
    (root / "images").rename(root.parent / "elsewhere")
    (root / "images").symlink_to(root.parent / "elsewhere")


BOMB = "a: &a [x, x]\nb: &b [*a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c]\n"
SQUARE = "0.1 0.1 0.5 0.1 0.5 0.5"
ROW = r"labels/b_ring.txt line 1: has "
BROKEN: Broken = {
    "no names": (yaml("train: images\nnc: 1\n"), "data.yaml has no names", "names: [coin, leaf]"),
    "names a text": (yaml("train: images\nnames: coin\n"), "data.yaml has 'coin' for names", "names:"),
    "names numbers": (yaml("train: images\nnames: [1, 2]\n"), "has 1 as the name of the class 0", "names:"),
    "names twice": (yaml("train: images\nnames: [coin, coin]\n"), "the name 'coin' twice", "Rename"),
    "names True": (yaml("train: images\nnames: {true: coin}\n"), "'coin' as the name of the class True", "names:"),
    "bomb": (yaml(BOMB + "train: images\nnames: [*d]\n"), "has a list of 6 as the name", "names:"),
    "nc": (yaml("train: images\nnames: [leaf, coin]\nnc: 3\n"), "says nc: 3, and has 2 names", "Correct"),
    "no split": (yaml("names: [leaf, coin]\n"), "data.yaml names no split", "train: images/train"),
    "not YAML": (yaml("names: [leaf\ntrain: images"), "data.yaml cannot be read", "key: value"),
    "object": (yaml("names: !!python/object/apply:os.getcwd []\ntrain: images\n"), "cannot be read", "key"),
    "keypoints": (yaml(YAML + "kpt_shape: [17, 3]\n"), "has kpt_shape", "segmentation"),
    "no folder": (yaml(YAML.replace("images", "image")), "data.yaml train: the folder 'image' does not", "'images'"),
    "outside": (yaml(YAML.replace("images", "/etc")), "data.yaml train: '/etc' is no folder below", "relative"),
    "up within": (yaml(YAML.replace("images", "images/../../x")), "'images/../../x' is no folder below", "relative"),
    "address": (yaml(YAML.replace("images", "https://example.org/x.zip")), "is no folder below", "relative"),
    "a number": (yaml(YAML.replace("images", "[images, 5]")), "data.yaml train: 5 is no folder", "relative"),
    "same folder": (yaml(YAML + "val: ./images\n"), "data.yaml val: it is the same folder as train", "Remove one"),
    "two splits": (
        lambda root: (made(root, YAML + "val: val.txt\n"), (root / "val.txt").write_text("images/a_disc.png")),
        "images/a_disc.png: is in the splits train and val", "one of them"),
    "list up": (
        lambda root: (made(root, YAML + "val: val.txt\n"), (root / "val.txt").write_text("../x.png")),
        "val.txt line 1: .*leaves the dataset", "relative"),
    "folder is a link out": (folder_link_out, "'images' is a link that leaves", "Copy"),
    "labels are a link out": (labels_link_out, "labels/b_ring.txt.* is a link that leaves", "Copy"),
    "no labels at all": (then(lambda r: shutil.rmtree(r / "labels")), "none of its 6 pictures has a label", "labels/"),
    "labels without picture": (
        then(lambda r: (r / "images/a_disc.png").unlink()), "labels/a_disc.txt: is a label file without", "remove it"),
    "box": (labels("1 0.5 0.5 0.2 0.2"), f"{ROW}a class and 4 numbers: a box", "segmentation"),
    "class": (labels(f"2 {SQUARE}"), f"{ROW}the class '2', which names do not", "0 'leaf', 1 'coin'"),
    "class with half": (labels(f"0.5 {SQUARE}"), f"{ROW}the class '0.5'", "Correct"),
    "class a name": (labels(f"coin {SQUARE}"), f"{ROW}'coin', which is no number", "spaces"),
    "commas": (labels("1,0.1,0.1,0.5,0.1"), f"{ROW}'1,0.1,0.1,0.5,0.1', which is no number", "spaces"),
    "NaN": (labels(f"1 {SQUARE} nan 0.5"), f"{ROW}'nan', which is no number", "spaces"),
    "underscore": (labels(f"1 {SQUARE} 0_1 0.5"), f"{ROW}'0_1', which is no number", "spaces"),
    "odd": (labels(f"1 {SQUARE} 0.5"), f"{ROW}a class and 7 numbers", "keypoints"),
    "one point": (labels("1 0.5 0.5"), f"{ROW}1 points, which enclose nothing", "3 points"),
    "class alone": (labels("1"), f"{ROW}0 points", "3 points"),
    "pixels": (labels("1 10 10 50 10 50 50"), f"{ROW}the coordinate '10', which is not from 0 to 1", "Divide"),
    "endless": (labels(f"1 {'9' * 5000} 0.5 {SQUARE}"), f"{ROW}'9+ ", "Write"),
    "not UTF-8": (labels(b"1 \xff"), "labels/b_ring.txt: is not UTF-8", "plain text"),
    "damaged picture": (then(lambda r: (r / "images/b_ring.png").write_bytes(b"x")), "images/b_ring.png", "remove it"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused("yolo:open_yolo", tmp_path, monkeypatch, *BROKEN[case])


def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    build = labels("1 0.5 0.5 0.2 0.2\n9 0 0\n\n1 0 0 1 1 1 0\n1 0 2 1 1 1 0")
    return assert_refused("yolo:open_yolo", tmp_path, monkeypatch, build, "line 1", "2 more problems")


def test_all_problems_are_listed_and_the_other_pictures_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = listed(tmp_path, monkeypatch)
    assert [problem.row for problem in found.problems] == [f"labels/b_ring.txt line {n}" for n in (1, 2, 5)]
    assert [s.id for s in found] == ["a_disc", "c_border", "d_thin", "e_two", "f_nothing"]


def test_rotated_boxes_are_noted(tmp_path: Path) -> None:
    made(tmp_path)
    for path in (tmp_path / "labels").glob("*.txt"):
        path.write_text(f"1 {SQUARE} 0.1 0.5\n")
    dataset = opened(open_yolo, tmp_path)
    assert "rotated boxes (OBB)" in dataset.notes[0]
    assert all(np.any(s.target()) for s in dataset)
