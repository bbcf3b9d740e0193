"""The embedded dataset ``coins``: real coins of one photograph, as crops, as the whole scene and on other grounds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache, lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.sample import FOREGROUND, Sample, Truth, truth_of_ids
from pipelines.types import Image, Prompt

NAME = "coins"
EVERY = 4
"""Every fourth coin has a crop: one group that held half of the images would outweigh all the others."""

PROMPT = Prompt(texts=("coin",))
Pair = tuple[Image, npt.NDArray[np.uint8]]


def open_coins(spec: str) -> Dataset | None:
    """The embedded dataset, or None if the spec is not its name. Nothing is rendered before it is asked for."""
    if spec != NAME:
        return None
    samples = sorted([*_of_photograph(), *_composed()], key=lambda sample: sample.id)
    card = Path(__file__).with_name("CARD.md").read_text(encoding="utf-8")
    return Dataset(NAME, "embedded", tuple(samples), card=card, prompt_from="points")


def _of_photograph() -> list[Sample]:
    from benchmarks.datasets.embedded.photograph import COINS, CROP

    group = "photograph"
    crops = [_sample(f"crop/{coin:02}", (CROP, CROP), f"crop:{coin}", group, {"part": "crops", "ground": "photograph"})
             for coin in range(1, COINS + 1, EVERY)]  # fmt: skip
    return [*crops, _sample("scene/00", (303, 384), "scene:0", group, {"part": "scene", "ground": "photograph"})]


def _composed() -> list[Sample]:
    from benchmarks.datasets.embedded.compose import GROUNDS, HEIGHT, SCENES, WIDTH

    grounds = list(GROUNDS)
    return [_sample(f"composed/{i:02}", (HEIGHT, WIDTH), f"composed:{i}", f"composed/{i:02}",
                    {"part": "composed", "ground": grounds[i % len(grounds)]}) for i in range(SCENES)]  # fmt: skip


def _sample(id_: str, size: tuple[int, int], key: str, group: str, tags: dict[str, str]) -> Sample:
    return Sample(id_, size, partial(_image, key), partial(_hash, key, 0), partial(_truth, key), partial(_hash, key, 1),
                  prompt=PROMPT, group=group, tags=tags)  # fmt: skip


@lru_cache(maxsize=2)
def _pair(key: str) -> Pair:
    """Picture and ids; the last two are kept, because the mask is asked for right after the picture."""
    from benchmarks.datasets.embedded import compose, photograph

    part, _, number = key.partition(":")
    makers: dict[str, Callable[[int], Pair]] = {
        "crop": photograph.crop,
        "scene": lambda _: photograph.whole(),
        "composed": lambda i: compose.render(compose.plan_scene(i)),
    }
    return makers[part](int(number))


def _image(key: str) -> Image:
    return _pair(key)[0].copy()


def _truth(key: str) -> Truth:
    return truth_of_ids({FOREGROUND: _pair(key)[1]})


def _hash(key: str, which: int) -> str:
    return _hashes(key)[which]


@cache  # two short texts a sample; rendering them again would take a second
def _hashes(key: str) -> tuple[str, ...]:
    """sha256 of shape and pixels, of the picture and of the ids."""
    return tuple(hashlib.sha256(str(array.shape).encode() + array.tobytes()).hexdigest() for array in _pair(key))
