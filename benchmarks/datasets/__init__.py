"""Datasets: pictures, masks and prompts from wherever people keep them, in one form."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from benchmarks.datasets.dataset import Dataset, Problem, Stream
from benchmarks.datasets.paths import near, shown
from benchmarks.datasets.sample import Sample, Truth
from pipelines.errors import DatasetError, UsageError

__all__ = ["DATASETS", "Dataset", "Problem", "Sample", "Stream", "Truth", "open_dataset"]

DATASETS: dict[str, str] = {
    "coins": "benchmarks.datasets.embedded:open_coins",
    "imagefolder": "benchmarks.datasets.imagefolder:open_imagefolder",
    "folder": "benchmarks.datasets.folder:open_folder",
}
"""Format → "module:function". Each function takes the spec and answers a Dataset, or None if the spec is not of its
format; they are asked in this order, and the first answer counts. A module is imported when it is asked."""

SUPPORTED = (
    "coins (embedded), or a folder: of pictures, with images/ and masks/, or with metadata.csv or metadata.jsonl"
)


def open_dataset(
    spec: str | Path, *, split: str | None = None, limit: int | None = None, strict: bool = True
) -> Dataset:
    """Open a dataset without decoding it.

    Args:
        spec: ``"coins"`` for the embedded one, or the path of a folder. ``"./coins"`` and ``Path("coins")`` are paths.
        split: keep this split only; ``"tune"`` and ``"test"`` are derived where the dataset declares none.
        limit: keep the first so many samples, in the order of their ids.
        strict: raise for the first problem; otherwise list all in ``dataset.problems`` and leave those rows out.

    Returns:
        The dataset, samples sorted by id.

    Raises:
        DatasetError: it cannot be read as it stands; the message names the row and the cure.
        UsageError: there is no such split, or the limit is not positive.
    """
    from benchmarks.datasets.splits import check_leaks, choose_split

    if limit is not None and limit < 1:
        raise UsageError(f"The limit is {limit}.", "Give a number of samples from 1 up.")
    dataset = _open(_text(spec), strict)
    if not dataset.streamed:
        dataset = replace(dataset, problems=dataset.problems + check_leaks(dataset.samples))
    if strict and dataset.problems:
        raise as_error(dataset.name, dataset.problems)
    if isinstance(dataset.samples, Stream):
        return dataset.select(_stream(dataset.samples, split, limit))
    if split is not None:
        dataset = dataset.select(choose_split(tuple(dataset.samples), split))
    return dataset if limit is None else dataset.select(tuple(dataset.samples)[:limit])


def _stream(samples: Stream, split: str | None, limit: int | None) -> Stream:
    if split is not None:
        raise UsageError("A stream has the split that its name ends in.", f"Write hf-stream:OWNER/NAME:{split}.")
    return samples.without((), limit)


def as_error(name: str, problems: tuple[Problem, ...]) -> DatasetError:
    """The first problem as an error that says how many more there are."""
    first, more = problems[0], len(problems) - 1
    tail = f" ({more} more problem{'s' * (more > 1)} of this dataset.)" if more else ""
    return DatasetError(f"{name}: {first}", first.cure + tail)


def _text(spec: str | Path) -> str:
    """A Path is never the name of an embedded dataset, so it is made to look like a path."""
    if isinstance(spec, Path):
        return str(spec.absolute())
    if not spec.strip() or "\0" in spec:
        raise DatasetError(f"The dataset {spec!r} is not a name or a path.", f"Give {SUPPORTED}.")
    try:
        return os.fspath(Path(spec).expanduser()) if spec.startswith("~") else spec
    except RuntimeError as error:
        raise DatasetError(f"{spec!r} names a user that is not known.", "Write the whole path.") from error


def _open(spec: str, strict: bool) -> Dataset:
    try:
        for target in DATASETS.values():
            module, _, function = target.partition(":")
            dataset: Dataset | None = getattr(import_module(module), function)(spec)
            if dataset is not None:
                return dataset
        raise _not_found(spec)
    except OSError as error:
        failure = DatasetError(
            f"{shown(spec)} cannot be opened ({error.strerror}).", "Check the path and its permissions."
        )
    except DatasetError as error:
        failure = error
    if strict:
        raise failure
    return Dataset(spec, "unknown", (), problems=(Problem(spec, failure.message, failure.cure),))


def _not_found(spec: str) -> DatasetError:
    """What is wrong with a spec that no format took."""
    scheme = spec.partition(":")[0].lower()
    if scheme in ("hf", "http", "https", "s3", "gs", "file", "data"):
        return DatasetError(
            f"{shown(spec)}: datasets of the kind {scheme!r} cannot be opened.", f"Supported: {SUPPORTED}."
        )
    path = Path(spec)
    if path.is_file():
        return DatasetError(f"{shown(spec)} is a file.", f"Give the folder that holds it. Supported: {SUPPORTED}.")
    guess = near(path.name, [*(p.name for p in _siblings(path)), "coins"])
    return DatasetError(f"There is no dataset {shown(spec)}.", f"{guess}Supported: {SUPPORTED}.")


def _siblings(path: Path) -> list[Path]:
    try:
        return [p for p in path.parent.iterdir() if p.is_dir() and not p.name.startswith(".")]
    except OSError:
        return []
