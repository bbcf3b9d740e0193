"""The masks that a worker judges by, read once each while there is room for them."""

from __future__ import annotations

from benchmarks.datasets import Sample
from benchmarks.metrics.region import Region
from pipelines.errors import DatasetError

ROOM_MB = 1000
"""In each worker."""

LAYERS = 3
"""Of a mask's own size: the mask, what is ignored, and the band along its edge once that was counted."""


class Targets:
    """Masks of images."""

    def __init__(self) -> None:
        self.held: dict[str, Region] = {}
        self.nbytes = 0

    def of(self, sample: Sample) -> Region:
        """The mask of an image.

        Raises:
            DatasetError: it has none.
        """
        if sample.id in self.held:
            return self.held[sample.id]
        truth = sample.truth()
        if truth is None:
            raise DatasetError(f"{sample.id} has no mask.", "Leave it out with --exclude: tuning needs masks.")
        target = Region.of(truth.union(), truth.ignore)
        size = target.bits.nbytes * LAYERS
        if self.nbytes + size <= ROOM_MB * 1e6:
            self.held[sample.id] = target
            self.nbytes += size
        return target
