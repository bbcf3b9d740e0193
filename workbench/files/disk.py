"""What files take and when they were written, while others write, move and remove them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; one that is gone meanwhile takes none."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # replaced or removed since it was listed
                total += (Path(root) / name).lstat().st_size
    return total


def written_s(path: Path) -> float:
    """When a file or a folder was written last, in seconds as `time.time`; 0 where there is none."""
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
