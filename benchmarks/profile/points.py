"""Some samples as points: what the scatter plots of a profile's page are drawn from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.profile.table import Table

MOST, MOST_SUSPECTS = 800, 400
PAIRS = (
    ("area_share", "objects"),
    ("object_side_share", "object_contrast"),
    ("brightness", "contrast"),
    ("blur", "sharpness"),
    ("width_px", "height_px"),
    ("convexity", "compactness"),
)
"""Features that are drawn against each other: how large and how many, how hard, how exposed, how sharp, how formed."""


def points(table: Table, document: Mapping[str, Any]) -> dict[str, Any]:
    """Samples spread evenly over the dataset, and the suspects among all.

    Args:
        table: of the profile.
        document: of the profile, for its suspects.

    Returns:
        Keys of (number of samples), ids, splits, and columns: name → a value for each id, or null.
    """
    n = len(table)
    suspect = {one["sample"] for one in document["suspects"]}
    marked = [row for row, name in enumerate(table.ids) if name in suspect][:MOST_SUSPECTS]
    step = max(1, math.ceil(n / MOST))
    rows = sorted({*marked, *range(0, n, step)})
    names = dict.fromkeys(name for pair in PAIRS for name in pair)
    columns = {name: table.column(name) for name in names}
    return {
        "of": n,
        "ids": [table.ids[row] for row in rows],
        "splits": [table.splits[row] for row in rows],
        "columns": {name: [_number(float(column[row])) for row in rows] for name, column in columns.items()},
    }


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
