"""Masks against each other as pictures: what is right, wrong and missed, and on how much pipelines agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.report.thumbnails import MISSED, RIGHT, WRONG
from pipelines.errors import UsageError
from pipelines.types import Image, Mask
from workbench.views.render import check_sizes, cividis, thickness

Sign = Literal["plain", "stripes falling", "stripes rising"]
MOST_MASKS = 254
_PAPER, _IGNORED = (255, 255, 255), (190, 190, 190)
_STRIPES_PER_LINE = 6


@dataclass(frozen=True)
class Swatch:
    """One line of a legend.

    Attributes:
        text: what it means.
        colour: ``#rrggbb``.
        sign: what tells it from the others without colour.
        pixels: how many there are.
        share: of all pixels of the picture that count, from 0 to 1; of what is ignored, of all pixels.
    """

    text: str
    colour: str
    sign: Sign
    pixels: int
    share: float


@dataclass(frozen=True)
class Explained:
    """A picture with its legend.

    Attributes:
        picture: ``uint8 (H, W, 3)``.
        legend: from the most to the least wanted.
    """

    picture: Image
    legend: tuple[Swatch, ...]


@dataclass(frozen=True)
class Agreement(Explained):
    """On how much several masks agree.

    Attributes:
        counts: ``uint8 (H, W)``, how many of them found each pixel.
        share: of all pixels, those on which all agree, whether found or not.
        share_of_found: of the pixels that any found, those that all found; None where nobody found anything.
    """

    counts: npt.NDArray[np.uint8]
    share: float
    share_of_found: float | None


def error_map(prediction: Mask, target: Mask, ignore: Mask | None = None, image: Image | None = None) -> Explained:
    """What is right in blue, what is wrong in orange with stripes, what is missed in purple with stripes the other way.

    Args:
        prediction: ``bool (H, W)``.
        target: of that size.
        ignore: pixels that count for nothing, or None; grey.
        image: a grey copy of it lies below, or white.

    Raises:
        ContractError: the sizes differ.
    """
    check_sizes(prediction, target, *(one for one in (ignore, image) if one is not None))
    kinds = prediction.view(np.uint8) + np.uint8(2) * target.view(np.uint8)  # 0 nothing, 1 wrong, 2 missed, 3 right
    if ignore is not None:
        kinds[ignore] = 4
    stripe = _STRIPES_PER_LINE * thickness(prediction)
    picture = _coloured(kinds, {1: WRONG, 2: MISSED, 3: RIGHT, 4: _IGNORED}, image)
    for kind, way in ((1, 1), (2, -1)):
        picture[(kinds == kind) & _stripes(prediction.shape, stripe, way)] = 255
    return Explained(picture, _error_legend(kinds))


def agreement(masks: Mapping[str, Mask]) -> Agreement:
    """How many pipelines found each pixel, from dark (none) to yellow (all).

    Args:
        masks: of one image by pipeline, ``bool (H, W)`` each.

    Raises:
        UsageError: there are none, or too many to count.
        ContractError: the sizes differ.
    """
    if not 0 < len(masks) <= MOST_MASKS:
        raise UsageError(f"{len(masks)} masks cannot be compared.", f"Give 1 to {MOST_MASKS}.")
    first, *others = masks.values()
    check_sizes(first, *others)
    counts = first.astype(np.uint8)
    for mask in others:
        counts += mask.view(np.uint8)
    scale = cividis(np.linspace(0, 255, len(masks) + 1).round().astype(np.uint8)[np.newaxis])
    picture = np.asarray(cv2.LUT(cv2.cvtColor(counts, cv2.COLOR_GRAY2RGB), _table(dict(enumerate(scale[0].tolist())))))
    pixels = [int(np.count_nonzero(counts == number)) for number in range(len(masks) + 1)]
    found = counts.size - pixels[0]
    legend = tuple(
        Swatch(_agreed(number, len(masks)), _hex(tuple(scale[0, number].tolist())), "plain", n, n / counts.size)
        for number, n in reversed(list(enumerate(pixels)))
    )
    return Agreement(picture.astype(np.uint8, copy=False), legend, counts, (pixels[0] + pixels[-1]) / counts.size,
                     pixels[-1] / found if found else None)  # fmt: skip


def _agreed(number: int, of: int) -> str:
    words = {0: "found by none", of: "found by all" if of > 1 else "found"}
    return words.get(number, f"found by {number} of {of}")


def _error_legend(kinds: npt.NDArray[np.uint8]) -> tuple[Swatch, ...]:
    pixels = [int(np.count_nonzero(kinds == kind)) for kind in range(5)]
    counted = max(1, kinds.size - pixels[4])
    rows: tuple[tuple[int, str, tuple[int, ...], Sign], ...] = (
        (3, "right: found, and there", RIGHT, "plain"),
        (1, "wrong: found, but not there", WRONG, "stripes falling"),
        (2, "missed: there, but not found", MISSED, "stripes rising"),
    )
    legend = [
        Swatch(text, _hex(colour), sign, pixels[kind], pixels[kind] / counted) for kind, text, colour, sign in rows
    ]
    if pixels[4]:
        legend.append(Swatch("ignored: counts for nothing", _hex(_IGNORED), "plain", pixels[4], pixels[4] / kinds.size))
    return tuple(legend)


def _hex(colour: tuple[int, ...]) -> str:
    return f"#{bytes(colour).hex()}"


def _table(colours: Mapping[int, tuple[int, ...]]) -> npt.NDArray[np.uint8]:
    table = np.full((1, 256, 3), _PAPER, np.uint8)
    for number, colour in colours.items():
        table[0, number] = colour
    return table


def _coloured(kinds: npt.NDArray[np.uint8], colours: Mapping[int, tuple[int, ...]], image: Image | None) -> Image:
    picture = cv2.LUT(cv2.cvtColor(kinds, cv2.COLOR_GRAY2RGB), _table(colours))
    if image is not None:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) // 2 + 110
        cv2.copyTo(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), (kinds == 0).view(np.uint8), picture)
    return np.asarray(picture, np.uint8)


def _stripes(size: tuple[int, ...], period: int, way: int) -> Mask:
    """White for a third of the period; from one period's pattern, so that a large picture costs little."""
    rows, columns = np.ogrid[:period, :period]
    one = (columns - way * rows) % period < period // 3
    return np.tile(one, (-(-size[0] // period), -(-size[1] // period)))[: size[0], : size[1]]
