"""Pictures that come with the app, from the embedded dataset, each with its true mask."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import cv2

from benchmarks.datasets import Sample, open_dataset
from benchmarks.export.originals import png
from benchmarks.export.pictures import mask_pixels
from pipelines.errors import UnknownNameError
from workbench.files.shelf import Shelf

THUMBNAIL = 96
NAMES = {
    "coin": ("crop/01", "One coin"),
    "coins": ("scene/00", "Coins, the whole photograph"),
    "gravel": ("composed/01", "Coins on gravel"),
    "brick": ("composed/02", "Coins on bricks"),
}
"""Name in a link → sample of the embedded dataset, and what it is called."""


@dataclass(frozen=True)
class Example:
    """A picture to begin with.

    Attributes:
        name: in a link.
        title: for people.
        sample: that it is.
    """

    name: str
    title: str
    sample: Sample

    @property
    def prompt(self) -> str:
        """What there is to look for, one text a line."""
        return "\n".join(self.sample.prompt.texts)

    def put(self, shelf: Shelf) -> tuple[str, str]:
        """Paths of a new copy of picture and mask, as if somebody had uploaded them.

        Args:
            shelf: where files may be given out from.
        """
        target = self.sample.target()
        assert target is not None  # every sample of the embedded dataset has a mask
        return (shelf.put(f"{self.name}.png", png(self.sample.image)),
                shelf.put(f"{self.name}_mask.png", png(mask_pixels(target))))  # fmt: skip

    def thumbnail(self) -> str:
        """A small picture of it as a ``data:`` address."""
        image = self.sample.image
        share = THUMBNAIL / min(image.shape[:2])
        small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes()
        return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"


@cache
def examples() -> Mapping[str, Example]:
    """Every example by its name in a link."""
    samples = {sample.id: sample for sample in open_dataset("coins")}
    return {name: Example(name, title, samples[id_]) for name, (id_, title) in NAMES.items()}


def example(name: str) -> Example:
    """One of them.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name not in examples():
        raise UnknownNameError("example", name, examples())
    return examples()[name]
