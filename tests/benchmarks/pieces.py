"""Small records and pipelines that several tests are made of."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from benchmarks.datasets import Dataset, Sample, Truth
from benchmarks.metrics import METRICS, measure_all, measure_failed
from benchmarks.records import Configuration, DatasetRecord, Protocol, RunManifest, SampleRecord
from benchmarks.timing.record import Throughput, Timing
from pipelines.base import Pipeline
from pipelines.params import Params, knob
from pipelines.types import Evidence, Image, PipelineInfo, Prompt

CONFIGURATION = Configuration(id="00-x", label="x", pipeline="x", preset="default", params={}, device="cpu")
ALL = list(METRICS.values())


def manifest(*configurations: Configuration, n: int = 4, n_groups: int = 4, limit: int | None = None) -> RunManifest:
    dataset = DatasetRecord(spec="d", name="d", format="f", n=n, n_groups=n_groups, hash="h", limit=limit)
    return RunManifest(run_id="r", dataset=dataset, configurations=configurations or (CONFIGURATION,), metrics={},
                       protocol=Protocol(), sources={}, environment={"cpu": "c", "cores": 2}, created="now")  # fmt: skip


def strip(found: int, wanted: int, length: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Masks of one row whose first pixels are true."""
    return np.arange(length)[None] < found, np.arange(length)[None] < wanted


def record(name: str, found: int, wanted: int, *, group: str = "", error: str | None = None) -> SampleRecord:
    """A record of a predicted strip of `found` pixels where `wanted` are right."""
    pred, target = strip(found, wanted)
    components = measure_failed(ALL, target) if error else measure_all(ALL, pred, target)
    return SampleRecord(key=name, id=name, group=group or name, size=(1, 10), error=error, components=components, ms={})


def timing(n: int = 4, resumed: bool = False) -> Timing:
    rates = (Throughput(value=5, batch_size=1), Throughput(value=9, batch_size=2), Throughput(value=7, batch_size=4))
    return Timing(load_s=1, first_ms=50, warm_up=10, latency_ms=tuple(range(10, 10 + n)), stages_ms={"a": 9}, decode_ms=2,
                  overhead_ms=1, throughputs=rates, peak_memory_mb={"host": 100, "device": None}, resumed=resumed)  # fmt: skip


class SlowParams(Params):
    per_call_ms: float = knob(5, help="A call costs this.", reads="infer", ge=0, le=1000)
    per_image_ms: float = knob(5, help="An image costs this.", reads="infer", ge=0, le=1000)
    most: int = knob(1000, help="Larger batches fail.", reads="infer", ge=1, le=1000)
    threshold: float = knob(0.5, help="Cut.", reads="decide", ge=0, le=1)


class Slow(Pipeline):
    """Takes a known time, and fails on black pictures and large batches."""

    info = PipelineInfo(name="slow", title="Slow")
    Params = SlowParams

    def _load(self) -> None:
        self.calls: list[int] = []

    def _infer(self, images: list[Image], prompts: list[Prompt], params: SlowParams) -> list[Evidence]:
        self.calls.append(len(images))
        if len(images) > params.most:
            raise MemoryError("too many")
        if not all(image.any() for image in images):
            raise RuntimeError("it is dark")
        with self.clock.stage("wait"):
            time.sleep((params.per_call_ms + len(images) * params.per_image_ms) / 1e3)
        return [Evidence(image.shape[:2], soft=image[None, ..., 0].astype(np.float32) / 255) for image in images]


def sample(name: str, value: int = 255) -> Sample:
    """A picture of one row whose left half is bright, and its mask."""
    picture = np.zeros((1, 10, 3), np.uint8)
    picture[:, :5] = value
    truth = Truth({"foreground": picture[..., 0] > 0})
    return Sample(id=name, size=(1, 10), read_image=picture.copy, hash_image=lambda: name + str(value),
                  read_truth=lambda: truth, hash_target=lambda: name)  # fmt: skip


def dataset(samples: Sequence[Sample]) -> Dataset:
    return Dataset("made", "made", tuple(samples))


def ask(_: Sample) -> Prompt:
    return Prompt()
