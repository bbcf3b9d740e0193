"""Networks of transformers, from files or at random, and nothing in between."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from transformers.utils import logging

from pipelines.errors import UnavailableError, WorkbenchError
from pipelines.networks.configurations import CONFIG, damaged, plain_config, read_object
from pipelines.weights import Located
from pipelines.weights.listed import only_listed

__all__ = ["SEED", "Precision", "check_keys", "damaged", "load_config", "load_network", "load_processor",
           "load_tokenizer", "precision", "reading"]  # fmt: skip

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
        UnavailableError: its architecture is not known, or, as a `DamagedWeightsError`, the files are damaged, ask for
            what is not in them, or do not hold exactly the weights of this network.
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
    """Only safetensors, only the listed files, only code of transformers itself."""
    with _quiet(), reading(located, instead=_plain(located, kind.config_class)) as folder:
        network, told = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True,
                                             trust_remote_code=False, ignore_mismatched_sizes=True,
                                             output_loading_info=True)  # fmt: skip
    check_keys(located, told)
    return network


@contextmanager
def reading(located: Located, what: str = "", instead: Mapping[str, bytes] | None = None) -> Iterator[str]:
    """A folder of a checkpoint's listed files and no others, to be read inside; it is gone afterwards.

    Args:
        located: its files.
        what: of them is read, for the message.
        instead: name → what is read in place of a file.

    Raises:
        DamagedWeightsError: reading failed, whatever the library raised.
    """
    with only_listed(Path(located.file("")), located.weights.files, instead or {}) as folder:
        try:
            yield str(folder)
        except (WorkbenchError, ImportError, MemoryError, torch.OutOfMemoryError):
            raise  # these say nothing of the files
        except Exception as error:  # libraries meet broken files with anything, compiled ones with no special kind
            said = f"{type(error).__name__}: {error}" if isinstance(error, LookupError | TypeError) else str(error)
            said = said.replace(str(folder), str(located.folder))
            raise damaged(located, f"{what} ({said})" if what else said) from error


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
        DamagedWeightsError: the file is damaged.
    """
    if located.random:
        return kind(**defaults)
    with reading(located, "its image processor") as folder:
        return kind.from_pretrained(folder, local_files_only=True)


def load_tokenizer(kind: Any, located: Located) -> Any:
    """A tokenizer of transformers, as the checkpoint's files describe it.

    Args:
        kind: a class of transformers.
        located: its files.

    Raises:
        DamagedWeightsError: they are damaged.
    """
    instead = {}
    if CONFIG in located.weights.files:  # all that a tokenizer takes from it is which kind it belongs to
        instead[CONFIG] = json.dumps({"model_type": read_object(located, CONFIG).get("model_type", "")}).encode()
    with _quiet(), reading(located, "its tokenizer", instead) as folder:
        return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def load_config(kind: Any, located: Located) -> Any:
    """A configuration of transformers, as the checkpoint's ``config.json`` describes it.

    Args:
        kind: a class of transformers.
        located: its files.

    Raises:
        DamagedWeightsError: it is damaged, or asks for what is not in its files.
    """
    with _quiet(), reading(located, "its configuration", _plain(located, kind)) as folder:
        return kind.from_pretrained(folder, local_files_only=True)


def _plain(located: Located, kind: Any) -> dict[str, bytes]:
    return {CONFIG: json.dumps(plain_config(located, kind)).encode()}


def check_keys(located: Located, told: Mapping[str, Any]) -> None:
    """Refuse a network of which any weight is missing, unexpected or of another shape: it would run, and be wrong.

    Args:
        located: named in the error.
        told: "missing_keys", "unexpected_keys", "mismatched_keys".

    Raises:
        DamagedWeightsError: with the first of them.
    """
    for what in ("missing", "unexpected", "mismatched"):
        keys = sorted(map(str, told.get(f"{what}_keys") or ()))
        if keys:
            raise damaged(located, f"{len(keys)} {what} weights, such as {keys[0]}")
