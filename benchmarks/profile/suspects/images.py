"""Pictures that stand out: tiny, of an odd shape or size, dark, light, blurry, or of nearly nothing.

Each has a limit of its own that no good picture passes, and a looser one for what lies far from the other pictures.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.profile.suspects import Suspect
from benchmarks.profile.suspects.usual import Column, rows_of, usual
from benchmarks.profile.table import Table

TINY_SIDE_PX, TINY_OF_USUAL = 32, 0.15
ODD_ASPECT, ODD_SIZE = np.log(1.8), np.log(2.8)
"""Least logarithms of the ratio to the usual aspect, and to the usual side."""

FAR, FAR_SHAPE, FAR_FROM_MIXED = 5.0, 3.5, 2.0
DARK, RATHER_DARK, LIGHT, RATHER_LIGHT = 0.30, 0.42, 0.62, 0.45
"""Luma that 99 of 100 pixels of a dark picture are below, or of a light one above."""

DIM, BRIGHT, BURNT = 0.2, 0.85, 0.45
"""Mean luma of a picture that is dark or light whatever its few lights and shadows; share of white that is too much."""

OFTEN_LIT, OFTEN_SHADED = 0.35, 0.70
"""Mean luma of the usual picture of a dataset in which such a one stands out."""

FLAT, FLAT_OF_LIGHT, NOTHING = 0.02, 0.06, 0.004
BLURRED, SHARP_ENOUGH = 0.55, 0.45


def find(table: Table) -> Iterator[Suspect]:
    """Suspects among pictures; of several that one sample could be, all."""
    yield from _tiny(table)
    yield from _odd(table)
    yield from _flat(table)
    yield from _dark(table)
    yield from _light(table)
    yield from _blurry(table)


def _sides(table: Table) -> Column:
    """Square root of the number of pixels, as a logarithm."""
    return 0.5 * np.log(table.column("width_px") * table.column("height_px"))


def _tiny(table: Table) -> Iterator[Suspect]:
    wide, high, sides = table.column("width_px"), table.column("height_px"), _sides(table)
    common = usual(sides, 0.05)
    if common is None:
        return
    small = (np.exp(sides - common.middle) < TINY_OF_USUAL) & (common.distance(sides) < -FAR)
    narrow = np.abs(np.log(wide / high)) > np.log(3)  # a strip is odd, and not tiny
    thin = (np.fmin(wide, high) < TINY_SIDE_PX) & (sides < common.middle - np.log(2))
    side = np.exp(common.middle)
    below = (np.fmax(wide, high) < TINY_SIDE_PX) & (side > TINY_SIDE_PX)  # there are datasets of small pictures
    for row in rows_of((thin | small) & ~narrow | below):
        yield Suspect("image_tiny", table.ids[row], f"It is {wide[row]:.0f} x {high[row]:.0f} pixels, while the usual "
                      f"picture has about as many as one of {side:.0f} x {side:.0f}.",
                      figure={"width_px": wide[row], "height_px": high[row]})  # fmt: skip


def _odd(table: Table) -> Iterator[Suspect]:
    aspect, sides = np.log(table.column("aspect")), _sides(table)
    shape, size = usual(np.abs(aspect), 0.1), usual(sides, 0.1)  # upright or lying is one shape
    if shape is None or size is None:
        return
    common = float(np.nanpercentile(np.abs(aspect), 75))  # many datasets have pictures of two or three shapes
    odd_shape = (np.abs(aspect) - common > ODD_ASPECT) & (shape.distance(np.abs(aspect)) > FAR_FROM_MIXED)
    odd_size = (np.abs(sides - size.middle) > ODD_SIZE) & (np.abs(size.distance(sides)) > FAR)
    for row in rows_of(odd_shape | odd_size):
        wide, high = table.column("width_px")[row], table.column("height_px")[row]
        usually = f"{np.exp(shape.middle):.2f} or {np.exp(-shape.middle):.2f}"
        what = f"Its sides are {np.exp(sides[row] - size.middle):.2f} times the usual ones"
        what = f"Its aspect is {wide / high:.2f}, the usual one {usually}" if odd_shape[row] else what
        yield Suspect("image_odd_size", table.ids[row], f"{what}: it is {wide:.0f} x {high:.0f} pixels.",
                      figure={"width_px": wide, "height_px": high})  # fmt: skip


def _flat(table: Table) -> Iterator[Suspect]:
    """Little structure for its light, whatever the noise: a dark picture of something keeps its relations."""
    structure, entropy, mean = table.column("structure"), table.column("entropy"), table.column("brightness")
    room = np.fmin(mean, 1 - mean)
    nothing = (structure < NOTHING) | (structure < FLAT) & (structure < FLAT_OF_LIGHT * room)
    for row in rows_of(nothing):
        yield Suspect("image_low_information", table.ids[row], f"Made small its luma varies by {structure[row]:.2%} of "
                      f"white, and its histogram holds {entropy[row]:.1f} bits.",
                      figure={"structure": structure[row], "entropy": entropy[row]})  # fmt: skip


def _dark(table: Table) -> Iterator[Suspect]:
    top, mean = table.column("luma_p99"), table.column("brightness")
    common, lit = usual(top, 0.03), usual(mean, 0.03)
    if common is None or lit is None or common.middle < DARK:
        return
    dim = (mean < DIM) & (lit.middle > OFTEN_LIT)
    for row in rows_of((top < DARK) | (top < RATHER_DARK) & (common.distance(top) < -FAR_SHAPE) | dim):
        yield Suspect("image_dark", table.ids[row], f"Its mean luma is {mean[row]:.2f}, where white is 1, and 99 of "
                      f"100 pixels are below {top[row]:.2f}; usual are {lit.middle:.2f} and {common.middle:.2f}.",
                      figure={"luma_p99": top[row], "brightness": mean[row]})  # fmt: skip


def _light(table: Table) -> Iterator[Suspect]:
    low, mean, clipped = table.column("luma_p1"), table.column("brightness"), table.column("clipped_light")
    bright, burnt, lowest = usual(mean, 0.03), usual(clipped, 0.02), usual(low, 0.03)
    if bright is None or burnt is None or lowest is None or bright.middle > 0.9:
        return
    burnt_out = (clipped > BURNT) & (burnt.distance(clipped) > FAR)
    glaring = (mean > BRIGHT) & (bright.middle < OFTEN_SHADED)
    veiled = (low > RATHER_LIGHT) & (lowest.distance(low) > FAR_SHAPE)
    for row in rows_of((low > LIGHT) | burnt_out | veiled | glaring):
        yield Suspect("image_light", table.ids[row], f"Its mean luma is {mean[row]:.2f}, where white is 1, and "
                      f"{clipped[row]:.0%} of its pixels are white; usual are {bright.middle:.2f} and "
                      f"{burnt.middle:.0%}.",
                      figure={"luma_p1": low[row], "brightness": mean[row], "clipped_light": clipped[row]})  # fmt: skip


def _blurry(table: Table) -> Iterator[Suspect]:
    blur = table.column("blur")
    common = usual(blur, 0.02)
    if common is None:
        return
    beyond = (blur > BLURRED) & (common.distance(blur) > 3) | (blur > SHARP_ENOUGH) & (common.distance(blur) > FAR)
    for row in rows_of(beyond):
        yield Suspect("image_blurry", table.ids[row], f"Its blur is {blur[row]:.2f} of 1, that of the usual picture "
                      f"{common.middle:.2f}.", figure={"blur": blur[row]})  # fmt: skip
