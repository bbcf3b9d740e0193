"""Percentiles of calls, where the images support them, with intervals that know which calls share an image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.statistics.intervals import SUPPORT, interval

Ends = tuple[float, float]
LEVELS = {"p50": 50, **{name: level for name, (level, _) in SUPPORT.items()}}
FEWEST = {"mean": 6, "p50": 6, **{name: needed for name, (_, needed) in SUPPORT.items()}}
"""Images from which there is an interval: of fewer than six the smallest and largest bound no median at 95 %."""

RESAMPLES = 2000
TAILS = (0.025, 0.975)


def percentiles(values_ms: npt.ArrayLike, images: npt.ArrayLike) -> dict[str, float | int | None]:
    """``n`` images, mean and median of their calls, and those percentiles that so many images support.

    Repeats of one image are no new images: they sharpen its own figure and say nothing of others.

    Args:
        values_ms: of each call, ``(calls,)``.
        images: which image each call was on, ``(calls,)``.
    """
    values, n = np.asarray(values_ms, np.float64), len(np.unique(np.asarray(images)))
    found: dict[str, float | int | None] = {"n": n, "mean": round(float(values.mean()), 4) if n else None}
    for name, level in LEVELS.items():
        supported = n >= SUPPORT.get(name, (0, 1))[1]
        found[name] = round(float(np.percentile(values, level)), 4) if supported else None
    return found


def intervals(values_ms: npt.ArrayLike, images: npt.ArrayLike, seed: int = 0) -> dict[str, Ends | None]:
    """95 % intervals of the mean, by the bootstrap over images, and of the percentiles.

    Args:
        values_ms: of each call, ``(calls,)``.
        images: which image each call was on, ``(calls,)``.
        seed: of the resampling.
    """
    values = np.asarray(values_ms, np.float64)
    _, unit = np.unique(np.asarray(images), return_inverse=True)
    weights = np.bincount(unit).astype(np.float64)
    n = len(weights)
    found: dict[str, Ends | None] = dict.fromkeys(FEWEST)
    if n < min(FEWEST.values()):
        return found
    mean = interval(np.bincount(unit, values), weights, range(n), resamples=RESAMPLES, seed=seed).ends
    found["mean"] = _rounded(*mean) if mean else None
    ordered = np.sort(values)
    for name, level in LEVELS.items():
        if n >= FEWEST[name]:
            found[name] = _of_percentile(level / 100, values, ordered, unit, weights)
    return found


def _of_percentile(share: float, values: npt.NDArray[np.float64], ordered: npt.NDArray[np.float64],
                   unit: npt.NDArray[np.intp], weights: npt.NDArray[np.float64]) -> Ends:  # fmt: skip
    """Between the values that the ends of the share's own interval stand for (Woodruff 1952).

    That interval is Clopper and Pearson's, for as many calls as would say as much if no two shared an image (Korn and
    Graubard 1998). A bootstrap of percentiles near the end of the sample is too narrow: it never leaves the sample.
    """
    from scipy.special import betaincinv

    calls, n = len(values), len(weights)
    below = np.bincount(unit, values <= np.quantile(ordered, share)) - share * weights
    variance = float((below**2).sum()) * n / (n - 1) / calls**2
    alike = min(calls, share * (1 - share) / variance) if variance > 0 else n
    hits = share * alike
    lo, hi = betaincinv(hits, alike - hits + 1, TAILS[0]), betaincinv(hits + 1, alike - hits, TAILS[1])
    return _rounded(ordered[int(lo * calls)], ordered[min(int(np.ceil(hi * calls)), calls - 1)])


def _rounded(lo: float, hi: float) -> Ends:
    return round(float(lo), 4), round(float(hi), 4)
