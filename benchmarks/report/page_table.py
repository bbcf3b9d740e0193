"""The tables of the page: the leaderboard, what its flags mean, what did not run, what failed, and all metrics."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.metrics import METRICS
from benchmarks.report import cautions, distributions, figures
from benchmarks.report.contents import Report
from benchmarks.report.facts import Series
from benchmarks.report.markup import Child, Markup, element, fragment
from benchmarks.report.ties import MOST, Pair, of_leader
from benchmarks.rows import Row, was_tuned_here
from benchmarks.tracking.scrubbed import scrubbed

COLUMNS = ("Pipeline", "mIoU", "Against the best", "Boundary IoU", "Missed", "Median latency", "Images/s",
           "Peak memory", "Weights", "Notes")  # fmt: skip
NUMBERS = frozenset(COLUMNS[1:-2])
MOST_CLASSES = 100
LONGEST_ERROR = 600
MOST_TELLING = 3
"""Background and two classes: with one class the table says nothing that IoU does not."""


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Child]], numbers: frozenset[str] = NUMBERS,
          kind: str | None = None) -> Markup:  # fmt: skip
    """A table whose first cells are the headers of their rows; in a box that scrolls where the screen is small."""
    columns, rows = _without_empty(columns, rows)
    sides = ["number" if name in numbers else None for name in columns]
    head = [element("th", name, scope="col", class_=side) for name, side in zip(columns, sides, strict=True)]
    body = []
    for cells in rows:
        first = element("th", cells[0], scope="row")
        rest = [element("td", cell, class_=side) for cell, side in zip(cells[1:], sides[1:], strict=True)]
        body.append(element("tr", first, rest))
    drawn = element(
        "table", element("caption", caption), element("thead", element("tr", head)), element("tbody", body), class_=kind
    )
    return element("div", drawn, class_="wide", tabindex=0, role="region", aria_label=caption)


def _without_empty(
    columns: Sequence[str], rows: Sequence[Sequence[Child]]
) -> tuple[Sequence[str], Sequence[Sequence[Child]]]:
    """The same without the columns that say nothing in any row."""
    kept = [n for n in range(len(columns)) if n == 0 or any(cells[n] != figures.NOTHING for cells in rows)]
    return [columns[n] for n in kept], [[cells[n] for n in kept] for cells in rows]


def leaderboard(report: Report) -> Markup:
    """Rows that ran, best first, what their flags mean, then what did not run, with reasons."""
    facts = report.facts
    ran, pairs = facts.ran, {pair.label: pair for pair in of_leader(report.pairs, report.answer.leader)}
    notes = _notes(facts.series)
    marks = {flag: number for number, flag in enumerate(notes, 1)}
    rows = [_cells(number, one, pairs.get(one.label), marks, several=bool(pairs)) for number, one in enumerate(ran)]
    knowing = ", after them those that knew the true masks" if len(facts.rivals) < len(facts.judged) else ""
    drawn = table(f"Best mean IoU first{knowing}" if facts.judged else "Fastest first", COLUMNS, rows) if ran else None
    said = []
    for flag, labels in notes.items():
        who = element("span", f"({_who(labels, ran)})", class_="quiet")
        said.append(element("li", f"{cautions.sentence(flag, facts)} ", who))
    return fragment(
        drawn,
        element("ol", said, class_="notes") if said else None,
        _how_to_read() if facts.judged else None,
        _pairs(report),
        _absent(facts.series),
        _classes(facts.judged),
    )


def _cells(number: int, one: Series, pair: Pair | None, marks: dict[str, int], *, several: bool) -> list[Child]:
    row = one.row
    name = fragment(distributions.key(number), f"{number + 1} {one.label}")
    blank = cautions.unjudged(one) if row.miou is None else None
    return [
        name,
        fragment(
            element("strong", figures.score(row.miou)),
            small(blank or (figures.interval(row.miou_ci) if row.miou_ci else None)),
            small("tuned on these images" if was_tuned_here(row) else None),
        ),
        _against(number, pair, several=several),
        figures.score(row.boundary_iou),
        figures.share(row.miss_rate),
        figures.latency(row),
        figures.rate(row),
        figures.memory(row),
        _weights(row),
        ", ".join(map(str, sorted(marks[flag] for flag in cautions.flags(row)))) or figures.NOTHING,
    ]


def small(said: str | None) -> Markup | None:
    """A second line in a cell, or nothing."""
    return element("small", said) if said else None


def _against(number: int, pair: Pair | None, *, several: bool) -> Child:
    if pair is None:
        return "best" if number == 0 and several else figures.NOTHING
    return [f"{figures.signed(-pair.difference)}{', tie' if pair.tie else ''}", small(pair.ends(turned=True))]


def _weights(row: Row) -> Child:
    if not row.weights:
        return "none needed"
    parts: list[Child] = [element("div", f"{one.licence} ", small(one.repo)) for one in row.weights]
    parts.append(small(f"commercial use: {figures.commercial(row)}"))
    return [*parts, small(f"stands in for {row.substitute_for}") if row.substitute_for else None]


def _notes(series: Sequence[Series]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in series:
        for flag in cautions.flags(one.row) if one.row.status == "ok" else ():
            found.setdefault(flag, []).append(one.label)
    return found


def _who(labels: Sequence[str], ran: Sequence[Series]) -> str:
    return "all" if len(labels) == len(ran) > 1 else ", ".join(labels)


def _how_to_read() -> Markup:
    said = [
        "mIoU: how far mask and truth overlap, from 0 to 1, averaged over images; below it its 95 % interval. ",
        "Against the best: the mean difference on the same images, with its interval. ",
        "Tie: the images do not tell the two apart, since the interval holds 0 or, once all pairs are counted, p is "
        "above 0.05; an interval is of its pair alone. ",
        "Boundary IoU judges the rim alone. ",
        "Missed: share of images with an object where nothing of it was found.",
    ]
    return element("p", *said, class_="quiet")


def _pairs(report: Report) -> Markup | None:
    """Every two pipelines, folded away; with two there is nothing more to tell."""
    if len(report.pairs) < 2:
        return None
    rows: list[list[Child]] = [
        [f"{one.first} against {one.label}", figures.signed(one.difference), one.ends() or figures.NOTHING,
         figures.chance(one.p), one.verdict]
        for one in report.pairs
    ]  # fmt: skip
    columns = ("Pair", "Difference of mIoU", "95 % interval", "p, corrected", "The first is")
    n = figures.count(len(rows), "pair")
    said = f"Paired on the same images; p by sign flips of whole groups, corrected for {n} (Holm)."
    left = (
        f" The leader is compared with all, the best {MOST} with each other." if len(report.facts.judged) > MOST else ""
    )
    drawn = table("Every two pipelines", columns, rows, frozenset(columns[1:4]))
    summary = element("summary", f"Show all {n}")
    return element("details", summary, element("p", said + left, class_="quiet"), drawn)


def _absent(series: Sequence[Series]) -> Markup | None:
    gone = [one.row for one in series if one.row.status != "ok"]
    if not gone:
        return None
    rows: list[list[Child]] = [[row.label, row.status, scrubbed(row.reason) or figures.NOTHING] for row in gone]
    title = element("h3", "No result")
    return fragment(
        title,
        table(
            "Pipelines without a result, and what to do",
            ("Pipeline", "Status", "Why, and what to do"),
            rows,
            kind="text",
        ),
    )


def _classes(judged: Sequence[Series]) -> Markup | None:
    known = [one.row for one in judged if one.row.classes]
    names = list(known[0].classes or {})[:MOST_CLASSES] if known else []
    if len(names) < MOST_TELLING:
        return None
    rows: list[list[Child]] = [
        [name, *(figures.metric((row.classes or {}).get(name, {}).get("iou")) for row in known)] for name in names
    ]
    columns = ("Class", *(row.label for row in known))
    return fragment(
        element("h3", "By class"),
        table("IoU of each class, all images together", columns, rows, frozenset(columns[1:])),
    )


def failures(report: Report) -> Markup:
    """Images on which a pipeline failed; they count as 0."""
    rows: list[list[Child]] = [
        [one.label, name, scrubbed(error[:LONGEST_ERROR])]
        for one in report.facts.series
        for name, error in one.errors
        if one.row.status == "ok"
    ]
    if not rows:
        return Markup("")
    counts = [f"{one.label}: {one.row.errors} of {one.row.n} images." for one in report.facts.ran if one.row.errors]
    said = element("p", "A failed image counts as 0 in every mean. ", " ".join(counts))
    return fragment(
        said, table("The first failures of each pipeline", ("Pipeline", "Image", "What went wrong"), rows, kind="text")
    )


def metrics(report: Report) -> Markup:
    """Every metric with its interval, folded away."""
    judged = report.facts.judged
    names = [name for name in METRICS if any(_has(one.row, name) for one in judged)]
    if not names:
        return Markup("")
    columns = ("Metric", *(one.label for one in judged), "What it is")
    rows: list[list[Child]] = [
        [name, *(figures.metric(one.row.metrics.get(name)) for one in judged), METRICS[name].title] for name in names
    ]
    drawn = table("Every metric, with its 95 % interval", columns, rows, frozenset(columns[1:-1]))
    return element("details", element("summary", f"Show {len(names)} metrics"), drawn)


def _has(row: Row, name: str) -> bool:
    found = row.metrics.get(name)
    return found is not None and found.value is not None
