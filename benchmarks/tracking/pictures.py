"""A few pictures of a run with the true and the predicted masks as one map of classes each, small enough to be sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks import rle
from benchmarks.datasets import Dataset, Sample
from benchmarks.metrics import METRICS
from benchmarks.records import Configuration, RunManifest, SampleRecord
from benchmarks.store import RunStore
from pipelines.types import Image, Mask

MOST_PICTURES = 100
LONGEST_SIDE = 1024
MOST_CLASSES = 126
"""Of more classes there is one map of all: W&B stores classes in 7 bits."""

FOREGROUND = "foreground"
ClassMap = npt.NDArray[np.uint8]
_MIOU = METRICS["miou"]


@dataclass(frozen=True)
class Picture:
    """One picture with its masks.

    Attributes:
        id: of the sample.
        iou: of the image, or None where there is no target.
        image: ``(h, w, 3)``, scaled down.
        truth: class of each pixel ``(h, w)``, 0 = background; None where there is no target.
        pred: likewise; None where the pipeline failed.
        names: class → name.
        group: of the sample.
        split: of the sample, or None.
        error: what went wrong, or None.
    """

    id: str
    iou: float | None
    image: Image
    truth: ClassMap | None
    pred: ClassMap | None
    names: Mapping[int, str]
    group: str
    split: str | None
    error: str | None

    def masks(self) -> dict[str, dict[str, Any]]:
        """As ``wandb.Image`` takes them."""
        found = {"ground_truth": self.truth, "predictions": self.pred}
        return {name: {"mask_data": mask, "class_labels": dict(self.names)}
                for name, mask in found.items() if mask is not None}  # fmt: skip


def pictures(store: RunStore, manifest: RunManifest, configuration: Configuration,
             samples: Dataset) -> Iterator[Picture]:  # fmt: skip
    """Up to 100 pictures, evenly spaced, the first of a stream: the same ones for every configuration.

    Args:
        store: of the run.
        manifest: of the run.
        configuration: whose predictions.
        samples: of the run.
    """
    index = store.index(configuration.id)
    for sample in _some(samples):
        record = index.get(sample.id)
        if record:
            yield _picture(sample, record, manifest.dataset.class_names)


def _some(samples: Dataset) -> Iterator[Sample]:
    if samples.streamed:
        return islice(iter(samples), MOST_PICTURES)
    kept = min(len(samples), MOST_PICTURES)
    wanted = {place * len(samples) // kept for place in range(kept)}
    return (sample for place, sample in enumerate(samples) if place in wanted)


def _picture(sample: Sample, record: SampleRecord, names: tuple[str, ...]) -> Picture:
    truth = sample.truth()
    by_class = record.classes is not None and 1 < len(names) <= MOST_CLASSES
    shown = names if by_class else (names[0] if len(names) == 1 else FOREGROUND,)
    predicted = ((_name(record, one.label, shown), rle.decode(one.mask)) for one in record.instances)
    targets = truth.masks.items() if truth else ()
    true = ((name if by_class and name in shown else shown[0], mask) for name, mask in targets)
    counted = (record.components or {}).get(_MIOU.family.name)
    return Picture(
        id=sample.id,
        iou=None if counted is None else _MIOU.value(counted),
        image=_small(sample.image, cv2.INTER_AREA),
        truth=_class_map(true, shown, sample.size) if truth else None,
        pred=_class_map(predicted, shown, sample.size) if record.error is None else None,
        names={0: "background", **dict(enumerate(shown, 1))},
        group=sample.group,
        split=sample.split,
        error=record.error,
    )


def _name(record: SampleRecord, label: int, shown: tuple[str, ...]) -> str:
    return record.classes[label] if record.classes and len(shown) > 1 else shown[0]


def _class_map(masks: Iterable[tuple[str, Mask]], names: tuple[str, ...], size: tuple[int, int]) -> ClassMap:
    """Where masks of several classes overlap the smallest is shown, which a larger one would hide."""
    joined: dict[str, Mask] = {}
    for name, mask in masks:
        joined[name] = joined[name] | mask if name in joined else mask
    classes = np.zeros(size, np.uint8)
    for name, mask in sorted(joined.items(), key=lambda pair: -int(pair[1].sum())):
        classes[mask] = names.index(name) + 1
    return _small(classes, cv2.INTER_NEAREST)


def _small(pixels: npt.NDArray[np.uint8], how: int) -> npt.NDArray[np.uint8]:
    """At most 1,024 pixels a side; no picture is made larger."""
    height, width = pixels.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return pixels
    smaller = cv2.resize(pixels, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=how)
    return np.asarray(smaller, np.uint8)
