"""Nothing is tuned and judged on the same pictures: splits are checked, groups joined, tuned presets refused."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from benchmarks.datasets import Dataset, Sample
from benchmarks.datasets.splits import choose_split
from benchmarks.leaks.fingerprints import Fingerprint, fingerprint, from_text
from benchmarks.leaks.pairs import near_duplicates, within
from pipelines.errors import DatasetError, ImageError, LeakError
from pipelines.presets import TunedImage

SHOWN = 10
_AT_ONCE = 256
_MEMO = "fingerprint"


@dataclass(frozen=True)
class Overlap:
    """An image that was tuned on, and one that is to judge.

    Attributes:
        tuned: id of the image that was tuned on.
        judged: id of the image that is to judge the result.
        reason: why they are not independent, such as "same bytes".
    """

    tuned: str
    judged: str
    reason: str

    def __str__(self) -> str:
        return f"{self.tuned} and {self.judged} ({self.reason})"


def fingerprints(samples: Iterable[Sample]) -> Iterator[Fingerprint]:
    """The fingerprint of each sample, in order; each picture is decoded once, a few at a time, and kept by its sample.

    Raises:
        DatasetError: a picture cannot be read.
    """
    waiting = iter(samples)
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
        while some := list(islice(waiting, _AT_ONCE)):
            yield from threads.map(_fingerprint, some)


def _fingerprint(sample: Sample) -> Fingerprint:
    if _MEMO not in sample.memo:
        try:
            sample.memo[_MEMO] = fingerprint(sample.read_image()).to_text()
        except ImageError as error:
            raise DatasetError(f"{sample.id}: {error.message}", f"{error.cure} Or leave out with --exclude.") from error
    return from_text(sample.memo[_MEMO], sample.image_hash)


def tuned_images(samples: Iterable[Sample]) -> tuple[TunedImage, ...]:
    """What a preset keeps of the images that it was tuned on, for `pipelines.presets.save_preset`."""
    kept = list(samples)
    return tuple(TunedImage(sample.id, sample.group, one.sha256, one.to_text())
                 for sample, one in zip(kept, fingerprints(kept), strict=True))  # fmt: skip


def check_splits(dataset: Dataset, split: str | None, *, left_out: Collection[str] = (), near: bool = True) -> None:
    """Make sure that what is tuned on shares no group and no picture with the rest of a dataset.

    Args:
        dataset: all of it.
        split: that is tuned on: a declared one, or one that is derived; None = all, which leaves no rest.
        left_out: ids of samples that nobody tunes or judges on.
        near: whether pictures that look alike are the same one, and not those of the same bytes alone.

    Raises:
        LeakError: it does; the pairs are named.
        UnknownNameError: there is no such split.
    """
    if split is None:
        return
    gone = set(left_out)
    chosen = choose_split(tuple(dataset.samples), split)
    ids = {sample.id for sample in chosen} | gone
    tuned = [sample for sample in chosen if sample.id not in gone]
    rest = [sample for sample in dataset if sample.id not in ids]
    found = [*_shared_groups(tuned, rest), *_shared_pictures(tuned, rest, near)]
    if found:
        alike = " If those that look alike are no copies, give --copies exact." if near else ""
        raise LeakError(
            f"{dataset.name}: {_outside(found, split)} not independent of it: {_listed(found)}.",
            f"{_cure(dataset)} take one of them out with --exclude.{alike}",
        )


def _outside(found: Sequence[Overlap], split: str) -> str:
    number = len({one.judged for one in found})
    return f"{number} image{'s' * (number != 1)} outside of split {split!r} {'is' if number == 1 else 'are'}"


def _cure(dataset: Dataset) -> str:
    if dataset.splits:
        return "Put both of a pair into one split, correct the column 'group', or"
    return "Give both of a pair one name in a column 'group' of metadata.csv, so that they are dealt out together, or"


def _shared_groups(tuned: Sequence[Sample], rest: Sequence[Sample]) -> list[Overlap]:
    first: dict[str, str] = {}
    for sample in tuned:
        first.setdefault(sample.group, sample.id)
    return [Overlap(first[sample.group], sample.id, f"same group {sample.group!r}")
            for sample in rest if sample.group in first]  # fmt: skip


def _shared_pictures(tuned: Sequence[Sample], rest: Sequence[Sample], near: bool) -> list[Overlap]:
    if not rest:
        return []
    if not near:
        known = {sample.image_hash: sample.id for sample in reversed(tuned)}
        return [Overlap(known[one.image_hash], one.id, "same bytes") for one in rest if one.image_hash in known]
    pairs = near_duplicates(list(fingerprints(tuned)), list(fingerprints(rest)))
    return [Overlap(tuned[pair.first].id, rest[pair.second].id, pair.reason) for pair in pairs]


def _listed(found: Sequence[Overlap]) -> str:
    more = len(found) - SHOWN
    return "; ".join(map(str, found[:SHOWN])) + (f"; and {more} more" if more > 0 else "")


def tuned_overlap(tuned: Sequence[TunedImage], dataset: Dataset, *, near: bool = True) -> list[Overlap]:
    """Which images of a dataset a preset was tuned on, or on a near-duplicate of; ids and groups say nothing.

    Args:
        tuned: the images of the preset.
        dataset: that is to judge it; every picture is decoded once where looks are compared.
        near: whether pictures that look alike are the same one, and not those of the same bytes alone.

    Returns:
        One for each such image of the dataset, with the one of the preset that is most like it.

    Raises:
        ParameterError: the preset is of another version.
        DatasetError: a picture cannot be read.
    """
    if not near:
        same = {one.sha256: one.id for one in tuned}
        return [Overlap(same[one.image_hash], one.id, "same bytes") for one in dataset if one.image_hash in same]
    known = [from_text(one.fingerprint, one.sha256) for one in tuned]
    ids, prints = [], []
    for sample_id, one in _streamed(dataset):
        ids.append(sample_id)
        prints.append(one)
    return [Overlap(tuned[pair.first].id, ids[pair.second], pair.reason) for pair in near_duplicates(known, prints)]


def _streamed(dataset: Dataset) -> Iterator[tuple[str, Fingerprint]]:
    """Ids and fingerprints; no sample of a stream is held for long."""
    waiting = iter(dataset)
    while some := list(islice(waiting, _AT_ONCE)):
        yield from zip((sample.id for sample in some), fingerprints(some), strict=True)


def refused(preset: str, overlap: Sequence[Overlap], dataset: Dataset) -> LeakError:
    """The error of a preset that would be judged on images that it was tuned on."""
    return LeakError(
        f"{preset} was tuned on {len(overlap)} of the {len(dataset)} images of {dataset.name}, so that they cannot "
        f"judge it: {_listed(overlap)}.",
        "Take other images, such as another --split; or --allow-tuned, and the row is marked.",
    )


def merged_groups(dataset: Dataset, *, near: bool = True) -> dict[str, str]:
    """Groups in which copies are never apart, so that no two folds share a picture.

    Args:
        dataset: whose samples are to be dealt out.
        near: whether pictures that look alike are copies, and not those of the same bytes alone.

    Returns:
        Id of a sample → its group; groups that hold copies of one picture have one name, that of one of them.
    """
    samples, joined = list(dataset), dict[str, str]()

    def root(name: str) -> str:
        while name in joined:
            name = joined[name]
        return name

    for one, two in _linked(samples, near):
        first, second = root(one.group), root(two.group)
        if first != second:
            joined[second] = first
    return {sample.id: root(sample.group) for sample in samples}


def _linked(samples: Sequence[Sample], near: bool) -> Iterator[tuple[Sample, Sample]]:
    """Pairs of copies, enough to link all of them."""
    if near:
        yield from ((samples[pair.first], samples[pair.second]) for pair in within(list(fingerprints(samples))))
        return
    first: dict[str, Sample] = {}
    for sample in samples:
        if (other := first.setdefault(sample.image_hash, sample)) is not sample:
            yield other, sample


def merge_notes(dataset: Dataset, merged: Mapping[str, str]) -> tuple[str, ...]:
    """What `merged_groups` joined, in sentences; empty where it joined nothing."""
    joined: dict[str, dict[str, None]] = {}
    for sample in dataset:
        joined.setdefault(merged[sample.id], {})[sample.group] = None
    return tuple(f"The groups {', '.join(names)} hold copies of a picture and stay together."
                 for names in joined.values() if len(names) > 1)  # fmt: skip
