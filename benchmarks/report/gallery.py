"""The images that are shown, with the truth and what every pipeline made of them; as many as stay small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.datasets import Dataset, Sample
from benchmarks.export import foreground
from benchmarks.report import thumbnails
from benchmarks.report.chosen import Chapter, chapters, shown
from benchmarks.report.facts import Facts, Series
from benchmarks.selection import open_selected
from benchmarks.store import RecordIndex
from pipelines.errors import WorkbenchError
from pipelines.types import Image, Mask

MOST_MB = 6.0
"""Of all pictures on a page, as they are written into it."""


@dataclass(frozen=True)
class Shown:
    """What one pipeline made of an image.

    Attributes:
        label: of the pipeline.
        iou: with the target, or None where there is none.
        error: what went wrong, or None.
        mask: address of the mask, or None where it failed.
        overlay: address of the picture with what is right, wrong and missed, or None where it failed.
        wrong: share of the image that is found and should not be, or None without a target.
        missed: share of the image that should be found and is not, or None without a target.
    """

    label: str
    iou: float | None
    error: str | None
    mask: str | None = None
    overlay: str | None = None
    wrong: float | None = None
    missed: float | None = None


@dataclass(frozen=True)
class Card:
    """One image.

    Attributes:
        id: of the sample.
        size: ``(H, W)`` of the image.
        small: ``(h, w)`` of its pictures.
        tags: what the dataset says of it.
        prompt: what a pipeline that reads text was asked for.
        picture: address of the input.
        truth: address of the target, or None.
        share: of the image that the target covers, or None.
        shown: one a pipeline, best first.
    """

    id: str
    size: tuple[int, int]
    small: tuple[int, int]
    tags: tuple[tuple[str, str], ...]
    prompt: tuple[str, ...]
    picture: str
    truth: str | None
    share: float | None
    shown: tuple[Shown, ...]

    @property
    def mb(self) -> float:
        """Room that its pictures take, in 10**6 bytes."""
        own = [self.picture, self.truth, *(a for one in self.shown for a in (one.mask, one.overlay))]
        return sum(len(address) for address in own if address) / 1e6


@dataclass(frozen=True)
class Gallery:
    """The images of a page.

    Attributes:
        chapters: which images, and why.
        cards: image → what is shown of it.
        note: why there is none, or what was left out; or None.
        series: the pipelines in it.
    """

    chapters: tuple[Chapter, ...] = ()
    cards: Mapping[str, Card] | None = None
    note: str | None = None
    series: tuple[str, ...] = ()


def gallery(facts: Facts, dataset: Dataset | None, problem: str | None,
            chosen: tuple[Chapter, ...] | None = None) -> Gallery:  # fmt: skip
    """Choose images, read them again from the dataset, and draw them small.

    Args:
        facts: of the run.
        dataset: the one that the run saw, or None.
        problem: why there is none.
        chosen: images to show; None = by the rules of a report.
    """
    series = shown(facts)
    if not series:
        return Gallery(note="No pipeline gave masks that mean anything, so none are shown.")
    found = chapters(facts) if chosen is None else chosen
    if dataset is None:
        return Gallery(note=f"No images are shown: {problem}", chapters=found)
    wanted = list(dict.fromkeys(choice.id for chapter in found for choice in chapter.choices))
    try:
        samples = _picked(dataset, wanted)
    except WorkbenchError as error:
        return Gallery(note=f"No images are shown: {error}", chapters=found)
    cards, notes, room = {}, [], MOST_MB
    indices = {one.label: (one.store or facts.store).index(one.configuration.id) for one in series}
    for name in wanted:
        card = _card_or_why(samples.get(name), series, indices)
        if isinstance(card, str):
            notes.append(f"{name}: {card}")
        elif card.mb <= room:
            cards[name], room = card, room - card.mb
    left_out = len(wanted) - len(cards) - len(notes)
    if left_out:
        notes.append(f"{left_out} more were left out to keep the page below {MOST_MB:g} MB of pictures.")
    unseen = [one.label for one in series if one.outlines is None]
    if unseen:
        notes.append(f"Masks of {', '.join(unseen)} take too much room to be compared with those of the others.")
    more = len([one for one in facts.series if one.meaningful]) - len(series)
    if more:
        notes.append(f"The best {len(series)} pipelines are shown, and {more} are not.")
    return Gallery(found, cards, " ".join(notes) or None, tuple(one.label for one in series))


def open_again(facts: Facts) -> tuple[Dataset | None, str | None]:
    """The dataset of a run, where it is still there and still what the run saw; else None, and why."""
    try:
        dataset = open_selected(facts.manifest.dataset)
        if dataset.hash == facts.manifest.dataset.hash:
            return dataset, None
    except WorkbenchError as error:
        return None, str(error)
    except OSError as error:
        return None, f"the dataset cannot be read: {error.strerror or error}."
    return None, f"{dataset.name} is not what the run saw; its files have changed."


def _picked(dataset: Dataset, wanted: Sequence[str]) -> dict[str, Sample]:
    return {sample.id: sample for sample in _until(dataset, set(wanted))}


def _until(dataset: Dataset, wanted: set[str]) -> Iterator[Sample]:
    """Those that are wanted, of a stream too; its pass ends with the last of them."""
    for sample in dataset:
        if sample.id in wanted:
            yield sample
            wanted.remove(sample.id)
        if not wanted:
            return


def _card_or_why(sample: Sample | None, series: Sequence[Series], indices: Mapping[str, RecordIndex]) -> Card | str:
    if sample is None:
        return "it is not in the dataset."
    try:
        return _card(sample, series, indices)
    except (WorkbenchError, OSError) as error:  # one damaged picture is no reason to show none
        return str(error)


def _card(sample: Sample, series: Sequence[Series], indices: Mapping[str, RecordIndex]) -> Card:
    truth, picture = sample.truth(), thumbnails.small(sample.image)
    target = None if truth is None else truth.union()
    ignore = None if truth is None else truth.ignore
    sides = _Sides(picture, target, ignore)
    texts: tuple[str, ...] = ()
    found = []
    for one in series:
        record = indices[one.label].get(sample.id)
        if record is None:
            continue
        texts = texts or record.texts
        if record.error is not None:
            found.append(Shown(one.label, one.by_id.get(sample.id), record.error))
        else:
            found.append(sides.shown(one, sample.id, foreground(record)))
    return Card(
        id=sample.id, size=sample.size, small=(picture.shape[0], picture.shape[1]),
        tags=tuple(sorted(sample.tags.items())), prompt=texts,
        picture=thumbnails.address(picture),
        truth=None if sides.target is None else thumbnails.address(thumbnails.cut_out(sides.target)),
        share=None if target is None else float(target.mean()),
        shown=tuple(found),
    )  # fmt: skip


class _Sides:
    """A small picture and its target, against which masks are drawn."""

    def __init__(self, picture: Image, target: Mask | None, ignore: Mask | None) -> None:
        self.picture, self.full, self.full_ignore = picture, target, ignore
        self.target = None if target is None else thumbnails.small_mask(target, picture)
        self.ignore = None if ignore is None else thumbnails.small_mask(ignore, picture)

    def shown(self, one: Series, name: str, mask: Mask) -> Shown:
        small, iou = thumbnails.small_mask(mask, self.picture), one.by_id.get(name)
        drawn = thumbnails.address(thumbnails.cut_out(small))
        if self.full is None or self.target is None:
            return Shown(one.label, iou, None, drawn, thumbnails.address(thumbnails.found(self.picture, small)))
        overlay = thumbnails.errors(self.picture, small, self.target, self.ignore)
        counted = True if self.full_ignore is None else ~self.full_ignore
        return Shown(
            one.label, iou, None, drawn, thumbnails.address(overlay),
            wrong=float((mask & ~self.full & counted).mean()), missed=float((~mask & self.full & counted).mean()),
        )  # fmt: skip
