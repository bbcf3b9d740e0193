"""What two thresholds decide, told by a pipeline, so that they can be swept at no further decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.types import Evidence, Floats, Mask

Map = npt.NDArray[np.float32]


def _no_scores() -> Floats:
    return np.zeros(0, np.float32)


@dataclass(frozen=True)
class Layers:
    """The foreground of one image as a function of its thresholds.

    It is the union, over the layers whose score passes the rank threshold, of the pixels whose value passes the cut
    threshold, and that is what `Pipeline.decide` finds at them, bit for bit.

    Attributes:
        size: ``(H, W)`` of the image.
        cut: the decide field that the maps are compared with, such as "threshold".
        cut_inclusive: whether a pixel that is equal to it is foreground.
        maps: gives a fresh iterator over the layers, the strongest first, ``float32 (H, W)`` each. They are made one at
            a time, so that memory is level; they are not to be written into.
        rank: the decide field that the scores are compared with, such as "box_threshold"; None = there is one layer.
        rank_inclusive: whether a layer whose score is equal to it is kept.
        scores: ``(K,)`` of the layers, falling; empty where there is no rank.
    """

    size: tuple[int, int]
    cut: str
    cut_inclusive: bool
    maps: Callable[[], Iterator[Map]]
    rank: str | None = None
    rank_inclusive: bool = False
    scores: Floats = field(default_factory=_no_scores)

    def passing(self, ranks: Floats) -> npt.NDArray[np.int64]:
        """How many layers, from the strongest on, pass each rank threshold.

        Args:
            ranks: ``(R,)``; compared in the precision of the scores, as a decision compares them.

        Returns:
            ``int64 (R,)``.
        """
        passes = np.greater_equal if self.rank_inclusive else np.greater
        passed = passes(self.scores[None], ranks.astype(self.scores.dtype)[:, None])
        return np.asarray(passed.sum(axis=1), np.int64)

    def foreground(self, cut: float, rank: float | None = None) -> Mask:
        """The union at two thresholds, ``bool (H, W)``.

        Args:
            cut: compared with the maps.
            rank: compared with the scores; None where there is no rank.
        """
        number = 1 if rank is None else int(self.passing(np.array([rank]))[0])
        passes = np.greater_equal if self.cut_inclusive else np.greater
        found = np.zeros(self.size, np.bool_)
        for one in islice(self.maps(), number):
            found |= passes(one, cut)
        return found


def of_soft(evidence: Evidence, cut: str = "threshold") -> Layers:
    """One layer: the largest of the dense maps at each pixel, since a pixel is foreground where any label's map is.

    Args:
        evidence: with `soft` ``(L, h, w)``; brought up to the picture's size where it lies, in host memory or on a
            device.
        cut: the decide field from which on a pixel is foreground.
    """
    return Layers(evidence.size, cut, cut_inclusive=True, maps=partial(_largest, evidence))


def of_candidates(evidence: Evidence, order: npt.NDArray[np.integer[Any]], scores: Floats, *, rank: str,
                  rank_inclusive: bool = False, cut: str = "mask_threshold") -> Layers:  # fmt: skip
    """A layer a candidate.

    Args:
        evidence: with `mask_maps` ``(K, h, w)``, in host memory or on a device.
        order: N indices of candidates, the strongest first.
        scores: ``(N,)`` of those, falling.
        rank: the decide field that the scores are compared with.
        rank_inclusive: whether a candidate whose score is equal to it is kept.
        cut: the decide field above which a pixel is of the object.
    """
    from pipelines.candidates import maps_of

    return Layers(evidence.size, cut, cut_inclusive=False, maps=partial(maps_of, evidence, order), rank=rank,
                  rank_inclusive=rank_inclusive, scores=scores)  # fmt: skip


def _largest(evidence: Evidence) -> Iterator[Map]:
    maps = _on_host(evidence) if isinstance(evidence.soft, np.ndarray) else _on_device(evidence)
    yield reduce(np.fmax, maps)  # what is no number passes no threshold


def _on_host(evidence: Evidence) -> Iterator[Map]:
    from pipelines.candidates import full_size_map
    from pipelines.maps import sigmoid

    for one in evidence.soft:
        full = full_size_map(one, evidence)
        yield sigmoid(full) if evidence.kind == "logit" else full


def _on_device(evidence: Evidence) -> Iterator[Map]:
    """As many maps at once as when they are cut there: torch may choose another kernel for another number."""
    from pipelines.networks.device_maps import full_size_on_device, labels_at_once

    step = labels_at_once(evidence)
    for start in range(0, len(evidence.soft), step):
        maps = full_size_on_device(evidence, slice(start, start + step))
        yield maps.nan_to_num(nan=float("-inf")).amax(dim=0).cpu().numpy()  # NaN passes no threshold
