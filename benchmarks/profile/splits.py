"""Whether the splits of a dataset are alike: feature by feature, by the test of Kolmogorov and Smirnov."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np

from benchmarks.profile.features import IMAGE_FEATURES, MASK_FEATURES
from benchmarks.profile.table import Column, Table
from benchmarks.statistics.paired import holm

FEWEST = 5
"""With fewer values on a side nothing can be said."""


def compare_splits(table: Table) -> list[dict[str, Any]]:
    """Every feature of every two splits, the most unlike first.

    A sample counts as its group's mean, because photographs of one scene are not independent; p is corrected over all
    rows by the method of Holm (1979).

    Returns:
        Rows with a, b, feature, n_a and n_b (groups), distance (largest difference of the two cumulative shares), and
        p; empty where there are not two splits.
    """
    names = sorted({split for split in table.splits if split is not None})
    rows = [row for name in _features() for row in _of_feature(table, name, names)]
    corrected = holm([row["p"] for row in rows])
    for row, p in zip(rows, corrected, strict=True):
        row["p"] = None if p is None else float(f"{p:.6g}")
    return sorted(rows, key=lambda row: (row["p"] or 0.0, -row["distance"]))


def _features() -> list[str]:
    return [feature.name for feature in (*IMAGE_FEATURES, *MASK_FEATURES)]


def _of_feature(table: Table, name: str, splits: list[str]) -> list[dict[str, Any]]:
    from scipy.stats import ks_2samp

    column, rows = table.column(name), []
    values = {split: group_means(table, column, split) for split in splits}
    for a, b in combinations(splits, 2):
        if min(len(values[a]), len(values[b])) >= FEWEST:
            found = ks_2samp(values[a], values[b], method="auto")
            rows.append({"a": a, "b": b, "feature": name, "n_a": len(values[a]), "n_b": len(values[b]),
                         "distance": round(float(found.statistic), 6), "p": float(found.pvalue)})  # fmt: skip
    return rows


def group_means(table: Table, column: Column, split: str) -> Column:
    """Mean of a column over the samples of each group of a split, ``float64 (groups,)``; without NaN."""
    totals, counts = dict[str, float](), Counter[str]()
    for group, own, value in zip(table.groups, table.splits, column, strict=True):
        if own == split and np.isfinite(value):
            totals[group] = totals.get(group, 0.0) + float(value)
            counts[group] += 1
    return np.array([total / counts[group] for group, total in totals.items()])
