"""Datasets: pictures, masks and prompts from wherever people keep them, in one form."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from benchmarks.datasets.dataset import Dataset, Problem, Stream, named_by
from benchmarks.datasets.paths import near, shown
from benchmarks.datasets.sample import Sample, Truth
from pipelines.errors import DatasetError, LeakError, UnknownNameError, UsageError

__all__ = ["DATASETS", "Dataset", "Problem", "Sample", "Stream", "Truth", "open_dataset"]

DATASETS: dict[str, str] = {
    "coins": "benchmarks.datasets.embedded:open_coins",
    "hub": "benchmarks.datasets.hub:open_hub",
    "imagefolder": "benchmarks.datasets.imagefolder:open_imagefolder",
    "coco": "benchmarks.datasets.coco:open_coco",
    "yolo": "benchmarks.datasets.yolo:open_yolo",
    "voc": "benchmarks.datasets.voc:open_voc",
    "labelme": "benchmarks.datasets.labelme:open_labelme",
    "folder": "benchmarks.datasets.folder:open_folder",
}
"""Format → "module:function". Each function takes the spec and answers a Dataset, or None if the spec is not of its
format; they are asked in this order, and the first answer counts. A module is imported when it is asked."""

ANNOTATED = {"coco": "COCO", "yolo": "YOLO-seg", "voc": "PASCAL VOC", "labelme": "labelme"}
"""Formats whose files are told by their content, and may therefore lie beside each other; by their titles."""

SUPPORTED = (
    "coins (embedded); a folder of pictures, with images/ and masks/, with metadata.csv or metadata.jsonl, of COCO, "
    "YOLO-seg, PASCAL VOC or labelme, or one that datasets wrote with save_to_disk; a COCO .json or a YOLO data.yaml; "
    "hf:OWNER/NAME[:SPLIT], hf:FOLDER, or hf-stream: and the same"
)


def open_dataset(
    spec: str | Path, *, split: str | None = None, limit: int | None = None, strict: bool = True,
    exclude: Iterable[str] = (),
) -> Dataset:  # fmt: skip
    """Open a dataset without decoding it; what it is is found out, and told by ``Dataset.format``.

    ==========================  ======================================================================================
    spec                        format
    ==========================  ======================================================================================
    ``coins``                   "embedded": the dataset that comes with the benchmark
    ``hf:OWNER/NAME[:SPLIT]``   "Hugging Face dataset": of the hub or its cache; ``hf:FOLDER`` of parquet and the like
    ``hf-stream:...``           "Hugging Face stream": the same, read row by row, in ``Dataset.samples`` a ``Stream``
    a folder, first match       "Hugging Face dataset" (``save_to_disk``), "imagefolder" (metadata.csv or .jsonl),
                                "COCO", "YOLO-seg", "PASCAL VOC" (and CVAT's Segmentation mask), "labelme",
                                "images + masks", "pictures" (without masks: quality is not measured)
    a file                      "COCO" (.json), "YOLO-seg" (data.yaml)
    ==========================  ======================================================================================

    A folder that two of COCO, YOLO-seg, PASCAL VOC and labelme claim is an error, unless a manifest decides: what is
    not read is then in ``Dataset.notes``. In a folder ``dataset.yaml`` may give ``name``, ``prompt``,
    ``mask_threshold``, ``classes`` and ``ignore`` (see :mod:`.settings`); without classes, ids are foreground by the
    rule of :func:`.sample.truth_of_ids`. The first mask is decoded, to tell early of masks that cannot be read; of all
    others, and of the pictures, the headers. Nothing is written beside the dataset.

    Args:
        spec: as in the table. ``"./coins"`` and ``Path("coins")`` are paths.
        split: keep this split only; ``"tune"`` and ``"test"`` are derived where the dataset declares none. That of a
            stream is part of its spec.
        limit: keep the first so many samples, in the order of their ids, or of the stream.
        strict: raise for the first problem; otherwise list all in ``dataset.problems`` and leave those rows out. A
            stream lists none: going through it raises DatasetError at the row that has one.
        exclude: ids of samples, or rows of problems, that are left out before splits are checked against each other.
            Splits that are derived stay as they would be with all samples.

    Returns:
        The dataset, samples sorted by id, or in the order of the stream. Pictures and masks are decoded on use.

    Raises:
        DatasetError: it cannot be read as it stands; the message names the row and the cure.
        LeakError: splits that it declares share a group or a picture; the message names the pairs.
        UsageError: there is no such split, nothing to exclude of that name, or the limit is not positive.
    """
    from benchmarks.datasets.splits import check_leaks, choose_split

    if limit is not None and limit < 1:
        raise UsageError(f"The limit is {limit}.", "Give a number of samples from 1 up.")
    left_out = frozenset(exclude)
    dataset = _open(_text(spec), strict)
    if isinstance(dataset.samples, Stream):
        return dataset.select(_stream(dataset.samples, split, limit, left_out))
    problems = _not_excluded(dataset, left_out)
    if strict and problems:
        raise as_error(dataset.name, problems)
    kept = [sample for sample in dataset if sample.id not in left_out]
    leaks = check_leaks(kept)
    if strict and leaks:
        raise as_error(dataset.name, leaks, LeakError)
    dataset = replace(dataset, problems=problems + leaks)
    if split is not None:
        kept = [sample for sample in choose_split(tuple(dataset.samples), split) if sample.id not in left_out]
    return dataset.select(kept[:limit])


def _not_excluded(dataset: Dataset, names: Collection[str]) -> tuple[Problem, ...]:
    """The problems of rows that nobody leaves out."""
    read = {sample.id for sample in dataset} if names else set[str]()
    refused = [(problem, named_by(problem, set(names) - read)) for problem in dataset.problems]
    known = read.union(*(found for _, found in refused))
    for unknown in sorted(set(names) - known):
        raise UnknownNameError(f"sample of {dataset.name}", unknown, known)
    return tuple(problem for problem, found in refused if not found)


def _stream(samples: Stream, split: str | None, limit: int | None, left_out: Collection[str]) -> Stream:
    if split is not None:
        raise UsageError("A stream has the split that its name ends in.", f"Write hf-stream:OWNER/NAME:{split}.")
    return samples.without(left_out, limit)


def as_error(name: str, problems: tuple[Problem, ...], kind: type[DatasetError] = DatasetError) -> DatasetError:
    """The first problem as an error that says how many more there are."""
    first, more = problems[0], len(problems) - 1
    tail = f" ({more} more problem{'s' * (more > 1)} of this dataset.)" if more else ""
    return kind(f"{name}: {first}", first.cure + tail)


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
        for name, target in DATASETS.items():
            module, _, function = target.partition(":")
            if name == "coco":
                _refuse_mixed(spec)
            dataset: Dataset | None = getattr(import_module(module), function)(spec)
            if dataset is not None:
                return _with_unread(dataset, spec) if name == "imagefolder" else dataset
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


def _claims(root: Path) -> dict[str, str]:
    """Title of a format → the file or folder in the root that is of it."""
    modules = {title: import_module(DATASETS[name].partition(":")[0]) for name, title in ANNOTATED.items()}
    found = {title: module.claims(root) for title, module in modules.items()} if root.is_dir() else {}
    return {title: file for title, file in found.items() if file}


def _refuse_mixed(spec: str) -> None:
    claims = _claims(Path(spec))
    if len(claims) > 1:
        (first, a), (second, b), *_ = claims.items()
        raise DatasetError(f"The folder {shown(spec)} is mixed: {shown(a)} is {first}, and {shown(b)} is {second}.",
                           "Open one of them by its own path, or move the other out of the folder.")  # fmt: skip


def _with_unread(dataset: Dataset, spec: str) -> Dataset:
    """Say what lies beside the manifest that was read."""
    notes = (f"{shown(file)} ({title}) is not read, for there is a metadata file; to use it, open it by its own path."
             for title, file in _claims(Path(spec)).items())  # fmt: skip
    return replace(dataset, notes=(*dataset.notes, *notes))


def _not_found(spec: str) -> DatasetError:
    """What is wrong with a spec that no format took."""
    scheme = spec.partition(":")[0].lower()
    if scheme in ("http", "https", "s3", "gs", "file", "data"):
        return DatasetError(
            f"{shown(spec)}: datasets of the kind {scheme!r} cannot be opened.", f"Supported: {SUPPORTED}."
        )
    path = Path(spec)
    if path.is_file():
        return DatasetError(
            f"{shown(spec)} is a file of no known kind.", f"Give the folder that holds it. Supported: {SUPPORTED}."
        )
    guess = near(path.name, [*(p.name for p in _siblings(path)), "coins"])
    return DatasetError(f"There is no dataset {shown(spec)}.", f"{guess}Supported: {SUPPORTED}.")


def _siblings(path: Path) -> list[Path]:
    try:
        return [p for p in path.parent.iterdir() if p.is_dir() and not p.name.startswith(".")]
    except OSError:
        return []
