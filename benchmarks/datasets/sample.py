"""What a dataset is made of: samples with a picture, its target masks and a prompt, all decoded on use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import ImageFormatError
from pipelines.types import Image, Mask, Prompt

FOREGROUND = "foreground"
"""Label of a mask whose dataset names no classes."""

IGNORE_ID = 255
MOST_IDS = 65535


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


def truth_of_classes(ids: npt.NDArray[Any], classes: Mapping[int, str], ignore: Collection[int] = (),
                     name: str = "The mask") -> Truth:  # fmt: skip
    """Masks by class from one id map ``(H, W)``, where the dataset declares what each id is.

    Args:
        ids: 0 is background, unless it is ignored.
        classes: id → name; ids of one name are joined. A class that does not occur has no mask.
        ignore: ids whose pixels count for nothing.
        name: what messages call the map.

    Raises:
        ImageFormatError: an id is neither 0, a class nor ignored.
    """
    found = _occurring(ids)
    unknown = [id_ for id_ in found if id_ and id_ not in classes and id_ not in ignore]
    if unknown:
        known = ", ".join(f"{id_} {label}" for id_, label in list(classes.items())[:30])
        more = f" and {len(unknown) - 1} more ids" if len(unknown) > 1 else ""
        raise ImageFormatError(f"{name} holds the id {unknown[0]}{more}, which is neither background nor declared.",
                               f"Declare its class, or that it is to be ignored; declared are {known}.")  # fmt: skip
    void = [ids == id_ for id_ in found if id_ in ignore]
    labelled = ((classes[id_], ids == id_) for id_ in found if id_ in classes and id_ not in ignore)
    return truth_of_labels((ids.shape[0], ids.shape[1]), labelled, np.logical_or.reduce(void) if void else None)


def _occurring(ids: npt.NDArray[Any]) -> list[int]:
    if int(ids.max()) > MOST_IDS:
        return [int(ids.max())]  # no such id can be declared
    counts = np.zeros(int(ids.max()) + 1, np.intp)
    for band in np.array_split(ids.ravel(), max(1, ids.size >> 20)):  # it counts in 64 bits: not all at once
        counts += np.bincount(band, minlength=len(counts))
    return [int(id_) for id_ in np.flatnonzero(counts)]


def truth_of_labels(size: tuple[int, int], labelled: Iterable[tuple[str, Mask]], ignore: Mask | None = None) -> Truth:
    """Masks from objects that each have a label; objects of one label are joined.

    Args:
        size: ``(H, W)``; nothing found is an empty mask of it.
        labelled: label and ``bool (H, W)`` of each object.
        ignore: pixels that count for nothing; those of an object count.
    """
    masks: dict[str, Mask] = {}
    for label, mask in labelled:
        masks[label] = masks[label] | mask if label in masks else mask
    truth = Truth(masks or {FOREGROUND: np.zeros(size, np.bool_)})
    ignore = None if ignore is None else ignore & ~truth.union()
    return Truth(truth.masks, ignore if ignore is not None and ignore.any() else None)


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
        absent: texts of what is not in the picture, to see who finds it all the same.
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
    absent: tuple[str, ...] = ()
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
