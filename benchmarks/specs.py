"""What the command line says, as values: configurations, prompts, exports, numbers."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import UnknownNameError, UsageError
from pipelines.types import Prompt

EXPORT_FORMATS = ("png", "soft", "rgba", "crop", "coco", "yolo", "voc")
_PIPELINE = re.compile(r"(?P<name>[^@:]+)(@(?P<preset>[^:]+))?(:(?P<fields>.*))?")


@dataclass(frozen=True)
class PipelineSpec:
    """One entry of ``--pipelines``.

    Attributes:
        label: how the row is called; unique within a run.
        name: of the pipeline.
        preset: of the pipeline.
        fields: (field, value as text) that differ from the preset.
        asked: whether the user named it, so that its failure is theirs to hear of.
    """

    label: str
    name: str
    preset: str = "default"
    fields: tuple[tuple[str, str], ...] = ()
    asked: bool = True


def parse_pipelines(text: str) -> list[PipelineSpec]:
    """Read ``NAME[@PRESET][:field=value;field=value],…``.

    Raises:
        UsageError: the text is not of that form.
    """
    specs = [_pipeline(entry.strip()) for entry in text.split(",")]
    return [_numbered(spec, specs[:index]) for index, spec in enumerate(specs)]


def _pipeline(entry: str) -> PipelineSpec:
    match = _PIPELINE.fullmatch(entry)
    if not match:
        raise UsageError(
            f"{entry!r} does not name a pipeline.", "Write NAME, NAME@PRESET or NAME:field=value;field=value."
        )
    fields = tuple(_field(part, entry) for part in (match["fields"] or "").split(";") if part.strip())
    given = [name for name, _ in fields]
    for name in given:
        if given.count(name) > 1:
            raise UsageError(f"{entry!r} sets {name} twice.", "Keep one.")
    return PipelineSpec(entry, match["name"].strip(), (match["preset"] or "default").strip(), fields)


def _field(part: str, entry: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"{part!r} in {entry!r} is not a parameter.", "Write field=value;field=value after the colon.")
    return name.strip(), value.strip()


def _numbered(spec: PipelineSpec, before: Sequence[PipelineSpec]) -> PipelineSpec:
    """The same entry twice is two rows, told apart by a number."""
    times = sum(other.label == spec.label for other in before)
    return spec if not times else PipelineSpec(f"{spec.label}#{times + 1}", spec.name, spec.preset, spec.fields)


@dataclass(frozen=True)
class Words:
    """What ``--prompt`` says.

    Attributes:
        texts: to look for.
        classes: the class of the dataset that each text stands for, None where none was said; or None for all.
    """

    texts: tuple[str, ...]
    classes: tuple[str | None, ...] | None


def parse_prompts(texts: Sequence[str], class_names: Sequence[str]) -> Words | None:
    """Read ``--prompt`` values: "words", or "class=words" for a class of the dataset; several may mean one class.

    Returns:
        The words, or None where none are given, which leaves the choice to the sample.

    Raises:
        UnknownNameError: a class that the dataset does not have.
        PromptError: an empty or endless text.
    """
    if not texts:
        return None
    pairs = [_words(text, class_names) for text in texts]
    words = Prompt(texts=tuple(text for text, _ in pairs)).texts
    return Words(words, tuple(name for _, name in pairs) if any(name for _, name in pairs) else None)


def _words(text: str, class_names: Sequence[str]) -> tuple[str, str | None]:
    name, equals, words = (part.strip() for part in text.partition("="))
    if not equals:
        return text.strip(), None
    if name not in class_names:
        raise UnknownNameError("class of the dataset", name, class_names)
    return words, name


def parse_batch_sizes(text: str) -> tuple[int, ...]:
    """Read ``1,2,4``, in growing order.

    Raises:
        UsageError: something else than whole numbers from 1 to 4096.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= 4096 for part in parts):
        raise UsageError(f"--batch-sizes cannot be {text!r}.", "Give whole numbers from 1 to 4096, such as 1,2,4.")
    return tuple(sorted({int(part) for part in parts}))


def parse_export(text: str | None, source: Path | None = None) -> tuple[tuple[str, ...], Path] | None:
    """Read ``png,coco,crop:FOLDER``.

    Args:
        text: the value of ``--export``.
        source: the folder of the dataset, which is never written to.

    Raises:
        UsageError: no format or no folder is named, it is that of the dataset, or nothing can be written there.
        UnknownNameError: a format that is not written.
    """
    if text is None:
        return None
    names, colon, folder = text.partition(":")
    if not colon or not folder.strip():
        raise UsageError(
            f"--export {text!r} names no folder.", "Write the formats, a colon and a folder: png,coco:masks."
        )
    formats = tuple(dict.fromkeys(name.strip() for name in names.split(",")))
    if "" in formats:
        raise UsageError(f"In --export {text!r} a format is missing before the comma or colon.",
                         f"Write one or more of {', '.join(EXPORT_FORMATS)}.")  # fmt: skip
    for name in formats:
        if name not in EXPORT_FORMATS:
            raise UnknownNameError("export format", name, EXPORT_FORMATS)
    path = user_path(folder.strip(), "--export")
    if source and path.resolve().is_relative_to(source.resolve()):
        raise UsageError(
            f"--export {path} lies in the dataset {source}, of which it would become a part.",
            "Name a folder outside of it.",
        )
    check_writable(path, "--export")
    return formats, path


def dataset_folder(spec: str) -> Path | None:
    """The folder that the files of a dataset are in, or None where it is embedded, of the hub, or not there."""
    from benchmarks.datasets.hub_load import parse_spec

    wanted = parse_spec(spec)
    if spec == "coins" or (wanted and not wanted.folder):
        return None
    path = wanted.folder if wanted and wanted.folder else user_path(spec, "--dataset")
    if path.is_file():
        path = path.parent.parent if path.parent.name == "annotations" else path.parent  # as COCO lays them out
    return path if path.is_dir() else None


def user_path(text: str, option: str) -> Path:
    """A path with ``~`` expanded.

    Raises:
        UsageError: there is no such user.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{option} {text} names a user that is not known.", "Write the whole path.") from error


def check_writable(folder: Path, option: str) -> None:
    """Make a folder and try to write in it, before hours are spent on what would go there.

    Raises:
        UsageError: it cannot be.
    """
    if not folder.parts:
        raise UsageError(f"{option} names no folder.", "Give the path of a folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UsageError(
            f"{option} {folder} cannot be used: {why}.", "Choose another folder, or change its rights."
        ) from error
