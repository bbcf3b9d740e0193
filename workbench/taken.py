"""From a card to what a visitor takes home of it."""

from __future__ import annotations

from functools import cache
from typing import Any

from benchmarks.environment import environment, source_hashes
from pipelines.errors import UsageError
from pipelines.registry import pipeline_class
from pipelines.types import Image
from workbench.result import Produced, Result
from workbench.service import Card


def result(name: str, image: Image, card: Card) -> Result:
    """What is downloaded is made from this.

    Args:
        name: of the picture.
        image: ``uint8 (H, W, 3)``.
        card: that was made of it.

    Raises:
        UsageError: it has no result.
    """
    if card.prediction is None:
        raise UsageError("This pipeline has no result yet.", "Run it first.")
    took = {"load": card.load_ms, "infer": card.infer_ms, "decide": card.decide_ms}
    module = pipeline_class(card.configuration.pipeline).__module__
    produced = Produced.of(
        card.configuration, card.prompt, weights=card.weights, flags=card.flags,
        ms={step: round(ms, 3) for step, ms in took.items() if ms is not None},
        environment=_here() | {"device": card.configuration.device}, sources=source_hashes([module, __name__]),
    )  # fmt: skip
    return Result(name, image, card.prediction, produced, card.prompt.texts, soft=card.soft)


@cache
def _here() -> dict[str, Any]:
    """Machine and versions; without those of the GPU, which would be asked for through torch in this process."""
    return environment("cpu")
