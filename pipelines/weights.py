"""From a checkpoint to files on this machine: offline first, pinned where a lock says so, never a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import UnavailableError
from pipelines.types import Weights

RANDOM = "random"


@dataclass(frozen=True)
class Located:
    """Weights that were found on this machine.

    Attributes:
        weights: what was looked for.
        folder: holds the files; None = random weights, for which there are none.
        revision: 40 hexadecimal digits of the commit that was loaded, or None ("unpinned").
        sha256: file → sha256 of its content; empty for random weights.
    """

    weights: Weights
    folder: Path | None
    revision: str | None = None
    sha256: Mapping[str, str] = field(default_factory=dict)

    @property
    def random(self) -> bool:
        """Whether the network is to be built with random weights."""
        return self.folder is None

    def file(self, name: str) -> Path:
        """Path of one of the files."""
        if self.folder is None:
            raise UnavailableError(f"{self.weights.repository} is random and has no file {name}.", "Build it instead.")
        return self.folder / name


def locate(weights: Weights, where: Path | str | None) -> Located:
    """Find a checkpoint: in the user's folder, in the cache, or on the network, in this order.

    Args:
        weights: what to look for.
        where: folder that holds ``owner/name/`` with what the repository holds, and then the network is never asked;
            "random"; or None for the cache, then the hub.

    Raises:
        UnavailableError: it is missing, gated, damaged, of a forbidden format or not what the lock says; the message
            says what to do.
    """
    raise NotImplementedError


def missing(weights: Weights, where: Path | str | None) -> UnavailableError | None:
    """What `locate` would raise, as far as can be told at once, with no network and no file read; else None."""
    raise NotImplementedError
