"""Soft maps on disk: 8 bit, at the image's size, so that thresholds can be moved later with no model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.file_names import file_name
from pipelines.errors import DatasetError
from pipelines.files import replace_bytes

Levels = npt.NDArray[np.uint8]
FOLDER = "soft"
QUICK = [cv2.IMWRITE_PNG_COMPRESSION, 1]
TOP = 255


def levels(soft: npt.NDArray[np.floating[Any]]) -> Levels:
    """floor(255 p) of a probability map ``(H, W)``: what a threshold of k/255 cuts is what a cut at level k does."""
    return (soft * TOP).astype(np.uint8)


def probabilities(values: Levels) -> npt.NDArray[np.float32]:
    """The middle of each level, ``float32 (H, W)``, at most 1/510 off; the lowest stays 0, at most 1/255 off."""
    middles = (np.arange(TOP + 1, dtype=np.float32) + np.float32(0.5)) / np.float32(TOP)
    middles[[0, TOP]] = 0, 1
    return np.asarray(middles[values], np.float32)


class SoftMaps:
    """The maps of one configuration, one PNG an image, as long as there is room.

    Args:
        folder: of the configuration.
        room_mb: for all maps together, in 10**6 bytes.
    """

    def __init__(self, folder: Path, room_mb: float) -> None:
        self.folder = folder
        for torn in (folder / FOLDER).rglob(".*.png.*"):  # what a kill left of one that was being written
            torn.unlink()
        self.left = room_mb * 1e6 - sum(path.stat().st_size for path in (folder / FOLDER).rglob("*.png"))

    def keep(self, sample_id: str, soft: npt.NDArray[np.floating[Any]]) -> str | None:
        """Store the map ``(H, W)`` of a sample; its path below the folder, or None where there is no room for it."""
        path = self.folder / FOLDER / f"{file_name(sample_id)}.png"
        if path.is_file():  # of an image whose record a kill took
            self.left += path.stat().st_size
        data = cv2.imencode(".png", levels(soft), QUICK)[1].tobytes() if self.left > 0 else b""
        if not 0 < len(data) <= self.left:
            path.unlink(missing_ok=True)
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        self.left -= len(data)
        replace_bytes(path, data)
        return str(path.relative_to(self.folder))


def read_levels(path: Path, size: tuple[int, int]) -> Levels:
    """A stored map, ``uint8 (H, W)``, of the size that its record says.

    Raises:
        DatasetError: it is gone or damaged.
    """
    data = np.frombuffer(path.read_bytes(), np.uint8) if path.is_file() else np.empty(0, np.uint8)
    found = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if found is None or found.shape != size or found.dtype != np.uint8:
        raise DatasetError(f"The soft map {path} is gone or damaged.", "Run again with --fresh.")
    return np.asarray(found, np.uint8)
