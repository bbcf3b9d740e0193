"""What a dataset is made of: samples that are decoded on use, and the problems that were found while listing them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.types import Image, Mask, Prompt

FOREGROUND = "foreground"
"""Label of a mask whose dataset names no classes."""

IGNORE_ID = 255


@dataclass(frozen=True, eq=False)
class Truth:
    """The target masks of one sample, decoded.

    Attributes:
        masks: label → ``bool (H, W)``; masks of different labels may overlap. An empty mask says "not in this picture".
        ignore: ``bool (H, W)``, pixels that count for nothing, or None where there are none.
    """

    masks: Mapping[str, Mask]
    ignore: Mask | None = None

    def union(self) -> Mask:
        """Foreground of all labels, ``bool (H, W)``."""
        masks = list(self.masks.values())
        return masks[0] if len(masks) == 1 else np.logical_or.reduce(masks)


def truth_of_ids(ids_by_label: Mapping[str, npt.NDArray[Any]]) -> Truth:
    """Masks from id maps ``(H, W)``, by the rule of the formats that name no classes.

    Foreground is every id above 0, so instances and unnamed classes are joined. Id 255 beside other foreground ids is
    *ignore*, as in PASCAL VOC. A map of 0 and 255 alone is a plain mask, and in a map with ids above 255 the number
    255 is one instance among others. A pixel that is foreground for one label is not ignored because of another.
    """
    masks: dict[str, Mask] = {}
    ignored: list[Mask] = []
    for label, ids in ids_by_label.items():
        foreground, void = ids > 0, ids == IGNORE_ID
        if void.any() and ids.max() == IGNORE_ID and (foreground & ~void).any():
            ignored.append(void)
            foreground = foreground & ~void
        masks[label] = foreground
    if not ignored:
        return Truth(masks)
    return Truth(masks, np.logical_or.reduce(ignored) & ~Truth(masks).union())


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture with what is known about it. Nothing is decoded before it is asked for, and nothing decoded is kept.

    Attributes:
        id: path without extension, unique in the dataset.
        size: ``(H, W)`` of the upright picture.
        read_image: decodes the picture; raises ImageError.
        read_truth: decodes the target masks, or None where there are none.
        hash_image: sha256 of the picture's bytes, or of its pixels where it is generated.
        hash_target: the same of the masks, or None where there are none.
        prompt: what to look for; empty = the dataset's class names, or what the command line says.
        group: what samples that are not independent share: a photograph, a scene. Default: the picture itself.
        split: the split that the dataset declares for it.
        tags: everything else that is known, by column.
        path: the file of the picture, or None where it is generated.
        memo: hashes that were computed already.
    """

    id: str
    size: tuple[int, int]
    read_image: Callable[[], Image] = field(repr=False)
    hash_image: Callable[[], str] = field(repr=False)
    read_truth: Callable[[], Truth] | None = field(default=None, repr=False)
    hash_target: Callable[[], str] | None = field(default=None, repr=False)
    prompt: Prompt = field(default_factory=Prompt)
    group: str = ""
    split: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None
    memo: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.group:
            object.__setattr__(self, "group", self.id)

    @property
    def image(self) -> Image:
        """The picture, ``uint8 (H, W, 3)``, decoded at each access."""
        return self.read_image()

    @property
    def has_truth(self) -> bool:
        """Whether there are target masks."""
        return self.read_truth is not None

    def truth(self) -> Truth | None:
        """Masks by label and what to ignore, decoded once for both; None where there are no masks."""
        return self.read_truth() if self.read_truth is not None else None

    @property
    def targets(self) -> Mapping[str, Mask] | None:
        """Masks by label, ``bool (H, W)`` each, or None."""
        truth = self.truth()
        return truth.masks if truth else None

    def target(self) -> Mask | None:
        """Union of all masks, ``bool (H, W)``, or None."""
        truth = self.truth()
        return truth.union() if truth else None

    def ignore(self) -> Mask | None:
        """Pixels that count for nothing, ``bool (H, W)``, or None."""
        truth = self.truth()
        return truth.ignore if truth else None

    @property
    def image_hash(self) -> str:
        """sha256 of the picture, computed once."""
        if "image" not in self.memo:
            self.memo["image"] = self.hash_image()
        return self.memo["image"]

    @property
    def target_hash(self) -> str | None:
        """sha256 of the masks, computed once; None where there are none."""
        if self.hash_target is None:
            return None
        if "target" not in self.memo:
            self.memo["target"] = self.hash_target()
        return self.memo["target"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a dataset.

    Attributes:
        row: the file, or the line of the manifest.
        reason: what is wrong, in one sentence.
        cure: what to do about it, in one sentence.
    """

    row: str
    reason: str
    cure: str

    def __str__(self) -> str:
        return f"{self.row}: {self.reason}"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples in the order of their ids.

    Attributes:
        name: what tables and records call it.
        format: the layout that was detected.
        samples: what was found, without the rows that have a problem.
        class_names: labels of the masks; empty where the dataset names none.
        card: what the dataset is and how far to trust it, as Markdown; may be empty.
        problems: what is wrong; empty when opened strictly.
        notes: what was seen and not used, in sentences.
    """

    name: str
    format: str
    samples: tuple[Sample, ...]
    class_names: tuple[str, ...] = ()
    card: str = field(default="", repr=False)
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __getitem__(self, sample_id: str) -> Sample:
        return self._by_id[sample_id]

    @cached_property
    def _by_id(self) -> dict[str, Sample]:
        return {sample.id: sample for sample in self.samples}

    @property
    def n_groups(self) -> int:
        """Number of groups, the unit of splitting and resampling."""
        return len({sample.group for sample in self.samples})

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that the dataset declares, sorted."""
        return tuple(sorted({sample.split for sample in self.samples if sample.split is not None}))

    @property
    def has_truth(self) -> bool:
        """Whether any sample has masks, so that quality can be measured."""
        return any(sample.has_truth for sample in self.samples)

    @cached_property
    def hash(self) -> str:
        """sha256 over ids, bytes of pictures and masks, prompts, groups and splits: equal hash, equal scores."""
        digest = hashlib.sha256()
        for s in self.samples:
            row = [s.id, s.image_hash, s.target_hash, s.prompt.to_json(), s.group, s.split]
            digest.update(json.dumps(row, sort_keys=True).encode() + b"\n")
        return digest.hexdigest()

    def select(self, samples: Sequence[Sample]) -> Dataset:
        """The same dataset with these samples only."""
        return replace(self, samples=tuple(samples))
