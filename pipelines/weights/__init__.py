"""From a checkpoint to files on this machine: offline first, pinned where a lock says so, never a pickle."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from time import perf_counter

from pipelines.errors import UnavailableError
from pipelines.types import Weights
from pipelines.weights import cache, hub
from pipelines.weights.formats import PICKLES, WEIGHT_SUFFIXES, check_file, check_names, gather, pickled
from pipelines.weights.formats import damaged as damaged_file
from pipelines.weights.lockfile import LockedRepository, check_lock, check_locked, locked
from pipelines.weights.refusals import DamagedWeightsError, fetch_it, put_it

__all__ = ["RANDOM", "DamagedWeightsError", "Located", "check_lock", "locate", "missing", "stamp"]

RANDOM = "random"
MANY = 1000
"""Folders that are looked through for a near name."""


@dataclass(frozen=True)
class Located:
    """Weights that were found on this machine.

    Attributes:
        weights: what was looked for.
        folder: holds the files; None = random weights, for which there are none.
        revision: 40 hexadecimal digits of the commit that was loaded, or None ("unpinned").
        sha256: file → sha256 of its content; empty for random weights.
        seconds: that finding, fetching and hashing took.
    """

    weights: Weights
    folder: Path | None
    revision: str | None = None
    sha256: Mapping[str, str] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)

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
    """Find a checkpoint: in the user's folder, or in the cache and then on the network.

    Args:
        weights: what to look for.
        where: folder that holds ``owner/name/`` with what the repository holds, and then the network is never asked;
            "random"; or None for the cache, then the hub.

    Returns:
        Where its files are; each is whole, of a format that runs no code, and what the lock says, if there is one.

    Raises:
        DamagedWeightsError: it is there, and damaged or not what the lock, the hub or its publisher says.
        UnavailableError: it is missing, gated, out of reach or of a forbidden format; the message says what to do.
        UsageError: the lock is broken.
    """
    if _is_random(where):
        return Located(weights, None)
    start = perf_counter()
    check_names(weights.repository, weights.files)
    entry = locked(weights.repository)
    if where is not None:
        found = _from_folder(weights, Path(where), entry)
    else:
        found = _from_address(weights, entry) if weights.source == "url" else _from_hub(weights, entry)
    return replace(found, seconds=perf_counter() - start)


def missing(weights: Weights, where: Path | str | None) -> UnavailableError | None:
    """What `locate` would raise, as far as can be told at once, with no network and no hashing; else None.

    A `DamagedWeightsError` says that they are there and of no use, any other that they cannot be had. Pickles are not
    judged here: the one engine that reads its own looks for them itself.

    Raises:
        UsageError: the lock is broken.
    """
    if _is_random(where) or (weights.files[:1] and weights.files[0].endswith(PICKLES)):
        return None
    try:
        if where is not None:
            return _lacking(weights, Path(where))
        there = _kept(weights) is not None
    except DamagedWeightsError as error:
        return error
    return None if there or not hub.offline() else _offline(weights)


def stamp(weights: Weights, where: Path | str | None) -> str | None:
    """Which files would be loaded now, quickly told by their commit, sizes, times and places; None without any.

    Two stamps that differ mean that the weights may; equal ones, that nobody touched them: the time of the last change
    of state cannot be set back, as that of the content can. What is damaged would not
    be loaded.
    """
    if _is_random(where):
        return None
    try:
        folder = Path(where) / weights.repository if where is not None else _kept(weights)
        names, lacking = gather(folder, weights.files) if folder else ([], ["all"])
        if folder is None or lacking:
            return None
        states = [(name, (folder / name).stat()) for name in sorted(names)]
    except (DamagedWeightsError, FileNotFoundError):  # the latter where somebody is just replacing them
        return None
    told = [folder.name, *((name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for name, s in states)]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _kept(weights: Weights) -> Path | None:
    """The folder in a cache."""
    if weights.source == "url":
        return cache.cached(weights)
    return hub.cached(weights, _commit(weights, locked(weights.repository)))


def _is_random(where: Path | str | None) -> bool:
    return where is not None and str(where) == RANDOM


def _commit(weights: Weights, entry: LockedRepository | None) -> str | None:
    return entry.commit if entry else weights.revision


def _from_folder(weights: Weights, root: Path, entry: LockedRepository | None) -> Located:
    lacking = _lacking(weights, root)
    if lacking is not None:
        raise lacking
    return _checked(weights, root / weights.repository, entry, entry.commit if entry else None)


def _from_hub(weights: Weights, entry: LockedRepository | None) -> Located:
    commit = _commit(weights, entry)
    folder = hub.cached(weights, commit)
    if folder is not None:
        return _checked(weights, folder, entry, folder.name)
    if hub.offline():
        raise _offline(weights)
    folder = hub.fetch(weights, commit)
    try:
        return _checked(weights, folder, entry, folder.name)
    except UnavailableError:
        hub.discard(folder, gather(folder, weights.files)[0])
        raise


def _from_address(weights: Weights, entry: LockedRepository | None) -> Located:
    folder = cache.cached(weights)
    if folder is None and hub.offline():
        raise _offline(weights)
    if folder is not None:
        cache.check_sum(weights, folder / weights.files[0])
        return _checked(weights, folder, entry, None)
    from pipelines.weights.address import fetch  # TLS and HTTP, which only a download needs

    folder = fetch(weights)
    try:
        return _checked(weights, folder, entry, None)
    except UnavailableError:
        hub.discard(folder, weights.files)
        raise


def _checked(weights: Weights, folder: Path, entry: LockedRepository | None, revision: str | None) -> Located:
    """Open no file further than its header before it is known to be harmless and the one that is meant."""
    names, _ = gather(folder, weights.files)
    for name in names:
        check_file(folder / name)
    heavy = [name for name in names if name.endswith(WEIGHT_SUFFIXES)]
    hashes = {name: _sha256(folder / name) for name in (heavy if entry is None else names)}
    if entry is not None:
        check_locked(weights.repository, entry, hashes, folder)
    return Located(weights, folder, revision, {name: hashes[name] for name in heavy})


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    stated = hub.stated_sha256(path)
    if stated not in (None, got):
        raise damaged_file(path.resolve(), f"the hub says that it hashes to {str(stated)[:12]}, and it is {got[:12]}")
    return got


def _offline(weights: Weights) -> UnavailableError:
    return UnavailableError(
        f"{weights.repository} is not on this machine, and the network is turned off (HF_HUB_OFFLINE).",
        fetch_it(weights),
    )


def _lacking(weights: Weights, root: Path) -> UnavailableError | None:
    folder = root / weights.repository
    if not folder.is_dir():
        return UnavailableError(f"{weights.repository} is not in {root}: there is no folder {folder}.",
                                f"{_hint(weights.repository, root)}{put_it(weights, folder)}")  # fmt: skip
    lacking = gather(folder, weights.files)[1]
    if not lacking:
        return None
    pickle = next((path.name for path in sorted(folder.iterdir()) if path.name.endswith(PICKLES)), None)
    if pickle and any(name.endswith(".safetensors") for name in lacking):
        return pickled(weights.repository, pickle)
    return UnavailableError(f"{weights.repository} lacks {', '.join(lacking)} in {folder}.", put_it(weights, folder))


def _hint(repository: str, root: Path) -> str:
    """What was probably meant, where a similar folder is there."""
    if (root / f"models--{repository.replace('/', '--')}").is_dir():
        return f"That is a cache of the hub: set HF_HUB_CACHE={root} and leave --weights out. "
    if (root / "config.json").is_file():
        return "Give the folder that holds OWNER/NAME/, not that of one model. "
    known = [f"{path.parent.name}/{path.name}" for path in islice(root.glob("*/*/"), MANY)]
    near = difflib.get_close_matches(repository, known, n=1, cutoff=0.6)
    return f"There is {near[0]}; is that meant? " if near else ""
