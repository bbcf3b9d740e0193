"""Everything that a report says, worked out once, to be written as a page or as a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.report.answer import Answer, answer
from benchmarks.report.facts import Facts, read
from benchmarks.report.gallery import Gallery, gallery, open_again
from benchmarks.report.parts import parts, weak_words
from benchmarks.report.ties import Pair, of_leader, pairs
from benchmarks.statistics.slices import Slices


@dataclass(frozen=True)
class Report:
    """What is known and said of a run.

    Attributes:
        facts: of its records.
        pairs: every two of the judged, those of the leader first.
        answer: in words.
        gallery: images, or why there are none.
        slices: label → its quality on parts of the images.
    """

    facts: Facts
    pairs: tuple[Pair, ...]
    answer: Answer
    gallery: Gallery
    slices: dict[str, Slices]

    @property
    def title(self) -> str:
        """What the page is called."""
        return f"Segmentation report: {self.facts.manifest.dataset.name}"


def report(folder: Path, *, pictures: bool = True) -> Report:
    """Read a run and work out what there is to say.

    Args:
        folder: of the run.
        pictures: whether a gallery is wanted; without it the dataset is left alone.

    Raises:
        UsageError: the folder holds no run that this version reads, or its records are gone.
    """
    facts = read(folder)
    found = pairs(facts.judged, facts.manifest.protocol.seed)
    images = gallery(facts, *open_again(facts)) if pictures else Gallery()
    weak = parts(facts)
    rivals = facts.rivals
    leader = rivals[0].row if rivals else None
    words = weak_words(weak[leader.label], leader.miou) if leader else []
    said = answer(facts, of_leader(found, leader.label if leader else None), [f"It {one}." for one in words])
    return Report(facts, found, said, images, weak)
