"""What a file of weights may be: safetensors or ONNX, whole, and never something that can run code."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from pipelines.errors import UnavailableError
from pipelines.weights.onnx_graph import OUTSIDE, onnx_problem
from pipelines.weights.refusals import DamagedWeightsError

WEIGHT_SUFFIXES = (".safetensors", ".onnx")
SUFFIXES = (*WEIGHT_SUFFIXES, ".json", ".txt", ".model")
"""What is read: weights, configurations, vocabularies. Nothing here can hold code that is run."""
PICKLES = (".bin", ".pth", ".pt", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack")
"""Weights in formats that can run code while they are read, or that nothing here reads."""
SHARDED = ".index.json"
MAX_HEADER_BYTES = 100_000_000
"""The limit of the safetensors library itself."""
_CONVERT = "Convert it to safetensors on a machine that you can lose, or choose a revision or checkpoint that has them."
_AGAIN = "Delete the file and fetch it again."
_ONE_FILE = "Write it anew as one file: `onnx.save(onnx.load(PATH), PATH)` reads and keeps everything."


def check_names(repository: str, names: Iterable[str]) -> None:
    """Refuse files that are never read, before anything is looked for.

    Raises:
        UnavailableError: a pickle, another format, or a name that leaves its folder.
    """
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
            raise UnavailableError(f"{name} of {repository} does not lie in its folder.", "Correct the checkpoint.")
        if path.suffix.lower() in PICKLES:
            raise pickled(repository, name)
        if path.suffix.lower() not in SUFFIXES:
            raise UnavailableError(f"{name} of {repository} is of a format that is not read.",
                                   f"Use {', '.join(SUFFIXES)}.")  # fmt: skip


def pickled(repository: str, name: str) -> UnavailableError:
    """The error for a repository that has its weights only as something that can run code."""
    return UnavailableError(
        f"{repository} has its weights as {name}, a pickle, which is refused: reading one can run code.", _CONVERT
    )


def shards(index: Path) -> list[str]:
    """Names of the safetensors files that an index names, beside it.

    Args:
        index: such as ``model.safetensors.index.json``.

    Raises:
        DamagedWeightsError: it is damaged, or names something else.
    """
    try:
        names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(index, "it lists no weights") from error
    wrong = [name for name in names if not _shard_name(name)]
    if wrong or not names:
        raise damaged(index, f"it lists {wrong[0]!r}" if wrong else "it lists no weights")
    return names


def _shard_name(name: object) -> bool:
    return isinstance(name, str) and PurePosixPath(name).name == name and "\\" not in name \
        and name.endswith(".safetensors")  # fmt: skip


def gather(folder: Path, names: Iterable[str]) -> tuple[list[str], list[str]]:
    """What is there of the files that are needed; weights in several files count as the one that they make up.

    Args:
        folder: of one repository.
        names: as the checkpoint lists them.

    Returns:
        The names of the files as they lie there, and those that are lacking.

    Raises:
        DamagedWeightsError: an index of shards is damaged.
    """
    found: list[str] = []
    for name in names:
        index = folder / f"{name}{SHARDED}"
        if name.endswith(".safetensors") and not (folder / name).is_file() and index.is_file():
            beside = PurePosixPath(name).parent
            found += [f"{name}{SHARDED}", *(str(beside / shard) for shard in shards(index))]
        else:
            found.append(name)
    return [name for name in found if (folder / name).is_file()], \
        [name for name in found if not (folder / name).is_file()]  # fmt: skip


def check_file(path: Path) -> None:
    """Check that a file of weights is what its name says and is whole; its numbers are not read. Others pass.

    Raises:
        DamagedWeightsError: a pickle, a Git LFS pointer, something else, cut off, or not all of it.
    """
    kind = path.suffix.lower()
    if kind not in WEIGHT_SUFFIXES:
        return
    with path.open("rb") as file:
        problem = _safetensors_problem(file) if kind == ".safetensors" else onnx_problem(file)
        if problem is None:
            return
        file.seek(0)
        raise _wrong(path, file.read(64), problem)


def damaged(path: Path, why: str) -> DamagedWeightsError:
    """The error for a file that is there and cannot be used."""
    return DamagedWeightsError(f"{path} is damaged: {why}.", _AGAIN)


def _wrong(path: Path, start: bytes, problem: str) -> DamagedWeightsError:
    if start.startswith(b"PK\x03\x04") or (start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05"):
        return DamagedWeightsError(
            f"{path} is a pickle under another name, which is refused: reading one can run code.", _CONVERT
        )
    if start.startswith(b"version https://git-lfs"):
        return DamagedWeightsError(f"{path} is a Git LFS pointer, not the file itself.", "Run `git lfs pull` there.")
    if problem == OUTSIDE:
        return DamagedWeightsError(f"{path} keeps numbers of its network in other files, whose hashes nobody checks.",
                                   _ONE_FILE)  # fmt: skip
    return damaged(path, problem)


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _safetensors_problem(file: BinaryIO) -> str | None:
    """Length of the header, the header, and whether the numbers that it announces are all there."""
    room = _size(file) - 8
    length = int.from_bytes(file.read(8), "little")
    if room < 2 or length > min(room, MAX_HEADER_BYTES):
        return "it has no safetensors header, or is cut off"
    try:
        header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        end = max((_end(tensor) for tensor in header.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "its safetensors header cannot be read"
    expected = 8 + length + end
    return None if expected == room + 8 else f"it should have {expected} bytes and has {room + 8}"


def _end(tensor: dict[str, Any]) -> int:
    begin, end = map(int, tensor["data_offsets"])
    if not 0 <= begin <= end:
        raise ValueError("offsets run backwards")
    return end
