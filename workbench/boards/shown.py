"""What the leaderboard shows for a question: rows and picture first, then what may be chosen. No Gradio here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report import figures
from benchmarks.report.markup import Markup, element
from benchmarks.report.ties import Pair
from workbench.boards import chart, table
from workbench.boards.query import Query
from workbench.boards.stored import ORIGINS, Entry, Found, Run, datasets
from workbench.boards.table import Wanted

ROWS = ("status", "table", "chart")
LISTS = ("images", "run", "row", "first", "second", "more", "refused", "near", "pair")
"""Names of parts: HTML, but that the lists are ``{"choices": [[words, id], …], "value": id}`` and `more` is a bool."""

WAITS = "<p>Working out which of the best the images tell apart …</p>"
NONE = (
    '<p role="status">There is no finished run yet. To make one, type</p><pre>python -m benchmarks.run --dataset '
    "FOLDER</pre><p>here, or start this app with <code>python -m workbench --runs FOLDER</code> where the runs "
    "lie elsewhere; then press Refresh. Without --dataset the pictures are of coins, and come with it.</p>"
)
STATUS = '<p role="status">{}</p>'
Parts = dict[str, Any]


def shown(found: Found, asked: Query, ties: chart.Ties) -> Parts:
    """The answer to a question.

    Args:
        found: what the visitor may see.
        asked: of it.
        ties: that were worked out; what is not known is worked out only where the question says so.

    Returns:
        ``rows`` and ``lists``: parts by the names of `ROWS` and `LISTS`, of which those that stay are left out; and
        ``waits``: what stands below the table as long as ties are not known, else "". Of a list ``value`` is what to
        choose of it as it is filled; without one what is chosen stays.

    Raises:
        UsageError: records of a run are gone.
    """
    by_images, wanted = datasets(found.runs), asked.wanted
    if not by_images:
        return _nothing(found)
    runs = by_images[_chosen(asked.images, by_images)]
    entries, ranked = _ranked(runs, wanted)
    pairs = ties.tell(ranked) if asked.ties else ties.known(ranked)
    fit = [entry for entry in entries if table.fits(entry, wanted)]
    status = STATUS.format(_status(fit, len(entries), _elsewhere(found, runs, wanted), found, wanted))
    return {"rows": {"status": status, **_drawn(entries, ranked, fit, wanted, pairs)},
            "lists": {**_lists(found, runs, asked), **_rows(fit, wanted), "refused": refused(found)},
            "waits": WAITS if pairs is None else ""}  # fmt: skip


def _nothing(found: Found) -> Parts:
    empty: Parts = {"choices": [], "value": None}
    lists = dict.fromkeys(("images", "run", "row", "first", "second"), empty)
    return {"rows": {"status": NONE, "table": "", "chart": ""},
            "lists": {**lists, "more": False, "refused": refused(found), "near": "", "pair": ""},
            "waits": ""}  # fmt: skip


def _ranked(runs: Sequence[Run], wanted: Wanted) -> tuple[list[Entry], list[Entry]]:
    """The rows of some runs by the metric that is wanted, and as a report ranks them."""
    entries = table.ranked([entry for run in runs for entry in run.entries], wanted.metric)
    return entries, entries if wanted.metric == table.MIOU else table.ranked(entries)


def _elsewhere(found: Found, runs: Sequence[Run], wanted: Wanted) -> int:
    """How many rows on other images fit a search."""
    here = runs[0].manifest.dataset.hash
    others = (run for run in found.runs if run.manifest.dataset.hash != here)
    return sum(table.fits(entry, wanted) for run in others for entry in run.entries) if wanted.search else 0


def _drawn(entries: Sequence[Entry], ranked: Sequence[Entry], fit: Sequence[Entry], wanted: Wanted,
           pairs: tuple[Pair, ...] | None) -> Parts:  # fmt: skip
    """Table and picture; the picture is numbered as the table is where that is ranked by mIoU."""
    against = chart.against_best(ranked, pairs or ())
    inside = {entry.id for entry in fit}
    in_picture = [entry for entry in ranked if entry.id in inside]
    return {"table": table.drawn(entries, fit, wanted, against),
            "chart": chart.trade_off(ranked, in_picture, pairs or ())}  # fmt: skip


def _lists(found: Found, runs: Sequence[Run], asked: Query) -> Parts:
    """Images and runs to choose from; what is chosen stays while it is among them."""
    images = {"choices": [(_of_images(some), key) for key, some in datasets(found.runs).items()]}
    key = runs[0].manifest.dataset.hash
    ran = {"choices": [(_of_run(run), run.id) for run in runs]}
    return {"images": images if asked.images == key else {**images, "value": key},
            "run": ran if asked.run in [run.id for run in runs] else {**ran, "value": _newest(runs)}}  # fmt: skip


def _rows(fit: Sequence[Entry], wanted: Wanted) -> Parts:
    """Rows to choose from: one to look at, two to compare."""
    rows = [(f"{entry.row.label} · {entry.run.folder.name[:10]}", entry) for entry in fit[: wanted.most]]
    every = [(words, entry.id) for words, entry in rows]
    ran = [(words, entry.id) for words, entry in rows if entry.row.status == "ok"]
    first, second, *_ = [id_ for _, id_ in ran] + [None, None]
    return {"row": {"choices": every, "value": None}, "first": {"choices": ran, "value": first},
            "second": {"choices": ran, "value": second},
            "more": wanted.most < min(len(fit), table.MOST)}  # fmt: skip


def _chosen(images: str | None, by_images: Mapping[str, Sequence[Run]]) -> str:
    """Images that are asked for; else of known quality, the newest run's first, shipped ones last; else the newest."""
    if images is not None and images in by_images:
        return images
    judged = [key for key, runs in by_images.items() if any(row.miou is not None for run in runs for row in run.rows)]
    own = (key for key in judged if any(run.origin != "reference" for run in by_images[key]))
    return next(own, next(iter(judged), next(iter(by_images))))


def _newest(runs: Sequence[Run]) -> str:
    """The newest run of which quality is known, else the newest."""
    return next((run for run in runs if any(row.miou is not None for row in run.rows)), runs[0]).id


def _of_images(runs: Sequence[Run]) -> str:
    dataset = runs[0].manifest.dataset
    part = " (a part, by --limit)" if dataset.limit is not None else ""
    images, rows = figures.count(dataset.n, "image"), figures.count(sum(len(run.rows) for run in runs), "row")
    return f"{dataset.name}: {images}{part}, {dataset.hash[:8]} · {rows}"


def _of_run(run: Run) -> str:
    made = run.manifest.created[:16].replace("T", " ")
    return f"{made} · {figures.count(len(run.rows), 'row')} · {run.folder.name[:10]} · {ORIGINS[run.origin]}"


def _status(fit: Sequence[Entry], all_: int, elsewhere: int, found: Found, wanted: Wanted) -> str:
    said = f"{len(fit)} of {figures.count(all_, 'row')} on these images."
    said += f" No more than {table.MOST} are shown: filter the others." if len(fit) > wanted.most == table.MOST else ""
    said += f" {figures.count(elsewhere, 'row')} on other images would fit the search too." if elsewhere else ""
    hidden = len(found.refused)
    return said + (f" {figures.count(hidden, 'run')} cannot be shown: see the end of this page." if hidden else "")


def refused(found: Found) -> Markup:
    """Runs that are not shown, with reasons."""
    lines = [f"{one.id.rsplit('-', 1)[-1]} ({ORIGINS[one.origin]}): {one.reason}" for one in found.refused]
    lines += [f"{found.left_out} older runs were not read: there are too many."] if found.left_out else []
    if not lines:
        return Markup("")
    summary = element("summary", f"Runs that are not shown: {len(found.refused) + found.left_out}")
    return element("details", summary, element("ul", [element("li", line) for line in lines]))
