"""``labelmap.txt`` of CVAT and Datumaro: lines ``name:R,G,B:parts:actions`` and what they say of ids and colours.

CVAT's "Segmentation mask 1.1" is written by Datumaro: masks as RGB in the colours of the file. A mask of one channel
holds ids instead: the label that is black, or is called background, is 0 wherever it stands, and the others are 1, 2,
3 ... in the order of the file. A label without a colour has that of its id in VOC's colour map, and the label of VOC's
void (224, 224, 192) is no class. A palette is taken at its colours, which are what a person sees, unless it is VOC's
own palette and the labels are in other colours: then its indices are ids as those of one channel.
Reference: https://docs.cvat.ai/docs/manual/advanced/formats/format-smask/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.datasets.entries import Findings
from benchmarks.datasets.meaning import LONGEST_NAME, Meaning, Rgb
from benchmarks.datasets.paths import own_file, shown
from pipelines.errors import DatasetError
from pipelines.images.colour_table import voc_colours

FILE = "labelmap.txt"
VOID = 255
BLACK: Rgb = (0, 0, 0)
VOID_COLOUR: Rgb = (224, 224, 192)
_LINE = "Write name:R,G,B:: with three values from 0 to 255."


@dataclass(frozen=True)
class Label:
    """One line; colour None = that of its id in VOC's colour map."""

    line: int
    name: str
    colour: Rgb | None

    @property
    def is_background(self) -> bool:
        """Whether it is id 0: black, or without a colour and called background."""
        return self.colour == BLACK or (self.colour is None and self.name.strip("_").lower() == "background")


def read_labelmap(root: Path, found: Findings) -> Meaning | None:
    """What the file says of ids; lines that are broken are noted as problems. None where there is no file.

    Raises:
        DatasetError: it is no text, or names no class.
    """
    path = own_file(root, FILE)
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{FILE} cannot be read: {error}.", "Save it as UTF-8.") from error
    labels: list[Label] = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            _take(line.strip(), number, labels, found)
    classes = [label for label in labels if not label.is_background and label.colour != VOID_COLOUR]
    if not classes and not found.problems:
        raise DatasetError(f"{FILE} names no class.", _LINE)
    if len(classes) >= VOID:
        raise DatasetError(f"{FILE} names {len(classes)} classes.", f"At most {VOID - 1} fit beside the void of VOC.")
    return _meaning(classes, found)


def _take(text: str, line: int, labels: list[Label], found: Findings) -> None:
    try:
        label = _parse(text, line)
        for other in labels:
            if other.name == label.name:
                raise ValueError(f"it names {shown(label.name)} again, after line {other.line}")
            if label.colour is not None and other.colour == label.colour:
                raise ValueError(f"it has the colour {label.colour} of {shown(other.name)} in line {other.line}")
        labels.append(label)
    except ValueError as error:
        found.problem(f"{FILE} line {line}", f"{error}.", _LINE)


def _parse(text: str, line: int) -> Label:
    name, _, rest = text.partition(":")
    if not name.strip() or len(name) > LONGEST_NAME or ":" not in text:
        raise ValueError(f"{shown(text)} is no label with a colour")
    colour = rest.partition(":")[0].strip()
    if not colour:
        return Label(line, name.strip(), None)
    values = [part.strip() for part in colour.split(",")]
    if len(values) != 3 or not all(v.isascii() and v.isdigit() and len(v) < 4 and int(v) < 256 for v in values):
        raise ValueError(f"the colour {shown(colour)} of {shown(name.strip())} is not R,G,B from 0 to 255")
    return Label(line, name.strip(), (int(values[0]), int(values[1]), int(values[2])))


def _meaning(classes: Sequence[Label], found: Findings) -> Meaning:
    colours: dict[Rgb, int] = {BLACK: 0, VOID_COLOUR: VOID}
    for id_, label in enumerate(classes, 1):
        colour = label.colour or voc_colours()[id_]
        if colour in colours:
            reason = f"it has no colour, and {colour}, that of its id {id_}, is taken."
            found.problem(f"{FILE} line {label.line}", reason, _LINE)
        colours.setdefault(colour, id_)
    names = {id_: label.name for id_, label in enumerate(classes, 1)}
    return Meaning(names, frozenset((VOID,)), colours, where=FILE)
