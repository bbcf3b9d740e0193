"""Results of every kind, and a run that found the same, so that downloads can be held against its export."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from benchmarks import rle
from benchmarks.datasets import Sample
from benchmarks.records import Configuration, SampleRecord, WeightsRecord
from pipelines.types import Prediction, Prompt
from tests.benchmarks.exporting import CLASSES, Run, disc
from workbench.files.result import Produced, Result

WHEN = datetime(2026, 11, 21, 18, 30, 5, tzinfo=UTC)
WEIGHTS = WeightsRecord(repo="owner/net", revision="a" * 40, licence="MIT", commercial=True)
CONFIGURATION = Configuration(
    id="0", label="clipseg@fine", pipeline="clipseg", preset="fine", params={"threshold": 0.25, "checkpoint": "rd64"},
    device="cpu", weights=(WEIGHTS,), weights_from="/home/somebody/weights", prompt=("ignored",),
)  # fmt: skip
SIZE = (48, 64)


def produced(configuration: Configuration = CONFIGURATION) -> Produced:
    return Produced.of(configuration, Prompt(("a coin", "a leaf")), ms={"infer": 12.5}, flags=("tiled",),
                       environment={"python": "3.11", "packages": {"numpy": "2"}}, sources={"pipelines": "f" * 64},
                       created=WHEN)  # fmt: skip


def result(name: str = "photo.png", *, soft: bool = True) -> Result:
    """Three instances of two labels: one with a hole, one that overlaps it, one of two parts; and an empty mask."""
    picture = np.random.default_rng(3).integers(0, 255, (*SIZE, 3), np.uint8)
    parts = disc(SIZE, 50, 40, 5) | disc(SIZE, 60, 10, 3)
    masks = np.stack((disc(SIZE, 20, 20, 12, 4), disc(SIZE, 30, 24, 8), parts, np.zeros(SIZE, np.bool_)))
    found = Prediction.of(masks, np.array([0.9, 0.5, 0.75, 0.1]), np.array([1, 0, 1, 0]))
    map_ = np.linspace(0, 1, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE)
    return Result(name, picture, found, produced(), ("a coin", "a leaf"), soft=map_ if soft else None)


def nothing() -> Result:
    """A picture in which nothing was found, by a pipeline without text."""
    return Result("", np.full((5, 7, 3), 9, np.uint8), Prediction.empty(5, 7), produced())


def of_record(sample: Sample, record: SampleRecord) -> Result:
    masks = np.array([rle.decode(one.mask) for one in record.instances], np.bool_).reshape(-1, *record.size)
    scores = np.array([one.score for one in record.instances])
    labels = np.array([one.label for one in record.instances], np.int64)
    found = Prediction.of(masks, scores, labels)
    return Result(sample.id, sample.image, found, produced(), record.texts, classes=CLASSES)


def of_run(run: Run) -> dict[str, Result]:
    records = {name: one for name, one in run.records.items() if one.error is None}
    return {sample.id: of_record(sample, records[sample.id]) for sample in run.dataset if sample.id in records}
