"""Masks by declared colours: the table from colour to id, VOC's colour map, and when a palette is decoration."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

Rgb = tuple[int, int, int]
Ids = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
MOST_IDS = 65536


@cache
def voc_colours() -> tuple[Rgb, ...]:
    """The 256 colours of PASCAL VOC's colour map, by their rule.

    Bits 0, 3 and 6 of the id are the highest three bits of red, from the highest down; bits 1, 4 and 7 those of green;
    bits 2 and 5 those of blue. Source: ``VOClabelcolormap.m`` of the VOC development kit.
    """

    def channel(number: int, first: int) -> int:
        return sum((number >> (3 * step + first) & 1) << (7 - step) for step in range(8))

    return tuple((channel(i, 0), channel(i, 1), channel(i, 2)) for i in range(256))


def is_decoration(palette: npt.NDArray[np.uint8], used: npt.NDArray[np.intp], table: Mapping[Rgb, int]) -> bool:
    """Whether the colours of a palette say nothing, so that its indices are the ids.

    Tools put VOC's colour map, or grey in steps of 1, under any ids. Such colours count only where those that are
    declared are all taken from the same map; any other palette is taken at its colours.

    Args:
        palette: ``(n, 3)``.
        used: indices that occur.
        table: colour → id, as declared.
    """
    entries = [tuple(palette[i].tolist()) for i in used if i < len(palette)]
    for known in (voc_colours(), tuple((i, i, i) for i in range(256))):
        if entries == [known[i] for i in used if i < len(palette)]:
            return not set(table) <= set(known)
    return len(entries) < len(used)


def by_table(codes: npt.NDArray[np.intp], table: Mapping[Rgb, int]) -> tuple[Ids, Rgb | None]:
    """Colours as the ids that were declared for them.

    Args:
        codes: colours as ``R << 16 | G << 8 | B``, of any shape.
        table: colour → id from 0 to 65535.

    Returns:
        The ids in the same shape, and a colour that the table lacks, or None.
    """
    lookup = np.zeros(1 << 24, np.uint32)  # id + 1; pages that no declared colour lies in are never touched
    for (r, g, b), id_ in table.items():
        lookup[r << 16 | g << 8 | b] = id_ + 1
    found = lookup[codes]
    if not found.all():
        code = int(codes[found == 0].min())
        return np.zeros(codes.shape, np.uint8), (code >> 16, code >> 8 & 255, code & 255)
    found -= 1
    return found.astype(np.uint8) if max(table.values()) < 256 else found.astype(np.uint16), None
