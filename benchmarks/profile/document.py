"""The document of a profile: everything that its page, its summary and its comparison show, ready for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmarks.datasets import Dataset
from benchmarks.environment import PACKAGES, versions
from benchmarks.profile.advice_scenes import thresholds
from benchmarks.profile.blocking import problems
from benchmarks.profile.features import IMAGE_FEATURES, MASK_FEATURES, Feature
from benchmarks.profile.masks import MEDIUM_PX, MEDIUM_SHARE, SMALL_PX, SMALL_SHARE
from benchmarks.profile.splits import compare_splits
from benchmarks.profile.summaries import bins, summary
from benchmarks.profile.suspects import KINDS, Suspect
from benchmarks.profile.suspects.masks import concerns
from benchmarks.profile.table import Column, Table

SCHEMA_VERSION = 1
MOST_SIZES = 200
SIZE_CLASSES = ("small", "medium", "large")


def document_of(dataset: Dataset, table: Table, suspects: Sequence[Suspect]) -> dict[str, Any]:
    """The document, without the advice.

    Args:
        dataset: what was looked at.
        table: of its samples, and of the rows that its reader refuses.
        suspects: in the order in which they are to be shown.
    """
    found = Counter(suspect.kind for suspect in suspects)
    return {
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions((*PACKAGES, "imagehash")),
        "dataset": _dataset(dataset, table, suspects),
        "n": len(table),
        "images": _images(table),
        "masks": _masks(dataset, table),
        "splits": compare_splits(table),
        "concerns": concerns(table),
        "notes": list(table.notes),
        "suspects": [suspect.as_row() for suspect in suspects],
        "kinds": {kind: found[kind] for kind in KINDS if found[kind]},
        "excluded": len({suspect.sample for suspect in suspects if suspect.as_row()["exclude"]}),
    }


def _dataset(dataset: Dataset, table: Table, suspects: Sequence[Suspect]) -> dict[str, Any]:
    splits = Counter(split for split, read in zip(table.splits, table.read, strict=True) if split is not None and read)
    groups = {group for group, read in zip(table.groups, table.read, strict=True) if read}
    return {
        "name": dataset.name,
        "format": dataset.format,
        "n": sum(table.read),
        "n_groups": len(groups),
        "hash": hash_of(dataset, table),
        "splits": dict(sorted(splits.items())),
        "classes": list(dataset.class_names),
        "split": None,
        "limit": None,
        "notes": list(dataset.notes),
        "problems": problems(dataset, table, suspects),
    }


def hash_of(dataset: Dataset, table: Table) -> str | None:
    """The dataset's hash; None where it is empty, or a stream, which would have to be read once more."""
    return dataset.hash if len(table) and not dataset.streamed and len(dataset) else None


def _features(table: Table, features: Sequence[Feature]) -> list[dict[str, Any]]:
    names = sorted({split for split in table.splits if split is not None})
    own = np.array([split or "" for split in table.splits])
    asked = thresholds()
    rows = []
    for feature in features:
        values = table.column(feature.name)
        edges = bins(values, feature.whole)
        rows.append({
            "name": feature.name, "title": feature.title, "unit": feature.unit, "help": feature.help,
            "all": summary(values, edges), "splits": {name: summary(values[own == name], edges) for name in names},
            **({"below": _below(values, asked[feature.name])} if feature.name in asked else {}),
        })  # fmt: skip
    return rows


def _below(values: Column, asked: Sequence[float]) -> list[list[float]]:
    """Each value that advice asks for, and the share of the samples with the feature that lie below it."""
    known = values[np.isfinite(values)]
    return [[value, float((known < value).mean())] for value in asked] if len(known) else []


def _images(table: Table) -> dict[str, Any]:
    return {
        "unreadable": sum(one is None for one in table.prints),
        "features": _features(table, IMAGE_FEATURES),
        "modes": dict(table.modes.most_common()),
        "formats": dict(table.formats.most_common()),
        "sizes": [{"width": w, "height": h, "n": n} for (w, h), n in table.sizes.most_common(MOST_SIZES)],
        "n_sizes": len(table.sizes),
        "exif": {"with": table.exif, "turned": table.turned, "cameras": dict(table.cameras.most_common())},
    }


def _masks(dataset: Dataset, table: Table) -> dict[str, Any]:
    masked = [one is not None for one in table.outlines]
    areas, position = table.column("area_share"), table.position()
    return {
        "with_masks": sum(masked),
        "without_masks": len(masked) - sum(masked),
        "n_groups": len({group for group, has in zip(table.groups, masked, strict=True) if has}),
        "covered": _covered(table),
        "empty": int(np.count_nonzero(areas == 0)),
        "features": _features(table, MASK_FEATURES),
        "size_classes": dict(zip(SIZE_CLASSES, table.size_classes[0].tolist(), strict=True)),
        "size_classes_relative": dict(zip(SIZE_CLASSES, table.size_classes[1].tolist(), strict=True)),
        "size_limits": {"px": [SMALL_PX, MEDIUM_PX], "share": [SMALL_SHARE, MEDIUM_SHARE]},
        "position": None if position is None else [[round(float(cell), 5) for cell in row] for row in position],
        **_classes(dataset, table),
    }


def _covered(table: Table) -> float | None:
    """Mean share of foreground where any pixel is judged; None where none is."""
    judged = table.column("area_share")[table.column("ignore_share") < 1]
    return float(judged.mean()) if len(judged) else None


def _classes(dataset: Dataset, table: Table) -> dict[str, Any]:
    """Classes in the dataset's order, then those that it does not name."""
    names = [*dataset.class_names, *sorted(set(table.classes) - set(dataset.class_names))]
    rows = []
    for name in names:
        found = table.classes.get(name)
        share = found.pixels / table.pixels if found and table.pixels else 0.0
        rows.append({"name": name, "images": found.images if found else 0, "objects": found.objects if found else 0,
                     "pixel_share": float(f"{share:.6g}")})  # fmt: skip
    return {"classes": rows, "co_occurrence": [[table.together[a, b] for b in names] for a in names]}
