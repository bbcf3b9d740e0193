"""Two results side by side without their names, one vote on them, and only then who made which."""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random, SystemRandom
from threading import Event, Lock
from typing import Literal

import numpy as np

from benchmarks.preferences.ballots import Choice
from pipelines.errors import UsageError
from pipelines.types import Image, Mask, Prompt
from workbench.catalogue import Order
from workbench.files.shelf import Shelf
from workbench.looks.process import CancelledError
from workbench.service import Card, Service, picture_hash, scores
from workbench.views import render
from workbench.visitors import MOST, Visit, Visits
from workbench.votes.book import Book, Contestant, Void, Vote
from workbench.votes.contest import Draw, Named

VIEWS = ("Overlay", "Mask", "Cut-out")
_VOTER = re.compile("[0-9a-f]{32}")
COLOUR, OPACITY = 4, 0.5
"""One for all, whoever made it, so that nobody is known by a colour."""


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes:
        contestant: who made it.
        title: of the pipeline, for people.
        pictures: path of each view.
        share: of the picture that was found.
        iou: where the true mask is known.
    """

    contestant: Contestant
    title: str
    pictures: Mapping[str, str]
    share: float
    iou: float | None

    def picture(self, view: str) -> str:
        """Path of a view.

        Raises:
            UsageError: there is no such view, or its file was removed since.
        """
        if view not in self.pictures or not Path(self.pictures[view]).is_file():
            raise UsageError("These two results are no longer kept.", "Ask for another two.")
        return self.pictures[view]


@dataclass
class Duel:
    """Two results that are shown without names.

    Attributes:
        id: nobody guesses it.
        picture: hash of its pixels.
        name: of the example, or "own picture".
        left: result A.
        right: result B.
        state: whether it can still be voted on.
        remarks: what is to be said with the names: who was left out, and why.
    """

    id: str
    picture: str
    name: str
    left: Side
    right: Side
    state: Literal["open", "voted", "named"] = "open"
    remarks: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, str]:
        """Of both sides."""
        return self.left.contestant.label, self.right.contestant.label


@dataclass
class Booth:
    """What one page has before it.

    Attributes:
        voter: random name of the visitor, which the browser keeps where it can.
        duel: that is shown, or None.
        lock: of one vote at a time.
    """

    voter: str = field(default_factory=lambda: secrets.token_hex(16))
    duel: Duel | None = None
    lock: Lock = field(default_factory=Lock)


class Duels:
    """Duels of all visitors. May be used from many threads.

    Args:
        service: that looks and decides.
        visits: pictures that visitors have open: in the tab Compare by the page, here by `visitor_of` the page.
        shelf: where pictures are given out from.
        book: where votes are kept.
        named: what pages have seen with its name, in the tab Compare too.
        chance: that draws pairs and sides.
    """

    def __init__(self, service: Service, visits: Visits, shelf: Shelf, book: Book, named: Named,
                 chance: Random | None = None) -> None:  # fmt: skip
        self.service, self.visits, self.shelf, self.book, self.named = service, visits, shelf, book, named
        self.chance = chance or SystemRandom()
        self.booths: OrderedDict[str, Booth] = OrderedDict()
        self.lock = Lock()

    def booth(self, page: str) -> Booth:
        """What a page has before it; of more than 500 those that were used longest ago are forgotten."""
        with self.lock:
            found = self.booths.setdefault(page, Booth())
            self.booths.move_to_end(page)
            while len(self.booths) > MOST:
                self.booths.popitem(last=False)
            return found

    def leave(self, page: str) -> None:
        """Forget all of a page, which is gone."""
        with self.lock:
            self.booths.pop(page, None)
        self.named.leave(page)
        self.visits.leave(visitor_of(page))

    def clear(self, page: str) -> None:
        """Take the picture away and the two with it; what the page knows by name it still knows."""
        self.booth(page).duel = None
        self.visits.leave(visitor_of(page))

    def know(self, page: str, voter: str | None) -> str:
        """The random name of a page's visitor: the one that its browser kept, if it is one, else a new one."""
        booth = self.booth(page)
        if voter and _VOTER.fullmatch(voter):
            booth.voter = voter
        return booth.voter

    def make(self, page: str, orders: Sequence[Order], prompt: Prompt) -> Duel:
        """Two results of the picture that is open here, of the pair that was asked about least.

        Args:
            page: that asks.
            orders: who may take part.
            prompt: what to look for.

        Raises:
            UsageError: there is no picture, or no two whose results this visitor does not know by name.
            UnavailableError: fewer than two can run on this picture.
            CancelledError: it was called off.
        """
        booth, visit = self.booth(page), self.visits.get(visitor_of(page))
        booth.duel, visit.off = None, Event()
        picture = picture_hash(visit.image)
        known = self._known(page, picture)
        wanted = {order.label: order for order in orders if order.label not in known}
        draw = Draw(wanted, self.book.read().votes, self.chance)
        if len(draw.orders) < 2:
            raise _nobody(len(orders), known)
        cards: dict[str, Card] = {}
        for pair in draw.pairs():
            if not self._looked(page, visit, prompt, draw, pair, cards):
                continue
            left, right = (self._side(visit, cards[label]) for label in pair)
            duel = Duel(secrets.token_hex(16), picture, visit.name, left, right, remarks=tuple(draw.failed.values()))
            if not np.array_equal(_mask(cards[pair[0]]), _mask(cards[pair[1]])):
                booth.duel = duel
                return duel
            self.book.add(_vote(duel, booth.voter, None, "same mask"))
        raise draw.over()

    def vote(self, page: str, choice: Choice) -> tuple[Duel, Vote]:
        """Count a vote; when this comes back it is on the disk, and the names may be shown.

        Args:
            page: that votes.
            choice: what is preferred.

        Raises:
            UsageError: there is nothing to vote on, or its names are shown.
            ResourceError: it could not be written, and does not count.
        """
        return self._close(page, choice)

    def give_up(self, page: str) -> tuple[Duel, Vote]:
        """Show the names without a vote; that there was none is written down.

        Raises:
            UsageError: there is nothing to name, or it is named.
            ResourceError: it could not be written.
        """
        return self._close(page, None)

    def _close(self, page: str, choice: Choice | None) -> tuple[Duel, Vote]:
        booth = self.booth(page)
        with booth.lock:
            duel = booth.duel
            if duel is None:
                raise UsageError("There is nothing to vote on.", "Press “Show me two” first.")
            if duel.state != "open":
                raise UsageError("The names of these two are shown, so that no vote on them counts.",
                                 "Ask for another two.")  # fmt: skip
            seen = self.named.of(page, duel.picture) & set(duel.labels)
            vote = _vote(duel, booth.voter, choice, "names were shown" if seen or choice is None else None)
            self.book.add(vote)
            duel.state = "named" if vote.void else "voted"
            self.named.add(page, duel.picture, duel.labels)
            return duel, vote

    def _known(self, page: str, picture: str) -> set[str]:
        """Labels whose result on a picture the visitor has seen with its name."""
        booth = self.booth(page)
        before = [vote for vote in self.book.read().votes if vote.visitor == booth.voter and vote.picture == picture]
        told = {side.label for vote in before if vote.void != "same mask" for side in (vote.left, vote.right)}
        return told | self.named.of(page, picture)

    def _looked(self, page: str, visit: Visit, prompt: Prompt, draw: Draw, pair: Sequence[str],
                cards: dict[str, Card]) -> bool:  # fmt: skip
        """Whether both have a result; who has none takes no part in this picture any more."""
        for label in pair:
            if label not in cards:
                cards[label] = self.service.look(visitor_of(page), visit.image, prompt, draw.orders[label], visit.off)
            card = cards[label]
            if card.status == "cancelled":
                raise CancelledError("It was called off.", "Press “Show me two” again.")
            if card.status != "ok":
                draw.failed[label] = f"{label} took no part: {card.reason}"
        return not draw.failed.keys() & set(pair)

    def _side(self, visit: Visit, card: Card) -> Side:
        mask, truth = _mask(card), visit.truth
        made = {view: self.shelf.show(secrets.token_hex(4), drawn(view, visit.image, mask)) for view in VIEWS}
        title = next(offer.title for offer in self.service.offers() if offer.name == card.configuration.pipeline)
        iou = scores(card, truth.union(), truth.ignore)["miou"] if truth else None
        return Side(Contestant.of(card.configuration, card.weights), title, made, float(mask.mean()), iou)


def visitor_of(page: str) -> str:
    """By what name the picture of this tab is kept, beside that of the tab Compare."""
    return f"vote {page}"


def drawn(view: str, image: Image, mask: Mask) -> Image:
    """A result as it is shown, the same for whoever made it: one colour, and one outline around all that was found.

    Args:
        view: of `VIEWS`.
        image: ``uint8 (H, W, 3)``.
        mask: ``bool (H, W)``.
    """
    if view == "Mask":
        return render.mask_picture(mask)
    if view == "Cut-out":
        return render.cut_out(image, mask, "checker")
    return render.overlay(image, mask[None], [COLOUR], OPACITY)


def _mask(card: Card) -> Mask:
    mask = card.foreground
    assert mask is not None  # its status is "ok"
    return mask


def _vote(duel: Duel, voter: str, choice: Choice | None, void: Void | None) -> Vote:
    return Vote(id=duel.id, time=datetime.now(UTC), visitor=voter, picture=duel.picture, name=duel.name,
                left=duel.left.contestant, right=duel.right.contestant, choice=choice, void=void,
                iou=(duel.left.iou, duel.right.iou))  # fmt: skip


def _nobody(asked: int, known: set[str]) -> UsageError:
    if asked < 2:
        return UsageError("There are fewer than two to choose from.", "Tick two or more under “Who takes part”.")
    return UsageError(f"You have seen results of this picture with their names: {', '.join(sorted(known))}.",
                      "Take another picture, so that you do not know who made what.")  # fmt: skip
