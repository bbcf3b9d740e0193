"""What the measured properties of a dataset mean for the choice of a pipeline, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.profile.advice_data import of_data
from benchmarks.profile.advice_scenes import of_scenes
from benchmarks.profile.precision import of_precision

RANK = {"care": 0, "note": 1, "good": 2}
"""Severities of advice, in the order in which they are shown."""


def advise(document: Mapping[str, Any], *, run: Path | None = None) -> list[dict[str, Any]]:
    """What to know before pipelines are compared on a dataset.

    Args:
        document: of its profile.
        run: folder of a run on it, from which the spread of quality is taken; else it is assumed, and that is said.

    Returns:
        Advice with title, reason, severity ("care", "note" or "good") and figures, the most urgent first.

    Raises:
        UsageError: the folder holds no run.
    """
    found = [*of_precision(document, run), *of_scenes(document), *of_data(document)] if document["n"] else []
    return sorted(found, key=lambda one: RANK[one["severity"]])
