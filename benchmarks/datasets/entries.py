"""From files that belong together to samples: sizes are compared by their headers, ids given, problems noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.datasets.paths import Listing, file_hash, sample_ids, text_hash
from benchmarks.datasets.sample import FOREGROUND, Dataset, Problem, Sample, Truth, truth_of_ids
from benchmarks.datasets.settings import Settings
from pipelines.errors import DatasetError, ImageError
from pipelines.types import Image, Prompt

GUESSES = 20
"""For so many problems the name that could have been meant is looked for; that takes long in large folders."""


@dataclass(frozen=True)
class Entry:
    """Files of one sample, before any is opened.

    Attributes:
        row: how messages name it.
        image: the picture.
        masks: label → mask file; empty = no masks.
        prompt: None = that of ``dataset.yaml``.
        mask_threshold: None = that of ``dataset.yaml``.
    """

    row: str
    image: Path
    masks: Mapping[str, Path] = field(default_factory=dict)
    prompt: Prompt | None = None
    group: str = ""
    split: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    mask_threshold: int | None = None


@dataclass
class Findings:
    """What is gathered while a folder is listed."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def problem(self, row: str, reason: str, cure: str) -> None:
        """Note what is wrong with a row, which is then left out."""
        self.problems.append(Problem(row, reason, cure))

    def take(self, listing: Listing) -> list[Path]:
        """Keep what a listing complains about; give its pictures."""
        self.problems += listing.problems
        if listing.others:
            kinds = ", ".join(f"{suffix} {n}" for suffix, n in listing.others.most_common(5))
            self.notes.append(f"{listing.others.total()} files that are not pictures are not read ({kinds}).")
        return listing.pictures


def build_dataset(root: Path, layout: str, settings: Settings, found: Findings) -> Dataset:
    """Samples, sorted by id, from what was found.

    Args:
        root: the dataset's folder.
        layout: the name of its format.
        settings: its ``dataset.yaml``.
        found: entries, and the problems so far.

    Raises:
        DatasetError: there is no picture at all.
    """
    if not found.entries and not found.problems:
        raise DatasetError(
            f"The folder {str(root)!r} holds no pictures.", "Put pictures into it, or into its images/ folder."
        )
    checked = [(entry, size) for entry in found.entries if (size := _checked_size(entry, root, found))]
    checked = checked[_unreadable_masks(checked, settings, found) :]
    ids = sample_ids([entry.image.relative_to(root).as_posix() for entry, _ in checked])
    samples = [_sample(id_, entry, size, settings) for id_, (entry, size) in zip(ids, checked, strict=True)]
    labels = {label for entry, _ in checked for label in entry.masks} - {FOREGROUND}
    return Dataset(settings.name, layout, tuple(sorted(samples, key=lambda s: s.id)), tuple(sorted(labels)),
                   problems=tuple(found.problems), notes=tuple(found.notes))  # fmt: skip


def _unreadable_masks(checked: Sequence[tuple[Entry, tuple[int, int]]], settings: Settings, found: Findings) -> int:
    """Number of rows, 0 or 1, at the start whose mask is refused.

    The first mask alone is decoded: where masks are soft or lossy, they usually all are, and a person should hear of
    it before a run and not from each of its rows.
    """
    if not checked or not checked[0][0].masks:
        return 0
    entry = checked[0][0]
    try:
        read_truth(entry.masks, _threshold(entry, settings))
    except ImageError as error:
        found.problem(entry.row, error.message, error.cure)
        return 1
    return 0


def _threshold(entry: Entry, settings: Settings) -> int | None:
    return settings.mask_threshold if entry.mask_threshold is None else entry.mask_threshold


def _checked_size(entry: Entry, root: Path, found: Findings) -> tuple[int, int] | None:
    """``(H, W)`` of the picture if it and its masks have headers that agree."""
    size = _header_size(entry.image, entry.row, root, found)
    if size is None:
        return None
    for mask in entry.masks.values():
        other = _header_size(mask, entry.row, root, found)
        if other is None:
            return None
        if other != size:
            (h, w), (mask_h, mask_w) = size, other
            reason = f"the picture is {w} x {h} and its mask {mask.relative_to(root)} is {mask_w} x {mask_h} pixels."
            turned = (
                "The picture is read upright, as its EXIF rotation says: turn the mask too. " if other == (w, h) else ""
            )
            found.problem(entry.row, reason, f"{turned}Masks are never resized: make it again at the picture's size.")
            return None
    return size


def _header_size(path: Path, row: str, root: Path, found: Findings) -> tuple[int, int] | None:
    from pipelines.images import OWN_FOLDER, image_size

    try:
        return image_size(path, OWN_FOLDER)
    except ImageError as error:
        reason, cure = error.message, error.cure
    except OSError as error:
        reason, cure = f"it cannot be opened ({error.strerror}).", "Correct its permissions."
    name = str(path.relative_to(root))
    found.problem(
        row, reason if name == row else f"{name} is refused: {reason}", f"{cure} Or remove it from the dataset."
    )
    return None


def _sample(id_: str, entry: Entry, size: tuple[int, int], settings: Settings) -> Sample:
    masks, threshold = dict(entry.masks), _threshold(entry, settings)
    return Sample(
        id=id_,
        size=size,
        read_image=partial(read_image, entry.image),
        hash_image=partial(file_hash, entry.image),
        read_truth=partial(read_truth, masks, threshold) if masks else None,
        hash_target=partial(hash_masks, masks, threshold) if masks else None,
        prompt=settings.prompt if entry.prompt is None else entry.prompt,
        group=entry.group,
        split=entry.split,
        tags=entry.tags,
        path=entry.image,
    )


def read_image(path: Path) -> Image:
    """Decode a picture under the limits of a person's own folder; raises ImageError."""
    from pipelines.images import OWN_FOLDER, load_image

    return load_image(path, OWN_FOLDER)


def read_truth(masks: Mapping[str, Path], threshold: int | None) -> Truth:
    """Decode mask files, by label; raises ImageError, also for a soft mask without a declared threshold."""
    from pipelines.images import OWN_FOLDER, load_mask

    return truth_of_ids({label: load_mask(path, OWN_FOLDER, threshold) for label, path in masks.items()})


def hash_masks(masks: Mapping[str, Path], threshold: int | None) -> str:
    """sha256 of what the masks depend on: of the file alone, or with labels and threshold where there are any."""
    if list(masks) == [FOREGROUND] and threshold is None:
        return file_hash(masks[FOREGROUND])
    parts: Sequence[str] = [part for label, path in sorted(masks.items()) for part in (label, file_hash(path))]
    return text_hash(*parts, str(threshold))
