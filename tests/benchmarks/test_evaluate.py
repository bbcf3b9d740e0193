"""What becomes of a pipeline's errors: a record of the image, or the end of the run where they say nothing of it."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from benchmarks.datasets import open_dataset
from benchmarks.evaluate import predict
from pipelines._template import Brightness
from pipelines.types import Prompt


class Faulty(Brightness):
    error: Exception = ValueError("wrong")

    def _infer(self, images: Any, prompts: Any, params: Any) -> Any:
        raise self.error


def outcomes(error: Exception) -> list[Any]:
    with Faulty() as pipeline:
        pipeline.error = error
        return list(predict(pipeline, list(open_dataset("coins"))[:2], lambda _: Prompt()))


@pytest.mark.parametrize("error", [ValueError("wrong"), OSError(errno.EIO, "broken"), OSError("no number")])
def test_an_error_of_a_pipeline_is_a_record_of_each_image(error: Exception) -> None:
    found = outcomes(error)
    assert [type(error).__name__ in str(one.error) for one in found] == [True, True]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), OSError(errno.EDQUOT, "quota"), MemoryError()])
def test_a_full_disk_or_memory_says_nothing_of_an_image(error: Exception) -> None:
    with pytest.raises(type(error)):
        outcomes(error)
