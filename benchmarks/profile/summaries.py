"""Sums of many numbers: mean, spread, percentiles and a histogram."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 30
FAR = 1.5
"""Of the range of eight in ten values."""

PERCENTILES = (5, 25, 50, 75, 95)
Floats = npt.NDArray[np.floating[Any]]


def summary(values: Floats, edges: Floats) -> dict[str, Any] | None:
    """What a feature is like over samples.

    Args:
        values: ``(N,)``; NaN where a sample has none, which are left out.
        edges: of the histogram's bins, rising.

    Returns:
        Keys n, mean, std (divisor n), min, p5 to p95 (linear between values), max and histogram; None if n is 0.
    """
    known = np.asarray(values[np.isfinite(values)], np.float64)
    if not len(known):
        return None
    at = np.percentile(known, PERCENTILES)
    return {
        "n": len(known),
        "mean": _short(known.mean()),
        "std": _short(known.std()),
        "min": _short(known.min()),
        **{f"p{p}": _short(value) for p, value in zip(PERCENTILES, at, strict=True)},
        "max": _short(known.max()),
        "histogram": {"edges": [_short(edge) for edge in edges], "counts": np.histogram(known, edges)[0].tolist()},
    }


def bins(values: Floats, whole: bool) -> npt.NDArray[np.float64]:
    """Edges of some 30 bins over all values; of whole numbers each bin holds as many of them.

    The first and the last are wider where a few values lie so far out that the others would share one bin.
    """
    known = np.asarray(values[np.isfinite(values)], np.float64)
    if not len(known):
        return np.array([0.0, 1.0])
    low, high = float(known.min()), float(known.max())
    near, far = _bulk(known)
    if whole:
        near, far = np.floor(near), np.ceil(far)
        step = max(1.0, np.ceil((far - near + 1) / BINS))
        edges = np.arange(near - 0.5, far + step, step)
        low, high = low - 0.5, high + 0.5
    else:
        edges = np.linspace(near, far, BINS + 1) if far > near else np.array([low - 0.5, high + 0.5])
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    return edges


def _bulk(known: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Where all values are but those far from eight in ten; all of them where these eight are alike."""
    low, high = np.percentile(known, (10, 90))
    reach = FAR * (high - low) or np.inf
    return max(float(known.min()), float(low - reach)), min(float(known.max()), float(high + reach))


def _short(value: float) -> float:
    """Nine digits: more say nothing, and fill the document."""
    return float(f"{value:.9g}")
