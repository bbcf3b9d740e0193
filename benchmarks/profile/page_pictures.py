"""Small pictures of samples with their masks on a layer above, for the gallery of a profile's page."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.datasets import Dataset, Problem, Sample, Truth
from benchmarks.datasets.dataset import named_by
from benchmarks.report import thumbnails
from pipelines.errors import WorkbenchError
from pipelines.types import Image

SIDE = 400
"""Of the longer side in pixels: sharp where it is shown at half of that, and good enough when enlarged."""

OUTSIDE, INSIDE, LINE, RIM, IGNORED = range(5)
PALETTE = (0, 0, 0, 255, 255, 255, 255, 214, 0, 0, 0, 0, 150, 150, 150)
ALPHA = bytes((120, 0, 255, 170, 200))
"""Background is darkened, foreground is left as it is, and between them runs a yellow line with a black rim."""

Levels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """A sample as the page shows it.

    Attributes:
        small: ``(h, w)`` of its pictures.
        picture: address of the picture.
        layer: address of its mask, to be laid over it, or None.
        said: what the mask is, in words.
    """

    small: tuple[int, int]
    picture: str
    layer: str | None
    said: str

    @property
    def mb(self) -> float:
        """Room that it takes, in 10**6 bytes."""
        return (len(self.picture) + len(self.layer or "")) / 1e6


def pictures(dataset: Dataset | None, wanted: Sequence[str]) -> Iterator[tuple[str, Picture | str]]:
    """The samples that are wanted, in the order of the dataset; instead of one that cannot be shown, why.

    Args:
        dataset: None where there is none any more.
        wanted: ids; those that the dataset does not have are left out.
    """
    left = set(wanted)
    for sample in _until(dataset or (), left):
        try:
            yield sample.id, picture_of(sample)
        except (WorkbenchError, OSError) as error:
            yield sample.id, str(error)
    for problem in dataset.problems if dataset and left else ():
        for name in named_by(problem, left):
            left.remove(name)
            yield name, _refused(problem)


def _refused(problem: Problem) -> Picture | str:
    """The picture of a row that the reader of the dataset refuses, where it can be read by itself."""
    from pipelines.images import OWN_FOLDER, load_image

    if problem.image is None:
        return problem.reason
    try:
        small = thumbnails.small(load_image(problem.image, OWN_FOLDER), SIDE)
    except (WorkbenchError, OSError) as error:
        return str(error)
    return Picture((small.shape[0], small.shape[1]), thumbnails.address(small), None, "its mask cannot be laid over it")


def _until(samples: Iterable[Sample], wanted: set[str]) -> Iterator[Sample]:
    """A pass over a stream ends with the last that is wanted."""
    for sample in samples if wanted else ():
        if sample.id in wanted:
            yield sample
            wanted.remove(sample.id)
        if not wanted:
            return


def picture_of(sample: Sample) -> Picture:
    """One sample, small.

    Raises:
        ImageError: its picture cannot be read; a mask that cannot is said.
    """
    small = thumbnails.small(sample.read_image(), SIDE)
    size, address = (small.shape[0], small.shape[1]), thumbnails.address(small)
    try:
        truth = sample.truth()
    except (WorkbenchError, OSError) as error:
        return Picture(size, address, None, f"its mask cannot be read: {error}")
    if truth is None:
        return Picture(size, address, None, "it has no mask")
    if truth.union().shape != sample.size:
        return Picture(size, address, None, "its mask is of another size")
    share = float(truth.union().mean())
    said = f"mask covers {share:.1%}".replace("%", " %") if share else "mask is empty"
    return Picture(size, address, _address(levels(truth, small)), said)


def levels(truth: Truth, small: Image) -> Levels:
    """What each pixel of the layer is, ``uint8 (h, w)``: outside, inside, line, rim of the line, or ignored.

    Args:
        truth: masks at the size of the picture.
        small: the picture as it is shown.
    """
    labels = np.zeros(small.shape[:2], np.int32)
    for number, mask in enumerate(truth.masks.values(), 1):
        labels[thumbnails.small_mask(mask, small)] = number
    found = np.where(labels > 0, INSIDE, OUTSIDE).astype(np.uint8)
    if truth.ignore is not None:
        found[thumbnails.small_mask(truth.ignore, small) & (labels == 0)] = IGNORED
    square = np.ones((3, 3), np.uint8)
    line = cv2.dilate(_edges(labels).astype(np.uint8), square) > 0
    found[cv2.dilate(line.astype(np.uint8), square) > 0] = RIM
    found[line] = LINE
    return found


def _edges(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Pixels of an object beside another label; its pixels at the edge of the picture are part of the line too."""
    around = np.pad(labels, 1)
    beside = (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
    return np.asarray((labels > 0) & np.logical_or.reduce([other != labels for other in beside]))


def _address(found: Levels) -> str:
    """A picture of five colours with their own transparency, as a ``data:`` address."""
    from PIL import Image as Pillow

    buffer, made = BytesIO(), Pillow.new("P", (found.shape[1], found.shape[0]))
    made.frombytes(found.tobytes())
    made.putpalette(PALETTE)
    made.save(buffer, "PNG", optimize=True, transparency=ALPHA)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
