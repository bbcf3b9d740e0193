"""Profiling a dataset: each sample is looked at once, in parallel, and what was seen is summed up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2

from benchmarks.datasets import Dataset, Sample
from benchmarks.profile.cores import cores
from benchmarks.profile.document import document_of
from benchmarks.profile.looks import Look, look
from benchmarks.profile.refused import looks_at_problems
from benchmarks.profile.suspects.all import find_suspects
from benchmarks.profile.suspects.disagreement import open_run
from benchmarks.profile.table import Table

AHEAD = 4
Progress = Callable[[int, int | None], None]
"""Called with the number of samples looked at, and of all; None where that is not known."""


@dataclass(frozen=True, eq=False)
class Profile:
    """What a dataset is like.

    Attributes:
        document: everything that is shown, ready for JSON.
        table: the numbers of each sample.
    """

    document: dict[str, Any]
    table: Table = field(repr=False)


def profile(dataset: Dataset, *, run: Path | str | None = None, jobs: int | None = None, verify: bool = True,
            progress: Progress | None = None) -> Profile:  # fmt: skip
    """Look at every sample of a dataset, and sum up what was seen.

    Args:
        dataset: best opened with ``strict=False``, so that broken files are findings. A stream is gone through once.
        run: folder of a run on it, whose pipelines are asked whether they agree with the masks.
        jobs: threads; default as many as there are cores.
        verify: look once more at the pictures of possible copies that small copies alone do not prove.
        progress: called after each sample.

    Raises:
        UsageError: the folder holds no run of several pipelines, or the dataset is a stream and cannot be held
            against one.
    """
    folder = Path(run) if run is not None else None
    if folder is not None:
        open_run(dataset, folder)  # before all pictures are decoded
    table = Table()
    for one in _looks(dataset, jobs or cores(), progress):
        table.append(one)
    for one in looks_at_problems(dataset):
        table.append(one)
    suspects = find_suspects(dataset, table, run=folder, verify=verify)
    document = document_of(dataset, table, suspects)
    return Profile(document, table)


def _looks(dataset: Dataset, jobs: int, progress: Progress | None) -> Iterator[Look]:
    """Looks in the order of the dataset; a few samples at a time are held."""
    total = None if dataset.streamed else len(dataset)
    for done, one in enumerate(_in_parallel(iter(dataset), jobs), 1):
        yield one
        if progress:
            progress(done, total)


@contextmanager
def _no_threads_in_threads() -> Iterator[None]:
    """OpenCV would share each small task among threads of its own, which takes longer than the task."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _in_parallel(samples: Iterator[Sample], jobs: int) -> Iterator[Look]:
    waiting: deque[Future[Look]] = deque()
    with ThreadPoolExecutor(jobs) as threads, _no_threads_in_threads():
        for sample in samples:
            waiting.append(threads.submit(look, sample))
            if len(waiting) >= AHEAD * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
