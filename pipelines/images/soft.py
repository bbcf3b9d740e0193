"""Whether a map of values has blended edges, and therefore holds no ids."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.images.samples import BAND_ROWS

LOWEST = 32 / 255
"""Of the whole range: values below are small ids, such as the classes of VOC, and never make a map soft."""

HALF = 128 / 255
"""A map whose highest value is below has no white to blend towards."""

RAMP_VALUES, RAMP_STEP, RAMP_SHARE = 16, 3, 0.8
FEW_COLOURS = 3


def is_blended(values: npt.NDArray[np.integer[Any]], top: int | None) -> bool:
    """Whether the map is anti-aliased, blurred or a ramp.

    A pixel lies **in the band** if no 3 x 3 block of its own value covers it, and within two pixels there are both a
    lower and a higher value. Edges that were blended consist of such pixels; objects do not, unless they are tiny and
    touch others on both sides. A value is a band value if most of its pixels lie in the band.

    - Grey: soft if at least half of the values between the lowest and the highest, those under 32 left out, are band
      values; only where the highest is at least 128 (both on the scale of 8 bits).
    - Colour: soft if at least half of the colours between the first and the last are band colours, and three or more.
    - Grey with more than 16 values: also soft if at least four fifths of the steps between unlike neighbours are 3 or
      less (on the scale of 8 bits), as in a ramp whose levels are wide.

    Args:
        values: ``(H, W)``, uint8 or uint16. Colours as their rank in the order of (R, G, B): a blend lies between.
        top: the value of white; None for colours.
    """
    ends = (values == values.min()) | (values == values.max())
    if ends.all():  # two values, as most masks have, and a count of all values costs ten times this
        return False
    counts = _counts(values)
    found = np.flatnonzero(counts)
    between = found[1:-1]
    if top is not None:
        if found[-1] < HALF * top:
            return False
        between = between[between >= LOWEST * top]
    if not len(between):
        return False
    if top is not None and len(found) > RAMP_VALUES and _is_ramp(values, RAMP_STEP * top / 255):
        return True
    in_band = np.bincount(values[_band(values)], minlength=len(counts))
    banded = int((2 * in_band[between] > counts[between]).sum())
    return 2 * banded >= len(between) and banded >= (FEW_COLOURS if top is None else 1)


def _counts(values: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.intp]:
    length = int(values.max()) + 1
    total = np.zeros(length, np.intp)
    for band in np.array_split(values.ravel(), max(1, values.size >> 20)):  # it counts in 64 bits: not all at once
        total += np.bincount(band, minlength=length)
    return total


def _band(values: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
    import cv2  # loaded only for maps with values between

    block = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(values, block), cv2.dilate(values, block)
    covered = cv2.dilate((low == high).astype(np.uint8), block).astype(np.bool_)
    result: npt.NDArray[np.bool_] = ~covered & (cv2.erode(low, block) < values) & (values < cv2.dilate(high, block))
    return result


def _is_ramp(values: npt.NDArray[np.integer[Any]], step: float) -> bool:
    unlike = small = 0
    for row in range(0, len(values), BAND_ROWS):
        band = values[row : row + BAND_ROWS + 1].astype(np.int32)  # with the next row, for the step down to it
        for difference in (np.abs(np.diff(band, axis=0)), np.abs(np.diff(band[:BAND_ROWS], axis=1))):
            unlike += int(np.count_nonzero(difference))
            small += int(np.count_nonzero((difference > 0) & (difference <= step)))
    return unlike > 0 and small >= RAMP_SHARE * unlike
