"""Every trial of a study on its page: what each came to, in order, and how that goes with the values of each field."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.report import axes, figures
from benchmarks.report.markup import Markup, element, fragment
from benchmarks.report.page_table import table
from benchmarks.report.pareto import shortened
from benchmarks.tune.candidates import Candidate
from benchmarks.tune.page_facts import Told, key, legend, value, wide

NO = Markup("")
FOOT = axes.HEIGHT - axes.BOTTOM
MOST_DOTS, MOST_NAMED, MOST_LISTED, MOST_FIELDS = 4000, 8, 10, 6
FEW = 2
"""Fields of which each is shown, even where their importance cannot be told."""

MOST_VARIANTS, LONGEST = 4, 60
"""Wordings that are named in the picture, and the letters that fit across it."""

SMALL, LEFT, RIGHT, TOP, BOTTOM = (300, 210), 42, 12, 10, 40
Dots = Sequence[tuple[float, float]]


def history(told: Told) -> Markup:
    """Trials of one study after another, the best so far in each, and the best of all as a table."""
    known = [one for one in told.outcome.candidates if one.train is not None]
    if len(known) < 2:
        return NO
    thinned = known[:: math.ceil(len(known) / MOST_DOTS)]
    up, across = _upright(told, [float(one.train or 0.0) for one in known]), _level(thinned)
    below = sum(not up.low <= float(one.train or 0.0) <= up.high for one in known)
    name = f"{told.name} of each trial on the images that its study saw"
    several = told.task.folds > 1
    names = (f"trials{', one search after another' * several}", f"{told.name} (images seen)")
    frame = axes.frame(across, up, names, ("{:.0f}".format, "{:.2f}".format))
    drawn = axes.chart(
        "every-trial", name, _described(told, known), frame, fragment(_studies(told, thinned, across, up))
    )
    worse = "is" if below == 1 else "are"
    note = f" {figures.count(below, 'trial')} {worse} worse than the picture reaches, and at its edge." if below else ""
    return fragment(element("figure", wide(drawn, name), _keys(told),
                            element("figcaption", f"{HOW * several}{LEVEL}{note}", class_="quiet")),
                    _best(told))  # fmt: skip


HOW = "Each search leaves out one part of the images and begins anew, so that its best so far climbs on its own. "
LEVEL = "Where a line stays level for long, more trials would find little."


def _level(known: Sequence[Candidate]) -> axes.Scale:
    return axes.Scale(0.0, float(len(known)) + 1.0, axes.LEFT, axes.WIDTH - axes.RIGHT)


def _upright(told: Told, found: Sequence[float]) -> axes.Scale:
    """Where the better half of the values and the start are; what is far worse is drawn at the edge."""
    ranked = sorted(found, key=lambda one: -told.task.sign * one)
    shown = ranked[: max(2, (len(ranked) + 1) // 2)]
    return axes.scores([*shown, *([told.start] if told.start is not None else [])])


def _held(up: axes.Scale, one: float) -> float:
    return up(min(max(one, up.low), up.high))


def _described(told: Told, known: Sequence[Candidate]) -> str:
    best = max(known, key=lambda one: told.task.sign * float(one.train or 0.0))
    return (f"{len(known)} trials; the best on the images that its search saw is {figures.score(best.train)}; the "
            f"start on all images is {figures.score(told.start)}.")  # fmt: skip


def _studies(told: Told, known: Sequence[Candidate], across: axes.Scale, up: axes.Scale) -> Iterator[Markup]:
    """Dots, the best so far and a border for each study, and the start across them all."""
    keys = list(dict.fromkeys((one.variant, one.fold) for one in known))
    for name in keys:
        own = [(n, float(one.train or 0.0)) for n, one in enumerate(known, 1) if (one.variant, one.fold) == name]
        places = [(across(n), _held(up, found)) for n, found in own]
        yield dots(places, 5)
        yield element("path", d=axes.path(_steps(told, own, across, up)), class_="curve l5")
        yield _border(told, name, keys, across(own[0][0] - 0.5))
    if told.start is not None:
        y = _held(up, told.start)
        yield element("line", x1=axes.LEFT, x2=axes.WIDTH - axes.RIGHT, y1=y, y2=y, class_="front")


def _border(told: Told, name: tuple[int, int], keys: Sequence[tuple[int, int]], x: float) -> Markup:
    """A line before a study, a stronger one before a wording, and what begins there where there is room to say it."""
    first = name == next(one for one in keys if one[0] == name[0])
    strong = first and len(told.task.variants) > 1
    line = element("line", x1=x, x2=x, y1=axes.TOP, y2=FOOT,
                   class_="axis" if strong or len(keys) <= MOST_NAMED else "grid")  # fmt: skip
    said = ""
    if strong and len(told.task.variants) <= MOST_VARIANTS:
        said = shortened(told.task.variants[name[0]].label, LONGEST // len(told.task.variants))
    elif len(told.task.variants) == 1 and 1 < len(keys) <= MOST_NAMED:
        said = f"without part {name[1] + 1}" if len(keys) <= 4 else f"– {name[1] + 1}"
    return fragment(line if name != keys[0] else None,
                    element("text", said, x=x + 4, y=axes.TOP + 12, class_="tick name") if said else None)  # fmt: skip


def _steps(told: Told, own: Dots, across: axes.Scale, up: axes.Scale) -> list[tuple[float, float]]:
    """The best so far: a corner wherever it rises."""
    best, corners = own[0][1], [(across(own[0][0]), _held(up, own[0][1]))]
    for n, found in own[1:]:
        if told.task.sign * found > told.task.sign * best:
            corners += [(across(n), corners[-1][1]), (across(n), _held(up, found))]
            best = found
    return [*corners, (across(own[-1][0]), corners[-1][1])]


def dots(places: Dots, wide_px: float) -> Markup:
    """Many dots as one path: a page of a long search stays small."""
    drawn = "".join(f"M{x:g} {y:g}h.01" for x, y in places)
    return element("path", d=drawn, class_="l0", fill="none", stroke_width=wide_px, stroke_linecap="round",
                   stroke_opacity=0.8)  # fmt: skip


def _keys(told: Told) -> Markup:
    return legend({
        "a trial": key(dots([(10, 10)], 9)),
        "the best so far": key(element("path", d="M0 16h8v-10h12", class_="curve l5")),
        f"the start, on all images: {figures.score(told.start)}": key(element("path", d="M0 10h20", class_="front")),
    })  # fmt: skip


def _best(told: Told) -> Markup:
    """The best trials, folded away, with the values of the fields that matter most."""
    ranked = sorted(told.plain, key=lambda one: (-told.task.sign * float(one.whole or 0.0), one.order))[:MOST_LISTED]
    names = shown_fields(told) or list(told.said["searched"])[:MOST_FIELDS]
    words = len(told.task.variants) > 1
    columns = ("Trial", f"{told.name}, all images", "Images seen", *(["Words or weights"] if words else []), *names)
    rows = [[f"{one.number}{f' without part {one.fold + 1}' * (told.task.folds > 1)}", figures.score(one.whole),
             figures.score(one.train),
             *([told.task.variants[one.variant].label] if words else []),
             *(value(one.params_whole.get(name)) for name in names)] for one in ranked]  # fmt: skip
    drawn = table(f"The best {len(rows)} trials", columns, rows, frozenset(columns[1:]) - {"Words or weights"})
    return element("details", element("summary", f"Show the best {len(rows)} trials"), drawn)


def shown_fields(told: Told) -> list[str]:
    """The fields that matter most; of few fields all; none where that cannot be told."""
    few = [name for name in told.said["searched"] if name not in told.said["swept"]]
    names = list(told.said["importance"]) or (few if len(few) <= FEW else [])
    return [name for name in names if len({str(one.params_whole.get(name)) for one in told.plain}) > 1][:MOST_FIELDS]


def slices(told: Told) -> Markup | None:
    """The objective against each of the fields that matter most, a small picture each."""
    names = shown_fields(told)
    if len(told.plain) < 2 or not names:
        return None
    plain = told.plain[:: math.ceil(len(told.plain) / MOST_DOTS)]
    up = _upright(told, [float(one.whole or 0.0) for one in plain])
    small = axes.Scale(up.low, up.high, SMALL[1] - BOTTOM, TOP)
    drawn = [_slice(told, number, name, plain, small) for number, name in enumerate(names)]
    edge = "upper" if told.task.sign > 0 else "lower"
    said = (
        f"Each dot is a trial: its value of one field, and {told.name} on all images. All fields move at once, so "
        f"that dots scatter: look for where the {edge} edge is best. What is much worse lies at the other edge."
    )
    keys = legend({"a trial": key(dots([(10, 10)], 9)), "kept" if told.kept else "chosen": key(axes.marker(2, 10, 10)),
                   "before": key(element("line", x1=10, x2=10, y1=0, y2=20, class_="front"))})  # fmt: skip
    return fragment(element("h3", "Each field and what came of it"), element("p", said, class_="quiet"), keys,
                    element("div", drawn, class_="pairs"))  # fmt: skip


def _slice(told: Told, number: int, name: str, plain: Sequence[Candidate], up: axes.Scale) -> Markup:
    values = [one.params_whole.get(name) for one in plain]
    before, now = told.task.configuration.params.get(name), told.best["params"].get(name)
    spans, place, ticks = _across(told, name, [*values, before, now])
    held = [(place(v), _held(up, float(one.whole or 0.0))) for v, one in zip(values, plain, strict=True)]
    foot, end = SMALL[1] - BOTTOM, SMALL[0] - RIGHT
    parts = [element("text", said, x=x, y=foot + 16, text_anchor="middle", class_="tick") for said, x in ticks]
    for tick in up.ticks():
        parts.append(element("line", x1=LEFT, x2=end, y1=up(tick), y2=up(tick), class_="grid"))
        parts.append(element("text", f"{tick:.2f}", x=LEFT - 6, y=up(tick) + 4, text_anchor="end", class_="tick"))
    parts.append(element("line", x1=place(before), x2=place(before), y1=TOP, y2=foot, class_="front"))
    parts.append(dots(held, 5))
    if told.best["value"] is not None:
        parts.append(element("g", axes.marker(2, place(now), _held(up, told.best["value"]))))
    parts.append(element("text", name, x=(LEFT + end) / 2, y=SMALL[1] - 4, text_anchor="middle"))
    kept = "kept" if told.kept else "chosen"
    said = f"{told.name} against {name}: before {value(before)}, {kept} {value(now)}; {spans}."
    return element("svg", element("title", said, id=f"slice-{number}"), parts, viewBox=f"0 0 {SMALL[0]} {SMALL[1]}",
                   role="img", class_="chart small", aria_labelledby=f"slice-{number}")  # fmt: skip


def _across(told: Told, name: str, values: Sequence[Any]) -> tuple[str, Any, list[tuple[str, float]]]:
    """A level scale for the values of a field: what it spans in words, value → place, and ticks."""
    ends = LEFT + 10, SMALL[0] - RIGHT - 10
    knob = told.knobs[name]
    if knob.kind not in ("int", "float"):
        known = list(dict.fromkeys(map(str, values)))
        step = (ends[1] - ends[0]) / len(known)
        at = {one: round(ends[0] + step * (n + 0.5), 1) for n, one in enumerate(known)}
        return f"tried: {', '.join(known)}", lambda one: at[str(one)], [(one[:12], x) for one, x in at.items()]
    low, high = min(map(float, values)), max(map(float, values))
    if low == high:
        low, high = low - 0.5, high + 0.5
    scale = axes.Scale(low, high, *ends, log=knob.log and low > 0)
    shown = [one for one in scale.ticks() if low <= one <= high]
    return f"from {low:g} to {high:g}", scale, [(value(one), scale(one)) for one in shown[:: math.ceil(len(shown) / 6)]]
