"""Where the target masks of a sample come from: files with one value a pixel, or outlines that are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks.datasets.meaning import Meaning, truth_of
from benchmarks.datasets.paths import file_hash, text_hash
from benchmarks.datasets.sample import FOREGROUND, Truth
from pipelines.errors import DatasetError, ImageError, ImageFormatError

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
    """Mask files by label; what their ids stand for is declared, or else ids above 0 are foreground of the label.

    Attributes:
        files: label → file.
        threshold: 1 to 255 where the dataset declares it, for soft masks.
        meaning: what the dataset declares of ids; None = nothing.
    """

    files: Mapping[str, Path]
    threshold: int | None = field(default=None)
    meaning: Meaning | None = field(default=None)

    def check(self, size: tuple[int, int], root: Path) -> Fault | None:
        """A file that is refused, or one of another size than the picture."""
        for path in self.files.values():
            fault = mask_file_fault(path, size, root)
            if fault:
                return fault
        return None

    def read(self) -> Truth:
        """Masks by label or class, by the rule of :func:`.meaning.truth_of`."""
        return read_masks(self.files, self.threshold, self.meaning)

    def hash(self) -> str:
        """Of the file alone, or with labels, threshold and declarations where there are any."""
        return hash_masks({label: file_hash(path) for label, path in self.files.items()}, self.threshold, self.meaning)


def read_masks(sources: Mapping[str, Path | bytes], threshold: int | None, meaning: Meaning | None) -> Truth:
    """Masks from files or their bytes, by label.

    Raises:
        ImageError: a file is refused, or holds an id or a colour that is not declared; the message says where the
            declaration is to be found.
    """
    from pipelines.images import OWN_FOLDER, load_mask

    colours = meaning.colours if meaning and threshold is None else None
    keep = meaning is not None and meaning.keep_indices
    try:
        return truth_of({label: load_mask(source, OWN_FOLDER, threshold, colours, keep_indices=keep)
                         for label, source in sources.items()}, meaning)  # fmt: skip
    except ImageFormatError as error:
        if meaning is None or "declare" not in error.message:
            raise
        paths = [source.name for source in sources.values() if isinstance(source, Path)]
        message = error.message.replace("The mask holds", f"{paths[0]!r} holds") if len(paths) == 1 else error.message
        raise ImageFormatError(message, f"{error.cure} Declarations are in {meaning.where}.") from error


def hash_masks(hashes: Mapping[str, str], threshold: int | None, meaning: Meaning | None) -> str:
    """sha256 of masks: that of a lone file as it is, or with labels, threshold and declarations where there are any.

    Args:
        hashes: label → sha256 of the bytes.
        threshold: as declared.
        meaning: as declared.
    """
    if list(hashes) == [FOREGROUND] and threshold is None and meaning is None:
        return hashes[FOREGROUND]
    parts = [part for label, digest in sorted(hashes.items()) for part in (label, digest)]
    return text_hash(*parts, str(threshold), *([meaning.key()] if meaning else []))


def mask_file_fault(path: Path, size: tuple[int, int], root: Path) -> Fault | None:
    """Why a mask file does not fit a picture of ``(H, W)``, by its header alone."""
    return mask_fault(str(path.relative_to(root)), lambda: header_size(path), size)


def mask_fault(name: str, header: Callable[[], tuple[int, int]], size: tuple[int, int]) -> Fault | None:
    """Why a mask does not fit a picture.

    Args:
        name: of the mask, for messages.
        header: gives its ``(H, W)``, or raises DatasetError.
        size: ``(H, W)`` of the picture.
    """
    try:
        other = header()
    except DatasetError as error:
        return f"{name} is refused: {error.message}", f"{error.cure} Or remove it from the dataset."
    if other == size:
        return None
    (h, w), (mask_h, mask_w) = size, other
    reason = f"the picture is {w} x {h} and its mask {name} is {mask_w} x {mask_h} pixels."
    turned = "The picture is read upright, as its EXIF rotation says: turn the mask too. " if other == (w, h) else ""
    return reason, f"{turned}Masks are never resized: make it again at the picture's size."


def header_size(path: Path | bytes) -> tuple[int, int]:
    """``(H, W)`` of a file or its bytes, upright, by the header.

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
