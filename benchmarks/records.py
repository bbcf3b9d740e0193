"""What a run writes: its manifest, and one record an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.types import Weights
from pipelines.weights import Located

if TYPE_CHECKING:
    from benchmarks.timing.record import Timing

SCHEMA_VERSION = 1
PromptSource = Literal["text", "boxes", "points"]
Number = int | float
Components = dict[str, dict[str, Number | list[Number] | list[list[Number]]]]
"""Metric components by family: numbers, or lists of them, such as ``{"overlap": {"tp": 10, ...}}``."""


class Record(BaseModel):
    """Base of everything written to a file: frozen, nothing beyond the declared fields, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class WeightsRecord(Record):
    """Which checkpoint was used and what may be done with it.

    Attributes:
        revision: commit that was loaded; None = unpinned, or not loaded yet.
        commercial: None = unclear.
        note: what a reader of the licence has to know.
        sha256: of the files that were loaded.
    """

    repo: str
    revision: str | None
    licence: str
    commercial: bool | None
    gated: bool | None = False
    note: str = ""
    sha256: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, weights: Weights, located: Located | None = None) -> WeightsRecord:
        """What is declared, and where it was loaded what was found."""
        revision = located.revision if located else weights.revision
        return cls(repo=weights.repository, revision=revision, licence=weights.licence, commercial=weights.commercial,
                   gated=weights.gated, note=weights.note, sha256=dict(located.sha256) if located else {})  # fmt: skip


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
        substitute_for: the checkpoint that the parameters' own stands in for, or None.
        substitute_why: the reason of that, or None.
        oracle: whether its prompts were taken from the target masks.
        tuned_here: how many images of the run its preset was tuned on, by ``--allow-tuned``.
        prompt: texts that its preset names, where the command line names none; empty = what the dataset says.
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
    substitute_for: str | None = None
    substitute_why: str | None = None
    oracle: bool = False
    tuned_here: int = 0
    prompt: tuple[str, ...] = ()
    asked: bool = True
    unavailable: str | None = None

    def as_ran(self, timing: Timing | None) -> Configuration:
        """The same with the weights that were really loaded, once a process has told."""
        if timing is None or not timing.loaded.weights:
            return self
        ran = timing.loaded
        told = ran if ran.substitute_for else self
        return self.model_copy(update={"weights": ran.weights, "substitute_for": told.substitute_for,
                                       "substitute_why": told.substitute_why})  # fmt: skip


class DatasetRecord(Record):
    """Which images a run is about.

    Attributes:
        spec: how to open it again.
        class_names: labels of the masks, in the order of the dataset; empty where it names none.
        prompt: texts that win over those of the samples, or None.
        prompt_classes: the class of each of these texts; None where none was said.
        prompt_from: the kind of prompt that ``--prompt-from`` asks for, or None.
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
    prompt_from: PromptSource | None = None
    exclude: tuple[str, ...] = ()


class Protocol(Record):
    """How time is taken.

    Attributes:
        seed: of the order of the images and of the bootstrap.
        budget_s: seconds that the timing of one configuration may take.
        batch_sizes: tried for the throughput; none = 1, 2, 4 and so on, until it no longer rises.
        soft_maps_mb: room for the soft maps of one configuration; 0 keeps none.
    """

    seed: int = 0
    budget_s: float = 60
    batch_sizes: tuple[int, ...] = ()
    soft_maps_mb: float = 1000


class Loaded(Record):
    """What a configuration really ran with.

    Attributes:
        weights: with the revision found.
        substitute_for: the checkpoint that they stand in for, or None.
        substitute_why: the reason of that, or None.
        dtype: of the arithmetic, or None where there is no network.
        size_mb: of the files of the weights, in 10**6 bytes; None where there are none.
        stamps: repository → what tells quickly whether its files are still those that were loaded.
    """

    weights: tuple[WeightsRecord, ...] = ()
    substitute_for: str | None = None
    substitute_why: str | None = None
    dtype: str | None = None
    size_mb: float | None = None
    stamps: dict[str, str] = Field(default_factory=dict)


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
        ms: milliseconds; `latency` from decoded array to mask, `decode` and `metric` beside it. No latency: the call
            failed, or there was no object whose point or box could be shown to the pipeline.
        stages_ms: parts of the latency by name.
        tags: what the dataset says of the image, by column.
        brightness: mean of the pixels and their colours, from 0 to 1; None in older records.
        objects: boxes that the dataset gives, or None where it gives none.
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
    stages_ms: dict[str, float] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict)
    brightness: float | None = None
    objects: int | None = None
