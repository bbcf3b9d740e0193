"""Figures of a profile's document by the name of their feature, and shares that are read off a histogram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

PARTS = ("images", "masks")


def features(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every feature that at least one sample has, those of the pictures first."""
    for part in PARTS:
        yield from (feature for feature in document[part]["features"] if feature["all"] is not None)


def reading(document: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The summary of a feature over all samples; None where no sample has it."""
    return next((feature["all"] for feature in features(document) if feature["name"] == name), None)


def below(summary: Mapping[str, Any], value: float) -> float:
    """About which share of the samples lies below a value: the bin that holds it is taken as level.

    Args:
        summary: with its histogram.
        value: in the unit of the feature.
    """
    counts = np.asarray(summary["histogram"]["counts"], float)
    sums = np.concatenate([[0.0], np.cumsum(counts)])
    return float(np.interp(value, summary["histogram"]["edges"], sums) / max(sums[-1], 1.0))
