"""Where the target masks of a sample come from: files with one value a pixel, or outlines that are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks.datasets.paths import file_hash, text_hash
from benchmarks.datasets.sample import FOREGROUND, Truth, truth_of_ids
from pipelines.errors import DatasetError, ImageError

Fault = tuple[str, str]
"""Reason and cure."""


class Target(Protocol):
    """The masks of one sample, decoded on use. Must survive pickling, and hold little."""

    def check(self, size: tuple[int, int], root: Path) -> Fault | None:
        """What is wrong with it for a picture of ``(H, W)``, found without decoding; None if nothing."""

    def read(self) -> Truth:
        """The masks; raises ImageError where a file is refused."""

    def hash(self) -> str:
        """sha256 of everything that decides the masks."""


@dataclass(frozen=True)
class MaskFiles:
    """Mask files by label; ids above 0 are foreground of the label.

    Attributes:
        files: label → file.
        threshold: 1 to 255 where the dataset declares it, for soft masks.
    """

    files: Mapping[str, Path]
    threshold: int | None = field(default=None)

    def check(self, size: tuple[int, int], root: Path) -> Fault | None:
        """A file that is refused, or one of another size than the picture."""
        for path in self.files.values():
            fault = mask_file_fault(path, size, root)
            if fault:
                return fault
        return None

    def read(self) -> Truth:
        """Masks by label, by the rule of :func:`truth_of_ids`."""
        from pipelines.images import OWN_FOLDER, load_mask

        return truth_of_ids({label: load_mask(path, OWN_FOLDER, self.threshold) for label, path in self.files.items()})

    def hash(self) -> str:
        """Of the file alone, or with labels and threshold where there are any."""
        if list(self.files) == [FOREGROUND] and self.threshold is None:
            return file_hash(self.files[FOREGROUND])
        parts: Sequence[str] = [part for label, path in sorted(self.files.items()) for part in (label, file_hash(path))]
        return text_hash(*parts, str(self.threshold))


def mask_file_fault(path: Path, size: tuple[int, int], root: Path) -> Fault | None:
    """Why a mask file does not fit a picture of ``(H, W)``, by its header alone."""
    name = str(path.relative_to(root))
    try:
        other = header_size(path)
    except DatasetError as error:
        return f"{name} is refused: {error.message}", f"{error.cure} Or remove it from the dataset."
    if other == size:
        return None
    (h, w), (mask_h, mask_w) = size, other
    reason = f"the picture is {w} x {h} and its mask {name} is {mask_w} x {mask_h} pixels."
    turned = "The picture is read upright, as its EXIF rotation says: turn the mask too. " if other == (w, h) else ""
    return reason, f"{turned}Masks are never resized: make it again at the picture's size."


def header_size(path: Path) -> tuple[int, int]:
    """``(H, W)`` of a file, upright, by its header.

    Raises:
        DatasetError: it is no picture, or cannot be opened.
    """
    from pipelines.images import OWN_FOLDER, image_size

    try:
        return image_size(path, OWN_FOLDER)
    except ImageError as error:
        raise DatasetError(error.message, error.cure) from error
    except OSError as error:
        raise DatasetError(f"it cannot be opened ({error.strerror}).", "Correct its permissions.") from error
