"""What the hub says of checkpoints now: commits, sizes, hashes, licences; nothing is guessed, and nothing left half."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import UnavailableError
from pipelines.types import Weights
from pipelines.weights import address, cache, hub
from pipelines.weights.formats import PICKLES, SHARDED, check_file, shards
from pipelines.weights.lockfile import Lock, LockedFile, LockedRepository
from pipelines.weights.refusals import OutOfReach, told


@dataclass
class Outcome:
    """What was resolved.

    Attributes:
        repositories: what goes into the lock.
        left_out: repository → why it cannot be locked.
        warnings: what our own table says differently from the hub.
    """

    repositories: dict[str, LockedRepository] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def resolve(checkpoints: Iterable[Weights]) -> Outcome:
    """Ask for every checkpoint; one that is refused is left out with its reason.

    Raises:
        UnavailableError: the network cannot be reached, or is turned off; then nothing is known of the rest either.
    """
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="lock-") as folder:
        for weights in checkpoints:
            try:
                entry = _of_address(weights) if weights.source == "url" else _of_hub(weights, Path(folder), outcome)
            except OutOfReach as error:
                raise OutOfReach(
                    error.message, "Run this where the hub can be reached; nothing was written."
                ) from error
            except UnavailableError as error:
                outcome.left_out[weights.repository] = str(error)
                continue
            _add(outcome, weights.repository, entry)
    for repository in outcome.left_out:
        outcome.repositories.pop(repository, None)  # half of a project's files would forbid the other half
    return outcome


def differences(lock: Lock, outcome: Outcome) -> list[str]:
    """What the hub says now and the lock does not, one sentence each."""
    return [line for name, now in outcome.repositories.items() for line in _differences(name, lock, now)]


def _differences(name: str, lock: Lock, now: LockedRepository) -> Iterator[str]:
    then = lock.repositories.get(name)
    if then is None:
        yield f"{name} is not in the lock."
        return
    for what in ("commit", "licence", "gated"):
        if getattr(then, what) != getattr(now, what):
            yield f"{name}: {what} was {getattr(then, what)} and is {getattr(now, what)}."
    for file in sorted({*then.files, *now.files}):
        if then.files.get(file) != now.files.get(file):
            yield f"{name}: {file} has changed."


def _add(outcome: Outcome, repository: str, entry: LockedRepository) -> None:
    """Several checkpoints of one repository are one entry with the files of all."""
    before = outcome.repositories.get(repository)
    files = {**(before.files if before else {}), **entry.files}
    outcome.repositories[repository] = entry.model_copy(update={"files": files})


def _of_hub(weights: Weights, folder: Path, outcome: Outcome) -> LockedRepository:
    if hub.offline():
        raise OutOfReach("The network is turned off (HF_HUB_OFFLINE).", "Unset it, and run this again.")
    with told(weights, folder):
        info = hub.model_info(weights.repository)
        files = dict(_files(weights, info, folder))
    licence = _licence(info)
    outcome.warnings += _disagreements(weights, licence, gated=bool(info.gated))
    return LockedRepository(source="hub", commit=info.sha, licence=licence, gated=bool(info.gated), files=files)


def _files(weights: Weights, info: Any, folder: Path) -> Iterator[tuple[str, LockedFile]]:
    """Large files by what the hub states, small ones by their content, which it states nothing of."""
    published = {file.rfilename: file for file in info.siblings}
    names = hub.served(weights, published)
    for name in names:
        file = published[name]
        if file.lfs is not None:
            yield name, LockedFile(sha256=file.lfs.sha256, size_bytes=file.lfs.size)
            continue
        path = hub.download(weights.repository, info.sha, name, folder)
        if name.endswith(SHARDED):
            names += [f"{name.rpartition('/')[0]}/{shard}".lstrip("/") for shard in shards(path)]
        yield name, _hashed(path)


def _hashed(path: Path) -> LockedFile:
    with path.open("rb") as file:
        return LockedFile(sha256=hashlib.file_digest(file, "sha256").hexdigest(), size_bytes=path.stat().st_size)


def _of_address(weights: Weights) -> LockedRepository:
    name = weights.files[0]
    if name.endswith(PICKLES):
        raise UnavailableError(f"{name} is a pickle and is never fetched.", "Nothing is to be done.")
    if hub.offline():
        raise OutOfReach("The network is turned off (HF_HUB_OFFLINE).", "Unset it, and run this again.")
    kept = cache.cached(weights) if weights.checksum else None  # with nothing to check it by, it may be an old one
    folder = kept or address.fetch(weights)
    cache.check_sum(weights, folder / name)
    check_file(folder / name)
    return LockedRepository(source="url", licence=weights.licence, files={name: _hashed(folder / name)})


def _licence(info: Any) -> str | None:
    """As the card says it: custom licences have a name of their own beside "other"."""
    card: Mapping[str, Any] = info.card_data.to_dict() if info.card_data else {}
    said = card.get("license")
    said = card.get("license_name") or said if said == "other" else said
    return " or ".join(map(str, said)) if isinstance(said, list) else said and str(said)


def _disagreements(weights: Weights, licence: str | None, *, gated: bool) -> Iterator[str]:
    if _plain(licence) != _plain(weights.licence):
        yield (f"the card of {weights.repository} says the licence is {licence or 'not stated'}; our table says "
               f"{weights.licence}. Read {weights.page} before you use it.")  # fmt: skip
    if gated != weights.gated:
        yield f"{weights.repository} is {'' if gated else 'not '}gated on the hub; our table says otherwise."


def _plain(licence: str | None) -> str:
    return re.sub("[^a-z0-9]", "", (licence or "").lower())
