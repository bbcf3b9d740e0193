"""What is left to say of rows that the dataset's reader refuses: which sample it would be, and what its files hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.datasets import Dataset, Problem
from benchmarks.datasets.targets import header_size
from benchmarks.profile.files import look_at_file
from benchmarks.profile.looks import Fault, Look
from benchmarks.profile.mask_files import MaskFileLook, look_at_mask_files
from pipelines.errors import DatasetError, ImageError

WHOLE = ("images", "masks", "metadata.csv", "metadata.jsonl")
"""Rows of problems that are of the whole dataset."""

WORDS = (
    (re.compile(r"pixels?\.?$"), "mask_size_mismatch"),
    (re.compile(r"no mask|mask.*(does not exist|cannot be opened|is empty)"), "mask_missing"),
    (re.compile(r"refused|damaged|no picture|is empty|does not exist|cannot be opened"), "image_unreadable"),
)
"""What a reason says, where there is no file to look at: the first that fits."""


def looks_at_problems(dataset: Dataset) -> Iterator[Look]:
    """A look at each row that the reader refuses; a problem that is not of one sample has none."""
    if dataset.streamed or not dataset.problems:
        return
    home, known = _home(dataset), {sample.id for sample in dataset}
    for problem in dataset.problems:
        found = _look(problem, home)
        if found is not None and found.id not in known:
            known.add(found.id)
            yield found


def _home(dataset: Dataset) -> Path | None:
    """The folder that ids are relative to, as the first sample with a file tells."""
    for sample in dataset:
        if sample.path is not None:
            stem = sample.path.with_suffix("").as_posix()
            if stem.endswith(f"/{sample.id}"):
                return Path(stem.removesuffix(f"/{sample.id}"))
    return None


def _look(problem: Problem, home: Path | None) -> Look | None:
    kind, mask = _kind(problem)
    if kind is None:
        return None
    name = _name(problem, home)
    return Look(name, name, read=False, mask_file=mask, has_truth=problem.mask is not None,
                faults=(Fault(kind, problem.reason, problem.cure),))  # fmt: skip


def _name(problem: Problem, home: Path | None) -> str:
    if problem.image is None:
        return problem.row
    stem = problem.image.with_suffix("")
    return stem.relative_to(home).as_posix() if home and stem.is_relative_to(home) else stem.name


def _kind(problem: Problem) -> tuple[str | None, MaskFileLook | None]:
    """The kind of fault, and what the mask holds where that is what is wrong."""
    if problem.row.rstrip("/") in WHOLE:  # no sample
        return None, None
    if problem.image is None or not problem.image.is_file():
        return next((kind for words, kind in WORDS if words.search(problem.reason)), None), None
    try:
        look_at_file(problem.image)
        size = header_size(problem.image)
    except (ImageError, DatasetError, OSError):
        return "image_unreadable", None
    if problem.mask is None:
        return ("mask_missing" if "mask" in problem.reason else None), None
    return _kind_of_mask(problem.mask, size)


def _kind_of_mask(mask: Path, size: tuple[int, int]) -> tuple[str | None, MaskFileLook | None]:
    if not mask.is_file():
        return "mask_missing", None
    try:
        if header_size(mask) != size:
            return "mask_size_mismatch", None
    except DatasetError:
        return "image_unreadable", None
    return "mask_unreadable", look_at_mask_files({"mask": mask})
