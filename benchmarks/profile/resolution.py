"""At what size each pipeline sees a picture, from what its parameters and its checkpoints declare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines import names
from pipelines.base import Pipeline
from pipelines.checkpoints import families
from pipelines.errors import UnavailableError
from pipelines.params import Params, knobs
from pipelines.presets import preset
from pipelines.registry import pipeline_class


@dataclass(frozen=True)
class Resolution:
    """The size at which a pipeline looks.

    Attributes:
        pipeline: its name.
        side_px: shorter side of its input in pixels; of several networks that of the coarsest that is known.
        source: what declares it.
        fields: parameters that make it see more.
    """

    pipeline: str
    side_px: int
    source: str
    fields: tuple[str, ...] = ()


def usable() -> dict[str, type[Pipeline]]:
    """Every registered pipeline that can be imported, by name."""
    found = {}
    for name in names():
        try:
            found[name] = pipeline_class(name)
        except UnavailableError:  # a plugin that is broken is told of by `run`
            continue
    return found


def resolutions(pipelines: Mapping[str, type[Pipeline]]) -> list[Resolution]:
    """What is declared, coarsest first; a pipeline that declares nothing is left out.

    Args:
        pipelines: by name; each with its default preset.
    """
    found = [one for name, kind in pipelines.items() if (one := _resolution(name, kind))]
    return sorted(found, key=lambda one: (one.side_px, one.pipeline))


def _resolution(name: str, kind: type[Pipeline]) -> Resolution | None:
    params, _ = preset(kind)
    fields = tuple(field for field, _ in _sized(kind, params))
    set_here = [(value, field) for field, value in _sized(kind, params) if value]
    declared = set_here or list(_of_checkpoints(kind, params))
    if not declared:
        return None
    side_px, source = min(declared)
    return Resolution(name, side_px, source, fields)


def _sized(kind: type[Pipeline], params: Params) -> Iterator[tuple[str, int]]:
    """Fields that are read at inference and called ``size`` or ``..._size``, with their values; 0 = the network's."""
    relevant = kind.relevant(params)
    for knob in knobs(kind.Params):
        sized = knob.kind == "int" and (knob.name == "size" or knob.name.endswith("_size"))
        if sized and knob.reads == "infer" and knob.name in relevant:
            yield knob.name, int(getattr(params, knob.name))


def _of_checkpoints(kind: type[Pipeline], params: Params) -> Iterator[tuple[int, str]]:
    wanted = {weights.repository for weights in kind.info.weights_for(params)}
    for table in families().values():
        for checkpoint in table.values():
            side = _declared(checkpoint.settings)
            if checkpoint.weights.repository in wanted and side:
                yield side, checkpoint.name


def _declared(settings: Mapping[str, Any]) -> int | None:
    """The shorter side of a checkpoint's input, as its line in the table says it."""
    size = (settings.get("pixels") or {}).get("size")
    return min(size) if size else settings.get("side")
