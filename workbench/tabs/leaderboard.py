"""The tab Leaderboard: its rows are asked for by the browser itself, all else of it by Gradio's events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from pipelines.errors import UsageError
from workbench.boards import advice, closer, pair, shown
from workbench.boards.query import NAMES
from workbench.boards.stored import Boards, Run
from workbench.boards.table import ANY, Wanted
from workbench.tabs import leaderboard_form
from workbench.tabs.events import on
from workbench.tabs.leaderboard_form import Form

Updates = dict[Any, Any]
MORE = 50
ASK = f"(...asked) => board.rows({json.dumps(NAMES)}, {json.dumps(shown.ROWS)}, asked)"
FILL = f"() => board.fill({json.dumps(shown.LISTS)})"
TIES = f"() => board.ties({json.dumps(shown.ROWS)})"
TO_ROW = "() => { const e = document.querySelector('#board-near'); e.tabIndex = -1; e.scrollIntoView(); e.focus(); }"
PRESS = "[...document.querySelectorAll('button[role=tab]')].find(b => b.innerText.trim() === 'Leaderboard')?.click(); }"
TO_TAB = "() => { if (new URLSearchParams(location.search).get('tab') === 'leaderboard') " + PRESS
TO_OPEN = "() => { " + PRESS
FILLED = {"preprocess": False, "postprocess": False}
"""Of an event that is given or chooses from a list that the browser has filled: Gradio knows none of what is in it."""


@dataclass(frozen=True)
class Desk:
    """Everything that callbacks need, and the callbacks.

    Attributes:
        boards: the stored runs.
        form: that shows them.
    """

    boards: Boards
    form: Form

    @property
    def alone(self) -> list[Any]:
        """What leaves rows out: of a run that was asked for all are shown."""
        form = self.form
        return [form.images, form.run, form.metric, form.search, form.device, form.use, form.size_mb,
                form.most]  # fmt: skip

    def opened(self, request: gr.Request) -> Updates:
        """The page as ``?tab=leaderboard&run=ID`` asks for it.

        Raises:
            UsageError: there is no such run.
        """
        asked = dict(request.query_params)
        if asked.get("tab") != "leaderboard" or "run" not in asked:
            return {self.form.images: gr.skip()}
        return self._alone(self.boards.look(str(request.session_hash)).run(asked["run"]))

    def newest(self, request: gr.Request) -> Updates:
        """The newest run of the visitor's own; the tab shows all of it once it is opened.

        Raises:
            UsageError: there is none that is finished.
        """
        found = self.boards.look(str(request.session_hash))
        run = next((one for one in found.runs if one.origin == "yours"), None)
        if run is None:
            raise UsageError("You have no finished run.", "Measure a dataset of yours in the tab Dataset.")
        return self._alone(run)

    def _alone(self, run: Run) -> Updates:
        """The rows of one run, whatever was chosen and filtered before."""
        form, wanted = self.form, Wanted(search=run.folder.name)
        chosen = {form.images: run.manifest.dataset.hash, form.run: run.id}
        unfiltered = {form.device: ANY, form.use: ANY, form.size_mb: 0, form.most: wanted.most}
        return chosen | unfiltered | {form.metric: wanted.metric, form.search: wanted.search}

    def near(self, request: gr.Request, id_: str | None) -> str:
        """One row from near."""
        return "" if id_ is None else closer.closer(self.boards.look(str(request.session_hash)).entry(id_))

    def press(self, request: gr.Request, event: gr.EventData) -> Updates:
        """The same, of a row whose name was pressed."""
        id_ = str((event._data or {}).get("row", ""))
        return {self.form.row: id_, self.form.near: self.near(request, id_)}

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

    def advise_anew(self, request: gr.Request, run: str | None, *limits: Any) -> Any:
        """The same of a run that may have been made anew; where it has gone, another is chosen, and asked for then."""
        found = self.boards.look(str(request.session_hash))
        return self.advise(request, run, *limits) if run in [one.id for one in found.runs] else gr.skip()


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
    linked = _on(demo.load, desk.opened, None, desk.alone, postprocess=False)
    _on(linked.then, None, js=TO_TAB)
    _asked(form, tab)
    _looked_into(form, desk)
    return desk


def follow(button: gr.Button, desk: Desk) -> None:
    """Have a button of another tab show the visitor's newest run: it is chosen first, and then the tab is opened.

    Args:
        button: that is pressed.
        desk: of this tab.
    """
    chosen = _on(button.click, desk.newest, None, desk.alone, postprocess=False)
    _on(chosen.then, None, js=TO_OPEN)


def _asked(form: Form, tab: gr.Tab) -> None:
    """Whatever says which rows are wanted has the browser ask for them; see ``leaderboard.js``."""
    filters = (form.images, form.metric, form.search, form.device, form.use, form.size_mb, form.sort, form.columns,
               form.most)  # fmt: skip
    causes = partial(gr.on, [tab.select, form.again.click, *(part.change for part in filters)])
    rows, lists = _parts(form, shown.ROWS), _parts(form, shown.LISTS)
    _on(form.again.click, None, js="() => board.anew()")  # before what asks
    drawn = _on(causes, None, _parts(form, NAMES), rows, js=ASK)
    filled = _on(drawn.then, None, None, lists, js=FILL)
    _on(filled.then, None, None, rows, js=TIES)
    _on(form.more.click, None, form.most, form.most, js=f"most => most + {MORE}")


def _parts(form: Form, names: Sequence[str]) -> list[Any]:
    return [getattr(form, name) for name in names]


def _looked_into(form: Form, desk: Desk) -> None:
    slow = {"show_progress": "minimal", **FILLED}
    pressed = _on(form.table.click, desk.press, None, [form.row, form.near], **slow, show_progress_on=form.status)
    _on(pressed.then, None, js=TO_ROW)
    _on(form.row.input, desk.near, form.row, form.near, **slow)
    _on(form.compare.click, desk.pair, [form.first, form.second], form.pair, **slow)
    limits = [form.run, *form.limits]
    for part in limits:
        _on(part.change, desk.advise, limits, form.answer, trigger_mode="always_last", **FILLED)
    _on(form.again.click, desk.advise_anew, limits, form.answer, **FILLED)
