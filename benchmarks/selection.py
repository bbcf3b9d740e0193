"""Which samples of a dataset a run is about, and what the pipelines are asked to find in each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks import oracle
from benchmarks.datasets import Dataset, Sample, Stream, open_dataset
from benchmarks.records import DatasetRecord
from pipelines.errors import DatasetError, ImageError, UsageError
from pipelines.types import Prompt, PromptKind

SHOWN = 6
KEPT_PROMPTS = 1024
PromptOf = Callable[[Sample], Prompt]
ClassesOf = Callable[[Sequence[str]], tuple[str, ...] | None]
"""Texts that were asked for → the dataset's class of each, or None where any is no class."""


def open_selected(record: DatasetRecord) -> Dataset:
    """The samples that a manifest speaks of, opened again."""
    return select(record.spec, record.split, record.limit, record.exclude)


def select(spec: str, split: str | None, limit: int | None, exclude: Iterable[str]) -> Dataset:
    """Open a dataset, leave out what is excluded, then keep `limit` samples: evenly spaced, or the first of a stream.

    Raises:
        UnknownNameError: an excluded id is not in the dataset, whatever its split.
        DatasetError: nothing is left, or the dataset cannot be read.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit cannot be {limit}.", "Give a number of images from 1 up.")
    dataset = open_dataset(spec, split=split, exclude=exclude)
    if isinstance(dataset.samples, Stream):
        return dataset.select(dataset.samples.without((), limit))
    if not len(dataset):
        raise DatasetError(f"No image of {dataset.name} is left.", "Exclude fewer, or choose another split.")
    return dataset.select(spread(list(dataset), limit))


def spread(samples: list[Sample], limit: int | None) -> list[Sample]:
    """So many samples, evenly spaced, since neighbours are often pictures of one thing.

    Args:
        samples: in the order of the dataset.
        limit: how many; None = all.
    """
    if limit is None or limit >= len(samples):
        return samples
    return [samples[index * len(samples) // limit] for index in range(limit)]


def check_decodes(dataset: Dataset) -> None:
    """Decode every picture and mask once, so that a damaged one is heard of before a run and not hours into it.

    A stream is left alone: to go through it once more may take as long as the run.

    Raises:
        DatasetError: with the number of damaged samples, and the ids of the first.
    """
    damaged: dict[str, ImageError] = {}
    for sample in () if dataset.streamed else dataset:
        try:
            sample.read_image()
            sample.truth()
        except ImageError as error:
            damaged[sample.id] = error
    if damaged:
        (name, first), more = next(iter(damaged.items())), len(damaged) - 1
        others = f" {more} more: {', '.join(list(damaged)[1:SHOWN])}{' ...' * (more >= SHOWN)}." if more else ""
        raise DatasetError(
            f"{dataset.name}: {name}: {first.message}{others}", f"{first.cure} Or leave out with --exclude."
        )


def read_exclusions(path: Path | None) -> tuple[str, ...]:
    """Read ``--exclude``: one sample id a line; what follows a comma is the reason, and # begins a comment.

    An id that holds a comma, a # or the like stands in double quotes, as a string of JSON.

    Raises:
        UsageError: the file cannot be read.
    """
    return () if path is None else tuple(sorted(read_reasons(path)))


def read_reasons(path: Path) -> dict[str, str]:
    """What `read_exclusions` reads, with the reason of each id; empty where none is given.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--exclude {path} cannot be read: {error}.", "Give a text file with one sample id a line."
        ) from error
    return {name: reason for name, reason in map(excluded_by, lines) if name}


def excluded_by(line: str) -> tuple[str, str]:
    """Id and reason of a line of ``--exclude``; no id where there is only a comment."""
    line = line.strip()
    if line.startswith('"'):
        try:
            name, end = json.JSONDecoder().raw_decode(line)
        except ValueError:  # a name that begins with a quotation mark, and no string of JSON
            name, end = "", 0
        rest = line[end:].strip()
        if end and (not rest or rest[0] in ",#"):
            return name, rest[1:].strip()
    name, *reason = re.split("[,#]", line, maxsplit=1)
    return name.strip(), "".join(reason).strip()


def prompt_of(record: DatasetRecord, dataset: Dataset, kinds: frozenset[PromptKind],
              words: tuple[str, ...] = ()) -> PromptOf:  # fmt: skip
    """The words of the command line win over a preset's, these over the sample's, and those over the class names.

    Args:
        record: says where points and boxes come from: the sample, or with ``--prompt-from`` its masks if it has none.
        dataset: of the run.
        kinds: what the pipeline can use; no mask is decoded for a pipeline that reads no places.
        words: of the preset.
    """
    source = record.prompt_from or dataset.prompt_from
    kept: dict[str, Prompt] = {}

    def prompt(sample: Sample) -> Prompt:
        if sample.id not in kept:
            if len(kept) >= KEPT_PROMPTS:  # a stream may be endless
                kept.clear()
            kept[sample.id] = _asked(sample)
        return kept[sample.id]

    def _asked(sample: Sample) -> Prompt:
        own = sample.prompt
        asked = Prompt(record.prompt or words or own.texts or dataset.class_names, own.boxes, own.points)
        if record.prompt_from == "text":
            return Prompt(asked.texts)
        if source == "boxes" and "box" in kinds:
            return asked if own.boxes and not own.points else oracle.with_boxes(asked, sample.truth())
        if source == "points" and "point" in kinds:
            return asked if own.points and not own.boxes else oracle.with_points(asked, sample.truth())
        return asked

    return prompt


def is_oracle(prompt: Prompt, sample: Sample) -> bool:
    """Whether a prompt has places that the sample itself does not give."""
    return bool(set(prompt.boxes) - set(sample.prompt.boxes) or set(prompt.points) - set(sample.prompt.points))


def classes_of(record: DatasetRecord, words: tuple[str, ...] = ()) -> ClassesOf:
    """Which class a text stands for: as ``--prompt class=words`` says, else the class of that name, in any case.

    A single text for a dataset of a single class stands for that class.

    Args:
        record: of the dataset.
        words: of the preset, as for :func:`prompt_of`.
    """
    known = {name.casefold(): name for name in record.class_names}
    asked = record.prompt or words
    if len(asked) == len(record.class_names) == 1:
        known[asked[0].casefold()] = record.class_names[0]
    for text, name in zip(record.prompt or (), record.prompt_classes or (), strict=False):
        if name is not None:
            known[text.casefold()] = name

    def classes(texts: Sequence[str]) -> tuple[str, ...] | None:
        found = [name for text in texts if (name := known.get(text.casefold())) is not None]
        return tuple(found) if found and len(found) == len(texts) else None

    return classes
