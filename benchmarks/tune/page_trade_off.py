"""Quality against latency on a study's page, where both were asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report import axes, distributions, figures
from benchmarks.report.markup import Child, Markup, element
from benchmarks.report.page_table import small, table
from benchmarks.tune.page_facts import Told, value, wide

NO = Markup("")
MOST_FIELDS = 6
HOW = "For each of these, nothing that was tried is both faster and better. Up and to the left is better."


def trade_off(told: Told) -> Markup:
    """The trials that no other is both faster and better than."""
    found = sorted(told.said.get("pareto") or [], key=lambda one: one["latency_ms"])
    if not found:
        return NO
    drawn = [_chart(told, found)] if len(found) > 1 else []
    return element("figure", drawn, element("figcaption", HOW, class_="quiet"), _table(told, found))


def _chart(told: Told, found: Sequence[Mapping[str, Any]]) -> Markup:
    objective = told.task.objective
    across, up = axes.times([one["latency_ms"] for one in found]), axes.scores([one[objective] for one in found])
    places = [(across(one["latency_ms"]), up(one[objective])) for one in found]
    corners = [places[0]]
    for x, y in places[1:]:
        corners += [(x, corners[-1][1]), (x, y)]
    marks = [element("g", element("title", _told(told, n, one)), axes.marker(0, *place))
             for n, (one, place) in enumerate(zip(found, places, strict=True), 1)]  # fmt: skip
    numbers = [element("text", str(n), x=x, y=y - 12, text_anchor="middle", class_="name")
               for n, (x, y) in enumerate(places, 1)]  # fmt: skip
    names = ("latency of one image (left is faster)", f"{told.name} on the images of the search")
    frame = axes.frame(across, up, names, (figures.milliseconds, "{:.2f}".format))
    described = "; ".join(_told(told, n, one) for n, one in enumerate(found, 1))
    name, front = f"{told.name} against latency", element("path", d=axes.path(corners), class_="front")
    return wide(axes.chart("pareto", name, described, frame, front, *marks, *numbers), name)  # fmt: skip


def _told(told: Told, number: int, one: Mapping[str, Any]) -> str:
    return (f"{number}: {told.name} {figures.score(one[told.task.objective])} at "
            f"{figures.milliseconds(one['latency_ms'])}")  # fmt: skip


def _table(told: Told, found: Sequence[Mapping[str, Any]]) -> Markup:
    objective = told.task.objective
    names = [name for name in found[0]["params"] if len({json.dumps(one["params"].get(name)) for one in found}) > 1]
    names = sorted(names, key=lambda name: -told.said["importance"].get(name, 0.0))[:MOST_FIELDS]
    chosen = {} if told.kept else {name: told.best["params"].get(name) for name in found[0]["params"]}
    rows: list[list[Child]] = [
        [[distributions.key(0), str(n), small("chosen" if one["params"] == chosen else None)],
         figures.score(one[objective]), figures.milliseconds(one["latency_ms"]),
         *(value(one["params"].get(name)) for name in names)] for n, one in enumerate(found, 1)
    ]  # fmt: skip
    columns = ("Trial", told.name, "Latency", *names)
    return table("Trials worth a choice, the fastest first", columns, rows, frozenset(columns[1:]))
