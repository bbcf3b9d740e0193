"""The tab Batch: many pictures through several pipelines, and what came of them, whether one waits for it or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from pipelines.errors import UsageError, WorkbenchError
from workbench.batches import wording
from workbench.batches.contact_sheet import sheet
from workbench.batches.folder import BatchFolder
from workbench.batches.intake import Wanted
from workbench.batches.results import is_current, results
from workbench.batches.store import Batches
from workbench.catalogue import Order
from workbench.files.shelf import Shelf
from workbench.given import pointing
from workbench.plainly import words
from workbench.service import Service
from workbench.settings import Settings
from workbench.tabs import batch_form
from workbench.tabs.batch_form import BatchForm
from workbench.tabs.events import SLOW, on

Updates = dict[Any, Any]
KEEP_ADDRESS = """(number, refusal) => { if (!refusal && /^[0-9a-f]{32}$/.test(number)) {
    const address = new URL(location);
    address.searchParams.set("batch", number);
    history.replaceState(null, "", address);
} }"""
"""The number goes into the address of the page, so that a reload opens the batch again."""

SHOW_TAB = """() => { if (new URLSearchParams(location.search).has("batch"))
    [...document.querySelectorAll("button[role=tab]")].find(one => one.textContent.trim() === "Batch")?.click() }"""


@dataclass(frozen=True)
class BatchDesk:
    """Everything that callbacks need, and the callbacks.

    Attributes:
        batches: of all visitors.
        shelf: where files are given out from.
        form: that shows them.
    """

    batches: Batches
    shelf: Shelf
    form: BatchForm

    def start(
        self, request: gr.Request, files: Sequence[str], texts: str, keeps: Sequence[str], *chosen: Any
    ) -> Updates:
        """Take a batch in and show it; what is refused is said where the state is."""
        values = iter(chosen)
        told = [(one.offer, bool(next(values)), str(next(values) or "default")) for one in self.form.choices]
        orders = [Order(offer.name, preset) for offer, wanted, preset in told if wanted and offer.reason is None]
        try:
            wanted = Wanted(orders, pointing.prompt_of(texts or "", "").texts, tuple(keeps or ()))
            number = self.batches.begin(files, self.shelf.folder, wanted, str(request.session_hash))
        except WorkbenchError as error:
            return {self.form.refusal: wording.refused(words(error))}
        return {self.form.files: None} | self._at(self.batches.get(number))

    def open(self, number: str) -> Updates:
        """A batch by its number, from its first page; what was cut short goes on."""
        try:
            batch = self.batches.open((number or "").strip())
        except WorkbenchError as error:
            return {self.form.refusal: wording.refused(words(error))}
        return self._at(batch)

    def _at(self, batch: BatchFolder) -> Updates:
        """A batch from its first page, in place of whichever was open."""
        form = self.form
        told: Updates = {form.number: batch.number, form.current: batch.number, form.refusal: "", form.bundle: ""}
        return told | self.shown(batch, 0, "All", "")

    def tick(self, number: str, page: int, shown: str, seen: str) -> Updates:
        """How far it is now."""
        try:
            return self.shown(self.batches.get(number or ""), page, shown, seen)
        except UsageError:  # swept away
            return {self.form.timer: gr.Timer(active=False)}

    def turn(self, pages: int) -> Callable[..., Updates]:
        """A callback that goes some pages on or back."""

        def turned(number: str, page: int, shown: str, seen: str) -> Updates:
            return self.shown(self.batches.get(number or ""), page + pages, shown, seen)

        return turned

    def select(self, number: str, page: int, shown: str, seen: str) -> Updates:
        """Other pictures are to be shown, from the first page on."""
        return self.tick(number, 0, shown, "")

    def stop(self, number: str, page: int, shown: str, seen: str) -> Updates:
        """Call it off; what is done stays."""
        self.batches.cancel(number or "")
        return self.tick(number, page, shown, seen)

    def go_on(self, request: gr.Request, number: str, page: int, shown: str, seen: str) -> Updates:
        """Go on with what was called off or broke off."""
        self.batches.go_on(number or "", str(request.session_hash))
        return self.tick(number, page, shown, seen) | {self.form.bundle: ""}

    def bundle(self, number: str) -> Updates:
        """The ZIP of what is there now."""
        batch = self.batches.get(number or "")
        return {self.form.bundle: wording.saving(batch, results(batch).stat().st_size)}

    def shown(self, batch: BatchFolder, page: int, shown: str, seen: str) -> Updates:
        """All that is to be seen of a batch; table and contact sheet only where they changed."""
        form, progress, rows = self.form, self.batches.progress(batch), batch.rows()
        busy = progress.state in ("waiting", "running")
        found: Updates = {
            form.status: wording.status(progress), form.stop: gr.update(interactive=busy),
            form.go_on: gr.update(visible=progress.state in ("stopped", "broken off")),
            form.timer: gr.Timer(active=busy), form.prepare: gr.update(interactive=bool(rows)),
        }  # fmt: skip
        if not busy and not is_current(batch):  # while it works, a ZIP of what was there is what was asked for
            found[form.bundle] = ""
        places = wording.chosen(batch, rows, shown)
        pages = max(1, -(-len(places) // wording.EACH))
        page = min(max(0, page), pages - 1)
        here = places[page * wording.EACH : (page + 1) * wording.EACH]
        there = [(place, order) for place in here for order in range(len(batch.ticket.asked)) if (place, order) in rows]
        now = repr((batch.number, page, shown, len(places), here, there))
        if now == seen:
            return found
        kept = wording.kept(batch, self.batches.kept_until(batch))
        return found | self._page(batch, here) | {
            form.kept: kept, form.place: wording.place_words(places, page), form.page: page, form.seen: now,
            form.back: gr.update(interactive=page > 0), form.forward: gr.update(interactive=page < pages - 1),
        }  # fmt: skip

    def _page(self, batch: BatchFolder, here: Sequence[int]) -> Updates:
        rows = batch.rows()
        path = self.shelf.put("contact_sheet.jpg", sheet(batch, rows, here)) if here else None
        picture = gr.update(value=path, visible=bool(here), alt_text=wording.alt(batch, here))
        return {self.form.table: wording.table(batch, rows, here), self.form.sheet: picture}


def build(service: Service, shelf: Shelf, settings: Settings) -> BatchDesk:
    """The tab with all that happens in it, inside a Gradio context.

    Args:
        service: whose pipelines look.
        shelf: where files are given out from.
        settings: folder and limits of batches.
    """
    batches = Batches(service, settings.batches, settings.batch_limits)
    form = batch_form.build(service.offers(), batches.limits)
    desk = BatchDesk(batches, shelf, form)
    changed = [form.status, form.stop, form.go_on, form.timer, form.prepare, form.kept, form.place, form.page,
               form.seen, form.back, form.forward, form.table, form.sheet, form.bundle]  # fmt: skip
    opened = [form.number, form.current, form.refusal, *changed]
    begun = _on(form.start.click, desk.start, form.asked, [form.files, *opened], **SLOW,
                show_progress="minimal", show_progress_on=form.status)  # fmt: skip
    found = [_on(listen, desk.open, form.number, opened) for listen in (form.open.click, form.number.submit)]
    for event in (begun, *found):
        _on(event.then, None, [form.number, form.refusal], js=KEEP_ADDRESS)
    events: dict[Any, Callable[..., Updates]] = {
              form.timer.tick: desk.tick, form.back.click: desk.turn(-1), form.forward.click: desk.turn(1),
              form.shown.change: desk.select, form.stop.click: desk.stop, form.go_on.click: desk.go_on}  # fmt: skip
    for listen, callback in events.items():
        _on(listen, callback, form.looked_at, changed)
    _on(form.prepare.click, desk.bundle, form.current, form.bundle, **SLOW, show_progress="minimal")
    _linked(desk, opened)
    return desk


_on = partial(on, concurrency_id="batch")


def _linked(desk: BatchDesk, outputs: list[Any]) -> None:
    """A page that is opened by ``?batch=NUMBER`` shows that batch."""

    def linked(request: gr.Request) -> Updates:
        number = dict(request.query_params).get("batch")
        return desk.open(number) if number else {desk.form.timer: gr.skip()}

    demo = gr.context.Context.root_block
    assert demo is not None  # inside a Gradio context
    _on(demo.load, linked, None, outputs)
    _on(demo.load, None, js=SHOW_TAB)
