"""Runs made by hand for the tests of the report, and a page as its elements, attributes and texts."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np

from benchmarks import rle
from benchmarks.datasets import open_dataset
from benchmarks.metrics import METRICS, measure_all, measure_failed
from benchmarks.records import Configuration, DatasetRecord, Instance, Protocol, RunManifest, SampleRecord
from benchmarks.store import RecordWriter, RunStore, write_whole
from tests.benchmarks.pieces import timing

ALL = list(METRICS.values())
SIDE = 24


class Seen(HTMLParser):
    """Every element, attribute and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, tag: str, name: str) -> list[str]:
        return [value or "" for t, n, value in self.attributes if (t, n) == (tag, name)]


def square(where: int, wide: int = 10) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[4 : 4 + wide, where : where + wide] = True
    return mask


def made_dataset(folder: Path, n: int = 12, *, masks: bool = True) -> Path:
    """Pictures of a bright square each, and their masks."""
    for name in ("images", "masks") if masks else ("images",):
        (folder / name).mkdir(parents=True)
    for index in range(n):
        target = square(index % 8)
        picture = np.where(target[..., None], 220, 40 + index).astype(np.uint8).repeat(3, axis=2)
        cv2.imwrite(str(folder / "images" / f"p{index:02d}.png"), picture)
        if masks:
            cv2.imwrite(str(folder / "masks" / f"p{index:02d}.png"), target.astype(np.uint8) * 255)
    return folder


def configuration(label: str, number: int, **more: object) -> Configuration:
    return Configuration(
        id=f"{number:02d}-x", label=label, pipeline="x", preset="default", params={"a": 1}, device="cpu", **more
    )  # type: ignore[arg-type]


def sample_record(sample, mask: np.ndarray | None, soft: bool = True) -> SampleRecord:
    """A record of a predicted mask, or of a failure."""
    truth = sample.truth()
    target = truth.union() if truth else None
    chances = None if mask is None else mask.astype(np.float32) * 0.8
    counted = None
    if target is not None:
        counted = measure_failed(ALL, target) if mask is None else measure_all(ALL, mask, target, soft=chances)
    instances = () if mask is None else (Instance(label=0, score=1, mask=rle.encode(mask)),)
    return SampleRecord(
        key="00",
        id=sample.id,
        group=sample.group,
        size=sample.size,
        components=counted,
        soft=soft,
        error="RuntimeError: dark" if mask is None else None,
        instances=instances,
        ms={"latency": 5.0},
        tags={"half": "low" if sample.id < "p06" else "high"},
    )


def made_run(folder: Path, data: Path, masks: dict[str, list[np.ndarray | None]], **about: object) -> Path:
    """A finished run: label → predicted mask of each image, None where the pipeline failed."""
    dataset = open_dataset(str(data))
    spec = {
        "spec": str(data),
        "name": dataset.name,
        "format": dataset.format,
        "n": len(dataset),
        "n_groups": dataset.n_groups,
        "hash": dataset.hash,
        **about.pop("dataset", {}),
    }  # type: ignore[dict-item]
    settings = about.pop("settings", {})
    configurations = [configuration(label, n, **settings.get(label, {})) for n, label in enumerate(masks)]  # type: ignore[attr-defined]
    extra = [
        configuration(label, 90 + n, unavailable=why) for n, (label, why) in enumerate(about.pop("gone", {}).items())
    ]  # type: ignore[attr-defined]
    manifest = RunManifest(run_id=folder.name, dataset=DatasetRecord(**spec), configurations=(*configurations, *extra), metrics={},
                           protocol=Protocol(), sources={"benchmarks": "5" * 64}, environment=about.pop("environment", {"cpu": "a cpu", "cores": 2}),
                           created="2026-11-21T10:00:00+00:00")  # fmt: skip
    assert not about
    store = RunStore(folder)
    write_whole(store.manifest_path, manifest.model_dump_json())
    for one in configurations:
        with RecordWriter(store.records_path(one.id)) as writer:
            for sample, mask in zip(dataset, masks[one.label], strict=True):
                writer.append(sample_record(sample, mask))
        write_whole(store.timing_path(one.id), timing(len(dataset)).model_dump_json())
    return folder


def of(n: int, shift: int, wide: int = 10) -> list[np.ndarray | None]:
    return [square(index % 8 + shift, wide) for index in range(n)]
