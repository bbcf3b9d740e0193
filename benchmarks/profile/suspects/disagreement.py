"""Masks that no pipeline finds, while several pipelines find one and the same other: the mask may be wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import rle
from benchmarks.datasets import Dataset
from benchmarks.profile.suspects import Suspect
from benchmarks.profile.suspects.usual import usual
from benchmarks.profile.table import Table
from benchmarks.profile.twins import iou
from benchmarks.records import SampleRecord
from benchmarks.store import RecordIndex, RunStore
from pipelines.errors import ImageError, UsageError

FEWEST = 2
AGREE = 0.8
"""Least IoU of a pipeline with what most of them find."""

UNLIKE, BELOW_USUAL = 0.5, 0.25
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Verdict:
    """What pipelines say of one sample.

    Attributes:
        sample: its id.
        agreeing: names of those that find nearly the same.
        mutual: mean IoU of these with what most find.
        target: IoU of that with the mask.
    """

    sample: str
    agreeing: tuple[str, ...]
    mutual: float
    target: float


def find(dataset: Dataset, table: Table, run: Path) -> Iterator[Suspect]:
    """Suspects among masks, as the pipelines of a run see them.

    Args:
        dataset: whose masks are read once more.
        table: of its samples.
        run: folder of a run on it.

    Raises:
        UsageError: the folder holds no run, one of fewer than two pipelines, or the dataset is a stream.
    """
    masked = [name for name, outline in zip(table.ids, table.outlines, strict=True) if outline is not None]
    verdicts = list(_verdicts(dataset, open_run(dataset, run), masked))
    common = usual(np.array([verdict.target for verdict in verdicts]), 0.02)
    for verdict in verdicts:
        below = 0.0 if common is None else common.middle - max(BELOW_USUAL, 3 * common.spread)
        if common is not None and verdict.target < min(UNLIKE, below):
            yield Suspect("label_disagreement", verdict.sample, f"{' and '.join(verdict.agreeing)} find nearly the "
                          f"same (IoU {verdict.mutual:.2f} with what most find), which is not the mask (IoU "
                          f"{verdict.target:.2f}; {common.middle:.2f} is usual).",
                          figure={"mutual_iou": verdict.mutual, "mask_iou": verdict.target})  # fmt: skip


def open_run(dataset: Dataset, run: Path) -> Mapping[str, RecordIndex]:
    """Records of a run by pipeline, of each the first configuration.

    Raises:
        UsageError: the folder holds no run, one of fewer than two pipelines, or the dataset is a stream.
    """
    if dataset.streamed:
        raise UsageError("The samples of a stream cannot be held against a run.", "Save the dataset to disk.")
    store, found = RunStore(run), dict[str, RecordIndex]()
    about = store.manifest().dataset
    if about.hash != dataset.hash and not (about.exclude or about.limit or about.split or dataset.problems):
        raise UsageError(f"The run {run} is about other images than {dataset.name} has now.",
                         "Name a run on this dataset, or run again.")  # fmt: skip
    for configuration in store.manifest().configurations:
        if configuration.pipeline not in found and not configuration.unavailable:
            found[configuration.pipeline] = store.index(configuration.id)
    if len(found) < FEWEST:
        raise UsageError(f"The run {run} has {len(found)} pipelines; {FEWEST} or more can agree.",
                         "Name a run of several pipelines.")  # fmt: skip
    return found


def _verdicts(dataset: Dataset, run: Mapping[str, RecordIndex], names: list[str]) -> Iterator[Verdict]:
    for name in names:
        records = {pipeline: index.get(name) for pipeline, index in run.items()}
        found = {pipeline: mask for pipeline, record in records.items()
                 if record is not None and (mask := predicted(record)) is not None}  # fmt: skip
        if len(found) < FEWEST:
            continue
        try:
            target = dataset[name].target()
        except ImageError:  # a suspect already
            continue
        verdict = None if target is None else judge(name, found, target)
        if verdict is not None:
            yield verdict


def predicted(record: SampleRecord) -> Mask | None:
    """The union of a record's masks, ``bool (H, W)``; None where the pipeline failed."""
    if record.error is not None:
        return None
    union = np.zeros(record.size, np.bool_)
    for instance in record.instances:
        union |= rle.decode(instance.mask)
    return union


def judge(name: str, found: Mapping[str, Mask], target: Mask) -> Verdict | None:
    """What pipelines say of one sample; None where not more than half of them, and two, agree on something.

    Args:
        name: id of the sample.
        found: pipeline → its mask ``(H, W)``.
        target: the mask ``(H, W)`` of the dataset.
    """
    fitting = {pipeline: mask for pipeline, mask in found.items() if mask.shape == target.shape}
    if len(fitting) < FEWEST:
        return None
    votes = np.sum(list(fitting.values()), axis=0, dtype=np.int64)
    most = np.asarray(2 * votes > len(fitting), np.bool_)
    likeness = {pipeline: iou(mask, most) for pipeline, mask in fitting.items()}
    agreeing = tuple(pipeline for pipeline, like in likeness.items() if like >= AGREE)
    if not most.any() or len(agreeing) < max(FEWEST, len(fitting) // 2 + 1):
        return None
    return Verdict(name, agreeing, float(np.mean([likeness[pipeline] for pipeline in agreeing])), iou(most, target))
