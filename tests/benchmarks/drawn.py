"""Small pictures and masks for the tests of formats with outlines, and what every broken dataset is held to."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.datasets import Dataset, open_dataset
from benchmarks.export.outlines import outline
from pipelines.errors import DatasetError
from pipelines.types import Mask

H, W = 60, 90
Opener = Callable[[str], Dataset | None]
Broken = dict[str, tuple[Callable[[Path], object], str, str]]


def disc(x: float, y: float, radius: float) -> Mask:
    ys, xs = np.mgrid[:H, :W]
    return np.asarray(np.hypot(xs + 0.5 - x, ys + 0.5 - y) <= radius)


def masks() -> dict[str, dict[str, Mask]]:
    """Name → class → mask: a disc, a ring, what touches the border, what is thin, several classes, nothing."""
    thin = np.zeros((H, W), np.bool_)
    thin[5:50, 40] = thin[30, 10:80] = True
    return {
        "a_disc": {"coin": disc(30, 30, 20)},
        "b_ring": {"coin": disc(45, 30, 25) & ~disc(45, 30, 10)},
        "c_border": {"coin": disc(0, 0, 30) | disc(90, 55, 20)},
        "d_thin": {"leaf": thin},
        "e_two": {"coin": disc(20, 30, 12), "leaf": disc(60, 20, 15) & ~disc(60, 20, 5)},
        "f_nothing": {},
    }


def picture(path: Path, size: tuple[int, int] = (H, W), seed: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(map(ord, path.stem)) if seed is None else seed
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)).save(path)
    return path


def polygon(mask: Mask) -> list[list[int]]:
    return [[int(x), int(y)] for x, y in outline(mask)]


def run_lengths(mask: Mask, *, compressed: bool = True) -> dict[str, Any]:
    from pycocotools.mask import encode

    if compressed:
        return {"size": list(mask.shape), "counts": encode(np.asfortranarray(mask.view(np.uint8)))["counts"].decode()}
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *ends, flat.size]).tolist()
    return {"size": list(mask.shape), "counts": [0, *runs] if flat[0] else runs}


def write_json(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def opened(opener: Opener, spec: Path) -> Dataset:
    dataset = opener(str(spec))
    assert dataset is not None
    assert not dataset.problems, dataset.problems
    return dataset


def assert_drawn(dataset: Dataset, expected: dict[str, dict[str, Mask]], least_iou: float = 1.0) -> None:
    """Every mask of every class agrees; 1 = pixel for pixel."""
    assert [s.id for s in dataset] == sorted(expected)
    for sample in dataset:
        truth = sample.truth()
        assert truth is not None
        assert {k for k, m in truth.masks.items() if m.any()} == set(expected[sample.id])
        for label, mask in expected[sample.id].items():
            both = (truth.masks[label] & mask).sum()
            assert both >= least_iou * (truth.masks[label] | mask).sum(), (sample.id, label)


def assert_as_folder(dataset: Dataset, root: Path) -> None:
    """The decoded masks as a folder of masks are the same truth, so that every score is the same."""
    for sample in dataset:
        (root / "masks").mkdir(parents=True, exist_ok=True)
        (root / "images").mkdir(exist_ok=True)
        target = sample.target()
        assert target is not None
        Image.fromarray(target.view(np.uint8) * np.uint8(255)).save(root / f"masks/{sample.id}.png")
        assert sample.path is not None
        (root / "images" / sample.path.name).write_bytes(sample.path.read_bytes())
    folder = open_dataset(root)
    assert [(s.id, s.image_hash) for s in folder] == [(s.id, s.image_hash) for s in dataset]
    for sample in folder:
        np.testing.assert_array_equal(sample.target(), dataset[sample.id].target())


def tree(folder: Path) -> list[tuple[str, bytes]]:
    return [(str(p), p.read_bytes() if p.is_file() else b"") for p in sorted(folder.rglob("*"))]


def assert_refused(opener: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: Callable[[Path], object],
                   message: str, cure: str) -> Dataset:  # fmt: skip
    """One sentence with the row and a cure; listed when not strict; nothing written anywhere."""
    monkeypatch.setattr("benchmarks.datasets.DATASETS", {"it": f"benchmarks.datasets.{opener}"})
    root = tmp_path / "set"
    root.mkdir()
    build(root)
    before = tree(tmp_path)
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
    for sample in listed:
        sample.truth()
    assert tree(tmp_path) == before
    return listed
