"""Two rows image by image: differences with intervals, the ratio of their times, and where they differ most."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any
from urllib.parse import quote

from benchmarks.compare import comparison
from benchmarks.compare.side import Side, find_side
from benchmarks.export.pictures import cell
from benchmarks.report import figures, page_gallery
from benchmarks.report.answer import Answer
from benchmarks.report.chosen import Chapter, Choice
from benchmarks.report.contents import Report
from benchmarks.report.facts import Facts, Series
from benchmarks.report.gallery import gallery
from benchmarks.report.markup import Child, Markup, element, fragment
from benchmarks.report.page_table import table
from benchmarks.tracking.scrubbed import scrubbed
from pipelines.errors import UsageError, WorkbenchError
from workbench.boards.chart import called, records
from workbench.boards.closer import pictures
from workbench.boards.stored import Entry

MOST, MOST_ROWS = 3, 200
"""Pictures on either side, and lines of the table of all."""

TITLES = {"better": "better", "worse": "worse", "tie": "a tie"}
FASTER = {"better": "faster", "worse": "slower", "tie": "a tie"}


def compared(a: Entry, b: Entry) -> Markup:
    """What ``benchmarks.compare`` says of two rows, and the images on which they differ most.

    Raises:
        UsageError: a row did not run, both are one, or they are of different images.
    """
    if a.id == b.id:
        raise UsageError("Both are the same row.", "Choose another for one of them.")
    if a.run.manifest.dataset.hash != b.run.manifest.dataset.hash:
        raise UsageError("The two rows are of different images.", "Choose two on the same images.")
    sides = _side(a), _side(b)
    found = comparison.compare(*sides)
    told = comparison.document(*sides, found, [])
    series = [called(records(entry), f"{name}: {entry.row.label}") for name, entry in (("A", a), ("B", b))]
    return fragment(_figures(told), _notes(told), _images(a, series), every(*series))


def _side(entry: Entry) -> Side:
    try:
        return find_side(entry.configuration.label, entry.run.folder)
    except WorkbenchError as error:  # its text names folders of this machine
        raise UsageError(str(scrubbed(error.message)), "Choose a row that ran.") from error


def _figures(told: Mapping[str, Any]) -> Markup:
    columns = ("", "A", "B", "A − B", "95 % interval", "p", "A is")
    rows: list[list[Child]] = [
        [name, figures.score(one["a"]), figures.score(one["b"]), *_gap(one, figures.signed), TITLES[one["verdict"]]]
        for name, one in told["differences"].items() if one["value"] is not None
    ]  # fmt: skip
    times = told["latency_ratio"]
    if times["value"] is not None:
        rows.append(["latency, A / B", "", "", *_gap(times, lambda value: f"× {value:.3g}"), FASTER[times["verdict"]]])
    title = f"A = {told['a']}, B = {told['b']}: {told['n']} images in {told['n_groups']} groups"
    if not rows:
        return element("p", f"{title}. Nothing of them can be compared.")
    return table(title, columns, rows, frozenset(columns[1:-1]))


def _gap(one: Mapping[str, Any], form: Any) -> list[Child]:
    ends = "none: too few groups" if one["ci"] is None else f"{form(one['ci'][0])} to {form(one['ci'][1])}"
    exact = " (exact bound)" if one["method"] == "exact" else ""
    return [form(one["value"]), f"{ends}{exact}", "not defined" if one["p"] is None else figures.chance(one["p"])]


def _notes(told: Mapping[str, Any]) -> Markup | None:
    parts = {**told["differences"], "latency": told["latency_ratio"]}
    reasons = {one["reason"]: name for name, one in reversed(parts.items()) if one["reason"]}
    lines = [f"{name} and what has the same reason: {reason}" for reason, name in reasons.items()]
    if any(one["few_groups"] for one in told["differences"].values() if one["n"]):
        lines.append(f"few groups ({told['n_groups']}): read the intervals as rough")
    said = [element("li", str(scrubbed(line))) for line in (*lines, *told["notes"])]
    return element("ul", said) if said else None


def _images(a: Entry, sides: Sequence[Series]) -> Markup:
    """Images on which the IoU of the two differs most, either way."""
    chosen = tuple(chapter for chapter in chapters(*sides) if chapter.choices)
    if not chosen:
        return element("p", "No image tells the two apart by its IoU.")
    facts = Facts(a.run.store, a.run.manifest, tuple(sides))
    drawn = gallery(facts, *pictures(facts), chosen)
    return page_gallery.images(Report(facts, (), Answer("", None), drawn, {}))


def every(a: Series, b: Series) -> Markup | None:
    """Every image with both IoUs and what lies between them, the worst for A first; and all of it as CSV.

    Args:
        a: one row.
        b: the other.
    """
    ious = [(name, iou, b.by_id[name]) for name, iou in a.by_id.items() if name in b.by_id]
    if not ious:
        return None
    ious.sort(key=lambda one: (one[1] - one[2], one[0]))
    rows: list[list[Child]] = [[name, figures.score(one), figures.score(other), figures.signed(one - other)]
                               for name, one, other in ious[:MOST_ROWS]]  # fmt: skip
    more = f"The first {MOST_ROWS} of {len(ious)}; the file has all. " if len(ious) > MOST_ROWS else ""
    link = element("a", "Save all as CSV", href=f"data:text/csv;charset=utf-8,{quote(_csv(ious))}",
                   download="image_by_image.csv")  # fmt: skip
    title = "IoU of every image, where A is worse first"
    return element("details", element("summary", "Every image"), element("p", more, link),
                   table(title, ("image", "A", "B", "A − B"), rows, frozenset(("A", "B", "A − B"))))  # fmt: skip


def _csv(ious: Sequence[tuple[str, float, float]]) -> str:
    out = StringIO(newline="")
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(("image", "a", "b", "a_minus_b"))
    lines.writerows((cell(name), round(one, 6), round(other, 6), round(one - other, 6)) for name, one, other in ious)
    return out.getvalue()


def chapters(a: Series, b: Series) -> tuple[Chapter, Chapter]:
    """The images where the first is better by most, and those where the second is."""
    gaps = {name: iou - b.by_id[name] for name, iou in a.by_id.items() if name in b.by_id}
    ranked = sorted(gaps, key=lambda name: (gaps[name], name))
    above = [Choice(name, f"A − B {figures.signed(gaps[name])}") for name in reversed(ranked) if gaps[name] > 0]
    below = [Choice(name, f"A − B {figures.signed(gaps[name])}") for name in ranked if gaps[name] < 0]
    return (Chapter("a-better", "Where A is better by most", tuple(above[:MOST])),
            Chapter("b-better", "Where B is better by most", tuple(below[:MOST])))  # fmt: skip
