"""COCO's run lengths: what a mask's ``counts`` say, as numbers or as short text, checked before anything is drawn.

Runs go down the columns, from the left one on, and begin with background
(github.com/cocodataset/cocoapi, common/maskApi.h).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.datasets.documents import told
from pipelines.types import Mask

CURE = "Encode the mask again, with pycocotools.mask.encode for example."
_LOWEST, _HIGHEST = 48, 48 + 63


class RunLengthError(ValueError):
    """Counts that are not the runs of any mask of that size; the message is a sentence without its subject."""


def check_runs(segmentation: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """A run-length mask that is safe to decode; only ``size`` and ``counts`` are kept.

    Args:
        segmentation: ``{"size": [H, W], "counts": [...] or "..."}``.
        size: ``(H, W)`` of the picture.

    Raises:
        RunLengthError: another size, or runs that do not add up to it.
    """
    own, counts = segmentation.get("size"), segmentation.get("counts")
    if not (isinstance(own, list) and len(own) == 2 and all(type(n) is int for n in own)):
        raise RunLengthError(f"has run lengths of the size {told(own)}, not [height, width].")
    if tuple(own) != size:
        turned = ", which is turned" if (own[1], own[0]) == size else ""
        raise RunLengthError(
            f"has run lengths for {told(own[1])} x {told(own[0])}{turned}, and its picture is {size[1]} x {size[0]}."
        )
    if not isinstance(counts, (list, str)):
        raise RunLengthError(f"has run lengths whose counts are {told(counts)}, neither a list nor a text.")
    runs = decoded(counts) if isinstance(counts, str) else counts
    if not all(type(n) is int and n >= 0 for n in runs):
        raise RunLengthError("has a run length that is not a whole number from 0 up.")
    if sum(runs) != size[0] * size[1]:
        raise RunLengthError(f"has run lengths that add up to {told(sum(runs))} and not to {size[0] * size[1]} pixels.")
    return {"size": own, "counts": counts}


def decoded(text: str) -> list[int]:
    """Runs from COCO's short text.

    Each character from ``0`` on holds five bits, low ones first, and a sixth that says that more follow; numbers from
    the third run on are differences to the run before the last.

    Raises:
        RunLengthError: a character that cannot occur, a number that is too long, or a text that ends within one.
    """
    runs: list[int] = []
    value, shift = 0, 0
    for character in text:
        if not _LOWEST <= ord(character) <= _HIGHEST:
            raise RunLengthError(f"has run lengths with the character {character!a}, which cannot occur in them.")
        bits = ord(character) - _LOWEST
        value |= (bits & 31) << shift
        shift += 5
        if shift > 40:
            raise RunLengthError("has run lengths with a number that is too long.")
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value, shift = 0, 0
    if shift:
        raise RunLengthError("has run lengths that are cut off.")
    return runs


def as_mask(runs: Sequence[int], size: tuple[int, int]) -> Mask:
    """The mask, ``bool (H, W)``, of runs that add up to its size ``(H, W)``."""
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.ascontiguousarray(flat.reshape(size, order="F"))
