"""Batches that shrink where memory ends, whoever says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from pipelines.networks.batches import in_batches, ran_out_of_memory

ENDINGS: dict[str, Callable[[], object]] = {
    "torch on this machine": lambda: torch.empty(10**15),
    "numpy": lambda: np.empty(10**16, np.uint8),
}


class Narrow:
    """Doubles numbers, so many at once; how many it was asked for is kept."""

    def __init__(self, most: int, end: Callable[[], object]) -> None:
        self.most, self.end, self.asked = most, end, list[int]()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.asked.append(len(items))
        if len(items) > self.most:
            self.end()
        return [2 * item for item in items]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_real_shortage_halves_the_batch_and_later_calls_begin_there(ending: str) -> None:
    run, flags = Narrow(2, ENDINGS[ending]), set[str]()
    assert in_batches(run, range(7), flags) == [2 * item for item in range(7)]
    assert run.asked == [7, 4, 2, 2, 2, 1]
    assert flags == {"oom_backoff:2 images"}
    run.asked.clear()
    in_batches(run, range(5), flags)
    assert run.asked == [2, 2, 1]


def test_units_do_not_hide_each_other() -> None:
    flags = {"engine:onnx"}
    in_batches(Narrow(1, ENDINGS["numpy"]), range(2), flags)
    in_batches(Narrow(64, ENDINGS["numpy"]), range(128), flags, "boxes")
    assert flags == {"engine:onnx", "oom_backoff:1 images", "oom_backoff:64 boxes"}


@pytest.mark.parametrize("ending", ENDINGS)
def test_one_that_does_not_fit_ends_it(ending: str) -> None:
    with pytest.raises(MemoryError, match="One of the boxes alone does not fit"):
        in_batches(Narrow(0, ENDINGS[ending]), range(2), set(), "boxes")


@pytest.mark.parametrize("text", ["CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED when calling"])
def test_other_libraries_of_cuda_are_understood(text: str) -> None:
    assert ran_out_of_memory(RuntimeError(text))


def test_other_faults_are_not_tried_again() -> None:
    def wrong(items: Sequence[int]) -> list[int]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        in_batches(wrong, range(4), set())
