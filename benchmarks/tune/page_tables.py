"""Tables of a study's page: what changed, how each fold came out, what the words change, and which fields matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report import distributions, figures
from benchmarks.report.markup import Child, Markup, element, fragment
from benchmarks.report.page_table import small, table
from benchmarks.tune.page_facts import Told, named, value
from benchmarks.tune.page_history import slices

NO = Markup("")
MOST_FIELDS = 12
MOST_FOLDED = 4
"""Fields whose chosen values the table of folds shows."""


def changes(told: Told) -> Markup:
    """Each field that is not as it was."""
    if told.kept or not told.changed:
        return NO
    before, now, parts = told.task.configuration.params, told.best["params"], told.said["importance"]
    known = told.knobs
    order = sorted(told.changed, key=lambda name: -parts.get(name, 0.0))
    rows: list[list[Child]] = [
        [named(name, known[name].help), value(before.get(name)), element("strong", value(now[name])),
         figures.share(parts.get(name)), known[name].bounds] for name in order
    ]  # fmt: skip
    columns = ("Field", "Was", "Is", "Matters", "Allowed")
    asked = ", ".join(told.best["words"])
    words = element("p", "Asked for: ", element("strong", asked)) if asked else None
    return fragment(words, table("Parameters that changed", columns, rows, frozenset(columns[1:4])))


def folds(told: Told) -> Markup:
    """What each study gives on the images that it never saw."""
    found = told.best["folds"]
    if not found:
        return NO
    names = _moving(told, found)
    rows = [_fold(told, one, names) for one in found]
    columns = ("Left out", "Groups", "Before, on these", f"{told.name} on these", "On those it saw", "Chosen", *names)
    said = ("Each row is a search of its own that never saw the images of its part. If the rows choose alike and gain "
            "alike, the result can be trusted; if they differ much, more labelled images are needed.")  # fmt: skip
    return fragment(element("p", said, class_="quiet"),
                    table("Each part of the images, judged by a search that did not see it", columns, rows,
                          frozenset(columns) - {"Left out", "Chosen"}))  # fmt: skip


def _moving(told: Told, found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Fields that the folds chose; where they are many, those that matter most."""
    chosen = [one["params"] for one in found if one["params"]]
    if not chosen:
        return []
    before = told.task.configuration.params
    moved = [name for name in told.said["searched"] if any(one.get(name) != before.get(name) for one in chosen)]
    return sorted(moved, key=lambda name: -told.said["importance"].get(name, 0.0))[:MOST_FOLDED]


def _fold(told: Told, one: Mapping[str, Any], names: Sequence[str]) -> list[Child]:
    start, params = one.get("start"), one["params"] or told.task.configuration.params
    known = one["params"] and one["value"] is not None and start is not None
    gain = figures.signed(one["value"] - start) if known else None
    return [f"part {one['fold'] + 1}", str(one["n_groups"]), figures.score(start),
            [element("strong", figures.score(one["value"])), small(gain)], figures.score(one["train"]),
            "what there was" if one["trial"] is None else f"trial {one['trial']}",
            *(value(params.get(name)) for name in names)]  # fmt: skip


def variants(told: Told) -> Markup:
    """Wordings or checkpoints, the best first, and how much depends on them."""
    found = [one for one in told.said["variants"] if one["value"] is not None]
    if len(told.said["variants"]) < 2:
        return NO
    top = found[0]["value"] if found else None
    rows = [_variant(told, one, top) for one in told.said["variants"]]
    what = kind(told)
    columns = (what[0].upper() + what[1:], told.name, "95 % interval", "Against the best", "With nothing tuned")
    drawn = table(f"{told.name} with each, its own values tuned, on the images of the search", columns, rows,
                  frozenset(columns[1:]))  # fmt: skip
    return fragment(element("p", _sensitivity(told, found, what)) if len(found) > 1 else None, drawn)


def kind(told: Told) -> str:
    """What the variants differ in."""
    words = len({one.words for one in told.task.variants}) > 1
    loads = len({str(sorted(one.load.items())) for one in told.task.variants}) > 1
    return "wording and weights" if words and loads else "wording" if words else "weights"


def _variant(told: Told, one: Mapping[str, Any], top: float | None) -> list[Child]:
    chosen = not told.kept and one["params"] == {name: told.best["params"].get(name) for name in told.said["searched"]}
    best = one["value"] is not None and one["value"] == top
    known = one["value"] is not None and top is not None
    behind = "best" if best else figures.signed(one["value"] - top) if known else figures.NOTHING
    return [[one["label"], small("chosen" if chosen and best else None)], figures.score(one["value"]),
            figures.interval(one["ci"]), behind, figures.score(one["start"])]  # fmt: skip


def _sensitivity(told: Told, found: Sequence[Mapping[str, Any]], what: str) -> str:
    """How much the answer depends on the words, in one sentence."""
    apart, ends = abs(found[0]["value"] - found[-1]["value"]), found[0]["ci"]
    reach = ends[1] - ends[0] if ends else None
    much = ("it hardly matters" if apart < 0.01 else
            "it matters more than chance does" if reach is not None and apart > reach else
            "it may matter, but these images are too few to be sure")  # fmt: skip
    wide = f", and the interval of the best is {reach:.3f} wide" if reach is not None else ""
    return f"From the best {what} to the worst {told.name} changes by {apart:.3f}{wide}: {much}."


def fields(told: Told) -> Markup:
    """Which fields matter, as bars, and each of the first against the objective."""
    return fragment(_importance(told), slices(told))


def _importance(told: Told) -> Markup | None:
    parts = dict(sorted(told.said["importance"].items(), key=lambda item: -item[1]))
    if not parts:
        return None
    known, most = told.knobs, max(parts.values()) or 1.0
    rows: list[list[Child]] = [
        [named(name, known[name].help), distributions.duration(part, most, 0), figures.share(part)]
        for name, part in list(parts.items())[:MOST_FIELDS]
    ]
    more = len(parts) - len(rows)
    said = (f"The part of each field in how much {told.name} varies among the better trials."
            + (f" {figures.count(more, 'field')} that matter less are not shown." if more else ""))  # fmt: skip
    drawn = table(
        "Fields that matter, the most important first", ("Field", "Length", "Part"), rows, frozenset({"Part"})
    )
    return fragment(element("p", said, class_="quiet"), drawn)
