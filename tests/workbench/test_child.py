"""A look where memory ends or the GPU gives up: what is given back, what is tried again, and what is said."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.base import Pipeline
from pipelines.errors import UsageError
from pipelines.params import Params, knob
from pipelines.types import Evidence, Image, PipelineInfo, Prompt
from workbench.looks.child import LOST, OUT_OF_MEMORY, Failed, Seen, look

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
IMAGE = np.full((4, 6, 3), 102, np.uint8)
ENDINGS: dict[str, Callable[[], Exception]] = {
    "of torch": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "of CUDA": lambda: RuntimeError("CUDA error: out of memory"),
    "of cuBLAS": lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "of the machine": MemoryError,
}


class ScarceParams(Params):
    gain: float = knob(1.0, help="Of the brightness.", reads="infer", ge=0, le=4)


class Tensor:
    """Stands for what a look holds."""


class Scarce(Pipeline):
    """Raises what it is told to, look by look; None is a look that works."""

    info = PipelineInfo(name="scarce", title="Scarce", devices=("cpu", "cuda"))
    Params = ScarceParams

    def __init__(self, *plan: Exception | None) -> None:
        super().__init__()
        self.plan, self.looks, self.held = list(plan), 0, list[weakref.ref[Tensor]]()

    def _load(self) -> None:
        """Nothing to load."""

    def _infer(self, images: list[Image], prompts: list[Prompt], params: ScarceParams) -> list[Evidence]:
        self.looks += 1
        held = Tensor()
        held.itself = held  # type: ignore[attr-defined]  # a cycle, which only a collection ends
        self.held.append(weakref.ref(held))
        error = self.plan.pop(0) if self.plan else None
        if error is not None:
            raise error
        return [Evidence(image.shape[:2], soft=np.full((1, *image.shape[:2]), 0.5, np.float32)) for image in images]


@pytest.fixture
def emptied(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each time that the card was emptied: whether nothing of the failed look was held any more."""
    found: list[bool] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: found.append(all(ref() is None for ref in SEEN.held)))
    return found


SEEN: Any = None


def looked(pipeline: Scarce) -> Seen | Failed:
    global SEEN
    SEEN = pipeline
    gc.disable()
    try:
        return look(pipeline, IMAGE, Prompt(), {})
    finally:
        gc.enable()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("nth", [1, 2, 4])
def test_where_memory_ends_all_is_given_back_and_the_look_done_again(
    nth: int, ending: str, emptied: list[bool]
) -> None:
    pipeline = Scarce(*[None] * (nth - 1), ENDINGS[ending]())
    for number in range(1, nth + 2):
        found = looked(pipeline)
        assert isinstance(found, Seen)
        assert found.flags == (("oom_backoff:second try",) if number == nth else ())
    assert pipeline.looks == nth + 2 and emptied == [True]


def test_twice_is_an_answer_in_words_and_the_next_look_is_fine(emptied: list[bool]) -> None:
    pipeline = Scarce(*(ENDINGS["of torch"]() for _ in range(2)))
    found = looked(pipeline)
    assert isinstance(found, Failed) and found.code == OUT_OF_MEMORY
    assert (found.message, found.cure) == (
        "There was not enough memory.",
        "Take a smaller picture, or fewer pipelines.",
    )
    assert emptied == [True, True] and pipeline.looks == 2
    assert isinstance(looked(pipeline), Seen)


@pytest.mark.parametrize("words", ["CUDA error: an illegal memory access was encountered\nCUDA kernel errors might",
                                   "CUDA error: device-side assert triggered", "CUDA error: misaligned address"])  # fmt: skip
def test_a_gpu_that_is_lost_is_told_of_and_nothing_is_tried_again(words: str, emptied: list[bool]) -> None:
    pipeline = Scarce(RuntimeError(words))
    found = looked(pipeline)
    assert isinstance(found, Failed) and found.code == LOST and "started anew" in found.cure
    assert words.splitlines()[0] in found.message and "might" not in found.message
    assert pipeline.looks == 1 and emptied == []


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ValueError("out of memory lane"),
                                   UsageError("No.", "Do not.")])  # fmt: skip
def test_other_faults_are_not_tried_again(error: Exception, emptied: list[bool]) -> None:
    pipeline = Scarce(error)
    found = looked(pipeline)
    assert isinstance(found, Failed) and found.code not in (OUT_OF_MEMORY, LOST)
    assert pipeline.looks == 1 and emptied == []
