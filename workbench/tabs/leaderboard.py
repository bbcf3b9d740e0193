"""The tab Leaderboard: what is chosen there, and what of the stored runs is shown for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import time_ns
from typing import Any

import gradio as gr

from benchmarks.report import figures
from benchmarks.report.markup import Markup, element, fragment
from benchmarks.report.ties import Pair
from pipelines.errors import UsageError
from workbench.boards import advice, chart, closer, pair, table
from workbench.boards.stored import ORIGINS, Boards, Entry, Found, Run, datasets
from workbench.boards.table import ANY, Wanted
from workbench.tabs import leaderboard_form
from workbench.tabs.events import on
from workbench.tabs.leaderboard_form import Form

Updates = dict[Any, Any]
MORE = 50
NONE = (
    '<p role="status">There is no finished run yet. To make one, type</p><pre>python -m benchmarks.run --dataset '
    "FOLDER</pre><p>here, or start this app with <code>python -m workbench --runs FOLDER</code> where the runs "
    "lie elsewhere; then press Refresh. Without --dataset the pictures are of coins, and come with it.</p>"
)
STATUS = '<p role="status">{}</p>'
TO_ROW = "() => { const e = document.querySelector('#board-near'); e.tabIndex = -1; e.scrollIntoView(); e.focus(); }"
PRESS = "[...document.querySelectorAll('button[role=tab]')].find(b => b.innerText.trim() === 'Leaderboard')?.click(); }"
TO_TAB = "() => { if (new URLSearchParams(location.search).get('tab') === 'leaderboard') " + PRESS
TO_OPEN = "() => { " + PRESS


@dataclass(frozen=True)
class Desk:
    """Everything that callbacks need, and the callbacks.

    Attributes:
        boards: the stored runs.
        form: that shows them.
        ties: that were worked out.
        under_way: images whose ties are being worked out: what is shown meanwhile is drawn once more after them.
    """

    boards: Boards
    form: Form
    ties: chart.Ties = field(default_factory=chart.Ties)
    under_way: list[str | None] = field(default_factory=list)

    @property
    def shown(self) -> list[Any]:
        """What another choice of rows changes."""
        form = self.form
        return [form.images, form.run, form.row, form.first, form.second, form.table, form.chart, form.status,
                form.more, form.refused, form.near, form.pair, form.answer, form.waits, form.given]  # fmt: skip

    @property
    def alone(self) -> list[Any]:
        """The same, and what may leave rows out: of a run that was asked for all are shown."""
        form = self.form
        return [*self.shown, form.metric, form.search, form.device, form.use, form.size_mb, form.most]

    def show(self, request: gr.Request, images: str | None, given: str | None, *filters: Any) -> Updates:
        """The rows that are wanted, at once; what the images can tell apart comes from `tie` where it is not known."""
        return self._shown(self.boards.look(str(request.session_hash)), images, given, _wanted(filters))

    def tie(self, request: gr.Request, images: str | None, given: str | None, *filters: Any) -> Updates:
        """The same rows with what the images can tell apart; nothing that may be chosen changes under the hand."""
        self.under_way.append(images)
        try:
            by_images, wanted = datasets(self.boards.look(str(request.session_hash)).runs), _wanted(filters)
            if not by_images:
                return {self.form.table: "", self.form.chart: ""}
            entries, ranked = _ranked(by_images[_chosen(images, by_images)], wanted)
            return self._drawn(entries, ranked, wanted, self.ties.tell(ranked))
        finally:
            self.under_way.remove(images)

    def opened(self, request: gr.Request) -> Updates:
        """The page as ``?tab=leaderboard&run=ID`` asks for it; runs are read before the tab is opened."""
        asked, found = dict(request.query_params), self.boards.look(str(request.session_hash))
        if asked.get("tab") != "leaderboard" or "run" not in asked:
            return {self.form.status: gr.skip()}
        return self._alone(found, found.run(asked["run"]))

    def newest(self, request: gr.Request) -> Updates:
        """The newest run of the visitor's own; the tab shows all of it once it is opened.

        Raises:
            UsageError: there is none that is finished.
        """
        found = self.boards.look(str(request.session_hash))
        run = next((one for one in found.runs if one.origin == "yours"), None)
        if run is None:
            raise UsageError("You have no finished run.", "Measure a dataset of yours in the tab Dataset.")
        return self._alone(found, run)

    def _alone(self, found: Found, run: Run) -> Updates:
        """The rows of one run, whatever was chosen and filtered before."""
        form, wanted = self.form, Wanted(search=run.folder.name)
        unfiltered = {form.device: ANY, form.use: ANY, form.size_mb: 0, form.most: wanted.most}
        shown = self._shown(found, run.manifest.dataset.hash, run.id, wanted)
        shown[form.run]["value"] = run.id
        return shown | unfiltered | {form.metric: wanted.metric, form.search: wanted.search}

    def _shown(self, found: Found, images: str | None, given: str | None, wanted: Wanted) -> Updates:
        by_images = datasets(found.runs)
        if not by_images:
            return self._nothing(found) | self._stamp(())
        runs = by_images[_chosen(images, by_images)]
        entries, ranked = _ranked(runs, wanted)
        pairs = self.ties.known(ranked)
        drawn = self._drawn(entries, ranked, wanted, pairs) | self._stamp(pairs)
        return self._lists(found, runs, given, entries, wanted) | drawn

    def _stamp(self, pairs: tuple[Pair, ...] | None) -> Updates:
        """Has the browser ask for `tie` with what is chosen by then; what comes of an older one is overwritten."""
        return {self.form.waits: time_ns()} if pairs is None or self.under_way else {}

    def _nothing(self, found: Found) -> Updates:
        form, empty = self.form, gr.update(choices=[], value=None)
        lists = dict.fromkeys((form.images, form.run, form.row, form.first, form.second), empty)
        blank = dict.fromkeys((form.table, form.chart, form.near, form.pair, form.answer), "")
        told = {form.status: NONE, form.refused: refused(found), form.more: gr.update(visible=False), form.given: None}
        return lists | blank | told

    def _lists(self, found: Found, runs: Sequence[Run], given: str | None, entries: Sequence[Entry],
               wanted: Wanted) -> Updates:  # fmt: skip
        """What may be chosen, and what is said of it."""
        form, fit = self.form, [entry for entry in entries if table.fits(entry, wanted)]
        chosen: dict[str, Any] = {} if given in [one.id for one in runs] else {"value": _newest(runs)}
        rows = [(_named(entry), entry.id) for entry in fit[: wanted.most]]
        ran = [(name, id_) for (name, id_), entry in zip(rows, fit, strict=False) if entry.row.status == "ok"]
        second = ran[1][1] if len(ran) > 1 else None
        elsewhere = sum(table.fits(e, wanted) for e in found.entries) - len(fit) if wanted.search else 0
        return {
            form.images: gr.update(choices=_images(found), value=runs[0].manifest.dataset.hash),
            form.run: gr.update(choices=_runs(runs), **chosen),
            form.given: chosen.get("value", given),
            form.row: gr.update(choices=rows, value=None),
            form.first: gr.update(choices=ran, value=ran[0][1] if ran else None),
            form.second: gr.update(choices=ran, value=second),
            form.status: STATUS.format(_status(len(fit), len(entries), elsewhere, found)),
            form.more: gr.update(visible=len(fit) > wanted.most),
            form.refused: refused(found),
        }  # fmt: skip

    def _drawn(self, entries: Sequence[Entry], ranked: Sequence[Entry], wanted: Wanted,
               pairs: tuple[Pair, ...] | None) -> Updates:  # fmt: skip
        """Table and picture; the picture is numbered as the table is where that is ranked by mIoU."""
        against = chart.against_best(ranked, pairs or ())
        waits = element("p", "Working out which of the best the images tell apart …") if pairs is None else None
        fit = [entry for entry in ranked if table.fits(entry, wanted)]
        return {self.form.table: fragment(table.drawn(entries, wanted, against), waits),
                self.form.chart: chart.trade_off(ranked, fit, pairs or ())}  # fmt: skip

    def more(self, request: gr.Request, images: str | None, given: str | None, *filters: Any) -> Updates:
        """Fifty rows more."""
        most = int(filters[-1]) + MORE
        return self.show(request, images, given, *filters[:-1], most) | {self.form.most: most}

    def near(self, request: gr.Request, id_: str | None) -> str:
        """One row from near."""
        return "" if id_ is None else closer.closer(self.boards.look(str(request.session_hash)).entry(id_))

    def press(self, request: gr.Request, event: gr.EventData) -> Updates:
        """The same, of a row whose name was pressed."""
        id_ = str((event._data or {}).get("row", ""))
        return {self.form.row: gr.update(value=id_), self.form.near: self.near(request, id_)}

    def pair(self, request: gr.Request, first: str | None, second: str | None) -> str:
        """Two rows, image by image."""
        found = self.boards.look(str(request.session_hash))
        return pair.compared(found.entry(first), found.entry(second))

    def advise(self, request: gr.Request, run: str | None, *limits: Any) -> str:
        """What to ship of a run."""
        if run is None:
            return ""
        found = self.boards.look(str(request.session_hash)).run(run)
        return advice.advised(found, advice.limits(*limits))


def _wanted(filters: Sequence[Any]) -> Wanted:
    metric, search, device, use, size_mb, sort, columns, most = filters
    kept = tuple(name for name in table.COLUMNS if name in (columns or ()))
    return Wanted(metric, (search or "")[: table.LONGEST], device, use, size_mb or None, sort, kept, int(most))


def _ranked(runs: Sequence[Run], wanted: Wanted) -> tuple[list[Entry], list[Entry]]:
    """The rows of some runs by the metric that is wanted, and as a report ranks them."""
    entries = table.ranked([entry for run in runs for entry in run.entries], wanted.metric)
    return entries, entries if wanted.metric == table.MIOU else table.ranked(entries)


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


def _images(found: Found) -> list[tuple[str, str]]:
    return [(_of_images(runs), key) for key, runs in datasets(found.runs).items()]


def _of_images(runs: Sequence[Run]) -> str:
    dataset = runs[0].manifest.dataset
    part = " (a part, by --limit)" if dataset.limit is not None else ""
    images, rows = figures.count(dataset.n, "image"), figures.count(sum(len(run.rows) for run in runs), "row")
    return f"{dataset.name}: {images}{part}, {dataset.hash[:8]} · {rows}"


def _runs(runs: Sequence[Run]) -> list[tuple[str, str]]:
    return [(f"{run.manifest.created[:16].replace('T', ' ')} · {figures.count(len(run.rows), 'row')} · "
             f"{run.folder.name[:10]} · {ORIGINS[run.origin]}", run.id) for run in runs]  # fmt: skip


def _named(entry: Entry) -> str:
    return f"{entry.row.label} · {entry.run.folder.name[:10]}"


def _status(fit: int, all_: int, elsewhere: int, found: Found) -> str:
    said = f"{fit} of {figures.count(all_, 'row')} on these images."
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


_on = partial(on, concurrency_id="boards", concurrency_limit=2)


def build(demo: gr.Blocks, tab: gr.Tab, boards: Boards) -> Desk:
    """The tab with all that happens in it, inside its own context.

    Args:
        demo: of the app, whose page may be opened by a link.
        tab: that is filled.
        boards: the stored runs.
    """
    form = leaderboard_form.build()
    desk = Desk(boards, form)
    shown = desk.shown
    asked, limits = [form.images, form.given, *form.filters], [form.run, *form.limits]
    linked = _on(demo.load, desk.opened, None, desk.alone)
    _on(linked.then, None, js=TO_TAB)
    again = _on(form.again.click, desk.show, asked, shown)
    _on(again.then, desk.advise, limits, form.answer)  # of a run made anew
    filters = [part.change for part in form.filters[:6]]  # a list's input comes when it is left, too
    causes = partial(gr.on, [tab.select, form.images.change, *filters, form.columns.input])
    _on(causes, desk.show, asked, shown, trigger_mode="always_last")  # one event: of two the older may come last
    _on(form.more.click, desk.more, asked, [*shown, form.most])
    _on(form.waits.change, desk.tie, asked, [form.table, form.chart], trigger_mode="always_last")
    _rows(form, desk, limits)
    return desk


def follow(button: gr.Button, desk: Desk) -> None:
    """Have a button of another tab show the visitor's newest run: it is chosen first, and then the tab is opened.

    Args:
        button: that is pressed.
        desk: of this tab.
    """
    chosen = _on(button.click, desk.newest, None, desk.alone)
    _on(chosen.then, None, js=TO_OPEN)


def _rows(form: Form, desk: Desk, limits: list[Any]) -> None:
    slow = {"show_progress": "minimal"}
    pressed = _on(form.table.click, desk.press, None, [form.row, form.near], **slow, show_progress_on=form.status)
    _on(pressed.then, None, js=TO_ROW)
    _on(form.row.input, desk.near, form.row, form.near, **slow)
    _on(form.compare.click, desk.pair, [form.first, form.second], form.pair, **slow)
    for part in limits:  # a run that is chosen for the visitor too: by then the browser knows its name
        _on(part.change, desk.advise, limits, form.answer, trigger_mode="always_last")
