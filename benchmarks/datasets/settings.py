"""The optional ``dataset.yaml`` in a dataset's folder: name, prompt, how soft masks are cut, and what ids stand for.

name: orchard
prompt: apple; leaf                 # or a list
mask_threshold: 128                 # for soft masks
classes: {1: apple, 2: leaf}        # or [apple, leaf], or for masks in colour {apple: [255, 0, 0]}
ignore: 255                         # pixels of this id count for nothing; none: there is no such id
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.datasets.meaning import Meaning, parse_meaning
from benchmarks.datasets.paths import own_file
from benchmarks.datasets.prompts import parse_texts
from pipelines.errors import DatasetError
from pipelines.types import Prompt

FILE = "dataset.yaml"
KEYS = ("name", "prompt", "mask_threshold", "classes", "ignore")


@dataclass(frozen=True)
class Settings:
    """What ``dataset.yaml`` says.

    Attributes:
        name: what tables call the dataset; default: the folder's name.
        prompt: for every sample that has none of its own.
        mask_threshold: 1 to 255, the value from which a soft mask is foreground; None: soft masks are refused.
        meaning: what ids stand for; None: nothing is declared, and ids are read by :func:`.sample.truth_of_ids`.
    """

    name: str
    prompt: Prompt = field(default_factory=Prompt)
    mask_threshold: int | None = None
    meaning: Meaning | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes that are declared, in order; none = no classes."""
        return self.meaning.names if self.meaning else ()


def read_settings(root: Path) -> Settings:
    """Read ``dataset.yaml``; defaults where there is none.

    Raises:
        DatasetError: it cannot be parsed, has an unknown key or a value of the wrong kind.
    """
    default_name = root.resolve().name or "dataset"
    path = own_file(root, FILE)
    values = _parse(path) if path else {}
    for key in values:
        if key not in KEYS:
            close = difflib.get_close_matches(str(key), KEYS, n=1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise DatasetError(f"{FILE} has the unknown key {key!r}.", f"{hint}Known: {', '.join(KEYS)}.")
    name = values.get("name", default_name)
    if not isinstance(name, str) or not name.strip():
        raise DatasetError(f"The name in {FILE} is {name!r}.", "Give a text that is not blank.")
    try:
        prompt, threshold = parse_prompt(values.get("prompt")), parse_threshold(values.get("mask_threshold"))
        meaning = parse_meaning(values.get("classes"), values.get("ignore"))
        _check_together(threshold, meaning)
    except ValueError as error:
        raise DatasetError(f"{FILE}: {error}.", "Correct the value.") from error
    return Settings(name.strip(), prompt, threshold, meaning)


def _check_together(threshold: int | None, meaning: Meaning | None) -> None:
    if threshold is None or meaning is None:
        return
    if meaning.colours or meaning.ignore or set(meaning.classes) - {1}:
        raise ValueError("mask_threshold gives the ids 0 and 1, so that there can be one class, and nothing to ignore")


def read_settings_of_outlines(root: Path, layout: str) -> Settings:
    """Read ``dataset.yaml`` of a dataset whose masks are drawn, so that they hold no ids.

    Raises:
        DatasetError: as of `read_settings`, or it declares what only files of masks have.
    """
    settings = read_settings(root)
    if settings.meaning or settings.mask_threshold is not None:
        raise DatasetError(f"{FILE} declares ids of masks, but this dataset is {layout} and has outlines.",
                           f"Remove classes, ignore and mask_threshold from {FILE}.")  # fmt: skip
    return settings


def _parse(path: Path) -> dict[Any, Any]:
    import yaml

    try:
        values = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        where = " ".join(str(error).split())[:200]
        raise DatasetError(f"{path.name} cannot be read: {where}.", "Correct it, one 'key: value' a line.") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise DatasetError(f"{path.name} holds no keys.", f"Write one 'key: value' a line; known: {', '.join(KEYS)}.")
    return values


def parse_prompt(value: object) -> Prompt:
    """Texts from ``"a"``, ``"a; b"`` (two texts) or ``["a", "b"]``; blank = no text.

    Raises:
        ValueError: another type, or a text that is too long.
    """
    return Prompt(texts=parse_texts(value, "the prompt"))


def parse_threshold(value: object) -> int | None:
    """A whole number from 1 to 255, as a key or as a cell; blank = none declared.

    Raises:
        ValueError: anything else.
    """
    if value is None or value == "":
        return None
    text = "" if isinstance(value, bool) else str(value).strip()
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 255):
        raise ValueError(f"mask_threshold must be a whole number from 1 to 255, got {value!r}")
    return int(text)
