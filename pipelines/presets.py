"""Named parameter sets with their provenance, read from YAML beside the pipelines or in the user's own folder."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.base import Pipeline
from pipelines.errors import ParameterError, UnknownNameError
from pipelines.params import Params, make_params

USER_FOLDER_VARIABLE = "SEGMENTATION_WORKBENCH_PRESETS"


class Provenance(BaseModel):
    """Where the values of a preset come from, and what they were seen to give.

    Attributes:
        source: who or what chose the values, in words.
        dataset: name of the images that they were chosen on, with their revision.
        dataset_hash: hash that the dataset module gives it.
        protocol: how they were chosen and judged.
        metric: name of the metric of `value`.
        value: as judged by the protocol.
        interval: 95 % interval of `value`.
        n: images.
        n_groups: groups that were resampled.
        date: ISO date.
        details: further figures, such as one a background.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    dataset: str | None = None
    dataset_hash: str | None = None
    protocol: str | None = None
    metric: str | None = None
    value: float | None = None
    interval: tuple[float, float] | None = None
    n: int | None = None
    n_groups: int | None = None
    date: str | None = None
    details: dict[str, float | str] = {}


class Preset(BaseModel):
    """A named parameter set; fields that it does not name keep their defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    params: dict[str, Any] = {}
    provenance: Provenance = Provenance(source="defaults of the fields")


def preset_names(pipeline: type[Pipeline]) -> list[str]:
    """Every preset of a pipeline; `default` is always among them."""
    return sorted(_presets(pipeline))


def preset(pipeline: type[Pipeline], name: str = "default") -> tuple[Params, Provenance]:
    """The parameters of a preset, validated, and where they come from.

    Raises:
        UnknownNameError: no such preset, or a field that does not exist.
        ParameterError: a value out of its bounds; the message names field, bounds and file.
    """
    known = _presets(pipeline)
    if name not in known:
        raise UnknownNameError(f"preset of {pipeline.info.name}", name, known)
    chosen, where = known[name]
    return make_params(pipeline.Params, chosen.params, where=where), chosen.provenance


def _presets(pipeline: type[Pipeline]) -> dict[str, tuple[Preset, str]]:
    found: dict[str, tuple[Preset, str]] = {"default": (Preset(), pipeline.info.name)}
    for path in _files(pipeline):  # the user's own come last and win
        for name, value in _read(path).items():
            found[name] = (value, f"{pipeline.info.name}@{name} ({path.name})")
    return found


def _files(pipeline: type[Pipeline]) -> list[Path]:
    """Beside the package that the pipeline lives in, then in the user's folder."""
    package = pipeline.__module__.partition(".")[0]
    name = f"{pipeline.info.name}.yaml"
    places = [Path(str(files(package))) / "presets" / name] if _is_package(package) else []
    own = os.environ.get(USER_FOLDER_VARIABLE)
    places += [Path(own) / name] if own else []
    return [place for place in places if place.is_file()]


def _is_package(module: str) -> bool:
    import importlib.util

    spec = importlib.util.find_spec(module)
    return spec is not None and spec.submodule_search_locations is not None


def _read(path: Path) -> dict[str, Preset]:
    return _parse(path, path.stat().st_mtime_ns)


@cache
def _parse(path: Path, changed_ns: int) -> dict[str, Preset]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return {str(name): Preset.model_validate(value) for name, value in content.items()}
    except (yaml.YAMLError, ValidationError, AttributeError, UnicodeDecodeError) as error:
        raise ParameterError(
            f"The preset file {path} cannot be read: {error}", "Correct it, or move it away."
        ) from error
