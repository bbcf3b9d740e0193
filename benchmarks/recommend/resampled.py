"""Rows of a run on the same images: their differences in mIoU, and how often each is best on resampled images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from benchmarks.metrics import METRICS
from benchmarks.records import RunManifest
from benchmarks.statistics.intervals import DRAWS_AT_ONCE, TOLERANCE
from benchmarks.statistics.paired import SideBySide
from benchmarks.statistics.pairs import Pair, matched, side_by_side, table_pairs
from benchmarks.store import RunStore
from pipelines.errors import UsageError

RESAMPLES = 2000
MIOU = METRICS["miou"]


class SameImages:
    """IoU of several rows on the images that all of them have, summed by group.

    Args:
        labels: of the rows.
        table: their terms of the mIoU, in the same order.
        seed: of the resampling.
    """

    def __init__(self, labels: Sequence[str], table: SideBySide, seed: int = 0) -> None:
        self.labels, self.table, self.seed = list(labels), table, seed

    @property
    def n(self) -> int:
        """How many images there are."""
        return self.table.sums.n

    @cached_property
    def _pairs(self) -> dict[tuple[str, str], Pair]:
        return {(one.first, one.second): one for one in table_pairs(self.labels, self.table, MIOU, self.seed)}

    def pair(self, first: str, second: str) -> Pair:
        """The mIoU of the first less that of the second, and its verdict among all pairs of the run."""
        found = self._pairs.get((first, second))
        return found or self._pairs[second, first].turned()

    def shares(self, labels: Sequence[str]) -> dict[str, float]:
        """How often each of the rows has the best mIoU when whole groups are drawn again; equals are both best.

        Args:
            labels: of the rows that compete.
        """
        tops, _ = self.table.sums.terms()
        ours, count = tops[:, [self.labels.index(label) for label in labels]], len(tops)
        won, chance, even = np.zeros(len(labels)), np.random.default_rng(self.seed), np.full(count, 1 / count)
        rows = max(1, DRAWS_AT_ONCE // count)
        for start in range(0, RESAMPLES, rows):
            drawn = chance.multinomial(count, even, min(rows, RESAMPLES - start)).astype(np.float64) @ ours
            won += (drawn >= drawn.max(axis=1, keepdims=True) - TOLERANCE * self.n).sum(axis=0)
        return dict(zip(labels, (won / RESAMPLES).tolist(), strict=True))


def same_images(store: RunStore, manifest: RunManifest, labels: Sequence[str]) -> SameImages:
    """Read what is needed of the records of some rows.

    Args:
        store: of the run.
        manifest: of the run.
        labels: of rows whose quality is known; may be none.

    Raises:
        UsageError: the records are gone.
    """
    ids = {one.label: one.id for one in manifest.configurations}
    records = matched([(store, ids[label]) for label in labels]) if labels else iter(())
    table = side_by_side(records, {MIOU.name: MIOU}).get(MIOU.name, SideBySide.of(len(labels), MIOU))
    if labels and not table.sums.n:
        raise UsageError(f"The records of {store.folder} are gone.", "Run its command again, with --fresh.")
    return SameImages(labels, table, manifest.protocol.seed)
