"""Networks of transformers, from files or at random, and nothing in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import nn
from transformers.utils import logging

from pipelines.errors import UnavailableError
from pipelines.weights import Located

Precision = Literal["auto", "float32", "bfloat16", "float16"]
SEED = 0


def precision(choice: Precision, device: str) -> torch.dtype:
    """The dtype of the arithmetic: "auto" is bfloat16 on CUDA and float32 on a CPU."""
    if choice == "auto":
        return torch.bfloat16 if device == "cuda" else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[choice]


def load_network(
    kind: Any, located: Located, config: Mapping[str, Any] | None, *, device: str, dtype: torch.dtype
) -> nn.Module:
    """A network of transformers, ready for inference.

    Args:
        kind: a class of transformers, such as ``CLIPSegForImageSegmentation``.
        located: its files, or random.
        config: keyword arguments of its configuration for random weights, None where nobody knows it; not read
            otherwise.
        device: "cpu" or "cuda".
        dtype: of its weights.

    Raises:
        UnavailableError: the files are damaged, or do not hold exactly the weights of this network.
    """
    network = _random(kind, located, config) if located.random else _from_files(kind, located)
    return network.to(device=device, dtype=dtype).eval().requires_grad_(False)  # type: ignore[no-any-return]


def _random(kind: Any, located: Located, config: Mapping[str, Any] | None) -> Any:
    if config is None:
        raise UnavailableError(
            f"The architecture of {located.weights.repository} is not known here without its files.",
            "Give --weights FOLDER, or choose another checkpoint for random weights.",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return kind(kind.config_class(**config))


def _from_files(kind: Any, located: Located) -> Any:
    """Only safetensors, only from this folder, only code of transformers itself."""
    from safetensors import SafetensorError

    try:
        with _quiet():
            network, told = kind.from_pretrained(located.folder, local_files_only=True, use_safetensors=True,
                                                 trust_remote_code=False, ignore_mismatched_sizes=True,
                                                 output_loading_info=True)  # fmt: skip
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise damaged(located, str(error)) from error
    check_keys(located, told)
    return network


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no remarks: what is wrong with a network is found by its keys, and said once."""
    voice: Any = logging
    level, bars = voice.get_verbosity(), voice.is_progress_bar_enabled()
    voice.set_verbosity_error()
    voice.disable_progress_bar()
    try:
        yield
    finally:
        voice.set_verbosity(level)
        if bars:
            voice.enable_progress_bar()


def load_processor(kind: Any, located: Located, **defaults: Any) -> Any:
    """An image processor of transformers, as the checkpoint's ``preprocessor_config.json`` describes it.

    Args:
        kind: a class of transformers.
        located: its files, or random.
        defaults: of the published one, for random weights.

    Raises:
        UnavailableError: the file is damaged.
    """
    if located.random:
        return kind(**defaults)
    try:
        return kind.from_pretrained(str(located.folder), local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise damaged(located, f"its image processor ({error})") from error


def check_keys(located: Located, told: Mapping[str, Any]) -> None:
    """Refuse a network of which any weight is missing, unexpected or of another shape: it would run, and be wrong.

    Args:
        located: named in the error.
        told: "missing_keys", "unexpected_keys", "mismatched_keys".

    Raises:
        UnavailableError: with the first of them.
    """
    for what in ("missing", "unexpected", "mismatched"):
        keys = sorted(map(str, told.get(f"{what}_keys") or ()))
        if keys:
            raise damaged(located, f"{len(keys)} {what} weights, such as {keys[0]}")


def damaged(located: Located, why: str) -> UnavailableError:
    """The error for files that are there and cannot be used."""
    first = (why.splitlines() or ["damaged"])[0].rstrip(".")
    return UnavailableError(
        f"{located.weights.repository} cannot be loaded from {located.folder}: {first}.",
        "Delete that folder and fetch it again, or check that it holds this repository.",
    )
