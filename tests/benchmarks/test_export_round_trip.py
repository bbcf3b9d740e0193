"""What is exported opens again as a dataset, with the same masks pixel for pixel."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import rle
from benchmarks.datasets import Dataset, open_dataset
from benchmarks.datasets.sample import FOREGROUND
from tests.benchmarks.exporting import (
    CLASSES,
    HOME,
    Run,
    disc,
    generated,
    make_run,
    record,
    write_records,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools' decode

FORMATS = {"png": "imagefolder", "coco": "COCO", "yolo": "YOLO", "voc": "PASCAL VOC"}
Masks = Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def home(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    run.export(out, *FORMATS)
    return out / HOME


def wanted(run: Run, name: str, form: str) -> Masks:
    """The masks of each class as the format can tell them apart; a class with no pixel is left out."""
    masks = dict(run.truth[name])
    if form == "png":
        masks = {FOREGROUND: np.logical_or.reduce(list(masks.values()))} if masks else {}
    elif form == "voc":  # one class a pixel: the highest score on top
        one = run.records[name]
        masks = {}
        for instance in sorted(one.instances, key=lambda instance: instance.score):
            mask, label = rle.decode(instance.mask), CLASSES[instance.label]
            masks = {other: seen & ~mask for other, seen in masks.items()}
            masks[label] = masks[label] | mask if label in masks else mask
    return {label: mask for label, mask in masks.items() if mask.any()}


def read(dataset: Dataset) -> dict[str, Masks]:
    found: dict[str, Masks] = {}
    for sample in dataset:
        truth = sample.truth()
        assert truth is not None
        assert truth.ignore is None
        found[sample.id] = {label: mask for label, mask in truth.masks.items() if mask.any()}
    return found


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_masks_come_back(run: Run, home: Path, form: str) -> None:
    dataset = open_dataset(str(home / form))
    assert dataset.format.startswith(FORMATS[form])
    assert dataset.class_names == (() if form == "png" else CLASSES)
    found = read(dataset)
    assert found.keys() == run.truth.keys()
    for name, masks in found.items():
        expected = wanted(run, name, form)
        assert masks.keys() == expected.keys(), name
        for label, mask in masks.items():
            assert np.array_equal(mask, expected[label]), (name, label)


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_pictures_come_back(run: Run, home: Path, form: str) -> None:
    pictures = {sample.id: sample.image for sample in run.dataset}
    for sample in open_dataset(str(home / form)):
        assert np.array_equal(sample.image, pictures[sample.id]), sample.id


@pytest.mark.parametrize("form", FORMATS)
def test_a_pipeline_that_knows_no_classes_comes_back(tmp_path: Path, form: str) -> None:
    size = (40, 50)
    records = [
        record(n, size, [(0, 1.0, disc(size, 20 + i, 20, 9, 3))], texts=(), classes=None) for i, n in enumerate("ab")
    ]
    run = Run(Dataset("two", "made", tuple(generated(one.id, size) for one in records)),
              write_records(tmp_path / "run", records), {one.id: one for one in records})  # fmt: skip
    run.export(tmp_path / "out", form, class_names=())
    found = read(open_dataset(str(tmp_path / "out" / HOME / form)))
    assert {name: list(masks) for name, masks in found.items()} == {"a": [FOREGROUND], "b": [FOREGROUND]}
    for name, masks in found.items():
        assert np.array_equal(masks[FOREGROUND], run.truth[name][FOREGROUND])


@pytest.mark.parametrize("form", FORMATS)
def test_ids_with_folders_of_any_name_come_back(tmp_path: Path, form: str) -> None:
    names = [
        "train/images/a",
        "test/images/b",
        "labels/masks/c",
        "v1.2/IMG 1 (2)",
        "images",
        "ünï/#d",
        "100%",
        "x.png",
        "-r",
    ]
    size = (40, 50)
    records = [record(name, size, [(0, 1.0, disc(size, 20 + i, 20, 9))]) for i, name in enumerate(names)]
    run = Run(Dataset("ids", "made", tuple(generated(name, (40, 50)) for name in names)),
              write_records(tmp_path / "run", records), {one.id: one for one in records})  # fmt: skip
    run.export(tmp_path / "out", form)
    found = read(open_dataset(str(tmp_path / "out" / HOME / form)))
    assert found.keys() == {name.replace("%", "%25") for name in names}
    for name in names:
        (mask,) = found[name.replace("%", "%25")].values()
        assert np.array_equal(mask, run.truth[name]["leaf"])


@pytest.mark.parametrize("form", ["coco", "yolo", "voc"])
def test_texts_of_any_kind_come_back_as_classes(tmp_path: Path, form: str) -> None:
    size = (40, 50)
    texts = (
        "=1+1",
        "a: b # c\nd",
        "background",
        '"',
        "{x}",
        " null",
        "yes",
        "1",
        "é\u2028\x07",
        "x" * 1000,
        "-",
        "a, b",
        "none",
    )
    found = [(i, 0.5, np.indices(size)[0] == i) for i in range(len(texts))]
    one = record("a", size, found, texts=texts, classes=None)
    run = Run(Dataset("one", "made", (generated("a", size),)), write_records(tmp_path / "run", [one]), {"a": one})
    run.export(tmp_path / "out", form, class_names=())
    dataset = open_dataset(str(tmp_path / "out" / HOME / form))
    assert len(set(dataset.class_names)) == len(texts)
    assert {"=1+1", '"', "{x}", "null", "yes", "1", "-", "none"} <= set(dataset.class_names)
    ((_, masks),) = read(dataset).items()
    for name, (_, _, mask) in zip(dataset.class_names, found, strict=True):
        assert np.array_equal(masks[name], mask), name


@pytest.mark.parametrize("form", FORMATS)
def test_declared_splits_come_back(tmp_path: Path, form: str) -> None:
    size, splits = (40, 50), {"a": "train", "b": "val", "c": "train", "d": "test"}
    records = [record(name, size, [(0, 1.0, disc(size, 20, 20, 9 + i))]) for i, name in enumerate(splits)]
    samples = [replace(generated(name * (i + 1), size), id=name, group=name, split=split)
               for i, (name, split) in enumerate(splits.items())]  # fmt: skip
    run = Run(Dataset("four", "made", tuple(samples)), write_records(tmp_path / "run", records),
              {one.id: one for one in records})  # fmt: skip
    run.export(tmp_path / "out", form)
    assert {s.id: s.split for s in open_dataset(str(tmp_path / "out" / HOME / form))} == splits


def test_groups_come_back_and_no_cell_is_a_formula(tmp_path: Path) -> None:
    size = (40, 50)
    groups = {
        "a": "=1+1",
        "b": "+2",
        "c": "-3",
        "d": "@x",
        "e": "\t=4",
        "f": "table, 1",
        "g": "",
        "h": "=1+1",
        "-i": "'q",
        "=j": "\r@",
    }
    records = [record(name, size, [(0, 1.0, disc(size, 20, 20, 9))]) for name in groups]
    samples = tuple(replace(generated(name, size), group=group or name) for name, group in groups.items())
    run = Run(Dataset("g", "made", samples), write_records(tmp_path / "run", records), {one.id: one for one in records})
    run.export(tmp_path / "out", "png")
    home = tmp_path / "out" / HOME / "png"
    with (home / "metadata.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    read_back = {sample.id: sample.group for sample in open_dataset(str(home))}
    marked = {"=1+1": "'=1+1", "+2": "'+2", "-3": "'-3", "@x": "'@x", "\t=4": "'=4", "'q": "''q", "\r@": "'@"}
    assert read_back == {name: marked.get(group, group) or name for name, group in groups.items()}


@pytest.mark.parametrize("form", FORMATS)
def test_random_instances_come_back(tmp_path: Path, form: str) -> None:
    """Noise that touches at corners, rings, borders, single pixels and full frames, several of a class."""
    rng = np.random.default_rng(1)
    records = []
    for index in range(12):
        size = (int(rng.integers(5, 40)), int(rng.integers(5, 40)))
        found = [(int(rng.integers(3)), float(rng.random()), rng.random(size) < rng.random()) for _ in range(4)]
        records.append(record(f"r{index}", size, found))
    run = Run(Dataset("random", "made", tuple(generated(one.id, one.size) for one in records)),
              write_records(tmp_path / "run", records), {one.id: one for one in records})  # fmt: skip
    run.export(tmp_path / "out", form)
    for name, masks in read(open_dataset(str(tmp_path / "out" / HOME / form))).items():
        expected = wanted(run, name, form)
        assert masks.keys() == expected.keys(), name
        assert all(np.array_equal(mask, expected[label]) for label, mask in masks.items()), name
