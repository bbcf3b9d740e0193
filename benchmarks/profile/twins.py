"""Which samples show the same picture: the same bytes, or copies that are proven by laying one over the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.datasets import Dataset
from benchmarks.leaks.pairs import within
from benchmarks.profile.alike import Grey, agreement, overlay, reduced
from benchmarks.profile.copies import Candidate, cut_copies
from benchmarks.profile.table import Table

PROVEN = 0.8
"""Least correlation of details; that of copies of photographs is 0.84 at least, of others 0.71 at most."""

SURELY_SAME = 0.9
"""Likeness from which it is no other photograph of the same scene."""

SURE = 0.95
"""Cosine of low waves that is believed where pictures cannot be looked at once more."""

SAME_MASK, NEARLY_SAME_MASK, ROUGHLY_SAME_MASK = 0.9, 0.8, 0.6
"""Least IoU of masks of the same bytes, of near copies, and where only grids of 32 x 32 are left of them."""

MOST_PROOFS = 4000
KEPT = 64
_WHOLE = (0.0, 0.0, 1.0)
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Copy:
    """Two rows with the same picture.

    Attributes:
        original: row of the one.
        copy: row of the other.
        exact: whether the files are the same, byte for byte.
        likeness: of the pictures.
        masks: IoU of their masks; None where one has none.
    """

    original: int
    copy: int
    exact: bool
    likeness: float
    masks: float | None = None

    @property
    def conflict(self) -> bool:
        """Whether the masks differ more than copying explains."""
        sure = self.exact or self.likeness >= SURELY_SAME  # of two photographs of one scene the masks do differ
        return sure and self.masks is not None and self.masks < (SAME_MASK if self.exact else NEARLY_SAME_MASK)


def copies(dataset: Dataset, table: Table, *, verify: bool, doubtful: Collection[int] = ()) -> list[Copy]:
    """Enough pairs to link all copies of each picture, each with one that lies nearer to the largest and first of them.

    Near copies within one group are left out: several photographs of one scene are wanted.

    Args:
        dataset: to look at pictures and masks once more.
        table: of its samples.
        verify: whether to.
        doubtful: rows that are better left out than others; of each picture another one comes first.

    Returns:
        Pairs in the order of the rows of `Copy.copy`, of which each is there once.
    """
    rows = [row for row, one in enumerate(table.prints) if one is not None]
    links, closer = _Links(len(table)), _Closer(dataset, table)
    exact, alone = _exact(table, rows)
    found = [_with_masks(table, links.join(pair), closer if verify else None) for pair in exact]
    tried = 0
    for candidate in _candidates(table, alone):
        if links.joined((candidate.whole, candidate.part)) or _of_one_group(table, candidate):
            continue
        if tried >= MOST_PROOFS:
            table.notes.append(f"More pictures look alike than are compared: after {MOST_PROOFS} pairs no further copy "
                               "was looked for, but for files of the same bytes.")  # fmt: skip
            break
        tried += 1
        near = _proven(table, candidate, closer) if verify else _believed(table, candidate)
        if near is not None:
            found.append(links.join(near))
    return _from_the_first(table, found, doubtful)


def _of_one_group(table: Table, one: Candidate) -> bool:
    return table.groups[one.whole] == table.groups[one.part]


def _from_the_first(table: Table, found: Sequence[Copy], doubtful: Collection[int]) -> list[Copy]:
    """The same links, each from what lies nearer to the first picture of its cluster."""
    neighbours: dict[int, list[Copy]] = defaultdict(list)
    for link in found:
        neighbours[link.original].append(link)
        neighbours[link.copy].append(link)
    seen, turned = set[int](), list[Copy]()
    for first in sorted(neighbours, key=lambda row: (row in doubtful, *_rank(table, row))):
        waiting = [] if first in seen else [first]
        seen.add(first)
        for row in waiting:  # it grows while it is gone through
            for link in neighbours[row]:
                other = link.copy if link.original == row else link.original
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
                    turned.append(replace(link, original=row, copy=other))
    return sorted(turned, key=lambda link: link.copy)


class _Links:
    """Which rows are known to be copies of each other."""

    def __init__(self, n: int) -> None:
        self.parent = list(range(n))

    def root(self, row: int) -> int:
        while self.parent[row] != row:
            self.parent[row] = self.parent[self.parent[row]]
            row = self.parent[row]
        return row

    def joined(self, pair: tuple[int, int]) -> bool:
        return self.root(pair[0]) == self.root(pair[1])

    def join(self, found: Copy) -> Copy:
        self.parent[self.root(found.copy)] = self.root(found.original)
        return found


def _exact(table: Table, rows: list[int]) -> tuple[list[Copy], list[int]]:
    """Copies of the same bytes, and one row of each picture."""
    first: dict[str, int] = {}
    found = []
    for row in rows:
        one = table.prints[row]
        before = first.setdefault(one.sha256 if one else "", row)
        if before != row:
            found.append(Copy(before, row, True, 1.0))
    return found, list(first.values())


def _candidates(table: Table, rows: list[int]) -> list[Candidate]:
    """Pairs of rows that may be near copies, the likeliest first."""
    prints = [one for row in rows if (one := table.prints[row]) is not None]
    small = [Candidate(pair.first, pair.second, _WHOLE, pair.likeness) for pair in within(prints)]
    found = sorted([*small, *cut_copies(prints)], key=lambda one: -one.likeness)
    return [Candidate(rows[one.whole], rows[one.part], one.window, one.likeness) for one in found]


def _rank(table: Table, row: int) -> tuple[int, int]:
    """What is least for the picture of most pixels, and of as many for the earliest."""
    one = table.prints[row]
    return -(one.size[0] * one.size[1]) if one else 0, row


class _Closer:
    """Looks once more at pictures and masks; the last few pictures are kept, since candidates share them."""

    def __init__(self, dataset: Dataset, table: Table) -> None:
        self.dataset, self.table = dataset, table
        self.pictures: dict[int, Grey] = {}

    def picture(self, row: int) -> Grey:
        """The luma of a row's picture, from `reduced`; raises ImageError."""
        if row not in self.pictures:
            if len(self.pictures) >= KEPT:
                del self.pictures[next(iter(self.pictures))]
            image = self.dataset[self.table.ids[row]].read_image()
            self.pictures[row] = reduced(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8))
        return self.pictures[row]

    def masks(self, rows: Sequence[int]) -> list[Mask] | None:
        """The masks of rows; None where one has none that can be read."""
        if any(self.table.outlines[row] is None for row in rows):
            return None
        masks = [self.dataset[self.table.ids[row]].target() for row in rows]
        return [mask for mask in masks if mask is not None]


def _with_masks(table: Table, found: Copy, closer: _Closer | None) -> Copy:
    """Copies of the same bytes with the IoU of their masks, which rough outlines tell where these are equal."""
    rough = _rough(table, found.original, found.copy)
    if rough is None:
        return found
    masks = closer.masks((found.original, found.copy)) if closer and rough < 1 else None
    if masks is not None and masks[0].shape == masks[1].shape:
        return replace(found, masks=iou(masks[0], masks[1]))
    return replace(found, masks=1.0 if rough >= ROUGHLY_SAME_MASK else rough)


def _rough(table: Table, first: int, second: int) -> float | None:
    outlines = table.outline(first), table.outline(second)
    return None if outlines[0] is None or outlines[1] is None else iou(outlines[0], outlines[1])


def iou(first: Mask, second: Mask) -> float:
    """Intersection over union of two masks of one size; 1 where both are empty."""
    either = int(np.count_nonzero(first | second))
    return int(np.count_nonzero(first & second)) / either if either else 1.0


def _believed(table: Table, found: Candidate) -> Copy | None:
    """The pair, if small copies alone are proof enough."""
    if found.window != _WHOLE:
        return Copy(found.whole, found.part, False, found.likeness) if found.likeness >= SURE else None
    rough = _rough(table, found.whole, found.part)
    masks = rough if rough is None or rough < ROUGHLY_SAME_MASK else 1.0
    return Copy(found.whole, found.part, False, found.likeness, masks)


def _proven(table: Table, candidate: Candidate, closer: _Closer) -> Copy | None:
    """The pair, if the pictures themselves agree."""
    whole, part = closer.picture(candidate.whole), closer.picture(candidate.part)
    found = overlay(whole, part, candidate.window)
    if found is None or found.likeness < PROVEN:
        return None
    masks = closer.masks((candidate.whole, candidate.part))
    agree = None if masks is None else agreement(masks[0], masks[1], found, (whole.shape, part.shape))
    return Copy(candidate.whole, candidate.part, False, found.likeness, agree)
