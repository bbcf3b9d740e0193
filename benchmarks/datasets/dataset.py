"""A dataset: its samples, held or streamed, and the problems that were found while listing them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal

from benchmarks.datasets.sample import Sample
from pipelines.errors import DatasetError, UnknownNameError


class RefusedError(Exception):
    """A part of a row that is not used.

    Args:
        reason: what is wrong with it.
        cure: what to do about it.
    """

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(reason)
        self.reason, self.cure = reason, cure


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a dataset.

    Attributes:
        row: the file, or the line of the manifest.
        reason: what is wrong, in one sentence.
        cure: what to do about it, in one sentence.
        image: the row's picture, where there is a file of it.
        mask: the row's mask, where there is a file of it; where it has several, one of them.
    """

    row: str
    reason: str
    cure: str
    image: Path | None = field(default=None, compare=False, repr=False)
    mask: Path | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.row}: {self.reason}"


def named_by(problem: Problem, names: Collection[str]) -> set[str]:
    """Which of the names mean the row of a problem: as it is called, or as its sample would be.

    Args:
        problem: of a row that was left out.
        names: ids, of which none is that of a sample that can be read.
    """
    files = [problem.row.rpartition(".")[0] or problem.row]
    files += [problem.image.with_suffix("").as_posix()] if problem.image else []
    tails = {"/".join(parts[place:]) for parts in (file.split("/") for file in files) for place in range(len(parts))}
    return {problem.row, *tails}.intersection(names)


@dataclass(frozen=True)
class Scan:
    """What one pass over samples finds.

    Attributes:
        n: number of samples.
        n_groups: number of groups, the unit of splitting and resampling.
        splits: names of the splits that are declared, sorted.
        has_truth: whether any sample has masks.
        hash: sha256 over ids, bytes of pictures and masks, prompts, groups, splits and tags.
    """

    n: int
    n_groups: int
    splits: tuple[str, ...]
    has_truth: bool
    hash: str


def scan(samples: Iterable[Sample]) -> Scan:
    """Read the bytes of every sample once, and hold none.

    Raises:
        DatasetError: two samples have one id.
    """
    digest, ids, groups = hashlib.sha256(), set[int](), set[int]()  # 64 bits of a name: 100,000 of them are 7 MB
    splits, has_truth = set[str](), False
    for s in samples:
        row = [s.id, s.image_hash, s.target_hash, s.prompt.to_json(), s.group, s.split, *s.absent]
        row += [dict(s.tags)] if s.tags else []
        digest.update(json.dumps(row, sort_keys=True).encode() + b"\n")
        if (number := _number(s.id)) in ids:
            raise DatasetError(f"Two samples have the id {s.id!r}.", "Give each its own.")
        ids.add(number)
        groups.add(_number(s.group))
        splits |= {s.split} - {None}  # type: ignore[arg-type]
        has_truth = has_truth or s.has_truth
    return Scan(len(ids), len(groups), tuple(sorted(splits)), has_truth, digest.hexdigest())


def _number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


class Stream(Collection[Sample]):
    """Samples that are read anew, one after another, at each pass; none is held, so there is no picking by id.

    Args:
        rows: begins a pass; the same samples in the same order each time.
        limit: end after so many.
        exclude: ids to pass over.
    """

    def __init__(self, rows: Callable[[], Iterator[Sample]], limit: int | None = None,
                 exclude: frozenset[str] = frozenset()) -> None:  # fmt: skip
        self.rows, self.limit, self.exclude = rows, limit, exclude

    def __iter__(self) -> Iterator[Sample]:
        return islice((sample for sample in self.rows() if sample.id not in self.exclude), self.limit)

    def __len__(self) -> int:
        return self.scan.n

    def __contains__(self, sample: object) -> bool:
        return any(sample == other for other in self)

    @cached_property
    def scan(self) -> Scan:
        """What a pass over all samples finds; the first use makes that pass."""
        return scan(self)

    def without(self, ids: Iterable[str], limit: int | None = None) -> Stream:
        """The same stream without some samples, and no longer than a limit.

        Raises:
            UnknownNameError: there is no sample of that id.
        """
        wanted = set(ids)
        missing = wanted - {sample.id for sample in self if sample.id in wanted} if wanted else set[str]()
        for unknown in sorted(missing):
            raise UnknownNameError("sample of the stream", unknown, ())
        limits = [n for n in (self.limit, limit) if n is not None]
        return Stream(self.rows, min(limits, default=None), self.exclude | wanted)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples in the order of their ids; those of a stream in the order of the stream.

    Attributes:
        name: what tables and records call it.
        format: the layout that was detected.
        samples: what was found, without the rows that have a problem; a tuple, or a `Stream`.
        class_names: labels of the masks; empty where the dataset names none.
        card: what the dataset is and how far to trust it, as Markdown; may be empty.
        problems: what is wrong; empty when opened strictly.
        notes: what was seen and not used, in sentences.
        prompt_from: where the places that promptable pipelines are shown come from, if the samples have none: points or
            boxes taken from the masks; None = from nowhere.
    """

    name: str
    format: str
    samples: Collection[Sample]
    class_names: tuple[str, ...] = ()
    card: str = field(default="", repr=False)
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    prompt_from: Literal["boxes", "points"] | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __getitem__(self, sample_id: str) -> Sample:
        return self._by_id[sample_id]

    @cached_property
    def _by_id(self) -> dict[str, Sample]:
        if self.streamed:
            raise DatasetError(f"{self.name} is a stream: no sample can be picked.", "Go through all of them instead.")
        return {sample.id: sample for sample in self.samples}

    @property
    def streamed(self) -> bool:
        """Whether samples are read one after another and never held."""
        return isinstance(self.samples, Stream)

    @cached_property
    def scan(self) -> Scan:
        """What one pass over the bytes of all samples finds, made once."""
        return self.samples.scan if isinstance(self.samples, Stream) else scan(self.samples)

    @property
    def n_groups(self) -> int:
        """Number of groups, the unit of splitting and resampling."""
        return self.scan.n_groups if self.streamed else len({sample.group for sample in self.samples})

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that the dataset declares, sorted."""
        return self.scan.splits if self.streamed else tuple(
            sorted({sample.split for sample in self.samples if sample.split is not None})
        )  # fmt: skip

    @property
    def has_truth(self) -> bool:
        """Whether any sample has masks, so that quality can be measured."""
        return self.scan.has_truth if self.streamed else any(sample.has_truth for sample in self.samples)

    @property
    def hash(self) -> str:
        """sha256 over ids, bytes of pictures and masks, prompts, groups, splits and tags: equal hash, equal scores."""
        return self.scan.hash

    def select(self, samples: Collection[Sample]) -> Dataset:
        """The same dataset with these samples only."""
        return replace(self, samples=samples if isinstance(samples, Stream) else tuple(samples))
