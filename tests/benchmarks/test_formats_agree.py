"""The same pictures and masks in every format give the same scores. ``COIN_SCENES=FOLDER`` adds real photographs."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage

from benchmarks.datasets import Dataset, open_dataset
from benchmarks.export.outlines import outline
from benchmarks.metrics import METRICS, measure_all
from pipelines import create
from pipelines.types import Mask, Prompt

Item = tuple[str, Path, Mask]
SCENES = os.environ.get("COIN_SCENES")
REAL = pytest.param("real", marks=pytest.mark.skipif(not SCENES, reason="COIN_SCENES names no folder of photographs"))


@pytest.fixture(params=["made", REAL])
def items(request: pytest.FixtureRequest, photographs: Path) -> list[Item]:
    """Name, file of the picture and mask of each sample."""
    dataset = open_dataset(photographs if request.param == "made" else Path(str(SCENES)))
    return [(s.id, s.path, s.target()) for s in dataset]  # type: ignore[misc]


def scores(dataset: Dataset) -> dict[str, float | None]:
    """Every metric of one pipeline over a dataset."""
    pipeline = create("classical", preset="coin-seed", device="cpu")
    pipeline.load()
    counted = []
    for sample in dataset:
        truth = sample.truth()
        assert truth is not None
        mask = pipeline.predict([sample.image], [Prompt()])[0].foreground()
        counted.append(measure_all(METRICS.values(), mask, truth.union(), truth.ignore))
    return {
        name: metric.reduce([c[metric.family.name] for c in counted if metric.family.name in c])
        for name, metric in METRICS.items()
    }


def folder(root: Path, items: list[Item]) -> Path:
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for name, path, mask in items:
        shutil.copy(path, root / "images" / f"{name}{path.suffix}")
        PILImage.fromarray(mask.view(np.uint8) * np.uint8(255)).save(root / "masks" / f"{name}.png")
    return root


def coco(root: Path, items: list[Item], segmentation: Callable[[Mask], list[object]]) -> Path:
    images, annotations = [], []
    (root / "images").mkdir(parents=True)
    for number, (name, path, mask) in enumerate(items, 1):
        file = shutil.copy(path, root / "images" / f"{name}{path.suffix}")
        height, width = mask.shape
        images.append({"id": number, "file_name": f"images/{Path(file).name}", "height": height, "width": width})
        for found in segmentation(mask):
            about = {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 0}
            annotations.append({**about, "segmentation": found})
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "coin"}]}
    (root / "annotations.json").write_text(json.dumps(document))
    return root


def run_lengths(mask: Mask) -> list[object]:
    from pycocotools.mask import encode

    found = encode(np.asfortranarray(mask.view(np.uint8)))
    return [{"size": list(mask.shape), "counts": found["counts"].decode()}]


def polygons(mask: Mask) -> list[object]:
    return [[outline(part).ravel().tolist()] for part in parts(mask)]


def parts(mask: Mask) -> list[Mask]:
    import cv2

    count, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=4)
    return [labels == n for n in range(1, count)]


def voc(root: Path, items: list[Item]) -> Path:
    for name in ("JPEGImages", "SegmentationClass"):
        (root / name).mkdir(parents=True)
    for name, path, mask in items:
        shutil.copy(path, root / "JPEGImages" / f"{name}{path.suffix}")
        picture = PILImage.fromarray(mask.view(np.uint8), mode="P")
        picture.putpalette([0, 0, 0, 128, 0, 0])
        picture.save(root / "SegmentationClass" / f"{name}.png")
    (root / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\ncoin:128,0,0::\n")
    return root


def rows(items: list[Item]) -> object:
    from datasets import Dataset as Rows
    from datasets import Image

    columns = {
        "image": [{"bytes": path.read_bytes(), "path": path.name} for _, path, _ in items],
        "mask": [{"bytes": png(mask), "path": None} for _, _, mask in items],
        "id": [name for name, _, _ in items],
    }
    return Rows.from_dict(columns).cast_column("image", Image()).cast_column("mask", Image())


def png(mask: Mask) -> bytes:
    file = io.BytesIO()
    PILImage.fromarray(mask.view(np.uint8) * np.uint8(255)).save(file, "PNG")
    return file.getvalue()


def saved(root: Path, items: list[Item]) -> Path:
    rows(items).save_to_disk(root / "saved")  # type: ignore[attr-defined]
    return root / "saved"


def parquet(root: Path, items: list[Item]) -> Path:
    (root / "parquet").mkdir(parents=True)
    rows(items).to_parquet(str(root / "parquet" / "train.parquet"))  # type: ignore[attr-defined]
    return root / "parquet"


def yolo(root: Path, items: list[Item]) -> Path:
    for name in ("images/train", "labels/train"):
        (root / name).mkdir(parents=True)
    for name, path, mask in items:
        shutil.copy(path, root / "images/train" / f"{name}{path.suffix}")
        corners = [outline(part) / mask.shape[::-1] for part in parts(mask)]
        lines = [" ".join(["0", *(f"{value:.8f}" for value in c.ravel())]) for c in corners]
        (root / "labels/train" / f"{name}.txt").write_text("".join(line + "\n" for line in lines))
    (root / "data.yaml").write_text("train: images/train\nnames:\n  0: coin\n")
    return root


def labelme(root: Path, items: list[Item]) -> Path:
    root.mkdir(parents=True)
    for name, path, mask in items:
        file = Path(shutil.copy(path, root / f"{name}{path.suffix}"))
        shapes = [{"label": "coin", "shape_type": "polygon", "points": outline(p).tolist()} for p in parts(mask)]
        document = {"version": "5.5.0", "shapes": shapes, "imagePath": file.name, "imageData": None}
        document |= {"imageHeight": mask.shape[0], "imageWidth": mask.shape[1]}
        (root / f"{name}.json").write_text(json.dumps(document))
    return root


LOSSLESS: dict[str, tuple[str, Callable[[Path, list[Item]], str | Path]]] = {
    "COCO": ("COCO", lambda root, items: coco(root, items, run_lengths)),
    "VOC": ("PASCAL VOC", voc),
    "saved to disk": ("Hugging Face dataset", saved),
    "parquet": ("Hugging Face dataset", lambda root, items: f"hf:{parquet(root, items)}"),
    "stream": ("Hugging Face stream", lambda root, items: f"hf-stream:{parquet(root, items)}"),
}
POLYGONS: dict[str, tuple[str, Callable[[Path, list[Item]], Path]]] = {
    "COCO": ("COCO", lambda root, items: coco(root, items, polygons)),
    "YOLO-seg": ("YOLO-seg", yolo),
    "labelme": ("labelme", labelme),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_lossless_format_scores_as_the_folder_does(name: str, items: list[Item], tmp_path: Path) -> None:
    layout, convert = LOSSLESS[name]
    dataset = open_dataset(convert(tmp_path / "converted", items))
    assert dataset.format == layout
    for (sample_id, _, mask), sample in zip(items, dataset, strict=True):
        assert sample.id == sample_id
        assert np.array_equal(sample.target(), mask)
    assert scores(dataset) == scores(open_dataset(folder(tmp_path / "folder", items)))


@pytest.mark.parametrize("name", POLYGONS)
def test_a_polygon_format_scores_as_its_decoded_masks_do(name: str, items: list[Item], tmp_path: Path) -> None:
    layout, convert = POLYGONS[name]
    dataset = open_dataset(convert(tmp_path / "converted", items))
    assert dataset.format == layout
    decoded: list[Item] = []
    for (sample_id, path, mask), sample in zip(items, dataset, strict=True):
        found = sample.target()
        assert found is not None
        assert (found & mask).sum() / (found | mask).sum() >= 0.99
        decoded.append((sample_id, path, found))
    assert scores(dataset) == scores(open_dataset(folder(tmp_path / "folder", decoded)))


@pytest.mark.skipif(not SCENES, reason="COIN_SCENES names no folder of photographs")
def test_the_outlines_of_the_photographs_give_their_masks(tmp_path: Path) -> None:
    masks = {s.id: s.target() for s in open_dataset(Path(str(SCENES)))}
    drawn = open_dataset(Path(str(SCENES)) / "annotations.json")
    assert drawn.format == "COCO"
    decoded: list[Item] = []
    for sample in drawn:
        found, mask = sample.target(), masks[sample.id]
        assert found is not None
        assert mask is not None
        assert (found & mask).sum() / (found | mask).sum() >= 0.99
        decoded.append((sample.id, sample.path, found))  # type: ignore[arg-type]
    assert scores(drawn) == scores(open_dataset(folder(tmp_path / "folder", decoded)))
