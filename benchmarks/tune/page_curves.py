"""Curves of a study's page: the objective at every threshold, and with more and more labelled images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report import axes, figures
from benchmarks.report.markup import Markup, element, fragment
from benchmarks.tune.page_facts import Told, key, legend, value, wide

NO = Markup("")
FOOT = axes.HEIGHT - axes.BOTTOM
BAND = 0.16
WIDE_ENOUGH = 0.1
"""Part of a threshold's range: a plateau that is wider needs no care."""


def thresholds(told: Told) -> Markup:
    """A picture for each swept threshold, and what it means in words."""
    drawn = [_threshold(told, number, curve) for number, curve in enumerate(told.said["curves"]) if _known(curve)]
    if not drawn:
        return NO
    rest = "stands" if told.kept else "was chosen"
    said = f"The figure at every threshold, exact, with all else as it {rest}, on the images of the search."
    return fragment(element("p", said, class_="quiet"), drawn)


def _known(curve: Mapping[str, Any]) -> bool:
    return len(curve["values"]) > 1 and any(one is not None for one in curve["figures"])


def _threshold(told: Told, number: int, curve: Mapping[str, Any]) -> Markup:
    across = axes.Scale(curve["values"][0], curve["values"][-1], axes.LEFT, axes.WIDTH - axes.RIGHT)
    known = [one for one in curve["figures"] if one is not None]
    up, field = axes.scores(known), curve["field"]
    before = told.task.configuration.params.get(field)
    marks = [_band(across, curve["plateau"]), _line(across, up, curve["values"], curve["figures"]),
             _before(across, before), _ticks(across, curve["of_folds"]), _chosen(across, up, curve)]  # fmt: skip
    frame = axes.frame(across, up, (field, f"{told.name} on the images of the search"), (value, "{:.2f}".format))
    told_of = _sentence(told, curve)
    picture = axes.chart(f"threshold-{number}", f"{told.name} at every {field}", told_of, frame, *marks)
    title = f"{told.name} at every {field}"
    return element("figure", element("h3", field), element("p", told_of), wide(picture, title),
                   _legend(told, curve, before))  # fmt: skip


def _sentence(told: Told, curve: Mapping[str, Any]) -> str:
    low, high = curve["plateau"]
    reach = (high - low) / (curve["values"][-1] - curve["values"][0])
    care = "there is room to move it" if reach >= WIDE_ENOUGH else "set it with care"
    kept, at = "kept" if told.kept else "chosen", figures.score(_at(curve, curve["best"]))
    return (f"At {value(curve['best'])}, which is {kept}, {told.name} is {at}. Between {value(low)} and {value(high)} "
            f"it changes by at most 0.01: {care}.")  # fmt: skip


def _legend(told: Told, curve: Mapping[str, Any], before: Any) -> Markup:
    low, high = curve["plateau"]
    entries = {
        f"{'kept' if told.kept else 'chosen'}: {value(curve['best'])}": key(axes.marker(2, 10, 10)),
        f"at most 0.01 away: {value(low)} to {value(high)}": key(_swatch()),
    }
    if before is not None and not told.kept:
        entries[f"before: {value(before)} ({told.name} {figures.score(_at(curve, before))} there)"] = key(
            element("line", x1=10, x2=10, y1=0, y2=20, class_="front"))  # fmt: skip
    if curve["of_folds"]:
        ends = " to ".join(dict.fromkeys(value(one) for one in (min(curve["of_folds"]), max(curve["of_folds"]))))
        entries[f"best without each part of the images: {ends}"] = key(_tick(10, 16))
    return legend(entries)


def _at(curve: Mapping[str, Any], threshold: float) -> float | None:
    """The figure at the nearest threshold."""
    nearest = min(range(len(curve["values"])), key=lambda n: abs(curve["values"][n] - threshold))
    found: float | None = curve["figures"][nearest]
    return found


def _swatch() -> Markup:
    return element("rect", x=0, y=2, width=20, height=16, class_="s0", fill_opacity=BAND)


def _band(across: axes.Scale, ends: Sequence[float]) -> Markup:
    left, right = (across(end) for end in ends)
    wide_px = round(max(right - left, 1.0), 1)
    return element("rect", x=left, y=axes.TOP, width=wide_px, height=FOOT - axes.TOP, class_="s0", fill_opacity=BAND)


def _line(across: axes.Scale, up: axes.Scale, places: Sequence[float], known: Sequence[float | None]) -> Markup:
    """The curve, broken where the objective is not defined."""
    runs: list[list[tuple[float, float]]] = [[]]
    for place, one in zip(places, known, strict=True):
        if one is None:
            runs.append([])
        else:
            runs[-1].append((across(place), up(one)))
    return element("path", d="".join(axes.path(run) for run in runs if run), class_="curve l0")


def _before(across: axes.Scale, before: Any) -> Markup:
    if not isinstance(before, int | float) or not across.low <= before <= across.high:
        return NO
    return element("line", x1=across(before), x2=across(before), y1=axes.TOP, y2=FOOT, class_="front")


def _ticks(across: axes.Scale, places: Sequence[float]) -> Markup:
    return fragment(_tick(across(place), FOOT) for place in places)


def _tick(x: float, y: float) -> Markup:
    return element("path", d=f"M{x:g} {y - 13:g}l5 12h-10Z", class_="s5")


def _chosen(across: axes.Scale, up: axes.Scale, curve: Mapping[str, Any]) -> Markup:
    at = _at(curve, curve["best"])
    return NO if at is None else element("g", axes.marker(2, across(curve["best"]), up(at)))


def learning(told: Told) -> Markup:
    """What a choice made on fewer images gives on the others."""
    points = [one for one in told.said["learning_curve"] if math.isfinite(one["value"])]
    if len(points) < 2:
        return NO
    sizes = [one["n_groups"] for one in points]
    across = axes.Scale(0.0, sizes[-1] * 1.05, axes.LEFT, axes.WIDTH - axes.RIGHT)
    up = axes.scores([one[name] for one in points for name in ("value", "low", "high")])
    rim = [(across(one["n_groups"]), up(one["low"])) for one in points]
    rim += [(across(one["n_groups"]), up(one["high"])) for one in reversed(points)]
    middle = [(across(one["n_groups"]), up(one["value"])) for one in points]
    marks = [element("path", d=axes.path(rim) + "Z", class_="s0", fill_opacity=BAND),
             element("path", d=axes.path(middle), class_="curve l0"),
             element("g", [element("circle", cx=x, cy=y, r=5, class_="s0") for x, y in middle])]  # fmt: skip
    unit, enough = f"labelled {told.unit}", told.said["enough_groups"]
    marks += [_before(across, enough)] if enough else []
    name = f"{told.name} of a choice made on fewer images"
    said = "; ".join(f"{one['n_groups']}: {one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f})" for one in points)
    frame = axes.frame(across, up, (unit, f"{told.name} on the other images"), ("{:.0f}".format, "{:.2f}".format))
    return element("figure", wide(axes.chart("learning", name, said, frame, *marks), name), _learning_legend(enough),
                   element("figcaption", *LEARNING, class_="quiet"))  # fmt: skip


LEARNING = (
    "Some of the images are drawn by chance, 40 times; the best trial is chosen on these alone and judged on the rest. "
    "The trials themselves saw all images, so that the left end is somewhat too good. ",
    "Where the line is level and the band narrow, more labels buy little.",
)


def _learning_legend(enough: int | None) -> Markup:
    line = element("path", d="M0 10h20", class_="curve l0")
    entries = {"mean of 40 draws": key(line), "8 of 10 draws": key(_swatch())}
    if enough:
        entries[f"enough: {enough}"] = key(element("line", x1=10, x2=10, y1=0, y2=20, class_="front"))
    return legend(entries)
