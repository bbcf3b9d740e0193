"""Pictures that are still remembered are not embedded again: a further click or text costs no image encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pipelines.networks.batches import in_batches
from pipelines.stages import StageCache
from pipelines.types import Image

Embedded = TypeVar("Embedded")


def embedded(
    run: Callable[[Sequence[Image]], Sequence[Embedded]], images: Sequence[Image], cache: StageCache, flags: set[str]
) -> list[Embedded]:
    """Embeddings of images, of which those that the cache does not know are made, together.

    Args:
        run: images → one embedding each, in order; an embedding tells its memory as `nbytes`.
        images: of the call.
        cache: off by default, and then everything is made.
        flags: see `in_batches`.

    Raises:
        MemoryError: one image alone does not fit.
    """
    keys = [(id(image), "embed") for image in images]
    known = [cache.get(key)[1] for key in keys]
    unknown = [image for image, found in zip(images, known, strict=True) if found is None]
    made = iter(in_batches(run, unknown, flags))
    found = [next(made) if remembered is None else remembered for remembered in known]
    for key, image, value, remembered in zip(keys, images, found, known, strict=True):
        if remembered is None:
            cache.put(key, image, value)
    return found
