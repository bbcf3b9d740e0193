"""Files of the Hugging Face hub: those in its cache, found with no import and no network, and those that it serves."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.errors import UnavailableError
from pipelines.types import Weights
from pipelines.weights.formats import PICKLES, SHARDED, gather, pickled, shards
from pipelines.weights.refusals import check_room, hub_error, retried, told

CONNECT_S = 3.0
COMMIT = re.compile(b"[0-9a-f]{40}")
_YES = ("1", "ON", "YES", "TRUE")


def cache_folder() -> Path:
    """The hub's cache, by the variables that its library reads."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{base}/huggingface"
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or f"{home}/hub"
    return Path(os.path.expandvars(named)).expanduser()


def offline() -> bool:
    """Whether the user forbids the network."""
    return (os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or "").upper() in _YES


def cached(weights: Weights, revision: str | None) -> Path | None:
    """The folder of a snapshot in the hub's cache that holds all of it, or None.

    Args:
        weights: of the hub.
        revision: commit; None = what "main" was when it was fetched.

    Raises:
        DamagedWeightsError: an index of shards is damaged.
    """
    folder = _storage(weights.repository)
    revision = revision or _main(folder / "refs" / "main")
    if revision is None:
        return None
    snapshot = folder / "snapshots" / revision
    return None if gather(snapshot, weights.files)[1] else snapshot


def _main(note: Path) -> str | None:
    """The commit that is noted there; None where no commit is, whatever else the file may hold."""
    said = COMMIT.fullmatch(note.read_bytes().strip()) if note.is_file() else None
    return said[0].decode("ascii") if said else None


def fetch(weights: Weights, revision: str | None) -> Path:
    """Bring a checkpoint into the hub's cache: the files that it lists, and no other.

    Args:
        weights: of the hub.
        revision: commit; None = what "main" is now.

    Returns:
        The folder of the snapshot; its name is the commit.

    Raises:
        UnavailableError: gated, gone, out of reach, or no room for it.
    """
    commit, sizes = _published(weights, revision)
    names = served(weights, sizes)
    snapshot = _storage(weights.repository) / "snapshots" / commit
    with told(weights, cache_folder()):
        for name in names:
            if name.endswith(SHARDED):  # the index comes before its shards
                path = download(weights.repository, commit, name, cache_folder())
                names += [f"{name.rpartition('/')[0]}/{shard}".lstrip("/") for shard in shards(path)]
        check_room(weights, cache_folder(), _bytes(sizes, (name for name in names if not (snapshot / name).exists())))
        for name in names:
            download(weights.repository, commit, name, cache_folder())
        if revision is None:
            _remember(weights.repository, commit)
    return snapshot


def discard(folder: Path, names: Iterable[str]) -> None:
    """Delete files that were just fetched and are of no use, and what their links lead to."""
    for path in (folder / name for name in names):
        if path.is_symlink():
            path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def stated_sha256(path: Path) -> str | None:
    """What the hub said that a large file hashes to: its name in the cache; None for others."""
    name = path.resolve().name
    return name if len(name) == 64 and set(name) <= set("0123456789abcdef") else None


def model_info(repository: str, revision: str | None = None) -> Any:
    """What the hub says of a repository: commit, files with sizes and hashes, card, gate.

    Args:
        repository: ``owner/name``.
        revision: commit; None = what "main" is now.

    Returns:
        ``huggingface_hub.ModelInfo``.

    Raises:
        huggingface_hub.errors.HTTPError: it was refused, or the hub could not be reached.
    """
    seconds = _patience_s()
    timeout = (min(CONNECT_S, seconds), seconds, seconds, CONNECT_S)  # connect, read, write, pool
    api = _api()

    return retried(
        lambda: api.model_info(repository, revision=revision, files_metadata=True, timeout=timeout), hub_error()
    )


def download(repository: str, commit: str, name: str, into: Path) -> Path:
    """One file of a commit, into a cache folder.

    The hub's library waits for minutes where a host stays silent; so the file is asked for once before.

    Raises:
        huggingface_hub.errors.HTTPError: it was refused, or the hub could not be reached.
        OSError: it was cut off, or could not be written.
    """
    api, seconds = _api(), _patience_s()
    from huggingface_hub import hf_hub_url

    url = hf_hub_url(repository, name, revision=commit, endpoint=api.endpoint)
    retried(lambda: api.get_hf_file_metadata(url=url, timeout=seconds), hub_error())
    return Path(api.hf_hub_download(repository, name, revision=commit, cache_dir=into, etag_timeout=seconds))


def _storage(repository: str) -> Path:
    return cache_folder() / f"models--{repository.replace('/', '--')}"


def _patience_s() -> float:
    named = os.environ.get("HF_HUB_ETAG_TIMEOUT", "")
    return float(named) if named.isdigit() and int(named) else 10.0


def _api() -> Any:
    from huggingface_hub import HfApi, constants

    constants.HF_HUB_DISABLE_TELEMETRY = True  # its variable is read at import, which may have been anybody's
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, library_name="segmentation-workbench")


def _published(weights: Weights, revision: str | None) -> tuple[str, dict[str, int | None]]:
    with told(weights, cache_folder()):
        info = model_info(weights.repository, revision)
        return info.sha, {file.rfilename: file.size for file in info.siblings}


def served(weights: Weights, published: Mapping[str, Any]) -> list[str]:
    """The names that the repository has them by; weights in shards stand under the name of their index.

    Args:
        weights: what is needed.
        published: by name, whatever is known of each file of the repository.

    Raises:
        UnavailableError: it lacks one, or has its weights as a pickle alone.
    """
    names = [name if name in published else f"{name}{SHARDED}" for name in weights.files]
    lacking = [wanted for wanted, name in zip(weights.files, names, strict=True) if name not in published]
    if not lacking:
        return names
    pickle = next((name for name in sorted(published) if name.endswith(PICKLES)), None)
    if pickle and any(name.endswith(".safetensors") for name in lacking):
        raise pickled(weights.repository, pickle)
    raise UnavailableError(f"{weights.repository} does not hold {', '.join(lacking)} on the hub.",
                           f"Look at {weights.page}, and give --weights FOLDER if you have it.")  # fmt: skip


def _bytes(sizes: Mapping[str, int | None], names: Iterable[str]) -> int:
    return sum(sizes.get(name) or 0 for name in names)


def _remember(repository: str, commit: str) -> None:
    """Note what "main" was, so that it is found again without the network."""
    refs = _storage(repository) / "refs"
    refs.mkdir(parents=True, exist_ok=True)
    part = refs / f".main.{os.getpid()}"
    part.write_text(commit, "utf-8")
    part.replace(refs / "main")
