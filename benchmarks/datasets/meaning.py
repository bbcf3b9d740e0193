"""What the ids of masks stand for, where a dataset declares it: classes, colours, and ids that count for nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.datasets.sample import FOREGROUND, MOST_IDS, Truth, truth_of_classes, truth_of_ids
from pipelines.types import Mask

Rgb = tuple[int, int, int]
LONGEST_NAME = 100


@dataclass(frozen=True)
class Meaning:
    """A declaration. Without classes every id above 0 that is not ignored is foreground.

    Attributes:
        classes: id → name, in the order of the dataset.
        ignore: ids whose pixels count for nothing.
        colours: (R, G, B) → id, for masks that are saved in colour; None = colours mean nothing.
        keep_indices: palettes hold ids, whatever their colours.
        where: the file that declares it, for messages.
    """

    classes: Mapping[int, str] = field(default_factory=dict)
    ignore: frozenset[int] = frozenset()
    colours: Mapping[Rgb, int] | None = None
    keep_indices: bool = False
    where: str = "dataset.yaml"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes, each once, in order."""
        return tuple(dict.fromkeys(self.classes.values()))

    def key(self) -> str:
        """A text that is the same for the same declaration."""
        colours = sorted((self.colours or {}).items())
        return repr((sorted(self.classes.items()), sorted(self.ignore), colours, self.keep_indices))


def truth_of(ids_by_label: Mapping[str, npt.NDArray[Any]], meaning: Meaning | None) -> Truth:
    """Masks from id maps ``(H, W)`` by label, as they are declared, or by :func:`truth_of_ids` where nothing is.

    Classes are read from the map that has no label of its own. A map that has one is that label's foreground.

    Raises:
        ImageFormatError: an id that is not declared, though classes are.
    """
    if meaning is None:
        return truth_of_ids(ids_by_label)
    masks: dict[str, Mask] = {}
    void: list[Mask] = []
    for label, ids in ids_by_label.items():
        if label == FOREGROUND and meaning.classes:
            truth = truth_of_classes(ids, meaning.classes, meaning.ignore)
            masks = {**masks, **truth.masks}
            void += [truth.ignore] if truth.ignore is not None else []
        else:
            ignored = np.isin(ids, list(meaning.ignore))
            masks[label] = (ids > 0) & ~ignored
            void += [ignored] if ignored.any() else []
    if not void:
        return Truth(masks)
    ignore = np.logical_or.reduce(void) & ~Truth(masks).union()
    return Truth(masks, ignore if ignore.any() else None)


def parse_meaning(classes: object, ignore: object) -> Meaning | None:
    """The keys ``classes`` and ``ignore`` of ``dataset.yaml``; None where both are absent.

    Args:
        classes: ``{1: cat, 7: dog}``; a list of names, for ids from 1; or ``{cat: [R, G, B]}`` for masks in colour.
            Id 0 may be named ``background``.
        ignore: an id from 0 to 65535, ``none``, or ``[R, G, B]`` where classes are colours.

    Raises:
        ValueError: another form, a name or an id twice, or an id that is a class and ignored.
    """
    if classes is None and ignore is None:
        return None
    if isinstance(classes, dict) and classes and all(isinstance(value, list) for value in classes.values()):
        return _of_colours(classes, ignore)
    found = _classes(classes)
    ignored = _ignored(ignore)
    for id_ in ignored & found.keys():
        raise ValueError(f"the id {id_} is both the class {found[id_]!r} and the id to ignore")
    return Meaning(found, ignored)


def _classes(value: object) -> dict[int, str]:
    if value is None:
        return {}
    if not isinstance(value, (list, dict)) or not value:
        raise ValueError(f"classes must map ids to names, or list names, got {value!r:.200}")
    pairs = list(value.items()) if isinstance(value, dict) else list(enumerate(value, 1))
    for id_, name in pairs:
        if type(id_) is not int or not 0 <= id_ <= MOST_IDS:
            raise ValueError(f"classes has the id {id_!r:.100}, expected whole numbers from 1 to {MOST_IDS}")
        _check_name(name)
        if id_ == 0 and name.strip().strip("_").lower() != "background":
            raise ValueError(f"classes calls the id 0 {name!r}, but 0 is the background")
    if isinstance(value, list) and len(set(value)) < len(value):
        raise ValueError("classes has a name twice")
    return {id_: name.strip() for id_, name in pairs if id_}


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
        raise ValueError(f"classes has the name {name!r:.100}, expected a text of 1 to {LONGEST_NAME} characters")


def _ignored(value: object) -> frozenset[int]:
    if value is None or (isinstance(value, str) and value.strip().lower() == "none"):
        return frozenset()
    if type(value) is not int or not 0 <= value <= MOST_IDS:
        raise ValueError(f"ignore must be an id from 0 to {MOST_IDS}, or none, got {value!r:.100}")
    return frozenset((value,))


def _of_colours(classes: Mapping[Any, Any], ignore: object) -> Meaning:
    """Ids from 1 in the order of the file; black is background, unless it is a class or ignored."""
    colours: dict[Rgb, int] = {}
    names: dict[int, str] = {}
    for id_, (name, value) in enumerate(classes.items(), 1):
        _check_name(name)
        colour = parse_colour(value)
        if colour in colours:
            raise ValueError(f"classes has the colour {list(colour)} twice")
        colours[colour], names[id_] = id_, name.strip()
    found = Meaning(names, frozenset(), colours)
    if isinstance(ignore, list):
        colour, id_ = parse_colour(ignore), len(names) + 1
        if colour in colours:
            raise ValueError(f"the colour {ignore} is both a class and the colour to ignore")
        found = replace(found, ignore=frozenset((id_,)), colours={**colours, colour: id_})
    elif _ignored(ignore):
        raise ValueError(f"ignore must be a colour [R, G, B] where classes are colours, got {ignore!r}")
    first = next(iter(classes))
    if colours.get((0, 0, 0)) == 1 and str(first).strip().strip("_").lower() == "background":
        found = replace(found, classes={id_: name for id_, name in names.items() if id_ > 1})
        return replace(found, colours={**(found.colours or {}), (0, 0, 0): 0})
    return replace(found, colours={(0, 0, 0): 0, **(found.colours or {})})


def parse_colour(value: object) -> Rgb:
    """``[R, G, B]``, each from 0 to 255.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, list) and len(value) == 3 and all(type(v) is int and 0 <= v <= 255 for v in value):
        return value[0], value[1], value[2]
    raise ValueError(f"a colour must be [R, G, B], each from 0 to 255, got {value!r:.100}")
