"""What happens in the tab Compare: callbacks from what a form holds to what it is to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

import gradio as gr

from pipelines.errors import PromptError, UsageError, WorkbenchError
from workbench.catalogue import weight_mb
from workbench.examples import example
from workbench.files import downloads, taken
from workbench.files.bundle import bundle, room_for
from workbench.files.shelf import Shelf, scale
from workbench.given import pointing
from workbench.given.uploads import open_mask, open_upload
from workbench.plainly import tell
from workbench.service import Service
from workbench.tabs.controls import typed
from workbench.tabs.form import Form, Slot
from workbench.tabs.results import Results, Updates, blank
from workbench.views import cards
from workbench.visitors import Visit, Visits


@dataclass(frozen=True)
class Desk:
    """Everything that callbacks need, and the callbacks.

    Attributes:
        service: looks and decides.
        visits: what visitors have open.
        shelf: where files are given out from.
        form: that shows it.
        results: what pipelines make of it.
    """

    service: Service
    visits: Visits
    shelf: Shelf
    form: Form
    results: Results

    def received(self, request: gr.Request, path: str | None) -> Updates:
        """A new picture, or none any more: it is opened once, and all that was shown of the one before goes."""
        visitor, form = str(request.session_hash), self.form
        if path is None:
            said = cards.status("No picture.") if self.visits.find(visitor) else gr.skip()  # or why one was refused
            self.visits.leave(visitor)
            return self._cleared() | {form.pointer: None, form.points: "", form.status: said}
        try:
            visit = self._opened(visitor, path)
        except WorkbenchError as error:
            self.visits.leave(visitor)
            tell(error)
            return self._cleared() | {form.picture: None, form.status: cards.status(escape(str(error)))}
        shown: Updates = {form.pointer: self.shelf.show("picture", visit.image), form.points: ""}
        before = visit.instead_of
        if visit.path == path:
            visit.instead_of = None
        if visit.pending or visit.cards:  # asked last: somebody may have pressed Compare at once
            return shown
        height, width = visit.image.shape[:2]
        shown[form.status] = cards.status(f"Picture of {width} × {height} pixels. Press Compare.")
        return shown if before is None else shown | self._cleared()

    def take(self, name: str) -> Callable[..., tuple[str, str, str]]:
        """A callback that takes an example: picture, true mask and prompt.

        Somebody who presses Compare before the browser knows of the picture gets it all the same.
        """
        chosen = example(name)

        def take_example(request: gr.Request) -> tuple[str, str, str]:
            path, truth = chosen.put(self.shelf)
            visit = Visit(path, Path(path).name, chosen.sample.image, chosen.sample.prompt)
            self._know(self.visits.begin(str(request.session_hash), visit), truth, 0)
            return path, truth, chosen.prompt

        return take_example

    def _cleared(self) -> Updates:
        form = self.form
        found: Updates = {form.agreement: gr.update(value=None, visible=False), form.agreed: "",
                          form.bundle: gr.update(visible=False)}  # fmt: skip
        for slot in form.slots:
            found |= blank(slot, cards.offered(slot.offer.info))
        return found

    def _opened(self, visitor: str, path: str | None) -> Visit:
        """The visit of a picture; where it is open already, or the page knows the one before only, that is it."""
        visit = self.visits.find(visitor)
        if path is None and visit is None:
            raise UsageError("There is no picture yet.", "Choose an example, or upload, paste, take or fetch one.")
        if path is not None and (visit is None or path not in (visit.path, visit.instead_of)):
            image = open_upload(path, self.shelf.folder)
            visit = self.visits.begin(visitor, Visit(path, Path(path).name, image))
        assert visit is not None  # without a path there is one, and with one it was made
        return visit

    def compare(self, request: gr.Request, path: str | None, texts: str, lines: str, truth: str | None, cut: float,
                *rest: Any) -> Iterator[Updates]:  # fmt: skip
        """Every pipeline that is chosen, one card after another as they are there; the smallest weights first."""
        visitor = str(request.session_hash)
        visit = self._asked(visitor, path, texts, lines, truth, cut)
        visit.look, values = cards.look_of(rest[:4]), iter(rest[4:])
        given = [(slot, next(values), list(islice(values, len(slot.order)))) for slot in self.form.slots]
        chosen = [(slot, order) for slot, ticked, asked in given if ticked and (order := slot.ordered(asked))]
        visit.kinds |= {slot.offer.name: asked[0] for slot, _, asked in given}
        if not chosen:
            raise UsageError("No pipeline is chosen.", "Tick one.")
        yield from self.results.run(visitor, visit, sorted(chosen, key=lambda pair: weight_mb(pair[0].offer)))

    def again(self, slot: Slot) -> Callable[..., Iterator[Updates]]:
        """A callback that runs one pipeline again, on the picture and the prompt that are open."""

        def run_again(request: gr.Request, path: str | None, texts: str, lines: str, truth: str | None, cut: float,
                      *rest: Any) -> Iterator[Updates]:  # fmt: skip
            visitor = str(request.session_hash)
            visit = self._asked(visitor, path, texts, lines, truth, cut)
            visit.look, visit.kinds[slot.offer.name] = cards.look_of(rest[:4]), rest[4]
            yield from self.results.run(visitor, visit, [(slot, order)] if (order := slot.ordered(rest[4:])) else [])

        return run_again

    def _know(self, visit: Visit, path: str | None, cut: float) -> None:
        """Read the true mask of a visit, where it is another than before."""
        with visit.knowing:  # else a second event would go on with no mask while the first still reads it
            if visit.truth_from == (path, int(cut)):
                return
            visit.truth, visit.truth_from = None, (path, int(cut))  # one that is refused is refused once
            size = visit.image.shape[0], visit.image.shape[1]
            visit.truth = None if path is None else open_mask(path, self.shelf.folder, size, int(cut) or None)

    def _asked(self, visitor: str, path: str | None, texts: str, lines: str, truth: str | None, cut: float) -> Visit:
        """The visit with what is asked; a browser without its example's path has no text and no mask of it either."""
        visit, prompt = self._opened(visitor, path), pointing.prompt_of(texts or "", lines or "")
        if path == visit.path:
            self._know(visit, truth, cut)
        if path == visit.path or (path is None and prompt.texts):
            visit.prompt = prompt
        return visit

    def stop(self, request: gr.Request) -> Updates:
        """Call off what runs; what is not there yet says so."""
        visit = self.visits.find(str(request.session_hash))
        if visit is None:
            return {self.form.status: cards.status("Nothing runs.")}
        visit.off.set()
        stopped: Updates = {self.form.status: cards.status("Stopped.")}
        for slot in self.form.slots:
            if slot.offer.name in visit.pending:
                stopped |= blank(slot, cards.waiting("called off"))
        return stopped

    def decide(self, slot: Slot) -> Callable[..., Updates]:
        """A callback that decides one card anew, from what is kept."""
        named = {knob.name: knob for knob in slot.offer.knobs}

        def decide_again(request: gr.Request, *rest: Any) -> Updates:
            visit = self._there(str(request.session_hash))
            if visit is None:
                return {slot.note: gr.skip()}  # nothing ran yet; the first run will read the knob
            values = dict(zip(slot.decided, rest[4:], strict=True))
            told = {name: typed(named[name], value) for name, value in values.items() if value is not None}
            visit.look, card = cards.look_of(rest[:4]), visit.cards.get(slot.offer.name)
            if slot.offer.name in visit.pending:
                visit.moved[slot.offer.name] = told
            if slot.offer.name in visit.pending or card is None or card.key is None:
                return {slot.note: gr.skip()}
            self.results.keep(str(request.session_hash), visit, slot, self.service.decide(card, told))
            shown = self.results.card(visit, slot) | self.results.agree(visit)
            return shown | {self.form.bundle: gr.update(visible=False)}  # a ZIP of before is no longer true

        return decide_again

    def _there(self, visitor: str) -> Visit | None:
        """What a visitor has open, or None where nothing was given yet."""
        visit = self.visits.find(visitor)
        if visit is None and self.visits.was_dropped(visitor):
            raise UsageError("The picture is no longer kept.", "Give it again.")
        return visit

    def view(self, request: gr.Request, path: str | None, truth: str | None, cut: float, *look: Any) -> Updates:
        """Every result as it is wanted now; nothing is looked at."""
        visit = self.visits.find(str(request.session_hash))
        shown: Updates = {self.form.status: gr.skip()}
        if visit is None or visit.path != path:  # another picture is about to be received
            return shown
        before, visit.look = (visit.look, visit.truth_from), cards.look_of(look)
        try:
            self._know(visit, truth, cut)
        except WorkbenchError as error:
            tell(error)
        if (visit.look, visit.truth_from) == before:  # as with an example's mask: a picture that is given twice in the
            return shown  # moment in which it first appears may be missing in the browser
        for slot in self.form.slots:
            card = visit.cards.get(slot.offer.name)
            if card is not None and card.status == "ok":
                shown |= self.results.shown(visit, slot)
        return shown

    def file(self, slot: Slot) -> Callable[..., Updates]:
        """A callback that makes one download."""

        def make_file(request: gr.Request, kind: str) -> Updates:
            visit = self._there(str(request.session_hash))
            if visit is None or slot.offer.name not in visit.cards:
                return {slot.file: gr.skip()}  # the first run will read the list
            visit.kinds[slot.offer.name] = kind  # at once: a decision that is under way makes this kind too
            found = taken.result(visit.name, visit.image, visit.cards[slot.offer.name])
            return {slot.file: self.results.saved(found, kind, downloads.download(found, kind))}

        return make_file

    def all_files(self, request: gr.Request) -> Updates:
        """A ZIP of every result."""
        visit = self.visits.get(str(request.session_hash))
        done = [taken.result(visit.name, visit.image, card) for card in list(visit.cards.values())
                if card.status == "ok"]  # fmt: skip
        with self.shelf.writing(f"{downloads.stem(visit.name)}.zip", room_for(done, self.shelf.most_mb)) as path:
            bundle(done, path, self.shelf.most_mb)
        return {self.form.bundle: gr.update(value=str(path), visible=True)}

    def point(self, request: gr.Request, event: gr.SelectData, lines: str, mode: str) -> tuple[str, str]:
        """A click on the picture, as a line and as a mark."""
        visit = self.visits.get(str(request.session_hash))
        x, y = (int(place / scale(visit.image)) for place in event.index)
        written = pointing.clicked(lines or "", mode, x, y)
        return written, self.shelf.show("picture", pointing.marked(visit.image, written))

    def mark(self, request: gr.Request, lines: str) -> Updates:
        """The picture with what was written by hand; a line that says nothing is refused aloud when it is run."""
        visit = self.visits.find(str(request.session_hash))
        try:
            drawn = pointing.marked(visit.image, lines or "") if visit else None
        except PromptError as error:
            return {self.form.status: cards.status(escape(str(error)))}
        return {self.form.pointer: self.shelf.show("picture", drawn) if drawn is not None else gr.skip()}
