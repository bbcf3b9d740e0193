"""Which pipelines there are: a table of names, and an entry-point group through which other packages add theirs.

Listing names imports no pipeline; `info` imports the one light module that declares it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipelines.errors import RegistryError, UnavailableError, UnknownNameError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from pipelines.base import Pipeline
    from pipelines.types import PipelineInfo

GROUP = "segmentation_workbench.pipelines"

PIPELINES = {
    "classical": "pipelines.classical:Classical",
    "clipseg": "pipelines.clipseg:ClipSeg",
    "grounded_sam": "pipelines.grounded_sam:GroundedSam",
    "rmbg": "pipelines.rmbg:Rmbg",
    "sam": "pipelines.sam:Sam",
    "sam3": "pipelines.sam3:Sam3",
}


def names() -> list[str]:
    """Every pipeline, ours and those of installed plugins.

    Raises:
        RegistryError: two pipelines have one name.
    """
    return list(_table())


def info(name: str) -> PipelineInfo:
    """What a pipeline is, with nothing heavy imported."""
    return pipeline_class(name).info


def create(name: str, preset: str = "default", device: str = "cpu", weights: Path | str | None = None,
           params: Mapping[str, Any] | None = None) -> Pipeline:  # fmt: skip
    """A pipeline, not loaded yet.

    Args:
        name: one of `names()`.
        preset: named parameter set to start from.
        device: "auto", "cpu" or "cuda".
        weights: folder that holds ``owner/name/`` as the hub does, "random", or None for the usual place.
        params: fields that differ from the preset.

    Raises:
        UnknownNameError: no such pipeline, preset or field.
        ParameterError: a value out of its bounds.
        UsageError: the device cannot be had.
    """
    from pipelines.device import device_for
    from pipelines.params import make_params
    from pipelines.presets import preset as read_preset

    chosen = pipeline_class(name)
    values, _ = read_preset(chosen, preset)
    if params:
        values = make_params(chosen.Params, {**values.model_dump(), **params}, where=name)
    return chosen(values, device=device_for(chosen.info, device), weights=weights)


def pipeline_class(name: str) -> type[Pipeline]:
    """The class behind a name.

    Raises:
        UnknownNameError: with the nearest name.
        UnavailableError: its module cannot be imported.
        RegistryError: what the name leads to is not a pipeline of that name.
    """
    from pipelines.base import Pipeline

    table = _table()
    if name not in table:
        raise UnknownNameError("pipeline", name, table)
    module, _, attribute = table[name].partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a plugin's module may raise anything, and must harm none but itself
        raise UnavailableError(
            f"{name} cannot be imported: {type(error).__name__}: {error}.",
            f"Install what {module} needs, or remove it.",
        ) from error
    if not (isinstance(found, type) and issubclass(found, Pipeline) and found.info.name == name):
        raise RegistryError(
            f"{table[name]} is not a pipeline named {name!r}.", "Correct its class, its info or its entry point."
        )
    return found


def _table() -> dict[str, str]:
    table = dict(PIPELINES)
    owner = dict.fromkeys(table, "this package")
    for point in _points(tuple(sys.path)):
        if point.name in table and table[point.name] != point.value:
            raise RegistryError(
                f"Two pipelines are named {point.name!r}: {table[point.name]} of {owner[point.name]} and "
                f"{point.value} of {_owner(point)}.",
                f"Uninstall or rename one: pip uninstall {_owner(point)}.",
            )
        table[point.name], owner[point.name] = point.value, _owner(point)
    return table


@lru_cache(maxsize=1)
def _points(_: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Those that installed packages add, by where Python looks: to go through all packages takes 20 ms."""
    from importlib.metadata import entry_points

    return tuple(sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)))


def _owner(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
