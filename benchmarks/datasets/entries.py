"""From files that belong together to samples: sizes are compared by their headers, ids given, problems noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.datasets.dataset import Dataset, Problem
from benchmarks.datasets.paths import Listing, file_hash, sample_ids
from benchmarks.datasets.sample import Sample
from benchmarks.datasets.settings import Settings
from benchmarks.datasets.targets import MaskFiles, Target, header_size
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
        target: where its masks come from; None = it has none.
        prompt: None = that of ``dataset.yaml``.
        absent: texts of what is not in the picture.
    """

    row: str
    image: Path
    target: Target | None = None
    prompt: Prompt | None = None
    absent: tuple[str, ...] = ()
    group: str = ""
    split: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Findings:
    """What is gathered while a folder is listed."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def problem(self, row: str, reason: str, cure: str, image: Path | None = None, mask: Path | None = None) -> None:
        """Note what is wrong with a row, which is then left out."""
        self.problems.append(Problem(row, reason, cure, image, mask))

    def take(self, listing: Listing) -> list[Path]:
        """Keep what a listing complains about; give its pictures."""
        self.problems += listing.problems
        if listing.others:
            kinds = ", ".join(f"{suffix} {n}" for suffix, n in listing.others.most_common(5))
            self.notes.append(f"{listing.others.total()} files that are not pictures are not read ({kinds}).")
        return listing.pictures


def build_dataset(root: Path, layout: str, settings: Settings, found: Findings,
                  class_names: Sequence[str] = ()) -> Dataset:  # fmt: skip
    """Samples, sorted by id, from what was found.

    Args:
        root: the dataset's folder.
        layout: the name of its format.
        settings: its ``dataset.yaml``.
        found: entries, and the problems so far.
        class_names: labels that the masks may have, in the order of the dataset.

    Raises:
        DatasetError: there is no picture at all.
    """
    if not found.entries and not found.problems:
        raise DatasetError(
            f"The folder {str(root)!r} holds no pictures.", "Put pictures into it, or into its images/ folder."
        )
    checked = [(entry, size) for entry in found.entries if (size := _checked_size(entry, root, found))]
    checked = checked[_unreadable_masks(checked, found) :]
    ids = sample_ids([entry.image.relative_to(root).as_posix() for entry, _ in checked])
    samples = [_sample(id_, entry, size, settings) for id_, (entry, size) in zip(ids, checked, strict=True)]
    return Dataset(settings.name, layout, tuple(sorted(samples, key=lambda s: s.id)), tuple(class_names),
                   problems=tuple(found.problems), notes=tuple(found.notes))  # fmt: skip


def _unreadable_masks(checked: Sequence[tuple[Entry, tuple[int, int]]], found: Findings) -> int:
    """Number of rows, 0 or 1, at the start whose mask is refused.

    The first mask alone is decoded: where masks are soft or lossy, they usually all are, and a person should hear of
    it before a run and not from each of its rows.
    """
    if not checked or checked[0][0].target is None:
        return 0
    entry = checked[0][0]
    try:
        checked[0][0].target.read()
    except ImageError as error:
        found.problem(entry.row, error.message, error.cure, entry.image, mask_of(entry))
        return 1
    return 0


def _checked_size(entry: Entry, root: Path, found: Findings) -> tuple[int, int] | None:
    """``(H, W)`` of the picture if it has a header that its masks agree with."""
    try:
        size = header_size(entry.image)
    except DatasetError as error:
        name, cure = str(entry.image.relative_to(root)), f"{error.cure} Or remove it from the dataset."
        reason = error.message if name == entry.row else f"{name} is refused: {error.message}"
        found.problem(entry.row, reason, cure, entry.image, mask_of(entry))
        return None
    fault = entry.target.check(size, root) if entry.target else None
    if fault:
        found.problem(entry.row, *fault, entry.image, mask_of(entry))
        return None
    return size


def mask_of(entry: Entry) -> Path | None:
    """The file of an entry's mask, or the first of several; None where it has no files."""
    return next(iter(entry.target.files.values()), None) if isinstance(entry.target, MaskFiles) else None


def _sample(id_: str, entry: Entry, size: tuple[int, int], settings: Settings) -> Sample:
    return Sample(
        id=id_,
        size=size,
        read_image=partial(read_image, entry.image),
        hash_image=partial(file_hash, entry.image),
        read_truth=entry.target.read if entry.target else None,
        hash_target=entry.target.hash if entry.target else None,
        prompt=settings.prompt if entry.prompt is None else entry.prompt,
        absent=entry.absent,
        group=entry.group,
        split=entry.split,
        tags=entry.tags,
        path=entry.image,
    )


def read_image(path: Path) -> Image:
    """Decode a picture under the limits of a person's own folder; raises ImageError."""
    from pipelines.images import OWN_FOLDER, load_image

    return load_image(path, OWN_FOLDER)
