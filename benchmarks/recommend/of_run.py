"""What to ship among the rows of a stored run: what the command prints, for whoever else asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.recommend import advice
from benchmarks.recommend.advice import Recommendation
from benchmarks.recommend.choice import Limits
from benchmarks.recommend.grounds import Case
from benchmarks.recommend.resampled import SameImages, same_images
from benchmarks.records import RunManifest
from benchmarks.rows import Row
from benchmarks.store import RunStore


def compared(store: RunStore, manifest: RunManifest, rows: Sequence[Row]) -> SameImages:
    """Those rows of a run whose quality is known, on the same images: read once, it serves any limits.

    Raises:
        UsageError: the records are gone.
    """
    return same_images(store, manifest, [row.label for row in rows if row.status == "ok" and row.miou is not None])


def recommendation(store: RunStore, manifest: RunManifest, rows: Sequence[Row], limits: Limits,
                   known: SameImages | None = None) -> Recommendation:  # fmt: skip
    """What to ship among the rows of a run, with what its records say of their differences.

    Args:
        store: of the run.
        manifest: of the run.
        rows: of the run.
        limits: that are asked for.
        known: what `compared` made of the same rows, where that was kept.
    """
    images = known or compared(store, manifest, rows)
    return advice.recommend(Case(rows, limits, images, manifest.dataset.n_groups))


def document(manifest: RunManifest, limits: Limits, found: Recommendation) -> dict[str, Any]:
    """What ``--json`` prints."""
    about = {"schema_version": manifest.schema_version, "run_id": manifest.run_id, "limits": asdict(limits)}
    return {**about, **found.model_dump(mode="json")}
