"""Pictures for the app, ``uint8`` RGB or RGBA, from arrays alone: overlay, mask, cut-out, soft map and wipe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, cast

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.export import pictures
from benchmarks.soft_maps import levels
from pipelines.errors import ContractError, ParameterError
from pipelines.types import Floats, Image, Mask, tight_box

Rgba = npt.NDArray[np.uint8]
"""``uint8 (H, W, 4)``, straight alpha."""

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
"""Of Okabe and Ito ("Color Universal Design", 2008), which colour-blind eyes tell apart; without black."""

DASHES = (0, 12, 5, 2)
"""Length of the dashes of an outline, in thicknesses of the line; 0 = solid. The second sign of a label."""

LINES_PER_SIDE = 500
"""The longer side in thicknesses of a line, so that lines look alike at all sizes."""

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_PLAIN = {"white": "#ffffff", "black": "#000000"}
_CHECKER, _SQUARES_PER_SIDE = (255, 204), 64


def colour_of(number: int) -> str:
    """The colour of a label or pipeline as ``#rrggbb``; they come again after seven."""
    return COLOURS[number % len(COLOURS)]


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of ``#rrggbb``.

    Raises:
        ParameterError: it is not written so.
    """
    if not _HEX.fullmatch(colour):
        raise ParameterError(f"{colour[:20]!r} is not a colour.", "Write it as #rrggbb, such as #0072b2.")
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def overlay(image: Image, masks: npt.NDArray[np.bool_], labels: Sequence[int] | npt.NDArray[np.integer[Any]],
            opacity: float) -> Image:  # fmt: skip
    """The picture with each mask in the colour of its label, and an outline whose dashes differ from label to label.

    Of masks that overlap the smaller lies on top. The outline stays at any opacity.

    Args:
        image: ``(H, W, 3)``.
        masks: ``bool (N, H, W)``.
        labels: ``(N,)``, 0 or more.
        opacity: of the colour, from 0 to 1.

    Raises:
        ParameterError: the opacity is out of its bounds.
        ContractError: the sizes differ.
    """
    _check_share("opacity", opacity)
    check_sizes(image, *masks)
    boxes = [tight_box(mask) for mask in masks]
    order = sorted(range(len(masks)), key=lambda index: -_area(boxes[index]))
    top = np.zeros(image.shape[:2], np.uint8)
    for index in order:
        x0, y0, x1, y1 = boxes[index]
        top[y0:y1, x0:x1][masks[index, y0:y1, x0:x1]] = 1 + int(labels[index]) % len(COLOURS)
    shown = _tinted(image, top, opacity)
    for index in order:
        if _area(boxes[index]):
            _draw_outline(shown, masks[index], boxes[index], int(labels[index]))
    return shown


def mask_picture(mask: Mask) -> Image:
    """A mask white on black, ``uint8 (H, W, 3)``: each channel as the mask is written to a file."""
    return np.asarray(cv2.cvtColor(pictures.mask_pixels(mask), cv2.COLOR_GRAY2RGB), np.uint8)


def cut_out(image: Image, alpha: Mask | Floats, background: str = "none") -> Image | Rgba:
    """The picture inside a mask or a soft map.

    Args:
        image: ``(H, W, 3)``.
        alpha: ``(H, W)``: a mask, or probabilities from 0 to 1.
        background: "none" = transparent, "checker", "white", "black" or ``#rrggbb``.

    Returns:
        RGBA with straight alpha for "none", colours wiped where nothing of them is seen; else RGB. The colours of a
        soft edge are those of the picture: what shines through from its own background is not taken out.

    Raises:
        ParameterError: no such background.
        ContractError: the sizes differ.
    """
    check_sizes(image, alpha)
    if alpha.dtype == np.bool_:
        return _cut_out_hard(image, alpha.astype(np.bool_, copy=False), background)
    soft = levels(cast(Floats, alpha))
    if background == "none":
        return np.dstack((np.where(soft[..., np.newaxis] > 0, image, 0), soft)).astype(np.uint8)
    ground = _ground(image, background)
    between = (soft > 0) & (soft < 255)
    ground_there = ground[between]
    shown = np.asarray(cv2.copyTo(image, soft, ground), np.uint8)
    share = soft[between][:, np.newaxis].astype(np.uint16)
    total = image[between] * share + ground_there * (np.uint16(255) - share) + np.uint16(127)
    shown[between] = total // np.uint16(255)
    return shown


def _cut_out_hard(image: Image, mask: Mask, background: str) -> Image | Rgba:
    if background == "none":
        return pictures.cut_out(image, mask)
    return np.asarray(cv2.copyTo(image, pictures.mask_pixels(mask), _ground(image, background)), np.uint8)


def soft_picture(soft: Floats, colours: Literal["even", "grey"] = "even") -> Image:
    """A map of probabilities as a picture ``uint8 (H, W, 3)``.

    Args:
        soft: ``(H, W)`` from 0 to 1.
        colours: "grey", or "even": cividis, whose steps look alike to colour-blind eyes as well (Nuñez, Anderton and
            Renslow, PLOS ONE 2018).
    """
    found = levels(soft)
    if colours == "grey":
        return np.asarray(cv2.cvtColor(found, cv2.COLOR_GRAY2RGB), np.uint8)
    return cividis(found)


def cividis(values: npt.NDArray[np.uint8]) -> Image:
    """Levels ``uint8 (H, W)`` as colours from dark blue to yellow."""
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(values, cv2.COLORMAP_CIVIDIS), cv2.COLOR_BGR2RGB), np.uint8)


def wipe(before: Image, after: Image, share: float) -> Image:
    """One picture left of a line and another right of it.

    Args:
        before: ``(H, W, 3)``.
        after: of the same size.
        share: of the width that is left of the line, from 0 to 1.

    Raises:
        ParameterError: the share is out of its bounds.
        ContractError: the sizes differ.
    """
    _check_share("share", share)
    check_sizes(before, after)
    at = round(share * before.shape[1])
    shown = np.concatenate((before[:, :at], after[:, at:]), axis=1)
    if 0 < at < before.shape[1]:
        half = thickness(before)
        shown[:, max(0, at - half - 1) : at + half + 1] = 0
        shown[:, max(0, at - half) : at + half] = 255
    return shown


def thickness(image: npt.NDArray[Any]) -> int:
    """Of a line in a picture of this size, in pixels."""
    height, width = image.shape[:2]
    return max(1, round(int(max(height, width)) / LINES_PER_SIDE))


def check_sizes(first: npt.NDArray[Any], *others: npt.NDArray[Any]) -> None:
    """Make sure that all are of one ``(H, W)``.

    Raises:
        ContractError: they are not.
    """
    for other in others:
        if other.shape[:2] != first.shape[:2]:
            raise ContractError(f"A picture of {first.shape[:2]} came with another of {other.shape[:2]}.",
                                "Give those of one image.")  # fmt: skip


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ParameterError(f"The {name} is {value}.", "Give 0 to 1.")


def _area(box: tuple[int, int, int, int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _tinted(image: Image, top: npt.NDArray[np.uint8], opacity: float) -> Image:
    """The picture mixed with the colours of a map, 0 = none, 1 = the first."""
    table = np.zeros((1, 256, 3), np.uint8)
    table[0, 1 : 1 + len(COLOURS)] = [rgb(colour) for colour in COLOURS]
    colours = cv2.LUT(cv2.cvtColor(top, cv2.COLOR_GRAY2RGB), table)
    mixed = cv2.addWeighted(image, 1 - opacity, colours, opacity, 0)
    return np.asarray(cv2.copyTo(mixed, top, image.copy()), np.uint8)


def _draw_outline(shown: Image, mask: Mask, box: tuple[int, int, int, int], label: int) -> None:
    """A line in the colour along the inside of the edge, and one of white and black dashes along its outside."""
    line = thickness(shown)
    height, width = mask.shape
    x0, y0, x1, y1 = max(0, box[0] - line), max(0, box[1] - line), min(width, box[2] + line), min(height, box[3] + line)
    inside = np.pad(mask[y0:y1, x0:x1].view(np.uint8), line)  # an edge of the picture is an edge of the mask
    block = np.ones((2 * line + 1, 2 * line + 1), np.uint8)
    thick, thin = (change(inside, block)[line:-line, line:-line] for change in (cv2.dilate, cv2.erode))
    here, inside = shown[y0:y1, x0:x1], inside[line:-line, line:-line]
    here[(inside > 0) & (thin == 0)] = rgb(colour_of(label))
    rim = (thick > 0) & (inside == 0)
    dash = DASHES[label % len(DASHES)] * line
    here[rim] = 255
    if dash:
        rows, columns = np.ogrid[y0:y1, x0:x1]
        here[rim & ((rows + columns) % (2 * dash) < dash)] = 0


def _ground(image: Image, background: str) -> Image:
    if background != "checker":
        return np.full_like(image, rgb(_background(background)))
    height, width = image.shape[:2]
    square = max(4, max(height, width) // _SQUARES_PER_SIDE)
    rows, columns = np.arange(height)[:, np.newaxis] // square, np.arange(width) // square
    grey = np.where((rows + columns) % 2, *map(np.uint8, _CHECKER)).astype(np.uint8)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def _background(name: str) -> str:
    colour = _PLAIN.get(name, name)
    if not _HEX.fullmatch(colour):
        raise ParameterError(f"There is no background {name[:20]!r}.",
                             "Give none, checker, white, black or a colour such as #0072b2.")  # fmt: skip
    return colour
