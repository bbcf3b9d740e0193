"""The table of the page that tells how good the pipelines are on parts of the images."""

from __future__ import annotations

from benchmarks.report import figures
from benchmarks.report.contents import Report
from benchmarks.report.markup import Child, Markup, element, fragment
from benchmarks.report.page_table import small, table
from benchmarks.report.parts import weak_part, weak_words
from benchmarks.statistics.slices import TAG, Slice, Slices

MOST_ROWS = 80
CHANCE = (
    "A part with few images may look weak by chance: one is called surely weak only where its whole interval lies "
    "below the mean of all images."
)


def slices(report: Report) -> Markup:
    """A row a part and a column a pipeline; where each is surely weak and where its value is lowest is marked."""
    found = report.slices
    weak = {one.label: weak_part(found[one.label], one.row.miou) for one in report.facts.judged if one.label in found}
    keys = list(dict.fromkeys((part.by, part.name) for one in found.values() for part in one.parts))
    keys = [(by, name) for by, name in keys if sum(other == by for other, _ in keys) > 1]
    if not keys:
        return Markup("")
    of = {label: {(part.by, part.name): part for part in one.parts} for label, one in found.items()}
    rows: list[list[Child]] = []
    for by, name in keys[:MOST_ROWS]:
        cells = [of[label].get((by, name)) for label in found]
        most = max(part.n for part in cells if part)
        values = [_cell(part, _mark(part, weak[label], found[label])) for label, part in zip(found, cells, strict=True)]
        rows.append([f"{by.removeprefix(TAG)}: {name}", str(most), *values])
    columns = ("Part of the images", "Images", *found)
    drawn = table("mIoU on parts of the images", columns, rows, frozenset(columns[1:]))
    return fragment(element("ul", _told(report)), drawn, _left_out(next(iter(found.values())), len(keys)))


def _mark(part: Slice | None, weak: Slice | None, found: Slices) -> str:
    return "surely weak" if part == weak else "lowest" if part == found.lowest else ""


def _cell(part: Slice | None, mark: str) -> Child:
    if part is None:
        return figures.NOTHING
    value = element("strong", f"{figures.score(part.value)} {mark}") if mark else figures.score(part.value)
    return [value, small(figures.interval(part.ci) if part.ci else "no interval")]


def _told(report: Report) -> list[Markup]:
    """Where each pipeline is weak, in words."""
    judged = [one.row for one in report.facts.judged if one.label in report.slices]
    words = {row.label: weak_words(report.slices[row.label], row.miou) for row in judged}
    lines = [f"{label} {' and '.join(said)}." for label, said in words.items() if said]
    return [element("li", line) for line in lines or ["No part is weaker than the whole beyond doubt."]]


def _left_out(whole: Slices, n: int) -> Markup | None:
    said = [f"{by.removeprefix(TAG)} ({why})" for by, why in whole.missing.items()]
    lines = [f"Not parted by {', '.join(said)}."] if said else []
    lines += [f"{n - MOST_ROWS} more parts are not shown."] if n > MOST_ROWS else []
    lines.append(CHANCE)
    return element("p", " ".join(lines), class_="quiet")
