"""From a card to what a visitor takes home of it."""

from __future__ import annotations

from functools import cache
from typing import Any

from benchmarks.environment import environment, source_hashes
from pipelines.errors import UsageError
from pipelines.registry import pipeline_class
from pipelines.types import Image, Prompt
from workbench.files.result import Produced, Result
from workbench.service import Card


def result(name: str, image: Image, card: Card | None) -> Result:
    """What is downloaded is made from this.

    Args:
        name: of the picture.
        image: ``uint8 (H, W, 3)``.
        card: that was made of it, if any was.

    Raises:
        UsageError: it has no result.
    """
    if card is None or card.prediction is None:
        raise UsageError("This pipeline has no result yet.", "Run it first.")
    took = {"load": card.load_ms, "infer": card.infer_ms, "decide": card.decide_ms}
    module = pipeline_class(card.configuration.pipeline).__module__
    asked = understood(card)
    produced = Produced.of(
        card.configuration, asked, weights=card.weights, flags=card.flags,
        ms={step: round(ms, 3) for step, ms in took.items() if ms is not None},
        environment=card.environment or _here(), sources=source_hashes([module, __name__]),
    )  # fmt: skip
    return Result(name, image, card.prediction, produced, asked.texts, soft=card.soft)


def understood(card: Card) -> Prompt:
    """Of what was asked for, what its pipeline can be asked: one that reads no text found nothing by it."""
    kinds = pipeline_class(card.configuration.pipeline).info.prompts
    return Prompt(
        card.prompt.texts if "text" in kinds else (),
        card.prompt.boxes if "box" in kinds else (),
        card.prompt.points if "point" in kinds else (),
    )


@cache
def _here() -> dict[str, Any]:
    """Machine and versions, for a card whose process told none."""
    return environment("cpu")
