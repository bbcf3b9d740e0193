"""A small run with every kind of picture and prediction, for the tests of exports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PILImage

from benchmarks import rle
from benchmarks.datasets import Dataset, Sample, Stream, open_dataset
from benchmarks.export import Exported, export
from benchmarks.records import (
    Configuration,
    DatasetRecord,
    Instance,
    Protocol,
    RunManifest,
    SampleRecord,
    WeightsRecord,
)
from benchmarks.store import RecordWriter, RunStore

CLASSES = ("leaf", "tomato", "stem")
CONFIGURATION = Configuration(
    id="00-x", label="x:a/b=1", pipeline="x", preset="default", params={"threshold": 0.5}, device="cpu",
    weights=(WeightsRecord(repo="o/n", revision="a" * 40, licence="Apache-2.0", commercial=True),),
)  # fmt: skip
HOME = "x%3Aa%2Fb=1"
"""The folder of its export: its label, made safe."""

Found = tuple[int, float, np.ndarray]


def manifest(dataset: Dataset, class_names: Sequence[str] = CLASSES, run_id: str = "r") -> RunManifest:
    about = DatasetRecord(
        spec="d", name="d", format=dataset.format, n=9, n_groups=9, hash="h", class_names=tuple(class_names)
    )
    return RunManifest(run_id=run_id, dataset=about, configurations=(CONFIGURATION,), metrics={}, protocol=Protocol(),
                       sources={"a": "b"}, environment={"cpu": "c", "packages": {"numpy": "2"}}, created="then")  # fmt: skip


def record(name: str, size: tuple[int, int], found: Sequence[Found] = (), *, texts: tuple[str, ...] = CLASSES,
           classes: tuple[str, ...] | None = CLASSES, error: str | None = None, soft_map: str | None = None) -> SampleRecord:  # fmt: skip
    instances = tuple(Instance(label=label, score=score, mask=rle.encode(mask)) for label, score, mask in found)
    return SampleRecord(key="ab", id=name, group=name, size=size, error=error, soft=soft_map is not None, soft_map=soft_map,
                        texts=texts, classes=classes, instances=instances, ms={})  # fmt: skip


def disc(size: tuple[int, int], x: int, y: int, radius: int, hole: int = 0) -> np.ndarray:
    canvas = cv2.circle(np.zeros(size, np.uint8), (x, y), radius, 1, -1)
    return (cv2.circle(canvas, (x, y), hole, 0, -1) if hole else canvas) > 0


@dataclass
class Run:
    """A dataset, the records of a run on it, and what the export is to give back.

    Attributes:
        truth: id → category → mask, overlaps included.
    """

    dataset: Dataset
    store: RunStore
    records: dict[str, SampleRecord]

    @property
    def truth(self) -> dict[str, dict[str, np.ndarray]]:
        found: dict[str, dict[str, np.ndarray]] = {}
        for name, one in self.records.items():
            if one.error is None:
                masks = found.setdefault(name, {})
                for instance in one.instances:
                    category = (one.classes or one.texts or ("foreground",))[instance.label]
                    mask = rle.decode(instance.mask)
                    masks[category] = masks[category] | mask if category in masks else mask
        return found

    def export(self, folder: Path, *formats: str, streamed: bool = False, **changes: object) -> Exported:
        samples = tuple(self.dataset.samples)
        dataset = self.dataset.select(Stream(lambda: iter(samples)) if streamed else samples)
        about = manifest(dataset, **changes)  # type: ignore[arg-type]
        return export(folder, formats, CONFIGURATION, about, self.store, dataset)


def write_records(folder: Path, records: Sequence[SampleRecord]) -> RunStore:
    store = RunStore(folder)
    with RecordWriter(store.records_path(CONFIGURATION.id)) as writer:
        for one in records:
            writer.append(one)
    return store


def generated(name: str, size: tuple[int, int]) -> Sample:
    picture = np.random.default_rng(list(name.encode())).integers(0, 255, (*size, 3), np.uint8)
    return Sample(id=name, size=size, read_image=picture.copy, hash_image=lambda: name)


def write_pictures(folder: Path) -> None:
    """A PNG, an upright and a turned JPEG, a TIFF, a PNG of 16 bits, and one in a folder of its own."""
    (folder / "images" / "sub").mkdir(parents=True)
    picture = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    exif = PILImage.Exif()
    for name in ("plain.png", "upright.jpg", "failed.png", "empty.png", "sub/deep.png"):
        PILImage.fromarray(picture).save(folder / "images" / name)
        picture = picture[:, ::-1].copy() + np.uint8(1)  # no two files are alike
    exif[274] = 6  # turned by a quarter: 80 x 60 in the file, 60 x 80 upright
    PILImage.fromarray(picture).save(folder / "images" / "turned.jpg", exif=exif)
    PILImage.fromarray(picture).save(folder / "images" / "scan.tif")
    cv2.imwrite(str(folder / "images" / "deep16.png"), picture.astype(np.uint16) * 257)


def make_run(folder: Path) -> Run:
    """Overlaps, holes, several classes and several of a class, a picture that failed, and an empty prediction."""
    write_pictures(folder / "data")
    dataset = open_dataset(str(folder / "data"))
    samples = sorted([*dataset, generated("made", (50, 70))], key=lambda sample: sample.id)
    samples = [replace(sample, split="test" if sample.id == "made" else None) for sample in samples]
    size, tall = (60, 80), (80, 60)
    records = [
        record("plain", size, [(1, 0.9, disc(size, 30, 30, 20, 6)), (1, 0.3, disc(size, 60, 45, 12)), (2, 0.8, disc(size, 45, 30, 15))]),
        record("upright", size, [(0, 0.5, np.ones(size, bool))]),
        record("turned", tall, [(2, 0.7, disc(tall, 10, 70, 25))]),
        record("failed", size, error="RuntimeError: it is dark"),
        record("empty", size),
        record("sub/deep", size, [(0, 0.5, disc(size, 0, 0, 30)), (0, 0.6, np.zeros(size, bool))]),
        record("scan", size, [(1, 0.5, np.indices(size).sum(0) % 7 == 0)]),
        record("deep16", size, [(1, 0.5, disc(size, 40, 30, 9))]),
        record("made", (50, 70), [(0, 0.25, disc((50, 70), 35, 25, 20)), (2, 0.75, disc((50, 70), 35, 25, 10))]),
    ]  # fmt: skip
    store = write_records(folder / "run", records)
    return Run(dataset.select(samples), store, {one.id: one for one in records})


def one_picture(folder: Path, name: str = "a", found: list[tuple[int, float, np.ndarray]] | None = None,
                size: tuple[int, int] = (20, 30), **changes: object) -> Run:  # fmt: skip
    """A run on one generated picture."""
    ours = record(name, size, [(0, 0.5, disc(size, 10, 10, 5))] if found is None else found, **changes)  # type: ignore[arg-type]
    return Run(Dataset("one", "made", (generated(name, size),)), write_records(folder / "run", [ours]), {name: ours})


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def contents(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != ".lock"}
