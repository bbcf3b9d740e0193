"""Two features against each other on a profile's page; a mark of a suspect leads to its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.profile.page_parts import NO, SPLIT_COLOURS, shortened, tick, value
from benchmarks.profile.page_suspects import Gallery
from benchmarks.profile.points import PAIRS
from benchmarks.report import axes
from benchmarks.report.markup import Markup, element, fragment

FEWEST = 3
MARGIN = 0.04
REACH = 1.5
"""Of the range of eight in ten values: so far beyond it a point is drawn where it is."""


def scatter(document: Mapping[str, Any], found: Gallery) -> Markup:
    """One plot for each pair of features that is there; radio buttons choose."""
    given = document.get("points")
    if not given:
        return NO
    known = {one["name"]: one for part in ("images", "masks") for one in document[part]["features"]}
    pairs = [(known[a], known[b]) for a, b in PAIRS if a in known and b in known and _points(given, a, b)]
    if not pairs:
        return NO
    buttons = [
        element("label", element("input", type="radio", name="plot", id=f"plot-{n}", checked=n == 0), _title(a, b))
        for n, (a, b) in enumerate(pairs)
    ]  # fmt: skip
    drawn = [element("figure", _plot(n, pair, document, found), class_=f"pick p{n}") for n, pair in enumerate(pairs)]
    return fragment(element("fieldset", element("legend", "Show"), buttons), drawn, _legend(document))


def rules() -> str:
    """The style of the switches."""
    return "".join(f"body:has(#plot-{n}:checked) .pick:not(.p{n}) {{ display: none; }}\n" for n in range(len(PAIRS)))


def _points(given: Mapping[str, Any], a: str, b: str) -> list[tuple[int, float, float]]:
    """Place of the sample and both values, where it has both; none where they are too few."""
    columns = zip(given["columns"][a], given["columns"][b], strict=True)
    found = [(place, x, y) for place, (x, y) in enumerate(columns) if x is not None and y is not None]
    return found if len(found) >= FEWEST else []


def _plot(
    n: int, pair: tuple[Mapping[str, Any], Mapping[str, Any]], document: Mapping[str, Any], found: Gallery
) -> Markup:
    a, b = pair
    given = document["points"]
    some = _points(given, a["name"], b["name"])
    across = _scale([x for _, x, _ in some], axes.LEFT, axes.WIDTH - axes.RIGHT)
    up = _scale([y for _, _, y in some], axes.HEIGHT - axes.BOTTOM, axes.TOP + 8)
    forms = (lambda at: tick(at, a["unit"]), lambda at: tick(at, b["unit"]))
    frame = axes.frame(across, up, (_named(a), _named(b)), forms)
    cards = {
        document["suspects"][place]["sample"]: place for places in found.chosen.values() for place in reversed(places)
    }
    suspect = {one["sample"] for one in document["suspects"]}
    order = sorted(some, key=lambda point: given["ids"][point[0]] in suspect)
    dots = []
    for place, x, y in order:
        name, colour = given["ids"][place], _split(document, given["splits"][place])
        words = f"{shortened(name)}: {value(x, a['unit'])}, {value(y, b['unit'])}"
        at = _within(x, across), _within(y, up)
        dots.append(_dot(at, words, cards.get(name), colour, suspect=name in suspect))
    title = _title(a, b)
    far = sum(not (across.low <= x <= across.high and up.low <= y <= up.high) for _, x, y in some)
    said = f"{len(some)} of {given['of']} samples."
    said += " Diamonds are suspects; each leads to its card." if suspect else ""
    said += f" Points at the edge that lie beyond it: {far}." if far else ""
    box = element("svg", element("title", f"{title}. {said}"), frame, dots, viewBox=f"0 0 {axes.WIDTH} {axes.HEIGHT}",
                  class_="chart", role="group", aria_label=f"{title}. {said}")  # fmt: skip
    return fragment(
        element("div", box, class_="wide", tabindex=0, role="region", aria_label=title),
        element("figcaption", said, class_="quiet"),
    )


def _title(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    return f"{b['title']} against {a['title'].lower()}"


def _named(feature: Mapping[str, Any]) -> str:
    unit = {"share": "", "": ""}.get(feature["unit"], f" ({feature['unit']})")
    return f"{feature['title']}{unit}"


def _scale(values: Sequence[float], start: float, end: float) -> axes.Scale:
    """Where nearly all values are: a few far ones are drawn at the edge."""
    inner = np.percentile(values, (10, 90))
    reach = REACH * float(inner[1] - inner[0])
    low, high = min(values), max(values)
    if reach:
        low, high = max(low, float(inner[0]) - reach), min(high, float(inner[1]) + reach)
    if low > 0 and high / low > 50:
        return axes.Scale(low / 1.2, high * 1.2, start, end, log=True)
    rim = (high - low) * MARGIN or abs(high) * MARGIN or 1.0
    return axes.Scale(low - rim, high + rim, start, end)


def _within(number: float, scale: axes.Scale) -> float:
    return scale(min(max(number, scale.low), scale.high))


def _split(document: Mapping[str, Any], name: str | None) -> int:
    """Number of the colour: 0 where there are no splits."""
    names = list(document["dataset"]["splits"])[:SPLIT_COLOURS]
    return names.index(name) + 1 if name in names and len(names) > 1 else 0


def _dot(at: tuple[float, float], words: str, card: int | None, colour: int, *, suspect: bool) -> Markup:
    """A point; a diamond where the sample is suspect, and a link where it has a card."""
    x, y = at
    if not suspect:
        return element("circle", element("title", words), cx=x, cy=y, r=4, class_=f"dot s{colour}")
    mark = element("path", element("title", words), d=f"M{x:g} {y - 7:g}l7 7l-7 7l-7 -7Z", class_="dot s5")
    return mark if card is None else element("a", mark, href=f"#suspect-{card + 1}", aria_label=f"Suspect {words}")


def _legend(document: Mapping[str, Any]) -> Markup:
    names = list(document["dataset"]["splits"])[:SPLIT_COLOURS]
    marks = (
        {name: element("circle", cx=10, cy=10, r=6, class_=f"s{n + 1}") for n, name in enumerate(names)}
        if len(names) > 1
        else {}
    )
    marks |= {"suspect": element("path", d="M10 2l8 8l-8 8l-8 -8Z", class_="s5")} if document["suspects"] else {}
    keys = [
        element(
            "li", element("svg", mark, viewBox="0 0 20 20", class_="key", aria_hidden="true", focusable="false"), name
        )
        for name, mark in marks.items()
    ]
    return element("ul", keys, class_="keys") if keys else NO
