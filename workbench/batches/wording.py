"""What the tab Batch says, as HTML in which nothing of a visitor is markup: how far it is, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Literal

from workbench.batches.contact_sheet import STATUS
from workbench.batches.folder import RESULTS, BatchFolder, Row, Rows
from workbench.batches.intake import BatchLimits
from workbench.batches.store import Progress

EACH = 12
"""Pictures of a page on the screen."""

SHOWN = ("All", "Without a result", "With a result")
Shown = Literal["All", "Without a result", "With a result"]
MOST_SKIPPED, MOST_REASON = 50, 160
AS_BUTTON = (
    "display: inline-block; min-height: 40px; padding: 8px 16px; box-sizing: border-box; text-decoration: none; "
    "border-radius: var(--button-small-radius); background: var(--button-secondary-background-fill); "
    "border: 1px solid var(--button-secondary-border-color); color: var(--button-secondary-text-color)"
)
NOTHING = "<p>Nothing yet. Each picture has a line here as soon as it was looked at.</p>"


def limited(limits: BatchLimits, sent_mb: int) -> str:
    """What a batch may take, and how long it is kept.

    Args:
        limits: of it.
        sent_mb: that may be sent at once, in 10**6 bytes.
    """
    return (f"<p>At most {sent_mb} MB may be sent at once, pictures or an archive. In a batch are at most "
            f"{limits.pictures} pictures with {limits.bytes / 1e6:,.0f} MB together, unpacked, and {limits.looks:,} "
            f"looks: pictures times pipelines. They are kept on this server for {limits.keep_s / 3600:g} hours, unless "
            "room is needed before, for whoever has the number of the batch.</p>")  # fmt: skip


def status(progress: Progress) -> str:
    """One line that is read aloud, and how far it is.

    Args:
        progress: of the batch.
    """
    done, of = progress.done, progress.of
    without = f" · {progress.without} without a result" if progress.without else ""
    bar = f'<progress max="{of}" value="{done}" aria-label="Done"></progress>'
    said = f"{done} of {of} looks done{without} (a look is one picture by one pipeline)"
    return f'<p role="status">{_state(progress)}</p><p>{said}</p>{bar}'


def _state(progress: Progress) -> str:
    words = {
        "waiting": f"Waiting: {_batches(progress.ahead)} before this one." if progress.ahead else "Starting …",
        "running": f"Working{_left(progress.seconds_left)} …",
        "stopped": "Stopped. All that was done is kept; press Go on for the rest.",
        "finished": "All done.",
        "broken off": f"Broken off. {escape(progress.trouble or '')}",
    }
    return words[progress.state]


def _batches(number: int) -> str:
    return f"{number} batch{'es' * (number > 1)}"


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 90:
        return f", about {max(1, round(seconds))} s left"
    return f", about {round(seconds / 60)} min left"


def refused(words: str) -> str:
    """Why a batch was not begun or opened."""
    return f'<p role="alert" class="batch-refused">{escape(words)}</p>'


def cannot(reason: str) -> str:
    """Why a pipeline cannot be chosen, folded up."""
    return f"<details><summary>Cannot run here</summary>{escape(reason)}</details>"


def kept(batch: BatchFolder, until_s: float) -> str:
    """How it is opened again, and what was left out of it.

    Args:
        batch: that is open.
        until_s: when it may be swept away, in seconds as `time.time`.
    """
    moment = datetime.fromtimestamp(until_s, UTC)
    said = (f"<p>This batch is number <code>{escape(batch.number)}</code>. "
            f'<a href="?batch={escape(batch.number)}">This link</a> opens it again, after a reload or a restart, '
            f"until {moment:%d %B, %H:%M} UTC, unless room is needed before. "
            "Whoever has the link can see it.</p>")  # fmt: skip
    return said + _skipped(batch.ticket.skipped)


def _skipped(skipped: dict[str, str]) -> str:
    if not skipped:
        return ""
    lines = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in list(skipped.items())[:MOST_SKIPPED])
    more = f"<li>and {len(skipped) - MOST_SKIPPED} more</li>" if len(skipped) > MOST_SKIPPED else ""
    files = f"{len(skipped)} file{'s' * (len(skipped) > 1)}"
    return f"<details><summary>Left out: {files}</summary><ul>{lines}{more}</ul></details>"


def chosen(batch: BatchFolder, rows: Rows, shown: str) -> list[int]:
    """Places of the pictures that are to be shown.

    Args:
        batch: whose they are.
        rows: that are there.
        shown: of `SHOWN`.
    """
    places = range(len(batch.ticket.pictures))
    if shown == "All":
        return list(places)
    orders = range(len(batch.ticket.asked))
    wanted = shown == "With a result"
    found = {place: [rows[place, order] for order in orders if (place, order) in rows] for place in places}
    return [place for place in places if any((row.status == "ok") == wanted for row in found[place])]


def table(batch: BatchFolder, rows: Rows, places: Sequence[int]) -> str:
    """One page: a line a picture, a column a pipeline.

    Args:
        batch: whose page it is.
        rows: that are there.
        places: of the pictures on the page.
    """
    if not places:
        return "<p>There is none.</p>"
    heads = "".join(f'<th scope="col">{escape(label)}</th>' for label in batch.ticket.labels)
    lines = "".join(_line(batch, rows, place) for place in places)
    return (f'<div class="batch-scroll" tabindex="0" role="region" aria-label="What came"><table class="batch">'
            f'<thead><tr><th scope="col">No.</th><th scope="col">Picture</th>{heads}</tr></thead>'
            f"<tbody>{lines}</tbody></table></div>")  # fmt: skip


def _line(batch: BatchFolder, rows: Rows, place: int) -> str:
    cells = "".join(f"<td>{_cell(rows.get((place, order)))}</td>" for order in range(len(batch.ticket.asked)))
    name = escape(batch.ticket.pictures[place].name)
    return f'<tr><td>{place + 1}</td><th scope="row">{name}</th>{cells}</tr>'


def _cell(row: Row | None) -> str:
    state = STATUS[row.status if row else None]
    if row is None:
        return f'<span class="state waiting">{state}</span>'
    if row.status == "ok" and row.share is not None:
        figures = f"{row.found} found, {row.share:.1%} of the picture, {row.seconds:.2f} s"
        return f'<span class="state ok">{state}</span> {figures}'
    reason = row.reason or ""
    short = f"{reason[: MOST_REASON - 1]}…" if len(reason) > MOST_REASON else reason
    return f'<span class="state failed">✕ {state}</span> {escape(short)}'


def place_words(places: Sequence[int], page: int) -> str:
    """Where one is among the pages."""
    if not places:
        return "<p>No picture</p>"
    first = page * EACH
    return f"<p>Pictures {first + 1} to {min(first + EACH, len(places))} of {len(places)}</p>"


def saving(batch: BatchFolder, size: int) -> str:
    """The link that saves the ZIP of a batch.

    Args:
        batch: whose ZIP it is, as `batch_files` serves it.
        size: of it in bytes.
    """
    told = f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"
    return f'<a href="batch/{escape(batch.number)}/{RESULTS}" download style="{AS_BUTTON}">Save the ZIP ({told})</a>'


def alt(batch: BatchFolder, places: Sequence[int]) -> str:
    """The contact sheet in words."""
    names = ", ".join(batch.ticket.pictures[place].name for place in places[:3])
    return (f"Contact sheet of {len(places)} pictures ({names}{' and so on' if len(places) > 3 else ''}) by "
            f"{', '.join(batch.ticket.labels)}; the table above says the same in words")  # fmt: skip
