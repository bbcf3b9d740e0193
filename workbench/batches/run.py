"""Goes through a batch: every picture by every pipeline, a row for each, and nothing that was done is done again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from threading import Event
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from benchmarks.report import thumbnails
from benchmarks.store import Lock
from pipelines.errors import WorkbenchError
from pipelines.images import UPLOAD
from pipelines.types import Image, Mask
from workbench.batches.folder import BatchFolder, Journal, Row, Status
from workbench.files import taken
from workbench.files.downloads import FILES
from workbench.given.uploads import open_bytes
from workbench.plainly import words
from workbench.service import Card, Service
from workbench.views import render

GIVE_UP_AFTER = 10
"""Failures of a pipeline in a row: its remaining pictures are not tried, each of which may take minutes to fail."""

SMALL_SIDE, SMALL_QUALITY, SMALL_OPACITY = 150, 82, 0.5
COCO = "coco"


def go_through(batch: BatchFolder, service: Service, off: Event, loaded: int) -> None:
    """Look at all that has no whole row yet; of several processes that try, one does it.

    Args:
        batch: that is gone through.
        service: that looks; it need not keep what was seen.
        off: set by whoever calls it off; what is under way then leaves no row.
        loaded: pipelines that are kept loaded at one time.

    Raises:
        RunLockedError: another process is at it.
        OSError: the disk is full, or cannot be written.
    """
    with Lock(batch.path / ".lock"), closing(Journal(batch.journal)) as journal:
        course = _Course(batch, service, off)
        for picture, order in list(pending(batch, loaded)):
            row = None if off.is_set() else course.row(picture, order)
            if row is None:
                return
            journal.append(row)


def pending(batch: BatchFolder, loaded: int) -> Iterator[tuple[int, int]]:
    """Places of pictures and pipelines that have no row, or one whose files are not all there as they were.

    Picture by picture where all pipelines can stay loaded; else pipeline by pipeline, so that each is loaded once.

    Args:
        batch: that is gone through.
        loaded: pipelines that are kept loaded at one time.
    """
    pictures, orders, rows = range(len(batch.ticket.pictures)), range(len(batch.ticket.asked)), batch.rows()
    together = len(orders) <= loaded
    pairs = product(pictures, orders) if together else ((p, o) for o, p in product(orders, pictures))
    for pair in pairs:
        if pair not in rows or not batch.is_whole(rows[pair]):
            yield pair


class _Course:
    """What is remembered on the way."""

    def __init__(self, batch: BatchFolder, service: Service, off: Event) -> None:
        self.batch, self.service, self.off = batch, service, off
        self.opened: tuple[int, Image] | None = None
        self.in_a_row: Counter[int] = Counter()
        self.given_up: dict[int, tuple[Status, str]] = {}

    def row(self, picture: int, order: int) -> Row | None:
        """What came of one picture and one pipeline; None where it was called off."""
        start = perf_counter()
        if order in self.given_up:
            return self._row(picture, order, start, *self.given_up[order])
        try:
            image = self._image(picture)
        except WorkbenchError as error:
            return self._row(picture, order, start, "refused", words(error))
        card = self._look(image, order)
        if isinstance(card, Card) and card.status == "ok":
            self.in_a_row[order] = 0
            return self._kept(picture, order, start, image, card)
        if isinstance(card, Card) and card.status == "cancelled":
            return None
        status: Status = "unavailable" if isinstance(card, Card) and card.status == "unavailable" else "failed"
        reason = (card.reason or "") if isinstance(card, Card) else card
        self._remember(order, status, reason)
        return self._row(picture, order, start, status, reason)

    def _image(self, picture: int) -> Image:
        if self.opened is None or self.opened[0] != picture:
            with self.batch.picture(picture).open("rb") as file:
                image = open_bytes(file.read(UPLOAD.max_bytes + 1))  # not by its path, which is a number
            self.opened = picture, image
            self.batch.write(self.batch.small(None, picture), _jpeg(_small(image)), lasting=False)
        return self.opened[1]

    def _look(self, image: Image, order: int) -> Card | str:
        """A card, or in words what should not have happened."""
        ticket = self.batch.ticket
        try:
            return self.service.look(self.batch.number, image, ticket.prompt, ticket.asked[order].order, self.off)
        except Exception as error:
            return words(error)

    def _remember(self, order: int, status: Status, reason: str) -> None:
        self.in_a_row[order] += 1
        if status == "unavailable":
            self.given_up[order] = status, reason
        elif self.in_a_row[order] >= GIVE_UP_AFTER:
            said = f"Not tried, because {GIVE_UP_AFTER} pictures in a row had failed. The last one: {reason}"
            self.given_up[order] = status, said

    def _kept(self, picture: int, order: int, start: float, image: Image, card: Card) -> Row:
        """Write all files of a result, and only then say that it is there."""
        batch, mask, prediction = self.batch, card.foreground, card.prediction
        assert mask is not None and prediction is not None  # its status is "ok"
        result = taken.result(batch.ticket.pictures[picture].name, image, card)
        made = {kind: FILES[kind].make(result) for kind in (*batch.ticket.keeps, COCO)}
        files = {kind: batch.write(batch.file(kind, order, picture), data)
                 for kind, data in made.items() if data is not None}  # fmt: skip
        batch.write(batch.small(order, picture), _jpeg(_overlaid(image, mask, order)), lasting=False)
        took = {"load": card.load_ms, "infer": card.infer_ms, "decide": card.decide_ms}
        return self._row(picture, order, start, "ok", None, found=len(prediction.masks), share=float(mask.mean()),
                         size=prediction.size, flags=card.flags, files=files,
                         ms={step: round(ms, 3) for step, ms in took.items() if ms is not None})  # fmt: skip

    def _row(self, picture: int, order: int, start: float, status: Status, reason: str | None, **said: Any) -> Row:
        given, label = self.batch.ticket.pictures[picture], self.batch.ticket.labels[order]
        return Row(picture=picture, order=order, name=given.name, sha256=given.sha256, pipeline=label, status=status,
                   reason=reason, seconds=round(perf_counter() - start, 4), **said)  # fmt: skip


def _small(image: Image) -> Image:
    return thumbnails.small(image, SMALL_SIDE)


def _overlaid(image: Image, mask: Mask, number: int) -> Image:
    small = _small(image)
    return render.overlay(small, thumbnails.small_mask(mask, small)[np.newaxis], [number], SMALL_OPACITY)


def _jpeg(image: Image) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, SMALL_QUALITY]
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)[1].tobytes()
