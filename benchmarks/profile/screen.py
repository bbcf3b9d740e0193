"""A dataset's profile on a terminal: verdict, suspects by kind, the first of them, advice, and where the files are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.profile.blocking import blocking, told
from benchmarks.profile.page_comparison import sentences
from benchmarks.profile.page_parts import kind_of, kinds_of, value
from benchmarks.profile.readings import reading, selection
from benchmarks.profile.verdict import verdict
from benchmarks.tracking.scrubbed import utf8

FIRST, MOST_ADVICE = 5, 5
FEATURES = ("megapixels", "brightness", "blur", "area_share", "objects", "object_side_share", "object_contrast")


def print_profile(console: Console, document: Mapping[str, Any], files: Sequence[Path]) -> None:
    """Print everything that a person has to know before the page is opened."""
    said, data = verdict(document), document["dataset"]
    splits = "".join(f", {name} {n}" for name, n in data["splits"].items())
    part = f", {' '.join(selection(document))}" if selection(document) else ""
    about = f"{document['n']} images in {data['n_groups']} groups ({data['format']}{splits}{part})"
    _line(console, f"{data['name']}: {about}")
    _line(console, said.headline, style="bold")
    for reason in said.reasons:
        _line(console, f"- {reason}")
    for words in _whole(document):
        _line(console, words)
    console.print(_features(document))
    if document["suspects"]:
        console.print(_kinds(document))
        _first(console, document)
    for one in document["advice"][:MOST_ADVICE]:
        _line(console, f"{one['severity']}: {one['title']}")
    for line in sentences(document["comparison"]) if document.get("comparison") else ():
        _line(console, f"changed: {line}")
    for path in files:
        _line(console, f"written: {path}")


def _whole(document: Mapping[str, Any]) -> Iterator[str]:
    """What is odd of the whole, and what keeps a run from starting."""
    yield from (f"concern: {one['title']}. {one['reason']}" for one in document.get("concerns", ()))
    yield from (f"note: {note}" for note in document.get("notes", ()))
    found = blocking(document)
    yield from (f"keeps a run from starting: {told(one)}" for one in found[:FIRST])
    if len(found) > FIRST:
        yield f"{len(found) - FIRST} more problems in the files"


def _line(console: Console, text: str, style: str | None = None) -> None:
    console.print(utf8(text), markup=False, soft_wrap=True, style=style)


def _features(document: Mapping[str, Any]) -> Table:
    """The features that say most, as medians with what holds nine of ten."""
    titles = {
        one["name"]: (one["title"], one["unit"]) for part in ("images", "masks") for one in document[part]["features"]
    }
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("", "median", "nine of ten"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for name in FEATURES:
        found = reading(document, name)
        if found:
            title, unit = titles[name]
            table.add_row(
                title, value(found["p50"], unit), f"{value(found['p5'], unit)} to {value(found['p95'], unit)}"
            )
    return table


def _kinds(document: Mapping[str, Any]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("suspects", "severity", "n", "what to do"):
        table.add_column(name, justify="right" if name == "n" else "left", no_wrap=name != "what to do")
    for kind, places in kinds_of(document).items():
        about = kind_of(kind, document)
        table.add_row(escape(kind), about.severity, f"{len(places)}", escape(about.suggestion))
    return table


def _first(console: Console, document: Mapping[str, Any]) -> None:
    for one in document["suspects"][:FIRST]:
        related = f" (with {', '.join(one['related'][:2])})" if one["related"] else ""
        _line(console, f"{one['kind']}: {one['sample']}{related}: {one['reason']}")
    more = len(document["suspects"]) - FIRST
    if more > 0:
        _line(console, f"{more} more in the files")
