"""Pixels of a colour that is named by a text: a pipeline that reads text, with no network."""

from __future__ import annotations

import numpy as np

from pipelines.base import Pipeline
from pipelines.params import Params, knob
from pipelines.types import Evidence, Image, PipelineInfo, Prompt

COLOURS = {"red": 0, "crimson": 0, "green": 1, "blue": 2}


class ColourParams(Params):
    threshold: float = knob(0.5, help="How much a channel must stand out.", reads="decide", ge=0, le=1)


class Colour(Pipeline):
    info = PipelineInfo(name="colour", title="Pixels of a named colour", prompts=frozenset(("text",)))
    Params = ColourParams

    def _load(self) -> None:
        """Nothing to load."""

    def _infer(self, images: list[Image], prompts: list[Prompt], params: ColourParams) -> list[Evidence]:
        return [
            Evidence(image.shape[:2], soft=np.stack([self._map(image, text) for text in prompt.texts]))
            for image, prompt in zip(images, prompts, strict=True)
        ]

    def _map(self, image: Image, text: str) -> np.ndarray:
        if text not in COLOURS:
            return np.zeros(image.shape[:2], np.float32)
        channels = image.astype(np.float32) / 255
        others = [c for c in range(3) if c != COLOURS[text]]
        return np.clip(channels[..., COLOURS[text]] - channels[..., others].max(axis=2), 0, 1)
