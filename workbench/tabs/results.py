"""What pipelines make of a picture that is open, as updates of the page: card after card, and what they agree on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from threading import Event
from typing import Any

import gradio as gr

from pipelines.errors import WorkbenchError
from workbench.catalogue import Order
from workbench.files import downloads, taken
from workbench.files.result import Result
from workbench.files.shelf import Shelf
from workbench.plainly import tell
from workbench.service import Card, Service, scores
from workbench.tabs.form import Form, Slot, save
from workbench.views import cards, comparisons
from workbench.visitors import Visit, Visits
from workbench.votes.contest import Named

Updates = dict[Any, Any]


@dataclass(frozen=True)
class Results:
    """Runs pipelines for visitors and shows what comes of it.

    Attributes:
        service: looks and decides.
        visits: what visitors have open.
        shelf: where files are given out from.
        form: that shows it.
        named: which pages were shown whose results, for the blind vote.
    """

    service: Service
    visits: Visits
    shelf: Shelf
    form: Form
    named: Named = field(default_factory=Named)

    def run(self, visitor: str, visit: Visit, chosen: Sequence[tuple[Slot, Order]]) -> Iterator[Updates]:
        """Every card as it is there, and at last what they agree on.

        Args:
            visitor: whose picture it is.
            visit: with the picture and what to look for.
            chosen: pipelines, and how they are to run.
        """
        names = {slot.offer.name for slot, _ in chosen}
        if visit.off.is_set() or not visit.pending:
            visit.off = Event()
        visit.pending |= names
        try:
            yield from self._made(visitor, visit, chosen)
        finally:
            visit.pending -= names

    def _made(self, visitor: str, visit: Visit, chosen: Sequence[tuple[Slot, Order]]) -> Iterator[Updates]:
        first: Updates = {self.form.status: cards.progress(0, len(chosen)), self.form.bundle: gr.update(visible=False)}
        for slot, _ in chosen:  # what was shown before stays: a browser may take what goes and comes at once for gone
            first |= {slot.facts: cards.waiting("waiting"), slot.note: ""}
            visit.moved.pop(slot.offer.name, None)
        yield first
        made, came = self.service.compare(visitor, visit.image, visit.prompt, [order for _, order in chosen],
                                          visit.off), {}  # fmt: skip
        drawn = _Drawn(self, visit)
        shown: Updates = {self.form.bundle: gr.update(visible=False)}
        for (slot, _), card in zip(chosen, made, strict=True):
            if self.visits.find(visitor) not in (visit, None):  # the page shows another picture by now
                yield {self.form.status: gr.skip()}  # else the last message would be sent once more
                return
            visit.pending.discard(slot.offer.name)
            came[slot.offer.name] = self._moved(visit, slot, card)
            self.keep(visitor, visit, slot, came[slot.offer.name])
            self.visits.settle(visitor)
            drawn.slots.append(slot)
            shown[self.form.status] = cards.progress(len(came), len(chosen), came)
            yield _again(shown) | drawn.now()
        yield _again(shown) | drawn.now() | self.agree(visit)

    def _moved(self, visit: Visit, slot: Slot, card: Card) -> Card:
        """The card with knobs as they stand by now; where that needs another look, as it came."""
        moved = visit.moved.pop(slot.offer.name, None)
        try:
            return self.service.decide(card, moved) if moved and card.key is not None else card
        except WorkbenchError as error:
            tell(error)
            return card

    def tried(self, visit: Visit, slot: Slot) -> Updates:
        """What a card shows, or why that cannot be shown: the others have to get their turn."""
        try:
            return self.card(visit, slot)
        except WorkbenchError as error:
            tell(error)
            return blank(slot, cards.waiting(str(error)))

    def keep(self, visitor: str, visit: Visit, slot: Slot, card: Card) -> None:
        """Keep a card; whoever has seen it with its name cannot vote on it blind."""
        visit.cards[slot.offer.name] = card
        if card.key is not None:  # it has a result, with its name above it
            self.named.add(visitor, card.key.picture, [card.configuration.label])

    def card(self, visit: Visit, slot: Slot) -> Updates:
        """A card with its picture, facts and file."""
        card = visit.cards[slot.offer.name]
        if card.status != "ok":
            return blank(slot, cards.facts(card))
        found = taken.result(visit.name, visit.image, card)
        saved = self.saved(found, *downloads.or_mask(found, visit.kinds.get(slot.offer.name, downloads.MASK)))
        return self.shown(visit, slot) | {slot.file: saved}

    def saved(self, found: Result, kind: str, data: bytes) -> Any:
        """The button that saves a file."""
        path = self.shelf.put(downloads.file_name(found, kind), data)
        return gr.update(value=path, interactive=True, label=save(kind))

    def shown(self, visit: Visit, slot: Slot) -> Updates:
        """Picture and facts of a card, as the page wants to see it."""
        card, look = visit.cards[slot.offer.name], visit.look
        shown = cards.shown(visit, card, look, slot.number)
        path = self.shelf.show(f"{slot.offer.name}-{look.view.lower().replace(' ', '-')}", shown.picture)
        judged = scores(card, truth.union(), truth.ignore) if (truth := visit.truth) else None
        return {slot.picture: gr.update(value=path, alt_text=shown.alt),
                slot.facts: cards.facts(card, judged, shown.legend)}  # fmt: skip

    def agree(self, visit: Visit) -> Updates:
        """On which pixels the pipelines agree that have a result."""
        form = self.form
        made = list(visit.cards.items())  # of which a run may add one at any moment
        masks = {name: card.foreground for name, card in made if card.foreground is not None}
        if len(masks) < 2:
            return {form.agreement: gr.update(value=None, visible=False),
                    form.agreed: "<p>Run two pipelines or more to see on which pixels they agree.</p>"}  # fmt: skip
        found = comparisons.agreement(masks)
        share = found.share_of_found
        of_found = "nothing was found" if share is None else f"{share:.1%} of what any found"
        names = escape(", ".join(masks))
        said = f"<p>All agree on {found.share:.1%} of the picture; all found {of_found}: {names}.</p>"
        alt = f"How many of {len(masks)} pipelines found each pixel; all agree on {found.share:.1%}"
        path = self.shelf.show("agreement", found.picture)
        return {form.agreement: gr.update(value=path, visible=True, alt_text=alt),
                form.agreed: said + cards.legend_html(found.legend)}  # fmt: skip


@dataclass
class _Drawn:
    """Cards that have come, as they stand by now: a knob, a view or a kind of file may have been moved since.

    Each message of a run holds all of them, for a late browser takes away from an update what the next one lacks.

    Attributes:
        results: that draws them.
        visit: that they are of.
        slots: of those that have come.
        held: what each was drawn from, and what came of it; nothing is drawn twice.
    """

    results: Results
    visit: Visit
    slots: list[Slot] = field(default_factory=list)
    held: dict[str, tuple[tuple[Any, ...], Updates]] = field(default_factory=dict)

    def now(self) -> Updates:
        """The updates, which nobody else holds."""
        found: Updates = {}
        for slot in self.slots:
            name, visit = slot.offer.name, self.visit
            of = visit.cards[name], visit.look, visit.kinds.get(name), visit.truth_from
            held = self.held.get(name)
            if held is None or held[0][0] is not of[0] or held[0][1:] != of[1:]:
                held = self.held[name] = of, self.results.tried(visit, slot)
            found |= _again(held[1])
        return found


def _again(updates: Updates) -> Updates:
    """The updates, to be sent once more: Gradio takes the value out of each that it sends."""
    return {part: dict(update) if isinstance(update, dict) else update for part, update in updates.items()}


def blank(slot: Slot, facts: str) -> Updates:
    """A card without a result.

    Args:
        slot: of it.
        facts: what it says, as HTML.
    """
    return {slot.picture: gr.update(value=None), slot.facts: facts,
            slot.file: gr.update(value=None, interactive=False)}  # fmt: skip
