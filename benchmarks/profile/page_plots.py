"""How each feature is spread, on a profile's page: a histogram for all samples, and a line for each split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchmarks.profile.page_parts import NO, SPLIT_COLOURS, tick, value
from benchmarks.report import axes
from benchmarks.report.figures import count
from benchmarks.report.markup import Markup, element, fragment
from benchmarks.report.page_table import table

WIDTH, TOP, FOOT, HEIGHT = 270, 18, 112, 130
LEFT, RIGHT = 4, 4
COLUMNS = ("Feature", "Samples", "Mean", "Std", "Least", "5 %", "25 %", "Median", "75 %", "95 %", "Most", "What it is")
PARTS = {"images": "Pictures", "masks": "Masks"}


def distributions(document: Mapping[str, Any]) -> Markup:
    """Small pictures of every feature, switches for the splits, and all figures in a table."""
    parts = [(title, [one for one in document[name]["features"] if one["all"]]) for name, title in PARTS.items()]
    if not any(drawn for _, drawn in parts):
        return NO
    splits = list(document["dataset"]["splits"])[:SPLIT_COLOURS]
    said = ("Bars: how many samples are at each value; point at one for its figures. Tall line: the median. Thick "
            "line: the middle half. Below each: the median, and what holds nine of ten. A first or last bar may hold "
            "all that lies beyond.")  # fmt: skip
    drawn = [_part(title, some, splits) for title, some in parts if some]
    return fragment(
        element("p", said, class_="quiet"), _switches(splits), drawn, _figures(parts), _by_split(parts, splits)
    )


def _part(title: str, features: Sequence[Mapping[str, Any]], splits: Sequence[str]) -> Markup:
    """Plots of the features that differ, and the others in a sentence."""
    level = [
        f"{one['title'].lower()} {value(one['all']['p50'], one['unit'])}"
        for one in features
        if one["all"]["min"] == one["all"]["max"]
    ]
    plots = [_plot(one, splits) for one in features if one["all"]["min"] != one["all"]["max"]]
    said = element("p", f"The same in all samples: {', '.join(level)}.", class_="quiet") if level else None
    return fragment(element("h3", title), element("div", plots, class_="plots") if plots else None, said)


def _switches(splits: Sequence[str]) -> Markup:
    if not splits:
        return NO
    box = [
        element("label", element("input", type="checkbox", id=f"split-{n}", checked=True), _key(n), name)
        for n, name in enumerate(splits)
    ]
    return element("fieldset", element("legend", "Lines of the splits, each as a share of its own samples"), box)


def rules(splits: int) -> str:
    """The style of the switches."""
    shown = range(min(splits, SPLIT_COLOURS))
    return "".join(f"body:has(#split-{n}:not(:checked)) .of-{n} {{ display: none; }}\n" for n in shown)


def _key(n: int) -> Markup:
    line = element("path", d="M0 10h20", class_=f"curve l{n + 1}")
    return element("svg", line, viewBox="0 0 20 20", class_="key", aria_hidden="true", focusable="false")


def _plot(feature: Mapping[str, Any], splits: Sequence[str]) -> Markup:
    whole, unit = feature["all"], feature["unit"]
    edges, counts = whole["histogram"]["edges"], whole["histogram"]["counts"]
    across = _scale(edges)
    lines = [_line(feature["splits"].get(name), across, n, max(counts) / whole["n"]) for n, name in enumerate(splits)]
    said = (f"{feature['title']}: median {value(whole['p50'], unit)}, nine in ten from {value(whole['p5'], unit)} to "
            f"{value(whole['p95'], unit)}.")  # fmt: skip
    drawn = element("svg", element("title", said), _box(whole, across), _bars(edges, counts, across, unit), lines,
                    _ticks(across, unit, whole=_whole(edges)), viewBox=f"0 0 {WIDTH} {HEIGHT}", class_="plot",
                    role="img", aria_label=said)  # fmt: skip
    caption = element(
        "figcaption",
        element("strong", value(whole["p50"], unit)),
        f" ({value(whole['p5'], unit)} to {value(whole['p95'], unit)})",
    )
    return element("figure", element("h4", feature["title"]), drawn, caption)


@dataclass(frozen=True)
class Across:
    """A level scale that ends one bin after the inner edges: a first or last bin for outliers looks like the others.

    Attributes:
        scale: of the values between.
    """

    scale: axes.Scale

    def __call__(self, value: float) -> float:
        """The place of a value, or the end that it lies beyond."""
        return self.scale(min(max(value, self.scale.low), self.scale.high))


def _scale(edges: Sequence[float]) -> Across:
    steps = sorted(high - low for low, high in pairwise(edges))
    step = steps[len(steps) // 2]
    low, high = (edges[1] - step, edges[-2] + step) if len(edges) > 2 else (edges[0], edges[-1])
    return Across(axes.Scale(max(low, edges[0]), min(high, edges[-1]), LEFT, WIDTH - RIGHT))


def _bars(edges: Sequence[float], counts: Sequence[int], across: Across, unit: str) -> list[Markup]:
    """A bar a bin, with its figures above it while somebody points at it."""
    most, parts = max(*counts, 1), []
    for low, high, n in zip(edges, edges[1:], counts, strict=False):
        x, wide = across(low), round(across(high) - across(low), 1)
        tall = round((FOOT - TOP) * n / most, 1)
        place = min(max(x + wide / 2, 70), WIDTH - 70)
        tip = element(
            "text", f"{_span(low, high, unit)}: {n}", x=round(place, 1), y=12, text_anchor="middle", class_="tip"
        )
        bar = (
            element(
                "rect",
                x=round(x + 0.5, 1),
                y=round(FOOT - tall, 1),
                width=max(round(wide - 1, 1), 0.6),
                height=tall,
                class_="s0",
            )
            if n
            else None
        )
        hit = element("rect", x=x, y=TOP, width=wide, height=FOOT - TOP, class_="hit")
        parts.append(element("g", hit, bar, tip, class_="bin"))
    return parts


def _span(low: float, high: float, unit: str) -> str:
    """The values of a bin; one of whole numbers holds them between its halves."""
    if _whole((low, high)):
        first, last = low + 0.5, high - 0.5
        return value(first, unit) if first == last else f"{value(first)} to {value(last, unit)}"
    return f"{value(low)} to {value(high, unit)}" if unit != "share" else f"{value(low, unit)} to {value(high, unit)}"


def _box(whole: Mapping[str, Any], across: Across) -> Markup:
    middle = across(whole["p50"])
    half = element("line", x1=across(whole["p25"]), x2=across(whole["p75"]), y1=FOOT + 2, y2=FOOT + 2, class_="box")
    return fragment(half, element("line", x1=middle, x2=middle, y1=TOP, y2=FOOT + 3, class_="median"))


def _line(summary: Mapping[str, Any] | None, across: Across, n: int, most: float) -> Markup | None:
    """Steps of a split, at the scale of all: equal shapes lie on the bars."""
    if summary is None or not most:
        return None
    edges, counts = summary["histogram"]["edges"], summary["histogram"]["counts"]
    points: list[tuple[float, float]] = []
    for low, high, found in zip(edges, edges[1:], counts, strict=False):
        up = round(max(FOOT - (FOOT - TOP) * found / summary["n"] / most, 2.0), 1)
        points += [(across(low), up), (across(high), up)]
    return element("path", d=axes.path(points), class_=f"curve l{n + 1} of-{n}")


def _whole(edges: Sequence[float]) -> bool:
    """Whether the bins are of whole numbers, which lie between halves."""
    return edges[0] % 1 == 0.5 and (edges[1] - edges[0]) % 1 == 0


def _ticks(across: Across, unit: str, *, whole: bool) -> Markup:
    ticks = [at for at in across.scale.ticks() if not whole or at % 1 == 0]
    parts = [element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=FOOT, y2=FOOT, class_="axis")]
    for at in ticks[:: max(1, -(-len(ticks) // 5))]:
        x = across(at)
        parts.append(
            element(
                "text", tick(at, unit), x=min(max(x, 16), WIDTH - 18), y=FOOT + 15, text_anchor="middle", class_="tick"
            )
        )
    return fragment(parts)


def _cells(feature: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    unit = feature["unit"]
    keys = ("mean", "std", "min", "p5", "p25", "p50", "p75", "p95", "max")
    return [f"{summary['n']}", *(value(summary[key], unit) for key in keys)]


def _figures(parts: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> Markup:
    rows = [[one["title"], *_cells(one, one["all"]), one["help"]] for _, some in parts for one in some]
    drawn = table("Every feature over all samples", COLUMNS, rows, frozenset(COLUMNS[1:-1]), kind="means")
    return element("details", element("summary", f"Show the figures of {count(len(rows), 'feature')}"), drawn)


def _by_split(parts: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], splits: Sequence[str]) -> Markup:
    columns = ("Feature", "Split", *COLUMNS[1:-1])
    rows = [[one["title"], name, *_cells(one, one["splits"][name])]
            for _, some in parts for one in some for name in splits if one["splits"].get(name)]  # fmt: skip
    if not rows:
        return NO
    drawn = table("Every feature in each split", columns, rows, frozenset(columns[2:]))
    return element("details", element("summary", "Show the figures of each split"), drawn)
