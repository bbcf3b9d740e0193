"""What happens in the tab Compare: callbacks from what a form holds to what it is to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any

import gradio as gr

from pipelines.errors import UsageError
from workbench import cards, comparisons, downloads, pointing, taken
from workbench.bundle import bundle
from workbench.catalogue import Order
from workbench.controls import fields, typed
from workbench.examples import example
from workbench.service import Card, Service, scores
from workbench.shelf import Shelf, scale
from workbench.tabs.form import Form, Slot
from workbench.uploads import open_mask, open_upload
from workbench.visitors import Visit, Visits

Updates = dict[Any, Any]
PROGRESS = '<p role="status">{}</p>'


@dataclass(frozen=True)
class Desk:
    """Everything that callbacks need, and the callbacks.

    Attributes:
        service: looks and decides.
        visits: what visitors have open.
        shelf: where files are given out from.
        form: that shows it.
    """

    service: Service
    visits: Visits
    shelf: Shelf
    form: Form

    def received(self, request: gr.Request, path: str | None) -> Updates:
        """A new picture, or none any more: it is opened once, and all that was shown of the one before goes."""
        visitor, form = str(request.session_hash), self.form
        known = self.visits.find(visitor)
        begun = known is not None and known.path == path and bool(known.pending or known.cards)
        cleared = {} if begun else self._cleared()
        if path is None:
            self.visits.leave(visitor)
            return cleared | {form.pointer: None, form.points: "", form.status: PROGRESS.format("No picture.")}
        visit = self._opened(visitor, path)
        height, width = visit.image.shape[:2]
        if not begun:
            cleared[form.status] = PROGRESS.format(f"Picture of {width} × {height} pixels. Press Compare.")
        return cleared | {form.pointer: self.shelf.show("picture", visit.image), form.points: ""}

    def take(self, name: str) -> Callable[..., tuple[str, str, str]]:
        """A callback that takes an example: picture, true mask and prompt.

        Somebody who presses Compare before the browser knows of the picture gets it all the same.
        """
        chosen = example(name)

        def take_example(request: gr.Request) -> tuple[str, str, str]:
            path, truth = chosen.put(self.shelf)
            self.visits.begin(str(request.session_hash), Visit(path, Path(path).name, chosen.sample.image))
            return path, truth, chosen.prompt

        return take_example

    def _cleared(self) -> Updates:
        form = self.form
        found: Updates = {form.agreement: gr.update(value=None, visible=False), form.agreed: "",
                          form.bundle: gr.update(visible=False)}  # fmt: skip
        for slot in form.slots:
            found |= _blank(slot, cards.offered(slot.offer.info))
        return found

    def _opened(self, visitor: str, path: str | None) -> Visit:
        """The visit of a picture; where it is open already it is not read again."""
        visit = self.visits.find(visitor)
        if path is None and visit is None:
            raise UsageError("There is no picture yet.", "Choose an example, or upload, paste, take or fetch one.")
        if path is not None and (visit is None or visit.path != path):
            image = open_upload(path, self.shelf.folder)
            visit = self.visits.begin(visitor, Visit(path, Path(path).name, image))
        assert visit is not None  # without a path there is one, and with one it was made
        return visit

    def compare(self, request: gr.Request, path: str | None, texts: str, lines: str, truth: str | None, cut: float,
                *rest: Any) -> Iterator[Updates]:  # fmt: skip
        """Every pipeline that is chosen, one card after another as they are there."""
        visitor = str(request.session_hash)
        visit = self._opened(visitor, path)
        visit.prompt = pointing.prompt_of(texts or "", lines or "")
        self._know(visit, truth, cut)
        look, values = _look(rest[:4]), iter(rest[4:])
        chosen = [(slot, order) for slot in self.form.slots
                  if (order := _ordered(slot, bool(next(values)), list(islice(values, len(slot.order)))))]  # fmt: skip
        if not chosen:
            raise UsageError("No pipeline is chosen.", "Tick one.")
        yield from self._run(visitor, visit, chosen, look)

    def again(self, slot: Slot) -> Callable[..., Iterator[Updates]]:
        """A callback that runs one pipeline again, on the picture and the prompt that are open."""

        def run_again(request: gr.Request, path: str | None, texts: str, lines: str, truth: str | None, cut: float,
                      *rest: Any) -> Iterator[Updates]:  # fmt: skip
            visitor = str(request.session_hash)
            visit = self._opened(visitor, path)
            visit.prompt = pointing.prompt_of(texts or "", lines or "")
            self._know(visit, truth, cut)
            order = _ordered(slot, True, rest[4:])
            yield from self._run(visitor, visit, [(slot, order)] if order else [], _look(rest[:4]))

        return run_again

    def _run(self, visitor: str, visit: Visit, chosen: Sequence[tuple[Slot, Order]],
             look: cards.Look) -> Iterator[Updates]:  # fmt: skip
        visit.off = Event()
        visit.pending = {slot.offer.name for slot, _ in chosen}
        first: Updates = {self.form.status: _progress(0, len(chosen))}
        for slot, _ in chosen:
            first |= _blank(slot, cards.waiting("waiting"))
        yield first
        made = self.service.compare(visitor, visit.image, visit.prompt, [order for _, order in chosen], visit.off)
        for done, ((slot, _), card) in enumerate(zip(chosen, made, strict=True), 1):
            visit.pending.discard(slot.offer.name)
            visit.cards[slot.offer.name] = card
            self.visits.settle(visitor)
            said = _progress(done, len(chosen), visit.cards)
            yield self._card(visit, slot, look) | {slot.note: "", self.form.status: said}
        yield self.agree(visit)

    def _know(self, visit: Visit, path: str | None, cut: float) -> None:
        """Read the true mask of a visit, where it is another than before."""
        if visit.truth_from == (path, int(cut)):
            return
        size = visit.image.shape[0], visit.image.shape[1]
        visit.truth = None if path is None else open_mask(path, self.shelf.folder, size, int(cut) or None)
        visit.truth_from = path, int(cut)

    def _card(self, visit: Visit, slot: Slot, look: cards.Look) -> Updates:
        card = visit.cards[slot.offer.name]
        if card.status != "ok":
            return _blank(slot, cards.facts(card))
        data = downloads.download(found := taken.result(visit.name, visit.image, card), "mask")
        file = self.shelf.put(downloads.file_name(found, "mask"), data)
        return self._shown(visit, slot, look) | {
            slot.kind: "mask",
            slot.file: gr.update(value=file, interactive=True),
        }

    def _shown(self, visit: Visit, slot: Slot, look: cards.Look) -> Updates:
        card = visit.cards[slot.offer.name]
        shown = cards.shown(visit, card, look, slot.number)
        path = self.shelf.show(f"{slot.offer.name}-{look.view.lower().replace(' ', '-')}", shown.picture)
        truth = visit.truth
        judged = scores(card, truth.union(), truth.ignore) if truth else None
        return {slot.picture: gr.update(value=path, visible=True, alt_text=shown.alt),
                slot.facts: cards.facts(card, judged, shown.legend)}  # fmt: skip

    def stop(self, request: gr.Request) -> Updates:
        """Call off what runs; what is not there yet says so."""
        visit = self.visits.find(str(request.session_hash))
        if visit is None:
            return {self.form.status: PROGRESS.format("Nothing runs.")}
        visit.off.set()
        stopped: Updates = {self.form.status: PROGRESS.format("Stopped.")}
        for slot in self.form.slots:
            if slot.offer.name in visit.pending:
                stopped |= _blank(slot, cards.waiting("called off"))
        return stopped

    def decide(self, slot: Slot) -> Callable[..., Updates]:
        """A callback that decides one card anew, from what is kept."""
        named = {knob.name: knob for knob in slot.offer.knobs}

        def decide_again(request: gr.Request, *rest: Any) -> Updates:
            visit = self.visits.find(str(request.session_hash))
            card = visit.cards.get(slot.offer.name) if visit else None
            if visit is None or card is None or card.key is None:
                return {slot.note: gr.skip()}  # nothing ran yet; the first run will read the knob
            values = dict(zip(slot.decided, rest[4:], strict=True))
            told = {name: typed(named[name], value) for name, value in values.items() if value is not None}
            visit.cards[slot.offer.name] = self.service.decide(card, told)
            return self._card(visit, slot, _look(rest[:4])) | self.agree(visit)

        return decide_again

    def view(self, request: gr.Request, path: str | None, truth: str | None, cut: float, *look: Any) -> Updates:
        """Every result as it is wanted now; nothing is looked at."""
        visit = self.visits.find(str(request.session_hash))
        shown: Updates = {self.form.status: gr.skip()}
        if visit is None or visit.path != path:  # another picture is about to be received
            return shown
        self._know(visit, truth, cut)
        for slot in self.form.slots:
            card = visit.cards.get(slot.offer.name)
            if card is not None and card.status == "ok":
                shown |= self._shown(visit, slot, _look(look))
        return shown

    def agree(self, visit: Visit) -> Updates:
        """On which pixels the pipelines agree that have a result."""
        form = self.form
        masks = {name: card.foreground for name, card in visit.cards.items() if card.foreground is not None}
        if len(masks) < 2:
            return {form.agreement: gr.update(value=None, visible=False),
                    form.agreed: "<p>Run two pipelines or more to see on which pixels they agree.</p>"}  # fmt: skip
        found = comparisons.agreement(masks)
        of_found = (
            "nothing was found" if found.share_of_found is None else f"{found.share_of_found:.1%} of what any found"
        )
        said = (
            f"<p>All agree on {found.share:.1%} of the picture; all found {of_found}: {escape(', '.join(masks))}.</p>"
        )
        alt = f"How many of {len(masks)} pipelines found each pixel; all agree on {found.share:.1%}"
        path = self.shelf.show("agreement", found.picture)
        return {form.agreement: gr.update(value=path, visible=True, alt_text=alt),
                form.agreed: said + cards.legend_html(found.legend)}  # fmt: skip

    def file(self, slot: Slot) -> Callable[..., Updates]:
        """A callback that makes one download."""

        def make_file(request: gr.Request, kind: str) -> Updates:
            visit = self.visits.get(str(request.session_hash))
            if slot.offer.name not in visit.cards:
                raise UsageError("This pipeline has no result yet.", "Run it first.")
            found = taken.result(visit.name, visit.image, visit.cards[slot.offer.name])
            path = self.shelf.put(downloads.file_name(found, kind), downloads.download(found, kind))
            return {slot.file: gr.update(value=path, interactive=True)}

        return make_file

    def all_files(self, request: gr.Request) -> Updates:
        """A ZIP of every result."""
        visit = self.visits.get(str(request.session_hash))
        done = [card for card in visit.cards.values() if card.status == "ok"]
        data = bundle([taken.result(visit.name, visit.image, card) for card in done])
        path = self.shelf.put(f"{downloads.stem(visit.name)}.zip", data)
        return {self.form.bundle: gr.update(value=path, visible=True)}

    def point(self, request: gr.Request, event: gr.SelectData, lines: str, mode: str) -> tuple[str, str]:
        """A click on the picture, as a line and as a mark."""
        visit = self.visits.get(str(request.session_hash))
        share = scale(visit.image)
        x, y = (int(place / share) for place in event.index)
        written = pointing.clicked(lines or "", mode, x, y)
        return written, self.shelf.show("picture", pointing.marked(visit.image, written))

    def mark(self, request: gr.Request, lines: str) -> str:
        """The picture with what was written by hand."""
        visit = self.visits.get(str(request.session_hash))
        return self.shelf.show("picture", pointing.marked(visit.image, lines or ""))


def _blank(slot: Slot, facts: str) -> Updates:
    return {slot.picture: gr.update(value=None, visible=False), slot.facts: facts,
            slot.file: gr.update(value=None, interactive=False)}  # fmt: skip


def _ordered(slot: Slot, chosen: bool, values: Sequence[Any]) -> Order | None:
    """The order of a slot, or None where it is not chosen or cannot run."""
    if not chosen or slot.offer.reason is not None:
        return None
    name = str(values[0] or "default")
    return Order(slot.offer.name, name, fields(slot.offer, name, values[1:]))


def _look(values: Sequence[Any]) -> cards.Look:
    view, ground, opacity, wipe = values
    return cards.Look(str(view), str(ground), float(opacity), float(wipe))


def _progress(done: int, of: int, made: Mapping[str, Card] | None = None) -> str:
    if done < of:
        return PROGRESS.format(f"{done} of {of} done …")
    failed = [name for name, card in (made or {}).items() if card.status != "ok"]
    return PROGRESS.format(f"All {of} done." + (f" Without a result: {escape(', '.join(failed))}." if failed else ""))
