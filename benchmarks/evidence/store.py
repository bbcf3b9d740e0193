"""Compact evidence on disk: one file a key, written whole, in bounded room that several processes share."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from benchmarks.evidence.compact import Compact, compact, expand
from benchmarks.evidence.layout import from_bytes, to_bytes
from benchmarks.evidence.room import Room
from pipelines.errors import ResourceError, UsageError
from pipelines.files import replace_bytes
from pipelines.types import Evidence

_KEY = re.compile(r"[0-9a-f]{64}")


class EvidenceStore:
    """A folder of evidence, to be asked before a network is.

    The files together never take more than the room, whoever writes them: a writer holds a lock while it writes, and
    each process keeps to the room that it was given itself. What was used longest ago is dropped first. Counted are the
    lengths of the files, not what a file system adds to each; a file that somebody else puts there counts from the next
    walk through the folder, which is when the room seems used up.

    Args:
        folder: made at the first `put`.
        room_mb: for all files together, in 10**6 bytes; 0 keeps none.
    """

    def __init__(self, folder: Path, room_mb: float) -> None:
        self.folder = folder
        self.room = Room(folder, int(room_mb * 1e6))

    def get(self, key: str) -> Evidence | None:
        """What was put away under a key, or None; its arrays are in host memory and not to be written to.

        Args:
            key: of `evidence_key`.
        """
        held = self.get_compact(key)
        return None if held is None else expand(held)

    def get_compact(self, key: str) -> Compact | None:
        """The same, not expanded yet: what is held in memory for all images of a dataset.

        A file that is torn, damaged, of another version or no such file at all is removed, and None.
        """
        path = self._path(key)
        data = _content(path)
        if data is None:
            return None
        held = from_bytes(key, data)
        try:
            if held is None:
                path.unlink(missing_ok=True)
            else:
                os.utime(path)
        except OSError:  # a store that may only be read serves all the same, and one dropped meanwhile was read whole
            return held
        return held

    def put(self, key: str, evidence: Evidence | Compact) -> bool:
        """Put evidence away, in place of what was there under this key.

        Args:
            key: of `evidence_key`.
            evidence: as it came from a pipeline, or compact.

        Returns:
            Whether it was kept: not where it is larger than all the room, or nothing can be written there.

        Raises:
            ContractError: it holds NaN or infinity.
            ResourceError: the disk is full; what was there before is whole.
        """
        path = self._path(key)
        data = to_bytes(key, evidence if isinstance(evidence, Compact) else compact(evidence))
        if len(data) > self.room.most:
            return False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self.room.reserved(path, len(data)) as there_is_room:
                if there_is_room:
                    replace_bytes(path, data)
            return there_is_room
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                return False  # it cannot be written here: that costs time, and no result
            raise ResourceError(
                f"The disk is full; the evidence in {self.folder} is kept.",
                "Make room, or give the store less, then run the same command again.",
            ) from error

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise UsageError(f"{key!r} is no key of evidence.", "Take it from evidence_key.")
        return self.folder / key[:2] / f"{key}.evidence"


def _content(path: Path) -> bytes | None:
    """All of a file; None where there is none, or the disk cannot read it: then the network is asked again."""
    try:
        return path.read_bytes() if stat.S_ISREG(path.stat().st_mode) else None
    except OSError:
        return None
