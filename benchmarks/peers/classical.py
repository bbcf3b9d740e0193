"""The classical pipeline at its preset `coin-seed` against a plain reading of the coin project's algorithm."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from benchmarks.metrics import METRICS, Region
from benchmarks.peers import seed
from benchmarks.peers.interleave import Contest, Row
from pipelines import create
from pipelines.base import Pipeline
from pipelines.images import load_image, load_mask
from pipelines.stages import StageCache
from pipelines.types import Image, Mask, Prompt

PICTURES = ("coffee", "chelsea", "astronaut", "coins")
SIDES = (600, 2000)
KERNELS = (3, 5, 7, 11, 13, 15, 17, 19)
"""What a trial changes: the size of the blur of the mask, which comes after Canny."""

PEER = "coin project"
CACHE_MB = 1000


@dataclass(frozen=True)
class Photograph:
    """A picture and its mask as the bytes of their files."""

    image: bytes
    mask: bytes


def contests(sides: tuple[int, ...] = SIDES, pictures: tuple[str, ...] = PICTURES) -> Iterator[Contest | Row]:
    """Contests at each size.

    Args:
        sides: of the square pictures, in pixels.
        pictures: names in `skimage.data`.
    """
    for side in sides:
        photographs = [photograph(name, side) for name in pictures]
        yield _whole(side, photographs)
        yield _mask_alone(side, photographs)
        yield _trial(side, photographs)


def photograph(name: str, side: int) -> Photograph:
    """One of the pictures that scikit-image ships, square, with its bright half as the mask."""
    from skimage import data

    picture = np.asarray(getattr(data, name)(), np.uint8)
    picture = picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1)
    picture = np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    bright = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) > 127
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    return Photograph(jpeg.tobytes(), cv2.imencode(".png", bright * np.uint8(255))[1].tobytes())


def _pipeline() -> Pipeline:
    pipeline = create("classical", preset="coin-seed", device="cpu")
    pipeline.load()
    return pipeline


def _mask(pipeline: Pipeline, image: Image, params: Any = None) -> Mask:
    return pipeline.predict([image], [Prompt()], params)[0].foreground()


def _whole(side: int, photographs: list[Photograph]) -> Contest:
    """All that the coin project does for one picture, as it times it."""
    pipeline, iou = _pipeline(), METRICS["miou"].function

    def ours() -> list[float | None]:
        return [iou([_mask(pipeline, load_image(p.image))], [load_mask(p.mask) > 0]) for p in photographs]

    def peer() -> list[float]:
        return [seed.score(p.image, p.mask, seed.Settings()) for p in photographs]

    def equal() -> bool:
        same = np.allclose(np.array(ours(), np.float64), peer(), rtol=0, atol=1e-12)
        return bool(same) and _same_masks(photographs, pipeline)

    return Contest(f"two files to IoU, {side} px", "classical@coin-seed", PEER, ours, peer, equal, 1.8)


def _mask_alone(side: int, photographs: list[Photograph]) -> Contest:
    """The algorithm itself, from the file to the mask."""
    pipeline = _pipeline()
    return Contest(
        f"file to mask, {side} px",
        "classical@coin-seed",
        PEER,
        lambda: [_mask(pipeline, load_image(p.image)) for p in photographs],
        lambda: [seed.segment(seed.read_image(p.image), seed.Settings()) for p in photographs],
        lambda: _same_masks(photographs, pipeline),
    )


def _same_masks(photographs: list[Photograph], pipeline: Pipeline) -> bool:
    pairs = ((_mask(pipeline, load_image(p.image)), seed.read_image(p.image)) for p in photographs)
    return all(np.array_equal(mask, seed.segment(image, seed.Settings()) > 0) for mask, image in pairs)


def _trial(side: int, photographs: list[Photograph]) -> Contest:
    """One trial of a study that changes only what comes after Canny; pictures, targets and stages are kept by ours."""
    pipeline, iou = _pipeline(), METRICS["miou"]
    pipeline.cache = StageCache(CACHE_MB)
    kept = [(load_image(p.image), Region.of(load_mask(p.mask) > 0)) for p in photographs]
    choices = {k: pipeline.params.model_copy(update={"mask_kernel": k}) for k in KERNELS}
    next_ours, next_peer = itertools.cycle(KERNELS), itertools.cycle(KERNELS)

    def ours(kernel: int | None = None) -> list[float | None]:
        params = choices[kernel or next(next_ours)]
        return [iou.function([_mask(pipeline, image, params)], [target]) for image, target in kept]

    def peer(kernel: int | None = None) -> list[float]:
        settings = seed.Settings(kernel_size=kernel or next(next_peer))
        return [seed.score(p.image, p.mask, settings) for p in photographs]

    def equal() -> bool:
        return all(np.allclose(np.array(ours(k), np.float64), peer(k), rtol=0, atol=1e-12) for k in KERNELS[:2])

    return Contest(f"trial after Canny, {side} px", "classical@coin-seed, stages kept", PEER, ours, peer, equal, 10)
