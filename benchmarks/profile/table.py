"""The looks of all samples as columns of numbers, which stays small however many there are."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.leaks.fingerprints import Fingerprint
from benchmarks.profile.looks import Fault, Look
from benchmarks.profile.mask_files import MaskFileLook
from benchmarks.profile.masks import GRID, MaskLook

Column = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClassCount:
    """How often a class occurs.

    Attributes:
        images: samples that it is in.
        objects: its objects in all of them.
        pixels: their pixels.
    """

    images: int = 0
    objects: int = 0
    pixels: int = 0


class Table:
    """What was seen of all samples, one row each, in the order in which they were added.

    A row takes some 3 kB, of which 1.5 are its fingerprint; no picture and no mask is kept.

    Attributes:
        ids: of the samples.
        groups: unit that is resampled.
        splits: declared split of each, or None.
        read: whether the dataset's reader takes it.
        has_truth: whether it should have masks.
        prints: what each picture is known by, or None.
        outlines: foreground on a grid of 32 x 32, as bits, or None.
        mask_files: what the mask file holds; None where there is no file.
        faults: what a sample shows by itself, by row.
        modes: of the pictures' files, with their number; likewise formats, sizes and cameras.
        exif: pictures with EXIF; `turned`: those that it turns.
        classes: label → how often it occurs.
        together: pairs of labels → samples that both are in.
        size_classes: objects that are small, medium and large, in pixels and relative to the picture ``(2, 3)``.
        pixels: of all samples with masks.
        notes: what a reader has to know of how it was looked at, in sentences.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.groups: list[str] = []
        self.splits: list[str | None] = []
        self.read, self.has_truth = array("b"), array("b")
        self.prints: list[Fingerprint | None] = []
        self.outlines: list[bytes | None] = []
        self.mask_files: list[MaskFileLook | None] = []
        self.faults: dict[int, tuple[Fault, ...]] = {}
        self.modes, self.formats, self.cameras = Counter[str](), Counter[str](), Counter[str]()
        self.sizes = Counter[tuple[int, int]]()
        self.exif = self.turned = self.pixels = 0
        self.classes: dict[str, ClassCount] = {}
        self.together = Counter[tuple[str, str]]()
        self.size_classes = np.zeros((2, 3), np.int64)
        self.notes: list[str] = []
        self._shares, self._masked = np.zeros((GRID, GRID)), 0
        self._columns: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self._known_files: dict[MaskFileLook, MaskFileLook] = {}

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, looks: Iterable[Look]) -> Table:
        """The table of looks, each of which is let go."""
        table = cls()
        for one in looks:
            table.append(one)
        return table

    def append(self, one: Look) -> None:
        """Add a row."""
        row = len(self)
        self.ids.append(one.id)
        self.groups.append(one.group)
        self.splits.append(one.split)
        self.read.append(one.read)
        self.has_truth.append(one.has_truth)
        self.prints.append(one.print)
        self.outlines.append(_bits(one.mask) if one.mask else None)
        self.mask_files.append(self._known_files.setdefault(one.mask_file, one.mask_file) if one.mask_file else None)
        if one.faults:
            self.faults[row] = one.faults
        for name, value in one.numbers.items():
            self._fill(name, row)
            self._columns[name].append(value)
        self._count_file(one)
        if one.mask:
            self._count_mask(one.mask, one.numbers)

    def _fill(self, name: str, upto: int) -> None:
        column = self._columns[name]
        column.extend([np.nan] * (upto - len(column)))

    def _count_file(self, one: Look) -> None:
        if "width_px" in one.numbers:
            self.sizes[int(one.numbers["width_px"]), int(one.numbers["height_px"])] += 1
        if one.file:
            self.modes[one.file.mode] += 1
            self.formats[one.file.format] += 1
            self.exif += one.file.exif
            self.turned += one.file.turned
            self.cameras.update([one.file.camera] if one.file.camera else [])

    def _count_mask(self, mask: MaskLook, numbers: Mapping[str, float]) -> None:
        self._shares += mask.shares
        self._masked += 1
        self.size_classes += mask.sizes
        self.pixels += mask.pixels
        for label, (objects, pixels) in mask.classes.items():
            old = self.classes.get(label, ClassCount())
            self.classes[label] = ClassCount(old.images + 1, old.objects + objects, old.pixels + pixels)
            self.together.update((label, other) for other in mask.classes)

    def column(self, name: str) -> Column:
        """One number of every row, ``float64 (N,)``; NaN where a sample has none."""
        if name not in self._columns:
            return np.full(len(self), np.nan)
        self._fill(name, len(self))
        return np.array(self._columns[name])

    def outline(self, row: int) -> npt.NDArray[np.bool_] | None:
        """Where more than half of a cell is foreground, ``bool (32, 32)``; None where there is no mask."""
        packed = self.outlines[row]
        if packed is None:
            return None
        return np.unpackbits(np.frombuffer(packed, np.uint8)).reshape(GRID, GRID).astype(np.bool_)

    def position(self) -> npt.NDArray[np.float64] | None:
        """Mean share of foreground over samples with masks, ``(32, 32)``; None where there are none."""
        return self._shares / self._masked if self._masked else None


def _bits(mask: MaskLook) -> bytes:
    return np.packbits(mask.shares >= 0.5).tobytes()
