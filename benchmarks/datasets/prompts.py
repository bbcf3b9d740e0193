"""What a row says of what to look for: texts, points and boxes, and texts of what is not in the picture."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.errors import PromptError
from pipelines.types import Prompt

COLUMNS = ("prompt", "absent", "points", "boxes")
CURES = {
    "points": "Write [[x, y], [x, y, 0]]: pixels of the upright picture, and 0 for a point outside the object.",
    "boxes": "Write [[x0, y0, x1, y1]]: pixels of the upright picture, x0 < x1 and y0 < y1.",
}


class CellError(ValueError):
    """A cell of another form than its column asks for; holds the cure too."""

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(reason)
        self.cure = cure


@dataclass(frozen=True)
class Asked:
    """What one row asks for.

    Attributes:
        prompt: None = that of the dataset.
        absent: texts of what is not in the picture.
    """

    prompt: Prompt | None = None
    absent: tuple[str, ...] = ()

    def check(self, size: tuple[int, int]) -> None:
        """Raises ValueError where a point or box lies outside a picture of ``(H, W)``."""
        h, w = size
        for x, y, _ in self.prompt.points if self.prompt else ():
            if not (0 <= x < w and 0 <= y < h):
                raise ValueError(f"the point ({x:g}, {y:g}) lies outside the picture of {w} x {h} pixels")
        for box in self.prompt.boxes if self.prompt else ():
            if not (box[0] >= 0 and box[1] >= 0 and box[2] <= w and box[3] <= h):
                text = ", ".join(f"{value:g}" for value in box)
                raise ValueError(f"the box ({text}) leaves the picture of {w} x {h} pixels")


def parse_asked(values: Mapping[str, Any], default: Prompt) -> Asked:
    """The columns ``prompt``, ``absent``, ``points`` and ``boxes`` of a row.

    Args:
        values: column → cell; points and boxes as JSON text, or as lists.
        default: the dataset's prompt, whose texts stand where the row has none.

    Raises:
        ValueError: a cell of another form, or a text that is both asked for and absent.
    """
    texts = parse_texts(values.get("prompt"), "the prompt")
    absent = parse_texts(values.get("absent"), "absent")
    points = tuple(_point(row) for row in _rows(values.get("points"), "points", (2, 3)))
    boxes = tuple((r[0], r[1], r[2], r[3]) for r in _rows(values.get("boxes"), "boxes", (4,)))
    wanted = texts or default.texts
    both = {text.casefold() for text in wanted} & {text.casefold() for text in absent}
    for text in sorted(both):
        raise ValueError(f"{text!r} is both asked for and said to be absent")
    if not (texts or points or boxes):
        return Asked(None, absent)
    try:
        return Asked(Prompt(wanted, boxes, points), absent)
    except PromptError as error:
        raise ValueError(error.message.rstrip(".")) from error


def parse_texts(value: object, what: str) -> tuple[str, ...]:
    """Texts from ``"a"``, ``"a; b"`` (two texts) or ``["a", "b"]``; blank = no text.

    Raises:
        ValueError: another type, or a text that is too long.
    """
    pieces = value.split(";") if isinstance(value, str) else [] if value is None else value
    if isinstance(value, str) and value.lstrip().startswith("["):
        listed = _json(value, None)  # a list in a cell of CSV; any other text in brackets is a text
        pieces = listed if isinstance(listed, list) and all(isinstance(v, str) for v in listed) else pieces
    if not isinstance(pieces, list) or not all(isinstance(piece, str) for piece in pieces):
        raise ValueError(f"{what} must be a text or a list of texts, got {value!r:.200}")
    try:
        return Prompt(texts=tuple(piece.strip() for piece in pieces if piece.strip())).texts
    except PromptError as error:
        raise ValueError(f"{what} is refused: {error}") from error


def _json(text: str, otherwise: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return otherwise


def _rows(value: object, column: str, lengths: tuple[int, ...]) -> list[list[float]]:
    """Rows of finite numbers, each of one of the lengths."""
    if value is None or value == "" or (isinstance(value, str) and not value.strip()):
        return []
    rows = _json(value, None) if isinstance(value, str) else value
    if not isinstance(rows, list):
        raise CellError(f"{column} is {value!r:.200}, not a list of lists", CURES[column])
    for row in rows:
        if not isinstance(row, list) or len(row) not in lengths or not all(_is_number(v) for v in row):
            raise CellError(f"{column} holds {row!r:.100}", CURES[column])
    return [[float(v) for v in row] for row in rows]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _point(row: list[float]) -> tuple[float, float, int]:
    label = row[2] if len(row) == 3 else 1
    if label not in (0, 1):
        raise CellError(f"points has the label {label:g}", CURES["points"])
    return row[0], row[1], int(label)
