"""Published checkpoints as data, one line each: where they lie, what may be done with them, what is in them."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from pipelines.types import Weights

__all__ = ["Checkpoint", "families", "hub", "table", "url"]

MODEL = ("config.json", "model.safetensors")
"""Files of a transformers model. Its preprocessing and tokenizer are further files, named by the family."""


@dataclass(frozen=True)
class Checkpoint:
    """One published set of weights of a family that we can load.

    Attributes:
        name: what a parameter calls it.
        weights: source, licence, gate, size.
        parameters_m: millions of parameters, or None where nobody counted.
        settings: what the loader of the family reads: input size, normalisation, and the architecture that
            ``--weights random`` builds.
    """

    name: str
    weights: Weights
    parameters_m: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def hub(name: str, repository: str, licence: str, *, files: tuple[str, ...] = MODEL, commercial: bool | None = True,
        gated: bool | None = False, size_mb: float | None = None, parameters_m: float | None = None, note: str = "",
        substitute: str = "", **settings: Any) -> Checkpoint:  # fmt: skip
    """A checkpoint in a repository of the Hugging Face hub; what is not said of it goes to its settings."""
    weights = Weights("hub", repository, licence, files, commercial=commercial, gated=gated, size_mb=size_mb, note=note,
                      substitute=substitute)  # fmt: skip
    return Checkpoint(name, weights, parameters_m, settings)


def url(name: str, address: str, repository: str, licence: str, *, checksum: str | None, commercial: bool | None = True,
        size_mb: float | None = None, parameters_m: float | None = None, note: str = "",
        **settings: Any) -> Checkpoint:  # fmt: skip
    """A checkpoint that is one file at an address; its name is the last part of the address."""
    weights = Weights("url", repository, licence, (address.rpartition("/")[2],), address, checksum,
                      commercial=commercial, size_mb=size_mb, note=note)  # fmt: skip
    return Checkpoint(name, weights, parameters_m, settings)


def table(checkpoints: Iterable[Checkpoint]) -> Mapping[str, Checkpoint]:
    """By name; a name that comes twice is a mistake of whoever wrote the lines."""
    listed = list(checkpoints)
    by_name = {checkpoint.name: checkpoint for checkpoint in listed}
    if len(by_name) < len(listed):
        raise ValueError("two checkpoints of one family have the same name")
    return by_name


def families() -> Mapping[str, Mapping[str, Checkpoint]]:
    """Every checkpoint that is known, by family and name: the tables ``CHECKPOINTS`` of the modules of this package."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: import_module(f"{__name__}.{name}").CHECKPOINTS for name in modules}
