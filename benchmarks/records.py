"""What a run writes: its manifest, one record an image, the timing of a process, and the row that sums them up."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 1
Status = Literal["ok", "unavailable", "failed"]
Number = int | float
Components = dict[str, dict[str, Number | list[Number] | list[list[Number]]]]
"""Metric components by family: numbers, or lists of them, such as ``{"overlap": {"tp": 10, ...}}``."""


class Record(BaseModel):
    """Base of everything written to a file: frozen, nothing beyond the declared fields, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class WeightsRecord(Record):
    """Which checkpoint was used and what may be done with it."""

    repo: str
    revision: str | None
    licence: str
    commercial: bool | None


class Configuration(Record):
    """One row to be: a pipeline with all its parameters.

    Attributes:
        id: folder of its records.
        label: what the row is called.
        pipeline: name.
        preset: name.
        params: every field, exact.
        device: "cpu" or "cuda".
        weights: checkpoints that the parameters choose.
        weights_from: the value of ``--weights``.
        asked: whether the user named it.
        unavailable: why it cannot run here, or None.
    """

    id: str
    label: str
    pipeline: str
    preset: str
    params: dict[str, Any]
    device: str
    weights: tuple[WeightsRecord, ...] = ()
    weights_from: str | None = None
    asked: bool = True
    unavailable: str | None = None


class DatasetRecord(Record):
    """Which images a run is about.

    Attributes:
        spec: how to open it again.
        class_names: labels of the masks, in the order of the dataset; empty where it names none.
        prompt: texts that win over those of the samples, or None.
        prompt_classes: the class of each of these texts; None where none was said.
        exclude: ids left out.
    """

    spec: str
    name: str
    format: str
    n: int
    n_groups: int
    hash: str
    split: str | None = None
    limit: int | None = None
    class_names: tuple[str, ...] = ()
    prompt: tuple[str, ...] | None = None
    prompt_classes: tuple[str | None, ...] | None = None
    exclude: tuple[str, ...] = ()


class Protocol(Record):
    """How time is taken.

    Attributes:
        seed: of the order of the images and of the bootstrap.
        budget_s: seconds that the timing of one configuration may take.
        batch_sizes: tried for the throughput.
        soft_maps_mb: room for the soft maps of one configuration; 0 keeps none.
    """

    seed: int = 0
    budget_s: float = 60
    batch_sizes: tuple[int, ...] = (1, 2, 4)
    soft_maps_mb: float = 1000


class RunManifest(Record):
    """What a run is: the key of its name is a hash of everything here that decides its results."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    dataset: DatasetRecord
    configurations: tuple[Configuration, ...]
    metrics: dict[str, int]
    protocol: Protocol
    sources: dict[str, str]
    environment: dict[str, Any]
    created: str


class RLE(Record):
    """A mask as COCO's uncompressed run lengths: columns one after another, starting with background.

    Attributes:
        size: ``(H, W)``.
        counts: lengths of the runs.
    """

    size: tuple[int, int]
    counts: tuple[int, ...]


class Instance(Record):
    """One predicted mask."""

    label: int
    score: float
    mask: RLE


class SampleRecord(Record):
    """What one configuration did with one image.

    Attributes:
        key: hash of image, mask, prompt, parameters, device and sources: a known key is not done again.
        id: of the sample.
        group: unit that is resampled.
        size: ``(H, W)`` of the image.
        error: what went wrong, or None.
        components: metric components by family; None where there is no target.
        soft: whether there was a soft map.
        soft_map: file of the soft map in the folder of the configuration, or None where there was none or no room.
        texts: what was asked for, where the pipeline reads text; the label of an instance is an index into it.
        classes: the dataset's class of each text; None where any text is no class.
        absent: for each text that is said not to be in the picture, whether something was found.
        absent_error: what went wrong while asking for these, which then count as found; or None.
        instances: the predicted masks.
        mask_sha256: of the packed union mask.
        ms: milliseconds; `latency` from decoded array to mask, `decode` and `metric` beside it.
        stages_ms: parts of the latency by name.
    """

    schema_version: int = SCHEMA_VERSION
    key: str
    id: str
    group: str
    size: tuple[int, int]
    error: str | None = None
    components: Components | None = None
    soft: bool = False
    soft_map: str | None = None
    texts: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    absent: tuple[bool, ...] = ()
    absent_error: str | None = None
    instances: tuple[Instance, ...] = ()
    mask_sha256: str | None = None
    ms: dict[str, float]
    stages_ms: dict[str, float] = {}


class Throughput(Record):
    """Images a second at a batch size."""

    value: float
    batch_size: int


class Timing(Record):
    """What one process measured; the times of two processes are never mixed.

    Attributes:
        load_s: what `load` took; modules that the process had imported before are not in it.
        first_ms: first call, which pays for everything lazy.
        warm_up: calls left out of everything below.
        latency_ms: one call an image.
        stages_ms: means over these calls.
        decode_ms: mean over these images, not part of the latency.
        overhead_ms: mean of the latency that is in no stage.
        throughputs: one a batch size.
        peak_memory_mb: of the process ("host") and of torch's allocator ("device"), 10**6 bytes, before scoring.
        resumed: whether part of the images had been scored by a process before.
    """

    schema_version: int = SCHEMA_VERSION
    load_s: float
    first_ms: float | None
    warm_up: int
    latency_ms: tuple[float, ...]
    stages_ms: dict[str, float]
    decode_ms: float | None
    overhead_ms: float | None
    throughputs: tuple[Throughput, ...]
    peak_memory_mb: dict[str, float | None]
    resumed: bool


class MetricValue(Record):
    """A metric with its interval; what is not defined is None."""

    value: float | None
    ci: tuple[float, float] | None
    n: int


class Row(Record):
    """One line of the leaderboard, and of ``--json``. What is not defined, or not supported by the sample, is None."""

    label: str
    pipeline: str
    preset: str
    params: dict[str, Any]
    status: Status
    reason: str | None = None
    substitute_for: str | None = None
    n: int
    scored: int = 0
    errors: int = 0
    miou: float | None = None
    miou_ci: tuple[float, float] | None = None
    iou_pooled: float | None = None
    dice: float | None = None
    precision: float | None = None
    recall: float | None = None
    boundary_iou: float | None = None
    miss_rate: float | None = None
    metrics: dict[str, MetricValue] = {}
    classes: dict[str, dict[str, MetricValue]] | None = None
    soft: bool | None = None
    latency_ms: dict[str, float | int | None] | None = None
    throughput_ips: Throughput | None = None
    stages_ms: dict[str, float] | None = None
    load_s: float | None = None
    first_ms: float | None = None
    peak_memory_mb: dict[str, float | None] | None = None
    overhead_ms: float | None = None
    size_mb: float | None = None
    device: str
    dtype: str | None = None
    weights: tuple[WeightsRecord, ...] = ()
    flags: tuple[str, ...] = ()
