"""One row from near: its worst and best images, what failed, how it was made, and every figure as it is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.datasets import Dataset
from benchmarks.report import page_charts, page_gallery, page_table
from benchmarks.report.answer import Answer
from benchmarks.report.command_line import command_line
from benchmarks.report.contents import Report
from benchmarks.report.facts import Facts
from benchmarks.report.gallery import gallery, open_again
from benchmarks.report.markup import Child, Markup, element, fragment
from benchmarks.tracking.scrubbed import scrubbed
from workbench.boards.chart import records
from workbench.boards.stored import ORIGINS, Entry
from workbench.boards.table import how

MOST_IMAGES = 5000
"""Of a dataset that is opened for its pictures: it is hashed whole, to see that it is what the run saw."""


YOURS = "It has no link, as it is yours alone: that of the tab Dataset opens your study again, and this run with it."


def closer(entry: Entry) -> Markup:
    """All that is known of a row, as a report tells it.

    Raises:
        UsageError: the records are gone.
    """
    head = fragment(element("h3", entry.row.label), _about(entry))
    if entry.row.status != "ok":
        return fragment(head, every_figure(entry))
    facts = Facts(entry.run.store, entry.run.manifest, (records(entry),))
    images = gallery(facts, *pictures(facts))
    report = Report(facts, (), Answer("", None), images, {})
    return fragment(
        head,
        page_gallery.images(report),
        _titled("How quality is spread over images", page_charts.spread(report)),
        _titled("What failed", page_table.failures(report)),
        page_table.metrics(report),
        every_figure(entry),
    )


def pictures(facts: Facts) -> tuple[Dataset | None, str | None]:
    """The dataset of a run where it can be opened here, or None and why."""
    dataset = facts.manifest.dataset
    if dataset.format.startswith("hf") or dataset.spec.startswith("hf"):
        return None, "the images are on the hub, and this page fetches nothing; benchmarks.report shows them."
    if dataset.n > MOST_IMAGES:
        return None, f"the dataset has more than {MOST_IMAGES} images; benchmarks.report shows them."
    return open_again(facts)


def _titled(title: str, content: Markup) -> Markup:
    return fragment(element("h4", title), content) if content else Markup("")


def _about(entry: Entry) -> Markup:
    run = entry.run
    when = f"Run {run.folder.name} of {run.manifest.created[:10]}, {ORIGINS[run.origin]}."
    link = element("a", "Link to this run", href=f"?tab=leaderboard&run={run.id}") if run.origin != "yours" else YOURS
    command = element("pre", str(scrubbed(command_line(run.manifest, shared=True))))
    again = element("details", element("summary", "Do it again"), command)
    return fragment(element("p", f"{how(entry)} {when} ", link), again)


def every_figure(entry: Entry) -> Markup:
    """Each field of a row as ``report --json`` has it, folded away."""
    rows: list[list[Child]] = [[name, said] for name, said in fields(entry)]
    shown = page_table.table("Every field of the row", ("Field", "Value"), rows, frozenset(), kind="text")
    return element("details", element("summary", f"Show all {len(rows)} fields, as report --json has them"), shown)


def fields(entry: Entry) -> Iterator[tuple[str, str]]:
    """Name and value of each field; what is not known says so in words, and is never 0."""
    for name, value in flat(entry.row.model_dump(mode="json")):
        text = json.dumps(scrubbed(value), ensure_ascii=False)
        yield name, "not measured or not defined" if value is None else text


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Values by their path, as ``latency_ms.p50``; lists as they are."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
