"""What pipelines saw in visitors' pictures, kept while there is room, so that a moved slider needs no further look."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, fields
from threading import Lock
from typing import Any

import numpy as np

from pipelines.types import Evidence


@dataclass(frozen=True)
class Key:
    """Whose evidence, and of what: nobody is ever shown what was made for another visitor.

    Attributes:
        visitor: whose picture it is.
        picture: hash of its pixels.
        look: hash of everything else that decides what is seen: pipeline, prompt, parameters, device, weights.
    """

    visitor: str
    picture: str
    look: str


class KeptEvidence:
    """Evidence by key; what was used longest ago is dropped first. May be used from many threads.

    Args:
        room_mb: for all of it, in 10**6 bytes.
    """

    def __init__(self, room_mb: float) -> None:
        self.room = int(room_mb * 1e6)
        self.used = 0
        self.held: OrderedDict[Key, tuple[Any, int]] = OrderedDict()
        self.lock = Lock()

    def get(self, key: Key) -> Any:
        """What was put there, or None."""
        with self.lock:
            if key not in self.held:
                return None
            self.held.move_to_end(key)
            return self.held[key][0]

    def put(self, key: Key, value: Any, evidence: Evidence) -> None:
        """Keep something with evidence in it; nothing larger than all the room.

        Args:
            key: under which it is found again.
            value: to keep.
            evidence: that takes the room.
        """
        size = nbytes(evidence)
        with self.lock:
            self._drop(key)
            if size > self.room:
                return
            while self.used + size > self.room:
                self._drop(next(iter(self.held)))
            self.held[key] = value, size
            self.used += size

    def forget(self, visitor: str) -> None:
        """Drop all of a visitor's."""
        with self.lock:
            for key in [key for key in self.held if key.visitor == visitor]:
                self._drop(key)

    def _drop(self, key: Key) -> None:
        self.used -= self.held.pop(key, (None, 0))[1]


def nbytes(evidence: Evidence) -> int:
    """What its arrays take in memory."""
    arrays = (getattr(evidence, field.name) for field in fields(evidence))
    return sum(one.nbytes for one in arrays if isinstance(one, np.ndarray))
