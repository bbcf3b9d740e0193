"""Evidence with its arrays as small codes, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.evidence.coding import Array, Packed, pack, pack_maps
from pipelines.errors import ContractError
from pipelines.finite import check_evidence
from pipelines.types import Evidence, EvidenceKind

MAPS = ("soft", "mask_maps")
FIELDS = {"soft": 3, "mask_maps": 3, "boxes": 2, "scores": 2, "box_scores": 1, "prompt_index": 1, "presence": 1}
"""Arrays of evidence, and the dimensions of each."""


@dataclass(frozen=True, eq=False)
class Compact:
    """What an `Evidence` holds, in a half or a quarter of the room.

    Attributes:
        size: ``(H, W)`` of the image.
        kind: of the maps.
        canvas: as of the evidence.
        window: as of the evidence.
        arrays: by field; one that is not given is None in the evidence.
    """

    size: tuple[int, int]
    kind: EvidenceKind
    canvas: tuple[int, int] | None
    window: tuple[int, int, int, int] | None
    arrays: Mapping[str, Packed]

    @property
    def nbytes(self) -> int:
        """What the arrays take in memory."""
        return sum(packed.nbytes for packed in self.arrays.values())

    def bound(self) -> float:
        """How far a value of a map may be from what it was: of a probability, or of a logit not beyond 65504."""
        return max((self.arrays[name].bound() for name in MAPS if name in self.arrays), default=0.0)


def compact(evidence: Evidence) -> Compact:
    """The same evidence in less room; what may be lost is written in `benchmarks.evidence.coding`.

    Scores, boxes and presence are held exactly. To do it again to what came back changes nothing.

    Args:
        evidence: wherever its arrays are.

    Raises:
        ContractError: it holds NaN or infinity, or an array has not the dimensions that it should have.
    """
    host = evidence.to_host()
    check_evidence(host)
    given = {name: np.asarray(value) for name in FIELDS if (value := getattr(host, name)) is not None}
    for name, value in given.items():
        if value.ndim != FIELDS[name]:
            raise ContractError(
                f"{name} of the evidence must have {FIELDS[name]} dimensions, got {value.shape}.",
                "Correct the pipeline.",
            )
    arrays = {name: _packed(name, value, host.kind) for name, value in given.items()}
    return Compact(host.size, host.kind, host.canvas, host.window, arrays)


def _packed(name: str, values: Array, kind: EvidenceKind) -> Packed:
    if name in MAPS:
        return pack_maps(values, kind)
    if name == "prompt_index":  # on its way from a device it may have become a float
        return pack(values.astype(np.int64))
    return pack(values)


def expand(held: Compact) -> Evidence:
    """Evidence with its arrays in host memory; they are not to be written to."""
    arrays = {name: packed.unpacked() for name, packed in held.arrays.items()}
    return Evidence(held.size, held.kind, canvas=held.canvas, window=held.window, **arrays)
