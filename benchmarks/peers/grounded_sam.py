"""GroundedSAM against plain calls of transformers and against the seed's library: equal random weights at real size.

With random weights a threshold means nothing, so that it is laid between the eighth and the ninth score: eight boxes on
every side. A caption of eight labels gives other boxes than eight captions of one, with any weights, since all labels
compete for the same queries: the boxes of our one pass are compared with those of one plain pass, and its time with
that of eight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers.classical import photograph
from benchmarks.peers.grounding_files import write_detector, write_segmenter
from benchmarks.peers.grounding_library import Library, library_or_reason
from benchmarks.peers.grounding_plain import Plain
from benchmarks.peers.interleave import Contest, Row
from benchmarks.peers.threads import one_thread
from pipelines import create
from pipelines.base import Pipeline
from pipelines.checkpoints.detectors import CHECKPOINTS as DETECTORS
from pipelines.checkpoints.segmenters import CHECKPOINTS as SEGMENTERS
from pipelines.images import load_image
from pipelines.types import Evidence, Image, Prompt

SIDE = 600
BOXES = 8
ONE = ("all circle shaped objects that resemble a coin",)
EIGHT = ("a coin", "a coffee cup", "a spoon", "the table", "a hand", "a round plate", "foam", "a dark shadow")
DETECTOR = "grounding-dino-tiny"
SMALL, SAME_AS_LIBRARY = "sam2.1-hiera-tiny", "sam-vit-base"
LOOP, PLAIN, LIBRARY = "transformers, label by label", "transformers, box by box", "autodistill-grounded-sam"
ERROR = 1e-4
"""Of scores, and of boxes as a share of the picture's side."""

SAME_PIXELS = 1e-4
"""Share of mask pixels that may differ, since two libraries bring the same map up to the picture's size."""

SAME_PIXELS_AS_LIBRARY = 1e-3
"""The seed's library also shrinks the picture with Pillow, whose pixels are now and then one level of 255 off."""

Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Arena:
    """What all contests share.

    Attributes:
        image: the picture.
        folder: checkpoints as the hub holds them.
    """

    image: Image
    folder: Path

    def plain(self, segmenter: str) -> Plain:
        """Transformers by itself."""
        repositories = (DETECTORS[DETECTOR].weights.repository, SEGMENTERS[segmenter].weights.repository)
        return Plain(*(self.folder / repository for repository in repositories))

    def ours(self, segmenter: str, threshold: float) -> Pipeline:
        """Our pipeline, which keeps the boxes above a threshold, and all of them."""
        params = {"detector": DETECTOR, "segmenter": segmenter, "box_threshold": threshold, "text_threshold": 0.0,
                  "candidate_floor": threshold, "nms_iou": 1.0}  # fmt: skip
        made = create("grounded_sam", device="cpu", weights=self.folder, params=params)
        made.load()
        return made

    def threshold(self, plain: Plain, labels: tuple[str, ...]) -> float:
        """Between the eighth and the ninth score."""
        ordered = np.sort(plain.detect(self.image, labels, 0.0)[1])[::-1]
        return float(ordered[BOXES - 1 : BOXES + 1].mean())


def contests(side: int = SIDE) -> Iterator[Contest | Row]:
    """Each on one thread.

    Args:
        side: of the square picture in pixels.
    """
    words = sorted({word for text in (*ONE, *EIGHT) for word in text.split()})
    library = library_or_reason(words)
    with one_thread(), TemporaryDirectory() as made:
        arena = Arena(load_image(photograph("coffee", side).image), Path(made))
        known = library if isinstance(library, Library) else None
        write_detector(arena.folder, DETECTORS[DETECTOR], words, known and known.detector)
        write_segmenter(arena.folder, SEGMENTERS[SMALL])
        write_segmenter(arena.folder, SEGMENTERS[SAME_AS_LIBRARY], known and known.predictor.model)
        yield _labels(arena)
        yield _boxes(arena, SMALL, rounds=2)
        yield _boxes(arena, SAME_AS_LIBRARY, rounds=1)
        yield _against_library(arena, library)


def _labels(arena: Arena) -> Contest:
    """Eight labels: one pass of the detector against eight."""
    plain = arena.plain(SMALL)
    threshold = arena.threshold(plain, EIGHT)
    ours = arena.ours(SMALL, threshold)

    def detect(floor: float = 1.0) -> Evidence:
        """With nothing above the floor nothing is segmented."""
        params = ours.params.model_copy(update={"candidate_floor": floor})
        return ours.infer([arena.image], [Prompt(EIGHT)], params)[0]

    def equal() -> bool:
        return _same_boxes(detect(threshold), plain.detect(arena.image, EIGHT, threshold), max(arena.image.shape))

    return Contest(f"eight labels to boxes, {len(arena.image)} px", f"grounded_sam, {DETECTOR}", LOOP, detect,
                   lambda: plain.detect_each(arena.image, EIGHT, threshold), equal, 6, most_rounds=1)  # fmt: skip


def _same_boxes(evidence: Evidence, theirs: tuple[Any, Any], side: int) -> bool:
    scores = np.asarray(evidence.box_scores)
    if len(scores) != BOXES or len(theirs[1]) != BOXES:
        return False
    ours, plain = np.argsort(-scores), np.argsort(-theirs[1])
    same_boxes = np.allclose(np.asarray(evidence.boxes)[ours], theirs[0][plain], rtol=0, atol=ERROR * side)
    return same_boxes and np.allclose(scores[ours], theirs[1][plain], rtol=0, atol=ERROR)


def _boxes(arena: Arena, segmenter: str, rounds: int) -> Contest:
    """One label from the picture to the masks of its boxes."""
    plain = arena.plain(segmenter)
    threshold = arena.threshold(plain, ONE)
    ours = arena.ours(segmenter, threshold)

    def peer() -> Masks:
        return plain.segment(arena.image, ONE, threshold)

    return Contest(f"one label to {BOXES} masks, {segmenter}, {len(arena.image)} px", "grounded_sam", PLAIN,
                   lambda: _masks(ours, arena.image), peer, lambda: _same_masks(_masks(ours, arena.image), peer()),
                   most_rounds=rounds)  # fmt: skip


def _masks(ours: Pipeline, image: Image) -> Masks:
    """From the highest score down."""
    found = ours.predict([image], [Prompt(ONE)])[0]
    return found.masks[np.argsort(-found.scores, kind="stable")]


def _same_masks(ours: Masks, theirs: Masks, share: float = SAME_PIXELS) -> bool:
    return len(ours) == BOXES and ours.shape == theirs.shape and float((ours != theirs).mean()) <= share


def _against_library(arena: Arena, library: Library | str) -> Contest | Row:
    """The seed's way, on a smaller SAM than its own so that a round ends."""
    name = f"one label to {BOXES} masks, {SAME_AS_LIBRARY} on both sides, {len(arena.image)} px"
    if isinstance(library, str):
        return Row(name, "grounded_sam", LIBRARY, status="unavailable", reason=library)
    threshold = arena.threshold(arena.plain(SAME_AS_LIBRARY), ONE)
    ours = arena.ours(SAME_AS_LIBRARY, threshold)

    def peer() -> Masks:
        return library.masks(arena.image, ONE[0], threshold)

    return Contest(name, "grounded_sam", LIBRARY, lambda: _masks(ours, arena.image), peer,
                   lambda: _same_masks(_masks(ours, arena.image), peer(), SAME_PIXELS_AS_LIBRARY),
                   most_rounds=1)  # fmt: skip
