"""What the formats of an export share: an image with its prediction, the categories, and what a writer is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from benchmarks import rle
from benchmarks.datasets import Sample
from benchmarks.datasets.sample import FOREGROUND
from benchmarks.export.originals import Originals
from benchmarks.export.staging import Staging
from benchmarks.records import Configuration, Instance, RunManifest, SampleRecord
from pipelines.types import Image, Mask


def foreground(record: SampleRecord) -> Mask:
    """Union of the stored masks, ``bool (H, W)``."""
    mask = np.zeros(record.size, np.bool_)
    for instance in record.instances:
        mask |= rle.decode(instance.mask)
    return mask


class Categories:
    """Names by number, in the order in which they come: those of the dataset, then what was found beyond them.

    Readers take one line of text, so that a text of several is written as one.

    Attributes:
        changed: names that could not stay as they are → as they are written.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._numbers: dict[str, int] = {}
        self.changed: dict[str, str] = {}
        for name in names:
            self.number(name)

    def number(self, name: str) -> int:
        """The number of a category, from 0; a new one for a new name."""
        written = plain(name) or "_"
        if written != name:
            self.changed[name] = written
        return self._numbers.setdefault(written, len(self._numbers))

    @property
    def names(self) -> list[str]:
        """All names so far, by number; where nothing was found of anything, the foreground."""
        return list(self._numbers) or [FOREGROUND]


@dataclass
class Item:
    """One image with its prediction; nothing is decoded before a format asks for it.

    Attributes:
        sample: the image.
        record: the prediction.
        name: path below a folder, without extension.
        categories: number of the category of each instance.
    """

    sample: Sample
    record: SampleRecord
    name: str
    categories: tuple[int, ...]

    @cached_property
    def image(self) -> Image:
        """The picture, ``uint8 (H, W, 3)``."""
        return self.sample.image

    @cached_property
    def union(self) -> Mask:
        """All masks as one, ``bool (H, W)``."""
        return foreground(self.record)

    def found(self) -> Iterator[tuple[Instance, int]]:
        """Instances that have any pixel, with the number of their category."""
        for instance, category in zip(self.record.instances, self.categories, strict=True):
            if any(instance.mask.counts[1::2]):
                yield instance, category


def plain(text: str) -> str:
    """A text in one line, as readers of lists and tables take it."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def category_names(record: SampleRecord) -> tuple[str, ...]:
    """What the labels of a record stand for: classes of the dataset, or else the texts, or else the foreground."""
    return record.classes or record.texts or (FOREGROUND,)


def category(record: SampleRecord, instance: Instance) -> str:
    """What an instance was found as; a label that was not asked for is named by its number."""
    names = category_names(record)
    return names[instance.label] if 0 <= instance.label < len(names) else f"label {instance.label}"


@dataclass(frozen=True)
class Plan:
    """What one export is about.

    Attributes:
        configuration: whose predictions they are.
        manifest: of the run.
        records_folder: of the configuration, which soft maps are relative to.
        categories: numbered as they come.
    """

    configuration: Configuration
    manifest: RunManifest
    records_folder: Path
    categories: Categories


class Writer(Protocol):
    """One format while it is written.

    Attributes:
        notes: what a reader of the files has to know beyond what the format always is, in sentences; where there are
            none, why.
    """

    notes: list[str]

    def add(self, item: Item) -> None:
        """Write what belongs to one image."""

    def close(self) -> None:
        """Write what belongs to all of them, after the last."""


@dataclass(frozen=True)
class Format:
    """A form in which predictions are written.

    Attributes:
        holds: what its folder holds, in sentences.
        open: makes a writer into a folder.
        categories: whether it tells categories apart.
    """

    holds: str
    open: Callable[[Staging, Originals, Plan], Writer]
    categories: bool = False
