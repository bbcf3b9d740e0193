"""models.lock.json: which commit of each repository is meant, and what its files hash to."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import UsageError
from pipelines.weights.refusals import DamagedWeightsError

NAME = "models.lock.json"
VARIABLE = "SEGMENTATION_WORKBENCH_LOCK"
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LockedFile(_Strict):
    """One file as it was published.

    Attributes:
        sha256: of its content.
        size_bytes: its length.
    """

    sha256: Sha256
    size_bytes: int = Field(ge=0)


class LockedRepository(_Strict):
    """One repository, or the files of one project that lie at addresses.

    Attributes:
        source: "hub" or "url".
        commit: of the hub's repository; None for addresses, which have none.
        licence: as the hub's card says it; for addresses as our table does.
        gated: whether the hub asks for its licence to be accepted first.
        files: by name.
    """

    source: Literal["hub", "url"]
    commit: Commit | None = None
    licence: str | None = None
    gated: bool = False
    files: Mapping[str, LockedFile]


class Lock(_Strict):
    """The whole file.

    Attributes:
        schema_version: of this layout.
        written: ISO date.
        repositories: by ``owner/name``.
    """

    schema_version: Literal[1] = 1
    written: str
    repositories: Mapping[str, LockedRepository]


def lock_path() -> Path | None:
    """Where the lock is: what the variable names (nothing, if it is set and empty), or the current folder.

    Raises:
        UsageError: the variable names a file that does not exist.
    """
    named = os.environ.get(VARIABLE)
    if named is None:
        return Path(NAME) if Path(NAME).is_file() else None
    if named and not Path(named).is_file():
        raise UsageError(f"{VARIABLE} names {named}, which is no file.", "Correct or unset it.")
    return Path(named) if named else None


def read_lock(path: Path) -> Lock:
    """Read a lock.

    Raises:
        UsageError: it is no lock of this version.
    """
    try:
        return Lock.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(f"The lock {path} cannot be read: {where}: {first['msg']}.",
                         "Restore it, or write it anew with `python -m pipelines.lock`.") from None  # fmt: skip
    except OSError as error:
        raise UsageError(f"The lock {path} cannot be read: {error.strerror}.", "Make it readable.") from error


def locked(repository: str) -> LockedRepository | None:
    """What the lock that is present says of a repository; None = no lock, or not in it.

    Raises:
        UsageError: the lock is broken.
    """
    path = lock_path()
    return None if path is None else read_lock(path).repositories.get(repository)


def check_lock() -> None:
    """Read the lock that is present, if there is one: what is planned with it can then rely on it.

    Raises:
        UsageError: the lock is broken.
    """
    path = lock_path()
    if path is not None:
        read_lock(path)


def check_locked(repository: str, entry: LockedRepository, hashes: Mapping[str, str], folder: Path) -> None:
    """Compare files with the lock.

    Args:
        repository: ``owner/name``.
        entry: what the lock says of it.
        hashes: file → sha256 of its content.
        folder: where they lie, for the message.

    Raises:
        DamagedWeightsError: a file differs, or the lock says nothing of it.
    """
    for name, got in hashes.items():
        wanted = entry.files.get(name)
        if wanted is None:
            raise DamagedWeightsError(f"{name} of {repository} is not in the lock, which names the repository.",
                                      _again(repository))  # fmt: skip
        if wanted.sha256 != got:
            raise DamagedWeightsError(
                f"{name} of {repository} is not what the lock says: expected {wanted.sha256[:12]}, got {got[:12]} "
                f"in {folder}.",
                f"Put the file that the lock means there{_of(entry)}, or {_again(repository, 'write')}",
            )


def merged(old: Lock | None, repositories: Mapping[str, LockedRepository]) -> Lock:
    """A lock of today: what was resolved now, and what an older one says of everything else."""
    everything = {**(old.repositories if old else {}), **repositories}
    return Lock(written=datetime.now(UTC).date().isoformat(), repositories=dict(sorted(everything.items())))


def write_lock(path: Path, lock: Lock) -> None:
    """Replace a lock in one step: whoever reads it finds the old one or the new one, whole.

    Raises:
        UsageError: it cannot be written there; an older one is as it was.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(lock.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise UsageError(f"The lock {path} cannot be written: {error.strerror}.", "Choose another --out.") from error
    finally:
        part.unlink(missing_ok=True)


def _of(entry: LockedRepository) -> str:
    return f", of commit {entry.commit[:12]}" if entry.commit else ""


def _again(repository: str, verb: str = "Write") -> str:
    return f"{verb} the lock anew with `python -m pipelines.lock {repository}`."
