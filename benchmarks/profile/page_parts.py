"""What the parts of a profile's page say again and again: badges, kinds of suspects, and names that are too long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.profile.suspects import KINDS, Kind
from benchmarks.report.figures import share
from benchmarks.report.markup import Markup, element, fragment

NO = Markup("")
LONGEST_NAME = 80
SPLIT_COLOURS = 5
"""Splits that get a colour of their own; the first colour is that of all samples together."""

UNITS = {"share": "", "px": " px", "MP": " MP", "kB": " kB", "bit": " bit"}


def badge(severity: str) -> Markup:
    """High, medium or low, told by word, shape and colour."""
    return element("span", severity, class_=f"badge {_known(severity)}")


def _known(severity: str) -> str:
    return severity if severity in ("high", "medium", "low") else "low"


def kind_of(name: str, document: Mapping[str, Any]) -> Kind:
    """What a kind of suspects is; one that this version does not know, by what the document says of its first."""
    if name in KINDS:
        return KINDS[name]
    first = next(one for one in document["suspects"] if one["kind"] == name)
    return Kind(name.replace("_", " "), first["severity"], "", first["suggestion"])


def kinds_of(document: Mapping[str, Any]) -> dict[str, list[int]]:
    """Kind → places of its suspects in the document; the gravest kind first."""
    found: dict[str, list[int]] = {}
    for place, suspect in enumerate(document["suspects"]):
        found.setdefault(suspect["kind"], []).append(place)
    order = {"high": 0, "medium": 1, "low": 2}
    return dict(sorted(found.items(), key=lambda item: order.get(kind_of(item[0], document).severity, 3)))


def class_of(kind: str, document: Mapping[str, Any]) -> str:
    """The classes of a chapter: its number, and how grave it is."""
    return f"k{list(kinds_of(document)).index(kind)} {_known(kind_of(kind, document).severity)}"


def chapter(kind: str, document: Mapping[str, Any]) -> str:
    """The name of a chapter in addresses."""
    return f"chapter-{list(kinds_of(document)).index(kind)}"


def bar(part: float) -> Markup:
    """A bar as long as a share, with the share in words."""
    drawn = element("rect", x=0, y=0, width=round(max(120 * part, 1.5), 1), height=12)
    return fragment(
        element("svg", drawn, viewBox="0 0 120 12", class_="bar-in", aria_hidden="true", focusable="false"),
        element("small", share(part)),
    )


def value(number: float | None, unit: str = "") -> str:
    """A figure of a feature, short, with its unit."""
    if number is None:
        return "–"
    if unit == "share":
        percent = 100 * number
        return f"{percent:.1f} %" if percent == 0 or percent >= 1 else f"{percent:.2g} %"
    whole = abs(number) >= 1000 or float(number).is_integer()
    said = f"{number:,.0f}".replace(",", "\N{NO-BREAK SPACE}") if whole else f"{number:.3g}"
    return f"{said}{UNITS.get(unit, f' {unit}' if unit else '')}".replace("-", "\N{MINUS SIGN}")


def tick(number: float, unit: str = "") -> str:
    """A figure beside an axis, which says the unit once."""
    return f"{100 * number:.4g} %" if unit == "share" else value(number)


def shortened(name: str) -> str:
    """The end of a long id, which tells more than its start."""
    return name if len(name) <= LONGEST_NAME else f"…{name[-LONGEST_NAME:]}"
