"""The optional ``dataset.yaml`` in a dataset's folder: name, prompt and how soft masks are cut."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.datasets.paths import own_file
from pipelines.errors import DatasetError, PromptError
from pipelines.types import Prompt

FILE = "dataset.yaml"
KEYS = ("name", "prompt", "mask_threshold")


@dataclass(frozen=True)
class Settings:
    """What ``dataset.yaml`` says.

    Attributes:
        name: what tables call the dataset; default: the folder's name.
        prompt: for every sample that has none of its own.
        mask_threshold: 1 to 255, the value from which a soft mask is foreground; None: soft masks are refused.
    """

    name: str
    prompt: Prompt = field(default_factory=Prompt)
    mask_threshold: int | None = None


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
    except ValueError as error:
        raise DatasetError(f"{FILE}: {error}.", "Correct the value.") from error
    return Settings(name.strip(), prompt, threshold)


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
    pieces = value.split(";") if isinstance(value, str) else [] if value is None else value
    if not isinstance(pieces, list) or not all(isinstance(piece, str) for piece in pieces):
        raise ValueError(f"the prompt must be a text or a list of texts, got {value!r}")
    try:
        return Prompt(texts=tuple(piece.strip() for piece in pieces if piece.strip()))
    except PromptError as error:
        raise ValueError(f"the prompt is refused: {error}") from error


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
