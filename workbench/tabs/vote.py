"""The tab Blind vote: two results without names, one vote, then who made which, and the table of all votes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from benchmarks.preferences.ballots import Choice
from pipelines.errors import UsageError, WorkbenchError
from pipelines.types import Image
from workbench.examples import example, examples
from workbench.given import pointing
from workbench.given.uploads import open_mask, open_upload
from workbench.settings import Settings
from workbench.tabs.desk import Desk
from workbench.tabs.events import LOOKS, on
from workbench.tabs.results import Updates
from workbench.tabs.vote_form import BEGIN, Form
from workbench.tabs.vote_form import build as build_form
from workbench.views import cards
from workbench.visitors import Visit
from workbench.votes import wording
from workbench.votes.book import OWN_PICTURE, Book, Vote, as_csv, as_lines
from workbench.votes.contest import contestants
from workbench.votes.duels import Duel, Duels, Side, visitor_of

LOOKING = "Both look at your picture …"
VOTES = "votes"
"""What works out the table of all votes has a line of its own, so that nothing quick waits for it."""

READY = "Here are two. Say which you would rather use."


@dataclass(frozen=True)
class VoteDesk:
    """Everything that callbacks need, and the callbacks.

    Attributes:
        duels: what is shown to whom.
        form: that shows it.
        orders: who can take part, by label.
        standing: the table of all votes.
    """

    duels: Duels
    form: Form
    orders: dict[str, Any]
    standing: wording.Board = field(default_factory=wording.Board)

    def take(self, name: str) -> Callable[..., Updates]:
        """A callback that takes an example: picture, true mask and prompt."""
        chosen = example(name)

        def take_example(request: gr.Request) -> Updates:
            path, mask = chosen.put(self.duels.shelf)
            visit = Visit(path, name, chosen.sample.image)
            visit.truth = open_mask(mask, self.duels.shelf.folder, _size(visit.image))
            return self._begun(str(request.session_hash), visit) | {self.form.prompt: chosen.prompt}

        return take_example

    def take_over(self, request: gr.Request, prompt: str) -> Updates:
        """The picture that is open in the tab Compare, with the true mask given there; an example has its own."""
        page = str(request.session_hash)
        open_ = self.duels.visits.find(page)
        if open_ is None:
            raise UsageError("No picture is open in the tab Compare.", "Open one there, or give one here.")
        name = _name(open_.image)
        truth = open_.truth if name == OWN_PICTURE else example(name).sample.truth()
        visit = Visit(open_.path, name, open_.image, truth=truth)
        return self._begun(page, visit) | {self.form.prompt: prompt}

    def received(self, request: gr.Request, path: str | None) -> Updates:
        """A new picture, or none any more; what was shown of the one before goes."""
        page = str(request.session_hash)
        if path is None:
            self.duels.clear(page)
            return self._cleared(BEGIN)
        open_ = self.duels.visits.find(visitor_of(page))
        if open_ is not None and open_.path == path:  # taken already, and perhaps shown
            return {self.form.status: gr.skip()}
        return self._cleared(self._opened(page, path))

    def _begun(self, page: str, visit: Visit) -> Updates:
        self.duels.booth(page).duel = None
        self.duels.visits.begin(visitor_of(page), visit)
        return self._cleared(_ready(visit)) | {self.form.picture: visit.path}

    def _opened(self, page: str, path: str) -> str:
        image = open_upload(path, self.duels.shelf.folder)
        self.duels.booth(page).duel = None
        return _ready(self.duels.visits.begin(visitor_of(page), Visit(path, _name(image), image)))

    def _cleared(self, words: str) -> Updates:
        form = self.form
        buttons = {button: gr.update(interactive=False) for button in form.buttons}
        return {form.status: cards.status(words), form.two: gr.update(visible=False), form.told: "",
                form.left: None, form.right: None, **buttons}  # fmt: skip

    def show(self, request: gr.Request, path: str | None, prompt: str, who: list[str], view: str,
             voter: str) -> Iterator[Updates]:  # fmt: skip
        """Two results, both at once; what goes wrong stands where they would."""
        page, form = str(request.session_hash), self.form
        known = {form.voter: self.duels.know(page, voter)}
        yield self._cleared(LOOKING) | known
        try:
            open_ = self.duels.visits.find(visitor_of(page))
            if path is not None and (open_ is None or open_.path != path):
                self._opened(page, path)
            asked = [self.orders[label] for label in who or () if label in self.orders]
            duel = self.duels.make(page, asked, pointing.prompt_of(prompt or "", ""))
        except WorkbenchError as error:
            yield self._cleared(escape(str(error))) | known  # all of it: a late browser takes away what this one lacks
            raise
        buttons = {button: gr.update(interactive=True) for button in form.buttons}
        yield {**self._cleared(READY), **known, form.two: gr.update(visible=True), **self._pictures(duel, view),
               **buttons}  # fmt: skip

    def stop(self, request: gr.Request) -> Updates:
        """Call off what runs."""
        visit = self.duels.visits.find(visitor_of(str(request.session_hash)))
        if visit is not None:
            visit.off.set()
        return {self.form.status: cards.status("Stopped.")}

    def view(self, request: gr.Request, view: str) -> Updates:
        """The two results as they are wanted now."""
        duel = self.duels.booth(str(request.session_hash)).duel
        return {self.form.left: gr.skip()} if duel is None else self._pictures(duel, view)

    def _pictures(self, duel: Duel, view: str) -> Updates:
        form = self.form
        return {form.left: _picture("A", duel.left, view), form.right: _picture("B", duel.right, view)}

    def vote(self, choice: Choice) -> Callable[..., Updates]:
        """A callback that counts a vote, and only then shows the names."""

        def count_vote(request: gr.Request) -> Updates:
            return self._told(*self.duels.vote(str(request.session_hash), choice))

        return count_vote

    def names(self, request: gr.Request) -> Updates:
        """The names, without a vote."""
        return self._told(*self.duels.give_up(str(request.session_hash)))

    def _told(self, duel: Duel, vote: Vote) -> Updates:
        form = self.form
        thanks = "Thank you. " if vote.choice else ""
        words = cards.status(f"{thanks}The names are below. Take another picture for the next two.")
        buttons = {button: gr.update(interactive=False) for button in form.buttons}
        return {form.told: wording.who(duel, vote), form.status: words, form.board: self.board(), **buttons}

    def board(self) -> str:
        """The table of all votes, or why there is none: a vote before it was counted all the same."""
        try:
            return self.standing.of(self.duels.book.read())
        except WorkbenchError as error:
            return f"<p>{escape(str(error))}</p>"

    def files(self) -> tuple[Any, Any]:
        """All votes as two files."""
        votes, shelf = self.duels.book.read().votes, self.duels.shelf
        made = shelf.put("votes.csv", as_csv(votes)), shelf.put("votes.jsonl", as_lines(votes))
        return gr.update(value=made[0], visible=True), gr.update(value=made[1], visible=True)


def build(tab: gr.Tab, desk: Desk, settings: Settings) -> Duels:
    """The tab with all that happens in it, inside a Gradio context.

    Args:
        tab: that it is.
        desk: of the tab Compare, whose pictures can be taken over.
        settings: where votes are kept, and how many looks there may be at one time.
    """
    orders = {one.label: one for one in contestants(desk.service.offers(), settings.weights == "random")}
    form = build_form(list(orders.values()), list(examples().values()), settings.give_votes)
    duels = Duels(desk.service, desk.visits, desk.shelf, Book(settings.votes), desk.results.named)
    ours = VoteDesk(duels, form, orders)
    _pictures(form, ours, desk)
    _votes(form, ours, settings)
    on(tab.select, ours.board, None, form.board, concurrency_id=VOTES)
    if form.files:
        on(form.files[0].click, ours.files, None, list(form.files[1:]))
    return duels


def _pictures(form: Form, ours: VoteDesk, desk: Desk) -> None:
    on(form.picture.change, ours.received, form.picture, form.shown)
    taken = [form.picture, form.prompt, *form.shown]
    for name, button in form.examples.items():
        on(button.click, ours.take(name), None, taken)
    on(form.take.click, ours.take_over, desk.form.prompt, taken)


def _votes(form: Form, ours: VoteDesk, settings: Settings) -> None:
    asked = [form.picture, form.prompt, form.who, form.view, form.voter]
    looks = on(form.show.click, ours.show, asked, [*form.shown, form.voter], show_progress="minimal",
               show_progress_on=form.status, concurrency_id=LOOKS, concurrency_limit=settings.at_once)  # fmt: skip
    on(form.stop.click, ours.stop, None, form.status)
    on(form.stop.click, None, cancels=[looks])
    on(form.view.change, ours.view, form.view, [form.left, form.right], trigger_mode="always_last")
    told = [form.told, form.status, form.board, *form.buttons]
    for choice, button in form.votes.items():
        on(button.click, ours.vote(choice), None, told, concurrency_id=VOTES)
    on(form.names.click, ours.names, None, told, concurrency_id=VOTES)


def _picture(letter: str, side: Side, view: str) -> Any:
    alt = f"Result {letter}, {view.lower()}: {side.share:.1%} of the picture found"
    return gr.update(value=side.picture(view), alt_text=alt)


def _ready(visit: Visit) -> str:
    height, width = _size(visit.image)
    return f"Picture of {width} × {height} pixels. Press “Show me two”."


def _size(image: Image) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _name(image: Image) -> str:
    """Of the example that it is, pixel by pixel; else a word that says nothing of the visitor."""
    alike = (one.name for one in examples().values() if np.array_equal(one.sample.image, image))
    return next(alike, OWN_PICTURE)
