"""Where the autodistill engine finds its checkpoints: the one place where a pickle is read, and never fetched."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from pipelines.checkpoints import Checkpoint
from pipelines.errors import UnavailableError
from pipelines.networks.pretrained import check_keys, damaged
from pipelines.weights import RANDOM, Located

SAFE_TORCH = (2, 10)
CACHE = Path("~/.cache/autodistill")
"""Where the seed's library keeps its weights."""


def find(checkpoint: Checkpoint, where: Path | str | None) -> Located:
    """A checkpoint of the library, on this machine, with its sha256.

    Args:
        checkpoint: its settings say in which folder of the library's cache it lies.
        where: folder that holds ``owner/name/FILE``; "random"; or None for the library's own cache.

    Raises:
        UnavailableError: the file is not there; the message says which file to put where. Or this torch may run code
            of a pickle even where only weights are asked for.
    """
    weights, start = checkpoint.weights, perf_counter()
    if where == RANDOM:
        return Located(weights, None)
    _check_torch()
    own = CACHE.expanduser() / str(checkpoint.settings["cached_as"])
    path = (own if where is None else Path(where) / weights.repository) / weights.files[0]
    if not path.is_file():
        raise UnavailableError(
            f"The engine autodistill needs {path}, which is not there and is never fetched for you.",
            f"Put the file of {weights.address} there, or choose the engine transformers.",
        )
    found = Located(weights, path.parent, sha256={path.name: _sha256(path)})
    return replace(found, seconds=perf_counter() - start)


def _check_torch() -> None:
    """CVE-2025-32434 (before torch 2.6) and CVE-2026-24747 (before 2.10) let a file run code under `weights_only`."""
    major, minor = (int(part) for part in torch.__version__.split(".")[:2])
    if (major, minor) < SAFE_TORCH:
        raise UnavailableError(
            f"The engine autodistill reads pickles, which torch {torch.__version__} does not do safely.",
            'Install torch 2.10 or later (pip install -U "torch>=2.10"), or choose the engine transformers.',
        )


def load_state(network: Any, located: Located, unused: tuple[str, ...] = (), inside: str | None = None) -> None:
    """Fill a network with a checkpoint, all of it and nothing else.

    Args:
        network: a module of torch.
        located: what `find` found.
        unused: names of weights that may be in the file and are not in the network.
        inside: key of the file's content under which the weights lie, or None.

    Raises:
        UnavailableError: the file is damaged, holds more than tensors, or other weights than these.
    """
    state = _tensors(located, inside)
    wanted = set(network.state_dict())
    told = {"missing_keys": wanted - set(state), "unexpected_keys": set(state) - wanted - set(unused)}
    check_keys(located, told)
    try:
        network.load_state_dict({name: state[name] for name in wanted})
    except RuntimeError as error:  # of another shape
        raise damaged(located, f"a weight has another shape ({str(error).splitlines()[-1].strip()})") from error


def _tensors(located: Located, inside: str | None) -> dict[str, Any]:
    """Only tensors are read, so that nothing of the pickle is run; names lose what DataParallel put before them."""
    path = located.file(located.weights.files[0])
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        state = content if inside is None else content[inside]
        return {str(name).removeprefix("module."): value for name, value in state.items()}
    except (OSError, EOFError, RuntimeError, KeyError, AttributeError, TypeError, pickle.UnpicklingError) as error:
        raise damaged(located, f"{path.name} holds no weights that can be read ({type(error).__name__})") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
