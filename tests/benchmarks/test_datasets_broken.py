"""Broken datasets: each is refused in one sentence that names the row and the cure, and listed when not strict."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.datasets import open_dataset
from pipelines.errors import DatasetError, WorkbenchError

HEADER = "file_name,mask_file_name\n"
GOOD = "images/a.png,masks/a.png\n"


def write(path: Path, size: tuple[int, int] = (20, 30), value: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((*size, 3), 90, np.uint8) if value is None else np.zeros(size, np.uint8)
    pixels[2:9, 3:9] = 255 if value is None else value
    Image.fromarray(pixels).save(path)


def pairs(root: Path, *names: str) -> None:
    for name in names or ("a", "b"):
        write(root / f"images/{name}.png")
        write(root / f"masks/{name}.png", value=255)


def csv(text: str | bytes, name: str = "metadata.csv") -> Callable[[Path], None]:
    """A folder with one good pair and a manifest that holds the text."""

    def build(root: Path) -> None:
        pairs(root)
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    return build


def row(cell: str, mask: str = "masks/a.png") -> Callable[[Path], None]:
    return csv(f"{HEADER}{GOOD}{cell},{mask}\n")


def settings(text: str) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        pairs(root)
        (root / "dataset.yaml").write_text(text)

    return build


def changed(change: Callable[[Path], object]) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        pairs(root)
        change(root)

    return build


def nothing(root: Path) -> None:
    pass


def link_out(root: Path) -> None:
    pairs(root)
    write(root.parent / "secret.png")
    (root / "images/c.png").symlink_to(root.parent / "secret.png")
    write(root / "masks/c.png", value=255)


def folder_link_out(root: Path) -> None:
    pairs(root)
    write(root.parent / "elsewhere/c.png")
    (root / "images/more").symlink_to(root.parent / "elsewhere")


def images_link_out(root: Path) -> None:
    pairs(root.parent / "elsewhere", "a")
    (root / "images").symlink_to(root.parent / "elsewhere/images")


def manifest_link_out(root: Path) -> None:
    row("images/link.png")(root)
    write(root.parent / "secret.png")
    (root / "images/link.png").symlink_to(root.parent / "secret.png")


def circle(root: Path) -> None:
    row("images/c1.png")(root)
    (root / "images/c1.png").symlink_to(root / "images/c2.png")
    (root / "images/c2.png").symlink_to(root / "images/c1.png")


def turned(root: Path) -> None:
    pairs(root)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(root / "images/c.jpg", exif=exif)
    write(root / "masks/c.png", (20, 30), value=255)


def leak_by_group(root: Path) -> None:
    csv("file_name,group,split\nimages/a.png,g,train\nimages/b.png,g,test\n")(root)
    shutil.rmtree(root / "masks")


def leak_by_picture(root: Path) -> None:
    csv("file_name,split\nimages/a.png,train\nimages/b.png,test\n")(root)
    shutil.rmtree(root / "masks")


def soft(root: Path) -> None:
    write(root / "images/a.png", (64, 64))
    (root / "masks").mkdir()
    Image.fromarray(np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))).save(root / "masks/a.png")


def yolo(root: Path) -> None:
    write(root / "images/a.png")
    (root / "labels").mkdir()
    (root / "labels/a.txt").write_text("0 0 0 1 0 1 1")


def both_manifests(root: Path) -> None:
    csv(HEADER + GOOD)(root)
    (root / "metadata.jsonl").write_text('{"file_name": "images/a.png"}')


BROKEN: dict[str, tuple[Callable[[Path], None], str, str]] = {
    # folders
    "images are a link": (
        images_link_out,
        "images: is a link that leaves",
        "Copy the files",
    ),
    "empty folder": (nothing, "holds no pictures", "Put pictures"),
    "only texts": (lambda r: (r / "a.txt").write_text("x") and None, "holds no pictures", "Put pictures"),
    "missing mask": (changed(lambda r: write(r / "images/c.png")), r"images/c\.png: has no mask", "Add masks/c.png"),
    "near mask": (
        changed(lambda r: (r / "masks/b.png").rename(r / "masks/b_mask.png")),
        "images/b.png: has no mask",
        "Add",
    ),
    "case of a name": (
        changed(lambda r: (pairs(r, "photo1"), (r / "masks/photo1.png").rename(r / "masks/Photo1.png"))),
        r"images/photo1\.png: has no mask",
        "Did you mean 'Photo1'",
    ),
    "orphan mask": (
        changed(lambda r: write(r / "masks/z.png", value=1)),
        r"masks/z\.png: is a mask without",
        "remove the mask",
    ),
    "two pictures": (
        changed(lambda r: write(r / "images/a.jpg")),
        r"images/a\.jpg: differs from images/a\.png",
        "Rename or remove",
    ),
    "two masks": (
        changed(lambda r: write(r / "masks/a.bmp", value=1)),
        r"has two masks, masks/a\.bmp and masks/a\.png",
        "Keep one",
    ),
    "size": (
        changed(lambda r: write(r / "masks/a.png", (20, 29), 1)),
        r"30 x 20 and its mask masks/a\.png is 29 x 20",
        "never resized",
    ),
    "turned by EXIF": (turned, "20 x 30 and its mask masks/c.png is 30 x 20", "turn the mask too"),
    "empty masks/": (
        changed(lambda r: [p.unlink() for p in (r / "masks").iterdir()]),
        "masks/ holds no pictures",
        "Put the masks",
    ),
    "mask/": (changed(lambda r: (r / "masks").rename(r / "mask")), "has mask/, which looks like masks", "masks/"),
    "Masks/": (changed(lambda r: (r / "masks").rename(r / "Masks")), "has Masks/, which looks like masks", "masks/"),
    "masks without images/": (
        changed(lambda r: (r / "images").rename(r / "photos")),
        "has masks/, which looks like",
        "images/",
    ),
    "datasets in folders": (
        changed(lambda r: (pairs(r / "x"), (r / "images").rename(r / "photos"), (r / "masks").rename(r / "shapes"))),
        "holds a dataset in its folder 'x'",
        "name it train",
    ),
    "labels": (yolo, "has labels/", "masks/"),
    "zero bytes": (
        changed(lambda r: (r / "images/a.png").write_bytes(b"")),
        r"images/a\.png: 'a\.png' is empty",
        "remove it from the dataset",
    ),
    "text named png": (
        changed(lambda r: (r / "masks/a.png").write_text("hi")),
        r"masks/a\.png is refused",
        "remove it from",
    ),
    "link out": (link_out, r"images/c\.png: is a link that leaves", "Copy the file"),
    "folder link out": (folder_link_out, r"images/more: is a link that leaves", "Copy"),
    "dangling link": (
        changed(lambda r: (r / "images/q.png").symlink_to(r / "none")),
        r"images/q\.png: is a link to",
        "Remove",
    ),
    "soft mask": (soft, r"images/a\.png.*soft", "mask_threshold"),
    # manifests
    "no file_name": (
        csv("name,mask\nimages/a.png,masks/a.png\n"),
        "no column file_name; it has: name, mask",
        "Name the column",
    ),
    "semicolons": (
        csv("file_name;mask_file_name\nimages/a.png;masks/a.png\n"),
        "no column file_name",
        "separated by ';'",
    ),
    "tabs": (
        csv("file_name\tmask_file_name\nimages/a.png\tmasks/a.png\n"),
        "no column file_name",
        r"separated by '\t'",
    ),
    "ragged": (csv(f"{HEADER}{GOOD}images/b.png\n"), "line 3: 1 cells, but the header has 2", "Quote"),
    "too many cells": (csv(f"{HEADER}images/a,1.png,masks/a.png\n"), "line 2: 3 cells", "Quote"),
    "open quote": (csv(f'{HEADER}"images/a.png,masks/a.png\n'), "line 2 is not well-formed", "double the quotes"),
    "stray quote": (csv(f'{HEADER}"images/a"x.png,masks/a.png\n'), "line 2 is not well-formed", "double the quotes"),
    "column twice": (csv(f"file_name,note,note\nimages/a.png,x,y\n{GOOD}"), "column 'note' twice", "Rename"),
    "nameless column": (csv("file_name,\nimages/a.png,\n"), "a column without a name", "extra comma"),
    "empty file": (csv(""), "metadata.csv is empty", "Write a header"),
    "header alone": (csv(HEADER), "has no rows", "one line per picture"),
    "UTF-16": (csv((HEADER + GOOD).encode("utf-16")), "UTF-16", "Save it as UTF-8"),
    "Latin-1": (csv(HEADER.encode() + b"images/\xe4.png,masks/a.png\n"), "line 2 is not UTF-8", "Save it as UTF-8"),
    "NUL": (csv(HEADER.encode() + b"images/a\0.png,masks/a.png\n"), "line 2 holds a NUL", "UTF-8"),
    "same row twice": (csv(HEADER + GOOD + GOOD), r"line 3.*same picture as metadata.csv line 2", "Remove one"),
    "same picture by two paths": (row("images/../images/a.png"), "line 3.*leaves the dataset", "relative"),
    "dot path": (row("./images/a.png"), "line 3.*same picture as", "Remove one"),
    "both manifests": (both_manifests, "both metadata.csv and metadata.jsonl", "Remove one"),
    "no such picture": (
        row("images/aa.png"),
        r"line 3: the file 'images/aa\.png' does not exist",
        "Did you mean 'images/a.png'",
    ),
    "a folder": (row("images"), "line 3: the file 'images' is a folder", "Correct"),
    "no such mask": (
        row("images/b.png", "masks/bb.png"),
        "line 3: the file 'masks/bb.png'",
        "Did you mean 'masks/b.png'",
    ),
    "no mask": (row("images/b.png", ""), r"line 3: 'images/b\.png' has no mask", "all black"),
    "its own mask": (
        row("images/b.png", "images/b.png"),
        "line 3: 'images/b.png' is named as its own mask",
        "Name the file",
    ),
    "blank picture": (row(" "), "line 3: the path ' ' is empty", "relative"),
    "absolute": (row("/etc/passwd"), "line 3.*is absolute", "relative"),
    "home": (row("~/a.png"), "line 3.*is absolute", "relative"),
    "up": (row("../secret.png"), "line 3.*leaves the dataset", "relative"),
    "up within": (row("images/../../secret.png"), "line 3.*leaves the dataset", "relative"),
    "up by a mask": (row("images/b.png", "../../m.png"), "line 3.*leaves the dataset", "relative"),
    "file:": (row("file:///etc/passwd"), "line 3.*address", "relative"),
    "data:": (row("data:image/png;base64"), "line 3.*address", "relative"),
    "https:": (row("https://example.org/a.png"), "line 3.*address", "relative"),
    "drive": (row("C:/a.png"), "line 3.*drive", "relative"),
    "UNC": (row(r"\\host\a.png"), "line 3.*absolute", "relative"),
    "backslash": (row(r"images\a.png"), "line 3.*backslashes", "relative"),
    "long name": (row("images/" + "x" * 5000), "line 3.*cannot be opened", "relative"),
    "manifest link out": (manifest_link_out, "line 3.*link that leaves", "Copy"),
    "links in a circle": (circle, "line 3: the (file|path) 'images/c1.png'", "."),
    "threshold": (csv(f"mask_threshold,{HEADER}high,{GOOD}"), "line 2: mask_threshold must be", "Correct"),
    "long prompt": (csv("file_name,prompt\nimages/a.png," + "x" * 2000), "line 2: the prompt is refused", "Correct"),
    "bad JSON": (
        csv('{"file_name": "images/a.png"\n', "metadata.jsonl"),
        "metadata.jsonl line 1: it is not JSON",
        "one JSON object",
    ),
    "JSON list": (csv("[1]\n", "metadata.jsonl"), "line 1: it is not a JSON object", "one object a line"),
    "JSON without name": (csv('{"image": "a"}\n', "metadata.jsonl"), "line 1: it has no file_name", "Add the path"),
    "JSON half a character": (
        csv('{"file_name": "images/a.png", "group": "\\ud800"}\n', "metadata.jsonl"),
        "line 1: it is not JSON",
        "one JSON object",
    ),
    "mask of no label": (
        csv("file_name,_file_name\nimages/a.png,masks/a.png\n"),
        "names no label",
        "LABEL_file_name",
    ),
    "JSON number": (csv('{"file_name": 7}\n', "metadata.jsonl"), "line 1: file_name is 7, not a path", "as text"),
    "JSON deep": (csv("[" * 100_000 + "\n", "metadata.jsonl"), "line 1: it is not JSON", "one JSON object"),
    "JSON prompt": (
        csv('{"file_name": "images/a.png", "prompt": 5}\n', "metadata.jsonl"),
        "line 1: the prompt must be",
        "Correct",
    ),
    # splits
    "manifest is a link": (
        changed(lambda r: ((r.parent / "m").write_text(HEADER), (r / "metadata.csv").symlink_to(r.parent / "m"))),
        "metadata.csv is a link that leaves",
        "Copy",
    ),
    "settings are a link": (
        changed(lambda r: ((r.parent / "y").write_text("a"), (r / "dataset.yaml").symlink_to(r.parent / "y"))),
        "dataset.yaml is a link that leaves",
        "Copy",
    ),
    "masks that are not named": (csv("file_name\nimages/a.png\n"), "names no masks, but there is", "Add the column"),
    "name with a line break": (changed(lambda r: write(r / "images/a\nb.png")), r"'a\\nb\.png': has a name", "Rename"),
    "name that is not UTF-8": (changed(lambda r: write(r / "images/\udcff.png")), "has a name that cannot", "Rename"),
    "leak by group": (
        leak_by_group,
        "a: it is in split train and shares the group 'g' with b of split test",
        "one split",
    ),
    "leak by picture": (
        leak_by_picture,
        "a: it is in split train and is the same picture, byte for byte, as b of split test",
        "Remove one",
    ),
    # dataset.yaml
    "unknown key": (settings("promt: coin"), "unknown key 'promt'", "Did you mean 'prompt'"),
    "bad YAML": (settings("name: [1"), "dataset.yaml cannot be read", "key: value"),
    "YAML list": (settings("- a\n"), "dataset.yaml holds no keys", "key: value"),
    "YAML name": (settings("name: 3"), "name in dataset.yaml is 3", "text"),
    "YAML prompt": (settings("prompt: {a: b}"), "dataset.yaml: the prompt must be", "Correct"),
    "YAML threshold": (settings("mask_threshold: 0.5"), "from 1 to 255, got 0.5", "Correct"),
    "YAML object": (settings("name: !!python/object/apply:os.getcwd []"), "dataset.yaml cannot be read", "Correct"),
}


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
    assert len(str(caught.value)) < 700
    listed = open_dataset(root, strict=False)
    assert listed.problems
    for problem in listed.problems:
        assert problem.row
        assert problem.reason.endswith(".")
        assert problem.cure.endswith(".")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "not a name or a path"),
        ("a\0b", "not a name or a path"),
        ("hf:nonsense", "names no dataset of the hub, and no folder. Write hf:OWNER/NAME"),
        ("hf:", "names no dataset of the hub"),
        ("hf-stream:a/b/c/d", "names no dataset of the hub"),
        ("s3://bucket/x", "datasets of the kind 's3' cannot be opened. Supported: coins"),
        ("https://example.org/x.zip", "of the kind 'https'"),
        ("coin", "There is no dataset 'coin'. Did you mean 'coins'"),
        ("no/such/folder", "There is no dataset 'no/such/folder'"),
        (__file__, "is a file of no known kind. Give the folder"),
        ("x" * 5000, "cannot be opened"),
    ],
)
def test_specs_that_are_none(spec: str, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        open_dataset(spec)
    assert message in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_not_strict_keeps_the_good_rows(tmp_path: Path) -> None:
    csv(f"{HEADER}{GOOD}../x.png,masks/b.png\nimages/b.png,masks/nope.png\n")(tmp_path)
    dataset = open_dataset(tmp_path, strict=False)
    assert [s.id for s in dataset] == ["a"]
    assert [p.row for p in dataset.problems] == ["metadata.csv line 3", "metadata.csv line 4"]
    with pytest.raises(DatasetError, match="1 more problem of"):
        open_dataset(tmp_path)


def test_a_picture_that_is_cut_off_is_told_when_it_is_decoded(tmp_path: Path) -> None:
    pairs(tmp_path)
    noise = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "images/a.png")
    data = (tmp_path / "images/a.png").read_bytes()
    (tmp_path / "images/a.png").write_bytes(data[: len(data) // 2])
    dataset = open_dataset(tmp_path, strict=False)
    if not dataset.problems:  # the header may be enough for the loader to tell
        with pytest.raises(WorkbenchError):
            _ = dataset["a"].image
    assert dataset["b"].image.any()


@pytest.mark.parametrize("listed", [False, True])
def test_a_thousand_problems_are_listed_soon(tmp_path: Path, listed: bool) -> None:
    pairs(tmp_path, "a")
    picture, mask = (tmp_path / "images/a.png").read_bytes(), (tmp_path / "masks/a.png").read_bytes()
    for i in range(1000):
        (tmp_path / f"images/photo_{i:04}.png").write_bytes(picture)
        (tmp_path / f"masks/photo_{i:04}_mask.png").write_bytes(mask)
    if listed:
        rows = "".join(f"images/photo_{i:04}.png,masks/photo_{i:04}.png\n" for i in range(1000))
        (tmp_path / "metadata.csv").write_text(HEADER + GOOD + rows)
    start = time.perf_counter()
    dataset = open_dataset(tmp_path, strict=False)
    assert time.perf_counter() - start < 10
    assert len(dataset.problems) == (1000 if listed else 2000)
    assert "Did you mean" in dataset.problems[0].cure
