"""Named parameter sets with their provenance, read from YAML beside the pipelines or in the user's own folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines import preset_files
from pipelines.base import Pipeline
from pipelines.errors import ParameterError, UnknownNameError, UsageError
from pipelines.files import replace_bytes
from pipelines.params import Params, make_params
from pipelines.preset_images import TunedImage as TunedImage
from pipelines.preset_images import read_images, write_images
from pipelines.provenance import Preset as Preset
from pipelines.provenance import Provenance as Provenance

USER_FOLDER_VARIABLE = "SEGMENTATION_WORKBENCH_PRESETS"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def preset_names(pipeline: type[Pipeline]) -> list[str]:
    """Every preset of a pipeline; `default` is always among them."""
    return sorted(_presets(pipeline))


def preset(pipeline: type[Pipeline], name: str = "default") -> tuple[Params, Provenance]:
    """The parameters of a preset, validated, and where they come from.

    Raises:
        UnknownNameError: no such preset, or a field that does not exist.
        ParameterError: a value out of its bounds; the message names field, bounds and file.
    """
    chosen, path = _chosen(pipeline, name)
    return make_params(pipeline.Params, chosen.params, where=_where(pipeline, name, path)), chosen.provenance


def preset_prompt(pipeline: type[Pipeline], name: str) -> tuple[str, ...]:
    """The texts that go with a preset; empty where it names none.

    Raises:
        UnknownNameError: no such preset.
    """
    return _chosen(pipeline, name)[0].prompt


def tuned_images(pipeline: type[Pipeline], name: str) -> tuple[TunedImage, ...]:
    """The images that a preset was tuned on; empty where its provenance names no list of them.

    Raises:
        UnknownNameError: no such preset.
        ParameterError: the list is missing or was altered.
    """
    chosen, path = _chosen(pipeline, name)
    said = chosen.provenance
    if path is None or said.images is None:
        return ()
    return read_images(path, said.images, said.images_sha256, f"the preset {pipeline.info.name}@{name}")


def check_saving(pipeline: type[Pipeline], name: str, *, replace: bool = False, study: str | None = None) -> Path:
    """Refuse before a search what `save_preset` would refuse after it.

    Args:
        pipeline: whose preset it is to be.
        name: letters, digits, "-", "_" and ".".
        replace: whether one of that name may be replaced.
        study: key of the search; what it saved before may be replaced in any case.

    Returns:
        The YAML file that the preset is to be in.

    Raises:
        UsageError: the name will not do or is taken, or the folder cannot be written.
        ParameterError: the file that is there cannot be read.
        RunLockedError: another process writes the file all the time.
    """
    _check_name(pipeline, name)
    path = _own_file(pipeline)
    with preset_files.locked(path):
        _replaced(path, name, study, replace=replace)
    return path


def save_preset(pipeline: type[Pipeline], name: str, params: Mapping[str, Any], provenance: Provenance,
                tuned_on: Sequence[TunedImage] = (), *, prompt: Sequence[str] = (),
                replace: bool = False) -> Path:  # fmt: skip
    """Write a preset into the user's folder; several may save at one time, and a kill leaves the old file or the new.

    Other presets of the file keep their text and comments; see :func:`.preset_files.with_preset` for what is lost.
    Fields that were searched are written, and those that differ from their defaults. A preset that comes with a
    pipeline cannot be saved over, so that its name means the same everywhere. What the same search
    saved before can.

    Args:
        pipeline: whose preset it is.
        name: letters, digits, "-", "_" and ".".
        params: by field name.
        provenance: where they come from; today is its date where it has none.
        tuned_on: images that they were chosen on, listed in a file beside it.
        prompt: texts that go with them.
        replace: whether one of that name may be replaced.

    Returns:
        The YAML file.

    Raises:
        UsageError: the name will not do, or is taken.
        ParameterError: a value out of its bounds, or the file that is there cannot be read.
        UnknownNameError: a field that does not exist.
        RunLockedError: another process writes the file all the time.
    """
    _check_name(pipeline, name)
    path, kept = _own_file(pipeline), _kept(pipeline, params, provenance, name)
    with preset_files.locked(path):
        old = _replaced(path, name, provenance.study, replace=replace)
        listed = write_images(path, name, tuned_on)
        date = provenance.date or datetime.now(UTC).date().isoformat()
        said = provenance.model_copy(update={"date": date, **listed}).model_dump(mode="json", exclude_defaults=True)
        text = preset_files.read_text(path) if path.is_file() else ""
        asked = {"prompt": list(prompt)} if prompt else {}
        changed = preset_files.with_preset(path, text, name, {"params": kept, **asked, "provenance": said})
        replace_bytes(path, changed.encode(), lasting=True)
        _forget_list(path, old)
    return path


def user_folder() -> Path:
    """Where the user's own presets lie: as the environment variable says, else with the user's settings.

    Raises:
        UsageError: the user has no home.
    """
    if own := os.environ.get(USER_FOLDER_VARIABLE):
        return Path(own)
    settings = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    try:
        settings = settings if settings.is_absolute() else Path.home() / ".config"
    except RuntimeError as error:
        raise UsageError("There is no home to keep presets in.", f"Set {USER_FOLDER_VARIABLE} to a folder.") from error
    return settings / "segmentation-workbench" / "presets"


def _check_name(pipeline: type[Pipeline], name: str) -> None:
    if not _NAME.fullmatch(name) or name == "default":
        raise UsageError(f"A preset cannot be called {name!r}.",
                         "Take up to 64 letters, digits, '-', '_' and '.', and not 'default'.")  # fmt: skip
    if any(name in _read(path) for path in _shipped(pipeline)):
        raise UsageError(f"{pipeline.info.name}@{name} comes with the pipeline.", "Save under another name.")


def _kept(pipeline: type[Pipeline], params: Mapping[str, Any], provenance: Provenance, name: str) -> dict[str, Any]:
    values = make_params(pipeline.Params, params, where=f"{pipeline.info.name}@{name}")
    usual = pipeline.Params()
    return {field: value for field, value in values.model_dump(mode="json").items()
            if field in provenance.searched or getattr(values, field) != getattr(usual, field)}  # fmt: skip


def _replaced(path: Path, name: str, study: str | None, *, replace: bool) -> Preset | None:
    """The preset of that name that is there, or None."""
    old = _read(path).get(name) if path.is_file() else None
    own = old is not None and study is not None and old.provenance.study == study
    if old and not (replace or own):
        raise UsageError(f"There is a preset {path.stem}@{name} in {path}.",
                         "Save under another name, or say that it is to be replaced.")  # fmt: skip
    return old


def _forget_list(path: Path, old: Preset | None) -> None:
    """Remove the list of a preset that was replaced, unless one that is there names it still."""
    listed = old.provenance.images if old else None
    named = {one.provenance.images for one in _read(path).values()}
    if listed and listed not in named and Path(listed).name == listed and listed.endswith(".images.csv"):
        path.with_name(listed).unlink(missing_ok=True)


def _chosen(pipeline: type[Pipeline], name: str) -> tuple[Preset, Path | None]:
    known = _presets(pipeline)
    if name not in known:
        raise UnknownNameError(f"preset of {pipeline.info.name}", name, known)
    return known[name]


def _where(pipeline: type[Pipeline], name: str, path: Path | None) -> str:
    return f"{pipeline.info.name}@{name} ({path.name})" if path else pipeline.info.name


def _presets(pipeline: type[Pipeline]) -> dict[str, tuple[Preset, Path | None]]:
    found: dict[str, tuple[Preset, Path | None]] = {"default": (Preset(), None)}
    for path in _shipped(pipeline):
        found.update({name: (value, path) for name, value in _read(path).items()})
    for path in _own(pipeline):
        own = _read(path)
        for name in own.keys() & found.keys():
            raise ParameterError(f"{path} has a preset {name!r}, which comes with {pipeline.info.name}.",
                                 "Give it another name, so that a name means the same everywhere.")  # fmt: skip
        found.update({name: (value, path) for name, value in own.items()})
    return found


def _shipped(pipeline: type[Pipeline]) -> list[Path]:
    """Beside the package that the pipeline lives in."""
    package = pipeline.__module__.partition(".")[0]
    path = Path(str(files(package))) / "presets" / f"{pipeline.info.name}.yaml" if _is_package(package) else None
    return [path] if path and path.is_file() else []


def _own_file(pipeline: type[Pipeline]) -> Path:
    return user_folder() / f"{pipeline.info.name}.yaml"


def _own(pipeline: type[Pipeline]) -> list[Path]:
    try:
        path = _own_file(pipeline)
    except UsageError:  # who has no home has no presets there
        return []
    return [path] if path.is_file() else []


def _is_package(module: str) -> bool:
    import importlib.util

    spec = importlib.util.find_spec(module)
    return spec is not None and spec.submodule_search_locations is not None


def _read(path: Path) -> Mapping[str, Preset]:
    status = path.stat()
    return _parse(path, status.st_mtime_ns, status.st_size, status.st_ino)


@lru_cache(64)
def _parse(path: Path, *_changed: int) -> Mapping[str, Preset]:
    content = preset_files.parse(path, preset_files.read_text(path))
    return {name: _preset(path, name, value) for name, value in content.items()}


def _preset(path: Path, name: str, value: Any) -> Preset:
    try:
        return Preset.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, (name, *first["loc"])))
        raise preset_files.unreadable(path, f"{place}: {first['msg']}") from error
