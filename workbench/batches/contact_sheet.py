"""The contact sheet of a batch: a row a picture, a column a pipeline, in each what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from benchmarks.export.format import plain
from workbench.batches.folder import BatchFolder, Row, Rows
from workbench.batches.run import SMALL_SIDE
from workbench.views.render import colour_of

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BitmapFont

    Font = FreeTypeFont | BitmapFont

STATUS = {"ok": "done", "failed": "failed", "unavailable": "cannot run", "refused": "not taken", None: "not done yet"}
QUALITY = 85
MARGIN, GAP, LINE, HEAD = 12, 10, 15, 34
WIDE, LEAST_HIGH = SMALL_SIDE + 30, 90
_TEXT, _FAINT, _PAPER, _RULE, _BAD, _BAD_GROUND = "#1a1a1a", "#555555", "#ffffff", "#bbbbbb", "#a32020", "#fbeaea"
_LETTERS = 28
"""That fit into a column."""


def sheet(batch: BatchFolder, rows: Rows, places: Sequence[int]) -> bytes:
    """One page as JPEG.

    Args:
        batch: whose page it is.
        rows: that are there.
        places: of the pictures on the page, in the ticket.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    labels = ["Picture", *batch.ticket.labels]
    smalls = [_opened(batch.small(None, place)) for place in places]
    high = max([LEAST_HIGH, *(one.height for one in smalls if one)]) + 2 * LINE + 4
    size = 2 * MARGIN + len(labels) * (WIDE + GAP) - GAP, 2 * MARGIN + HEAD + max(1, len(places)) * (high + GAP)
    page = Pillow.new("RGB", size, _PAPER)
    draw, font, strong = ImageDraw.Draw(page), ImageFont.load_default(12), ImageFont.load_default(14)
    for column, label in enumerate(labels):
        _title(draw, strong, column, label)
    for line, (place, small) in enumerate(zip(places, smalls, strict=True)):
        top = MARGIN + HEAD + line * (high + GAP)
        draw.line((MARGIN, top - GAP // 2, size[0] - MARGIN, top - GAP // 2), _RULE)
        name = f"{place + 1} · {plain(batch.ticket.pictures[place].name)}"
        _cell(page, draw, font, (MARGIN, top), small, [_short(name)])
        for order in range(len(batch.ticket.asked)):
            at, row = (MARGIN + (order + 1) * (WIDE + GAP), top), rows.get((place, order))
            if row is not None and row.status != "ok":
                _marked(draw, font, at, high, said(row))
            else:
                _cell(page, draw, font, at, _opened(batch.small(order, place)) if row else None, said(row))
    out = BytesIO()
    page.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def pages(pictures: int, each: int) -> list[range]:
    """Places of pictures by page.

    Args:
        pictures: of the batch.
        each: pictures of a page.
    """
    return [range(start, min(start + each, pictures)) for start in range(0, pictures, each)]


def said(row: Row | None) -> list[str]:
    """What is written below a small picture: status, and figures or the reason."""
    status = STATUS[row.status if row else None]
    if row is None:
        return [status]
    if row.status == "ok" and row.share is not None:
        return [f"{status} · {row.seconds:.2f} s", f"{row.found} found · {row.share:.1%}"]
    return [f"✕ {status}", *wrap(plain(row.reason or ""), _LETTERS)]


def _title(draw: ImageDraw, font: Font, column: int, label: str) -> None:
    left = MARGIN + column * (WIDE + GAP)
    if column:
        draw.rectangle((left, MARGIN + 3, left + 12, MARGIN + 15), colour_of(column - 1), _TEXT)
    draw.text((left + (18 if column else 0), MARGIN), _short(plain(label), 22), _TEXT, font)


def _opened(path: Path) -> Any:
    """A small picture, or None where there is none."""
    from PIL import Image as Pillow

    if not path.is_file():
        return None
    with Pillow.open(path) as picture:
        return picture.convert("RGB")


def _cell(page: Any, draw: ImageDraw, font: Font, at: tuple[int, int], small: Any, lines: Sequence[str]) -> None:
    left, top = at
    high = LEAST_HIGH if small is None else small.height
    if small is None:
        draw.rectangle((left, top, left + SMALL_SIDE - 1, top + high - 1), None, _RULE)
    else:
        page.paste(small, at)
    for number, line in enumerate(lines):
        draw.text((left, top + high + 3 + number * LINE), line, _TEXT if not number else _FAINT, font)


def _marked(draw: ImageDraw, font: Font, at: tuple[int, int], high: int, lines: Sequence[str]) -> None:
    """Told by a cross, a frame and words, and not by colour alone."""
    left, top = at
    box = (left, top, left + WIDE - 1, top + high - 1)
    draw.rectangle(box, _BAD_GROUND, _BAD, 2)
    draw.line((left + 8, top + 8, left + 20, top + 20), _BAD, 3)
    draw.line((left + 20, top + 8, left + 8, top + 20), _BAD, 3)
    most = (high - 14) // LINE
    shown = [lines[0].removeprefix("✕ "), *lines[1:]]
    if len(shown) > most:
        shown = [*shown[: most - 1], f"{shown[most - 1][: _LETTERS - 1]}…"]
    for number, line in enumerate(shown):
        draw.text(
            (left + (28 if not number else 8), top + 7 + number * LINE), line, _BAD if not number else _TEXT, font
        )


def _short(text: str, letters: int = _LETTERS) -> str:
    return text if len(text) <= letters else f"{text[: letters // 2 - 1]}…{text[-(letters // 2) :]}"
