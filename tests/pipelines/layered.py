"""Evidence of tiny networks for every pipeline with thresholds, as it came and as it may come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import create
from pipelines.base import Pipeline
from pipelines.types import Evidence, Prompt

SIZE = (37, 52)
TEXTS = Prompt(("coin", "a red coin", "dog"))
BOXES = Prompt(boxes=((2, 3, 30, 20), (10, 10, 50, 36), (1, 1, 9, 30)), points=((40, 5, 1), (20, 30, 1)))
KINDS = ("seen", "spread", "planted", "none", "all", "tensor")


@dataclass(frozen=True)
class Case:
    """A pipeline, the fields that let much through, and a prompt that it can use."""

    name: str
    prompt: Prompt = TEXTS
    params: dict[str, Any] = field(default_factory=dict)


CASES = {
    case.name: case
    for case in (
        Case("clipseg"),
        Case("rmbg", Prompt(), {"checkpoint": "u2net", "engine": "torch"}),
        Case("sam", BOXES),
        Case("sam3", params={"candidate_floor": 0.0}),
        Case("grounded_sam", params={"candidate_floor": 0.0, "text_threshold": 0.2, "nms_iou": 0.6, "max_boxes": 9}),
    )
}


@contextmanager
def seen(name: str, weights: Path) -> Iterator[tuple[Pipeline, Evidence]]:
    """A pipeline and what it saw in a noisy picture."""
    case = CASES[name]
    image = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), np.uint8)
    with create(name, weights=weights, params=case.params) as pipeline:
        yield pipeline, pipeline.infer([image], [case.prompt])[0]


def of_kind(evidence: Evidence, kind: str) -> Evidence:
    """Evidence as it came; stretched so that every threshold tells; with values exactly at thresholds, many of them
    alike; with nothing in it; with all of it strong; or where a device would leave it."""
    maps = "soft" if evidence.mask_maps is None else "mask_maps"
    if kind == "tensor":
        import torch

        return replace(evidence, **{maps: torch.from_numpy(np.array(getattr(evidence, maps)))})
    change: Any = {"seen": _as_it_is, "spread": _spread, "planted": _planted, "none": _nothing, "all": _all}[kind]
    return replace(evidence, **change(evidence, maps))


def _as_it_is(evidence: Evidence, maps: str) -> dict[str, Any]:
    return {}


def _stretched(values: Any, low: float, high: float) -> Any:
    least, most = float(values.min()), float(values.max())
    return ((values - least) / (most - least or 1) * (high - low) + low).astype(np.float32)


def _spread(evidence: Evidence, maps: str) -> dict[str, Any]:
    low, high = (0, 1) if maps == "soft" else (-12, 12)
    found = {maps: np.stack([_stretched(one, low, high) for one in getattr(evidence, maps)])}
    rng = np.random.default_rng(2)
    for name in ("scores", "box_scores", "presence"):
        values = getattr(evidence, name)
        if values is not None:
            found[name] = (values > 0) * rng.random(values.shape, np.float32)
    return found


def _planted(evidence: Evidence, maps: str) -> dict[str, Any]:
    """Maps at the size of the picture, which no resize changes."""
    rng, n = np.random.default_rng(3), len(getattr(evidence, maps))
    if maps == "soft":
        return {"soft": rng.integers(0, 257, (n, *SIZE)).astype(np.float32) / 256}
    found: dict[str, Any] = {maps: rng.integers(-170, 171, (n, *SIZE)).astype(np.float32) / 16, "canvas": None,
                             "window": None}  # fmt: skip
    for name in ("scores", "box_scores"):
        values = getattr(evidence, name)
        if values is not None:
            found[name] = ((values > 0) * rng.integers(0, 9, values.shape) / 8).astype(np.float32)
    if evidence.presence is not None:
        found["presence"] = np.array([1, 0.5, 0.25], np.float32)
    return found


def _nothing(evidence: Evidence, maps: str) -> dict[str, Any]:
    if maps == "soft":
        return {"soft": np.zeros_like(evidence.soft)}
    names = ("boxes", "scores", "box_scores", "prompt_index", "mask_maps")
    return {name: getattr(evidence, name)[:0] for name in names if getattr(evidence, name) is not None}


def _all(evidence: Evidence, maps: str) -> dict[str, Any]:
    strong = {name: np.ones_like(getattr(evidence, name)) for name in ("scores", "box_scores", "presence")
              if getattr(evidence, name) is not None}  # fmt: skip
    return {maps: np.full_like(getattr(evidence, maps), 1 if maps == "soft" else 11), **strong}
