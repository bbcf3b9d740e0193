"""What a visitor takes home: a picture, what was found in it, and what produced that."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import Field

from benchmarks.export.format import Categories, category
from benchmarks.records import Configuration, Instance, Record, SampleRecord, WeightsRecord
from benchmarks.scoring import instances
from benchmarks.tracking.scrubbed import scrubbed
from pipelines.types import Floats, Image, Mask, Prediction, Prompt

SCHEMA_VERSION = 1


class Produced(Record):
    """What produced a prediction.

    Attributes:
        created: when, in UTC.
        pipeline: name.
        preset: name of the parameter set that was started from.
        params: every field, exact.
        prompt: texts, boxes and points.
        device: "cpu" or "cuda".
        weights: that were loaded, with their licences.
        weights_from: the folder's name, "random", or None for the usual place.
        substitute_for: the checkpoint that these stand in for, or None.
        substitute_why: the reason of that, or None.
        ms: milliseconds of loading, looking and deciding, as far as each was done.
        flags: what a reader of the figures has to know.
        environment: machine and versions.
        sources: hashes of our own sources.
    """

    schema_version: int = SCHEMA_VERSION
    created: str
    pipeline: str
    preset: str
    params: dict[str, Any]
    prompt: dict[str, Any]
    device: str
    weights: tuple[WeightsRecord, ...] = ()
    weights_from: str | None = None
    substitute_for: str | None = None
    substitute_why: str | None = None
    ms: dict[str, float] = Field(default_factory=dict)
    flags: tuple[str, ...] = ()
    environment: dict[str, Any] = Field(default_factory=dict)
    sources: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, configuration: Configuration, prompt: Prompt, *, weights: tuple[WeightsRecord, ...] = (),
           ms: Mapping[str, float] | None = None, flags: tuple[str, ...] = (),
           environment: Mapping[str, Any] | None = None, sources: Mapping[str, str] | None = None,
           created: datetime | None = None) -> Produced:  # fmt: skip
        """From what the app knows.

        Args:
            configuration: that ran.
            prompt: what was looked for.
            weights: that were loaded; those of the configuration if none are given.
            ms: milliseconds by step.
            flags: of the look.
            environment: see `benchmarks.environment.environment`.
            sources: see `benchmarks.environment.source_hashes`.
            created: now, if not given.
        """
        chosen = configuration.model_dump(include=set(cls.model_fields) - {"weights", "params", "prompt"})
        moment = (created or datetime.now(UTC)).isoformat(timespec="seconds")
        return cls(**chosen, params=configuration.model_dump(mode="json")["params"], prompt=prompt.to_json(),
                   weights=weights or configuration.weights, ms=dict(ms or {}), flags=flags,
                   environment=dict(environment or {}), sources=dict(sources or {}), created=moment)  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """As it may leave this machine: without its folders."""
        return dict(scrubbed(self.model_dump(mode="json")))


@dataclass(frozen=True, eq=False)
class Result:
    """A picture with its prediction.

    Attributes:
        name: of the picture; any text.
        image: ``uint8 (H, W, 3)`` that was looked at.
        prediction: masks at its size.
        produced: by what.
        labels: what the numbers of the labels stand for; categories are numbered in this order, those of ``classes``
            first. Empty where there was no text.
        classes: names of the dataset that are numbered before all others; empty as a rule.
        soft: foreground probability ``(H, W)``, or None where the pipeline gives none.
    """

    name: str
    image: Image
    prediction: Prediction
    produced: Produced
    labels: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    soft: Floats | None = field(default=None, repr=False)

    @cached_property
    def foreground(self) -> Mask:
        """Union of the masks, ``bool (H, W)``."""
        return self.prediction.foreground()

    @property
    def found(self) -> tuple[tuple[Instance, Mask, int], ...]:
        """Each mask that has any pixel: as a record keeps it, as it is, and the number of its category."""
        return self._numbered[0]

    @property
    def categories(self) -> list[str]:
        """Names by number; those of labels that nobody asked for come last, as they are found."""
        return self._numbered[1]

    @cached_property
    def _numbered(self) -> tuple[tuple[tuple[Instance, Mask, int], ...], list[str]]:
        numbers = Categories((*self.classes, *self.labels))
        masks = zip(instances(self.prediction), self.prediction.masks, strict=True)
        found = tuple((one, mask, numbers.number(self.category_of(one))) for one, mask in masks if mask.any())
        return found, numbers.names

    def category_of(self, instance: Instance) -> str:
        """What an instance was found as."""
        told = SampleRecord(key="", id=self.name, group="", size=self.prediction.size, texts=self.labels, ms={})
        return category(told, instance)

    @cached_property
    def image_sha256(self) -> str:
        """Hash of the size and the pixels of the picture."""
        digest = hashlib.sha256(repr(self.image.shape).encode())
        digest.update(np.ascontiguousarray(self.image).data)
        return digest.hexdigest()
