"""From outcomes to records: what the metrics count, measured while a run goes on or again from its records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import rle
from benchmarks.datasets import Dataset, Sample, Truth
from benchmarks.evaluate import Found, Outcome, Soft
from benchmarks.metrics import Classes, Metric, measure_all, measure_failed
from benchmarks.records import Components, Configuration, Instance, SampleRecord
from benchmarks.selection import ClassesOf
from benchmarks.soft_maps import probabilities, read_levels
from benchmarks.store import RunStore
from pipelines.types import Mask, Prediction, Prompt


def no_classes(texts: Sequence[str]) -> None:
    """For a dataset that names no classes."""


def keep_none(name: str, soft: Soft) -> None:
    """Soft maps are not kept."""


@dataclass(frozen=True)
class Scoring:
    """How outcomes become records.

    Attributes:
        metrics: to take the components for.
        key_of: key of the record of a sample.
        classes_of: class of each text that was asked for.
        class_names: of the dataset.
        keep_soft: stores a soft map under a name and gives its path, or None where it is not kept.
    """

    metrics: Sequence[Metric]
    key_of: Callable[[Sample], str]
    classes_of: ClassesOf = no_classes
    class_names: tuple[str, ...] = ()
    keep_soft: Callable[[str, Soft], str | None] = keep_none


def score(outcomes: Iterable[Outcome], scoring: Scoring) -> Iterator[SampleRecord]:
    """Turn outcomes into records, measured against the targets where there are any."""
    for outcome in outcomes:
        start = perf_counter()
        counted = components(outcome.sample, outcome.found(), outcome.texts, scoring)
        ms = outcome.ms | {"metric": (perf_counter() - start) * 1e3}
        yield SampleRecord(
            key=scoring.key_of(outcome.sample),
            id=outcome.sample.id,
            group=outcome.sample.group,
            size=outcome.sample.size,
            error=outcome.error,
            components=counted,
            soft=outcome.soft is not None,
            soft_map=None if outcome.soft is None else scoring.keep_soft(outcome.sample.id, outcome.soft),
            texts=outcome.texts,
            classes=scoring.classes_of(outcome.texts),
            absent=outcome.absent,
            absent_error=outcome.absent_error,
            instances=instances(outcome.prediction),
            mask_sha256=_mask_hash(outcome.foreground),
            ms=_rounded(ms),
            stages_ms=_rounded(outcome.stages_ms),
            tags=dict(outcome.sample.tags),
            brightness=outcome.brightness,
            objects=len(outcome.sample.prompt.boxes) or None,
        )


def _rounded(ms: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in ms.items()}


def components(sample: Sample, found: Found | None, texts: tuple[str, ...], scoring: Scoring) -> Components | None:
    """What the metrics count in one image; None where it has no target.

    Args:
        sample: with its target.
        found: None where the pipeline failed.
        texts: what was asked for.
        scoring: which metrics and classes.
    """
    truth, classes = sample.truth(), scoring.classes_of(texts)
    if truth is None:
        return None
    masks = found.masks if found else ()
    sides = None if classes is None else class_masks(masks, classes, truth, scoring.class_names)
    if found is None:
        votes = len(sample.absent) if texts else 0
        return measure_failed(scoring.metrics, truth.union(), truth.ignore, classes=sides, absent=votes)
    return measure_all(scoring.metrics, found.foreground, truth.union(), truth.ignore, found.soft, classes=sides,
                       absent=found.absent)  # fmt: skip


def class_masks(found: Iterable[tuple[int, Mask]], classes: Sequence[str], truth: Truth,
                names: tuple[str, ...]) -> Classes | None:  # fmt: skip
    """Both sides by class: the union of the predicted masks of all texts that stand for a class, and its target.

    None where the target has foreground of no class: nobody can be right or wrong about that.

    Args:
        found: label and mask of each instance.
        classes: the class of each label.
        truth: the target masks.
        names: classes of the dataset.
    """
    targets = {name: mask for name, mask in truth.masks.items() if name in names}
    others = [mask for name, mask in truth.masks.items() if name not in names]
    if any((mask & ~rle.union(mask.shape, targets.values())).any() for mask in others):
        return None
    preds: dict[str, Mask] = {}
    for label, mask in found:
        name = classes[label]
        preds[name] = preds[name] | mask if name in preds else mask
    return Classes(names, preds, targets, frozenset(classes))


def instances(prediction: Prediction | None) -> tuple[Instance, ...]:
    """The masks of a prediction as a record keeps them; none where the pipeline failed."""
    if prediction is None:
        return ()
    found = zip(prediction.masks, prediction.scores, prediction.labels, strict=True)
    return tuple(Instance(label=int(label), score=float(s), mask=rle.encode(mask)) for mask, s, label in found)


def _mask_hash(mask: Mask | None) -> str | None:
    return hashlib.sha256(np.packbits(mask).tobytes()).hexdigest() if mask is not None else None


def sample_key(sample: Sample, prompt: Prompt, configuration: Configuration, sources: Mapping[str, str]) -> str:
    """Hash of what decides one record beside the key of its run: a known key is never done again."""
    parts: list[Any] = [sample.id, sample.group, sample.image_hash, sample.target_hash, prompt.to_json(), sample.absent]
    parts += [configuration.pipeline, configuration.params, configuration.device]
    parts += [configuration.weights_from, dict(sources)]
    parts += [weights.model_dump() for weights in configuration.weights]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def rescored(store: RunStore, configuration: Configuration, dataset: Dataset,
             scoring: Scoring) -> Iterator[SampleRecord]:  # fmt: skip
    """Records with their components counted again from what was predicted, in the order of the dataset.

    Masks are stored exactly, so what is counted on masks comes out the same. Probabilities are stored at 8 bit: curves
    over the 256 thresholds come out the same too, other metrics of the probability within what a level makes. Where
    the map of an image was not kept, what was counted on it stays as it was recorded.

    Args:
        store: of the run.
        configuration: whose records.
        dataset: what the run was about.
        scoring: which metrics and classes.

    Raises:
        DatasetError: a soft map is gone or damaged.
    """
    index = store.index(configuration.id)
    of_maps = {metric.family.name for metric in scoring.metrics if metric.needs == "soft"}
    for sample in dataset:
        record = index.get(sample.id)
        if record:
            found = _stored(record, store.folder / configuration.id)
            counted = components(sample, found, record.texts, scoring)
            if counted and record.soft and not record.soft_map:
                known = {name: c for name, c in (record.components or {}).items() if name in of_maps}
                counted = {name: c for name, c in counted.items() if name not in of_maps} | known
            yield record.model_copy(update={"components": counted})


def _stored(record: SampleRecord, folder: Path) -> Found | None:
    """The prediction of an image as it was recorded, or None where the pipeline failed."""
    if record.error is not None:
        return None
    masks = [(instance.label, rle.decode(instance.mask)) for instance in record.instances]
    soft = probabilities(read_levels(folder / record.soft_map, record.size)) if record.soft_map else None
    return Found(masks, rle.union(record.size, (mask for _, mask in masks)), soft, record.absent)
