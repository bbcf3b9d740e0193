"""Where files that lie at an address are kept, and whether they are what their publisher states."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pipelines.types import Weights
from pipelines.weights.refusals import DamagedWeightsError

VARIABLE = "SEGMENTATION_WORKBENCH_CACHE"


def cache_folder() -> Path:
    """Where fetched files are kept, as ``owner/name/FILE``: it can be given to ``--weights`` on another machine."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get(VARIABLE) or f"{base}/segmentation-workbench").expanduser()


def cached(weights: Weights) -> Path | None:
    """The folder that holds the file of a checkpoint, or None."""
    folder = cache_folder() / weights.repository
    return folder if (folder / weights.files[0]).is_file() else None


def check_sum(weights: Weights, path: Path) -> None:
    """Compare a file with the checksum that its publisher states, if there is one.

    Raises:
        DamagedWeightsError: it differs.
    """
    if weights.checksum is None:
        return
    kind, _, wanted = weights.checksum.partition(":")
    with path.open("rb") as file:
        got = hashlib.file_digest(file, kind).hexdigest()
    if got != wanted.lower():
        raise DamagedWeightsError(
            f"{weights.files[0]} of {weights.repository} is not what its publisher states: expected {kind} "
            f"{wanted[:12]}, got {got[:12]}.",
            f"Delete {weights.files[0]} in {cache_folder() / weights.repository} if it is there, and fetch it again.",
        )
