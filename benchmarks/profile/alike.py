"""Whether one picture is a copy of another, by their pixels: brought over each other, their details agree."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.profile.copies import Window, windows

SIDE, COARSE = 144, 48
STEPS, ENOUGH = 40, 1e-4
MORE_STARTS = 3
ENOUGH_ALIKE, HOPELESS = 0.9, 0.6
"""Made small: so like, no other place is tried; so unlike, no closer look is taken."""

LIGHT_PX = 6.5
Grey = npt.NDArray[np.float32]


def reduced(grey: npt.NDArray[np.uint8]) -> Grey:
    """A picture's luma at 144 pixels on the longer side, ``float32``."""
    scale = SIDE / max(grey.shape)
    size = max(8, round(grey.shape[1] * scale)), max(8, round(grey.shape[0] * scale))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)


@dataclass(frozen=True, eq=False)
class Overlay:
    """How one picture lies over another.

    Attributes:
        likeness: correlation of their details where both show something: 1 for a copy, near 0 for another picture.
        motion: from places of the part to places of the whole, affine ``(2, 3)``, both at the size of `reduced`.
    """

    likeness: float
    motion: npt.NDArray[np.float32]


def overlay(whole: Grey, part: Grey, window: Window) -> Overlay | None:
    """Lay one picture over another; None where no place is found.

    The part is laid over the whole by an affine motion, found by the enhanced correlation coefficient (Evangelidis and
    Psarakis, 2008), first coarsely and then finely.

    Args:
        whole: from `reduced`.
        part: the same of what may be a copy, or cut out of it.
        window: where it may lie.
    """
    fine = _detail(whole), _detail(part)
    coarse = _at(fine[0], COARSE / SIDE), _at(fine[1], COARSE / SIDE)
    motion, rough = None, HOPELESS
    for start in _starts(coarse[0], coarse[1], window):
        found = _moved(coarse[0], coarse[1], start, 5)
        like = 0.0 if found is None else _correlation(coarse[0], coarse[1], found)
        if like > rough:
            motion, rough = found, like
        if rough >= ENOUGH_ALIKE:
            break
    closer = None if motion is None else _moved(fine[0], fine[1], _scaled(motion, SIDE / COARSE), 3)
    return None if closer is None else Overlay(_correlation(fine[0], fine[1], closer), closer)


def _starts(whole: Grey, part: Grey, window: Window) -> list[npt.NDArray[np.float32]]:
    """Motions to begin with: that of the window, and those of the windows that agree best as they are."""
    found = [_motion_of(whole, part, one) for one in windows()]
    order = sorted(found, key=lambda motion: -_correlation(whole, part, motion))
    return [_motion_of(whole, part, window), *order[:MORE_STARTS]]


def _motion_of(whole: Grey, part: Grey, window: Window) -> npt.NDArray[np.float32]:
    left, top, kept = window
    across, down = whole.shape[1] / part.shape[1], whole.shape[0] / part.shape[0]
    return np.array([[kept * across, 0, left * whole.shape[1]], [0, kept * down, top * whole.shape[0]]], np.float32)


def _detail(grey: Grey) -> Grey:
    """What is no slow change of the light, and as strong everywhere."""
    detail = grey - cv2.GaussianBlur(grey, (0, 0), LIGHT_PX)
    return np.asarray(detail, np.float32)


def _at(grey: Grey, scale: float) -> Grey:
    if scale == 1.0:
        return grey
    size = max(8, round(grey.shape[1] * scale)), max(8, round(grey.shape[0] * scale))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)


def _scaled(motion: npt.NDArray[np.float32], scale: float) -> npt.NDArray[np.float32]:
    return motion * np.array([1, 1, scale], np.float32)


def _moved(whole: Grey, part: Grey, motion: npt.NDArray[np.float32], blur: int) -> npt.NDArray[np.float32] | None:
    """The motion that lays the whole under the part best; None where none is found."""
    rule = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, STEPS, ENOUGH)
    everywhere, motion = np.ones(whole.shape, np.uint8), motion.copy()  # which it writes into
    try:
        found = cv2.findTransformECC(part, whole, motion, cv2.MOTION_AFFINE, rule, everywhere, blur)[1]
    except cv2.error:  # OpenCV's way to say that the pictures do not agree anywhere near
        return None
    return np.asarray(found, np.float32)


def _correlation(whole: Grey, part: Grey, motion: npt.NDArray[np.float32]) -> float:
    size = part.shape[1], part.shape[0]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(whole, motion, size, flags=flags)
    inside = cv2.warpAffine(np.ones_like(whole), motion, size, flags=flags) > 0.99
    if inside.mean() < 0.5:
        return 0.0
    first, second = laid[inside], part[inside]
    first, second = first - first.mean(), second - second.mean()
    length = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / length if length > 0 else 0.0


def agreement(whole: npt.NDArray[np.bool_], part: npt.NDArray[np.bool_], found: Overlay,
              sizes: tuple[tuple[int, int], tuple[int, int]]) -> float:  # fmt: skip
    """IoU of the masks of two pictures that lie over each other, where both show something; 1 where both are empty.

    Args:
        whole: ``(H, W)``, of the one.
        part: ``(H, W)``, of the other.
        found: how the pictures lie.
        sizes: ``(H, W)`` of both as `reduced`.
    """
    first, second = (_share(mask, size) for mask, size in zip((whole, part), sizes, strict=True))
    size, flags = (sizes[1][1], sizes[1][0]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(first, found.motion, size, flags=flags) >= 0.5
    inside = cv2.warpAffine(np.ones_like(first), found.motion, size, flags=flags) > 0.99
    here = second >= 0.5
    either = int(np.count_nonzero((laid | here) & inside))
    return int(np.count_nonzero(laid & here & inside)) / either if either else 1.0


def _share(mask: npt.NDArray[np.bool_], size: tuple[int, int]) -> Grey:
    return np.asarray(cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA), np.float32)
