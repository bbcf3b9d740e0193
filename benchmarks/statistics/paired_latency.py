"""Times of two configurations on the same images: their ratio, as sure as the images and the windows make it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.statistics.intervals import FEW_GROUPS, Floats
from benchmarks.statistics.paired import LEVEL, Difference, SideBySide
from benchmarks.timing.latency import counted, images_of
from benchmarks.timing.record import Timing
from benchmarks.timing.steadiness import AGREE

FEWEST_WINDOWS = 6
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Calls:
    """The calls of one configuration.

    Attributes:
        ids: of the images.
        image: place in `ids` of each call, ``(calls,)``.
        window: in which it was made, ``(calls,)``.
        log_ms: logarithm of its milliseconds, ``(calls,)``.
    """

    ids: tuple[str, ...]
    image: Ints
    window: Ints
    log_ms: Floats

    @classmethod
    def of(cls, timing: Timing) -> Calls:
        """Those that the figures of a timing count."""
        places = counted(timing)
        windows = np.asarray(timing.latency_round or (0,) * len(timing.latency_ms), np.int64)
        return cls(timing.samples, images_of(timing), windows[places],
                   np.log(np.maximum(np.asarray(timing.latency_ms, np.float64)[places], 1e-6)))  # fmt: skip

    @classmethod
    def by_image(cls, ms: Mapping[str, Sequence[float]]) -> Calls:
        """Calls of which nothing is known but the image, all in one window.

        Args:
            ms: id → milliseconds of its calls.
        """
        image = np.repeat(np.arange(len(ms)), [len(calls) for calls in ms.values()])
        flat = np.array([value for calls in ms.values() for value in calls], np.float64)
        return cls(tuple(ms), image, np.zeros(len(flat), np.int64), np.log(np.maximum(flat, 1e-6)))

    def on(self, ids: Mapping[str, int]) -> Calls:
        """Those on some images, whose places are then as given.

        Args:
            ids: id → place.
        """
        places = np.array([ids.get(name, -1) for name in self.ids], np.int64)[self.image]
        kept = places >= 0
        return Calls(tuple(ids), places[kept], self.window[kept], self.log_ms[kept])

    def timed(self) -> set[str]:
        """Images of which a call counts."""
        return {self.ids[place] for place in np.unique(self.image)}

    def counts(self) -> Floats:
        """Calls of each image, ``(images,)``."""
        return np.bincount(self.image, minlength=len(self.ids)).astype(np.float64)

    def effective_windows(self) -> float:
        """How many windows of equal weight would say as much (Kish 1965)."""
        weights = np.bincount(np.unique(self.window, return_inverse=True)[1], 1 / self.counts()[self.image])
        return float(weights.sum() ** 2 / (weights**2).sum())

    def means(self) -> Floats:
        """Mean logarithm of each image, ``(images,)``: of three calls one that was held up does little."""
        return np.bincount(self.image, self.log_ms, len(self.ids)) / self.counts()


def ratio(a: Calls, b: Calls, groups: Mapping[str, str], *, drift: float = 1.0, seed: int = 0) -> Difference:
    """How many times as long one configuration takes as another: the geometric mean over the images of both.

    Calls of one window share what the machine did meanwhile, and are no independent evidence. Where both have six
    windows or more, the variance is clustered by group of images and by window at once (Cameron, Gelbach and Miller
    2011, Robust inference with multiway clustering), the n-th window of either being one as they took turns, with
    residuals enlarged for the means that were fitted (HC2) and the degrees of freedom of Satterthwaite (1946).
    With fewer it is the paired bootstrap and the sign-flip test over groups. These see nothing of the drift between
    windows, so that where there are some, but too few, a drift of 10 % is allowed for.

    Args:
        a: calls of the one.
        b: calls of the other.
        groups: id → group of the image; an image that is not in it is its own.
        drift: by how many times the machine may have been slower for one of the two, where they did not take turns:
            the interval is as much wider, and the p-value is of a ratio beyond that.
        seed: of the bootstrap.
    """
    both = a.timed() & b.timed()
    ids = {name: place for place, name in enumerate(name for name in a.ids if name in both)}
    if not ids:
        return Difference(None, None, None, 0, 0, True, "none", reason="no image was timed in both")
    a, b = a.on(ids), b.on(ids)
    gaps = a.means() - b.means()
    names = [groups.get(name, name) for name in ids]
    if min(a.effective_windows(), b.effective_windows()) >= FEWEST_WINDOWS:
        _, group = np.unique(names, return_inverse=True)
        return _two_way(a, b, gaps, group, math.log(drift))
    known = max(len(np.unique(calls.window)) for calls in (a, b)) > 1
    return _of_images(gaps, names, math.log(max(drift, AGREE) if known else drift), seed)


def _of_images(gaps: Floats, names: Sequence[str], drift: float, seed: int) -> Difference:
    centre = float(gaps.mean())
    moved = gaps - math.copysign(min(drift, abs(centre)), centre)
    found, beyond = (_of_means(values, names, seed) for values in (gaps, moved))
    ends = None if found.ci is None else (math.exp(found.ci[0] - drift), math.exp(found.ci[1] + drift))
    p = beyond.p if abs(centre) > drift else 1.0
    return Difference(math.exp(centre), ends, p, found.n, found.n_groups, found.few_groups, found.method,
                      reason=found.reason)  # fmt: skip


def _of_means(gaps: Floats, names: Sequence[str], seed: int) -> Difference:
    pair = SideBySide(2)
    for name, gap in zip(names, gaps.tolist(), strict=True):
        pair.add(name, ((gap, 1.0), (0.0, 1.0)))
    return pair.difference(seed=seed)


def _two_way(a: Calls, b: Calls, gaps: Floats, group: Ints, drift: float) -> Difference:
    from scipy.special import stdtr, stdtrit

    n, centre, n_groups = len(gaps), float(gaps.mean()), int(group.max()) + 1
    few = n_groups < FEW_GROUPS
    if n_groups < 2:
        return Difference(math.exp(centre), None, None, n, n_groups, few, "none",
                          reason="one group says nothing of the spread over groups")  # fmt: skip
    by_group = _spread(group, (gaps - centre) / n)
    windows, cells = _window_spreads(a, b, gaps, centre)
    parts = (by_group, max(windows - cells, 0.0))
    freedom = (n_groups - 1, min(a.effective_windows(), b.effective_windows()) - 1)
    variance = sum(parts)
    if not variance:
        return Difference(math.exp(centre), None, None if centre else 1.0, n, n_groups, few, "none",
                          reason="every group gives the same figure")  # fmt: skip
    degrees = variance**2 / sum(part**2 / df for part, df in zip(parts, freedom, strict=True))
    error = math.sqrt(variance)
    reach = error * float(stdtrit(degrees, 1 - LEVEL / 2)) + drift
    p = 2 * float(stdtr(degrees, -max(abs(centre) - drift, 0.0) / error))
    return Difference(math.exp(centre), (math.exp(centre - reach), math.exp(centre + reach)), p, n, n_groups, few,
                      "two-way")  # fmt: skip


def _spread(cluster: Ints, scores: Floats) -> float:
    """Variance of a sum of scores whose clusters are independent."""
    _, places = np.unique(cluster, return_inverse=True)
    sums = np.bincount(places, scores)
    return float((sums**2).sum()) * len(sums) / max(len(sums) - 1, 1)


def _window_spreads(a: Calls, b: Calls, gaps: Floats, centre: float) -> tuple[float, float]:
    """Variance clustered by window, and by window and image, which the variance by image holds already."""
    middle, n = (a.means() + b.means()) / 2, len(gaps)
    leverage = 1 / (a.counts() + b.counts())
    scores = []
    for calls, sign in ((a, 0.5), (b, -0.5)):
        residual = calls.log_ms - middle[calls.image] - sign * centre
        weight = 2 * sign / (n * calls.counts()[calls.image])
        scores.append(weight * residual / np.sqrt(1 - leverage[calls.image]))
    score, window = np.concatenate(scores), np.concatenate([a.window, b.window])
    cell = window * n + np.concatenate([a.image, b.image])
    return _spread(window, score), _spread(cell, score)
