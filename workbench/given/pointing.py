"""Points and boxes as lines of text, which a click or a keyboard writes: ``point 120 80``, ``box 1 2 30 40``."""

from __future__ import annotations

import cv2

from pipelines.errors import PromptError
from pipelines.types import MAX_TEXT, Image, Prompt
from workbench.views.render import rgb, thickness

MOST_LINES, MOST_TEXTS = 200, 50
FARTHEST = 1e5
MODES = ("Point on it", "Point beside it", "Box: two corners")
_WORDS = {"point": (2, 1), "not": (2, 0), "box": (4, 0)}
_INSIDE, _OUTSIDE = "#0072b2", "#e69f00"


def prompt_of(texts: str, lines: str) -> Prompt:
    """What to look for, from what a visitor wrote.

    Args:
        texts: one label a line; blank lines are left out.
        lines: points and boxes in pixels of the picture, one a line.

    Raises:
        PromptError: too many, or a line that says nothing of the kind.
    """
    if len(texts) > MOST_TEXTS * MAX_TEXT:  # before it is split into millions of parts
        raise PromptError(f"The labels have {len(texts):,} characters.", f"Give at most {MOST_TEXTS} labels.")
    labels = tuple(line.strip() for line in texts.splitlines() if line.strip())
    given = _lines(lines)
    _check_number(len(labels), len(given))
    points: list[tuple[float, float, int]] = []
    boxes: list[tuple[float, float, float, float]] = []
    for line in given:
        word, numbers = _read(line)
        if word == "box" and len(numbers) == 4:
            boxes.append((numbers[0], numbers[1], numbers[2], numbers[3]))
        elif word != "box":
            points.append((numbers[0], numbers[1], _WORDS[word][1]))
    return Prompt(labels, tuple(boxes), tuple(points))


def bounded(prompt: Prompt) -> Prompt:
    """A prompt that came from a program, if it is one that a visitor could have written.

    Raises:
        PromptError: too many of anything, or a number that lies in no picture.
    """
    _check_number(len(prompt.texts), len(prompt.boxes) + len(prompt.points))
    places = [
        *(side for box in prompt.boxes for side in box),
        *(place for x, y, _ in prompt.points for place in (x, y)),
    ]
    if not all(abs(place) < FARTHEST for place in places) or not all(label in (0, 1) for *_, label in prompt.points):
        raise PromptError("A point or a box lies in no picture, or its label is none.",
                          "Give pixels from the top left, and 1 for on the object or 0 for beside it.")  # fmt: skip
    return prompt


def _check_number(labels: int, places: int) -> None:
    if labels > MOST_TEXTS or places > MOST_LINES:
        raise PromptError(f"There are {labels} labels and {places} points and boxes.",
                          f"Give at most {MOST_TEXTS} labels and {MOST_LINES} points and boxes.")  # fmt: skip


def clicked(lines: str, mode: str, x: int, y: int) -> str:
    """The lines with a click written to them; the second corner of a box completes the line of the first.

    Args:
        lines: so far.
        mode: of `MODES`.
        x: pixels from the left.
        y: pixels from the top.
    """
    kept = _lines(lines)
    if mode != MODES[2]:
        return "\n".join([*kept, f"{'point' if mode == MODES[0] else 'not'} {x} {y}"])
    first = _corner(kept[-1]) if kept else None
    if first is None:
        return "\n".join([*kept, f"box {x} {y}"])
    x0, x1, y0, y1 = *sorted((int(first[0]), x)), *sorted((int(first[1]), y))
    return "\n".join([*kept[:-1], f"box {x0} {y0} {max(x1, x0 + 1)} {max(y1, y0 + 1)}"])


def marked(image: Image, lines: str) -> Image:
    """The picture with points and boxes drawn on it: discs and lines; a point beside the object is a cross.

    Args:
        image: ``uint8 (H, W, 3)``.
        lines: as for `prompt_of`.

    Raises:
        PromptError: a line that says nothing of the kind.
    """
    drawn, line = image.copy(), 2 * thickness(image)
    for text in _lines(lines):
        word, numbers = _read(text)
        x, y = int(numbers[0]), int(numbers[1])
        colour = rgb(_OUTSIDE if word == "not" else _INSIDE)
        if word == "box" and len(numbers) == 4:
            cv2.rectangle(drawn, (x, y), (int(numbers[2]), int(numbers[3])), (255, 255, 255), 2 * line)
            cv2.rectangle(drawn, (x, y), (int(numbers[2]), int(numbers[3])), colour, line)
        else:
            kind = cv2.MARKER_TILTED_CROSS if word == "not" else cv2.MARKER_SQUARE
            cv2.drawMarker(drawn, (x, y), (255, 255, 255), kind, 10 * line, 2 * line)
            cv2.drawMarker(drawn, (x, y), colour, kind, 10 * line, line)
    return drawn


def _lines(lines: str) -> list[str]:
    kept = [line for line in lines.splitlines() if line.strip()]
    _check_number(0, len(kept))
    return kept


def _corner(line: str) -> list[float] | None:
    word, numbers = _read(line)
    return numbers if word == "box" and len(numbers) == 2 else None


def _read(line: str) -> tuple[str, list[float]]:
    word, *rest = line.replace(",", " ").split()
    word = word.lower()
    try:
        numbers = [float(one) for one in rest]
    except ValueError:
        numbers = []
    whole = word in _WORDS and (len(numbers) == _WORDS[word][0] or (word == "box" and len(numbers) == 2))
    if not whole or not all(abs(number) < FARTHEST for number in numbers):
        raise PromptError(f"The line {line[:40]!r} is no point and no box.",
                          "Write point X Y, not X Y, or box X0 Y0 X1 Y1, in pixels from the top left.")  # fmt: skip
    return word, numbers
