"""A network whose numbers are no numbers has failed: that is an error, not an empty prediction."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.errors import ContractError
from pipelines.types import Evidence

NUMBERS = ("soft", "boxes", "scores", "box_scores", "mask_maps", "presence")
"""Fields of evidence that a network computes."""


def check_finite(*values: Any) -> None:
    """Refuse NaN and infinity, which every threshold would silently take for "not there".

    Args:
        values: arrays of numpy or tensors of torch, of any shape; None is left out.

    Raises:
        ContractError: one holds a number that is none.
    """
    if not all(value is None or _is_finite(value) for value in values):
        raise ContractError(
            "The network's numbers are not finite (NaN or infinity).",
            "Use dtype=float32 if another was chosen; else its weights are damaged.",
        )


def check_evidence(evidence: Evidence) -> None:
    """`check_finite` for all that a network computed of one image."""
    check_finite(*(getattr(evidence, name) for name in NUMBERS))


def _is_finite(value: Any) -> bool:
    return bool(np.isfinite(value).all() if isinstance(value, np.ndarray) else value.isfinite().all())
