"""A dataset's profile as Markdown: verdict, suspects by kind, advice and figures, to be pasted where pages are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.profile.blocking import blocking, told
from benchmarks.profile.page_comparison import sentences
from benchmarks.profile.page_parts import kind_of, kinds_of, value
from benchmarks.profile.readings import selection
from benchmarks.profile.verdict import verdict
from benchmarks.report.figures import chance
from benchmarks.report.markdown import escaped

MOST = 50
FIGURES = ("mean", "min", "p5", "p50", "p95", "max")


def markdown(document: Mapping[str, Any]) -> str:
    """The whole summary.

    Args:
        document: of the profile; with "comparison" it says what changed.
    """
    said, data = verdict(document), document["dataset"]
    splits = "".join(f"; {name} {n}" for name, n in data["splits"].items())
    part = f"; {' '.join(selection(document))}" if selection(document) else ""
    about = (f"{document['n']} images in {data['n_groups']} groups; {data['format']}{splits}{part}; "
             f"{document['created'][:10]}; dataset hash {data['hash']}.")  # fmt: skip
    lines = [f"# Dataset profile: {escaped(data['name'])}", "", f"**{escaped(said.headline)}**", "", escaped(about), ""]
    lines += [f"- {escaped(line)}" for line in said.reasons]
    parts = (
        _whole(document),
        _blocking(document),
        _comparison(document),
        _kinds(document),
        _suspects(document),
        _advice(document),
        _features(document),
        _splits(document),
    )
    return "\n".join([*lines, *(line for part in parts for line in part), ""])


def _whole(document: Mapping[str, Any]) -> Iterator[str]:
    found = document.get("concerns", ())
    said = [*(f"**{escaped(one['title'])}**: {escaped(one['reason'])}" for one in found),
            *(escaped(note) for note in document.get("notes", ()))]  # fmt: skip
    if said:
        yield from ("", "## Of the whole dataset", "")
        yield from (f"- {line}" for line in said)


def _blocking(document: Mapping[str, Any]) -> Iterator[str]:
    found = blocking(document)
    if found:
        yield from ("", "## What keeps a run from starting", "")
        yield from (f"- {escaped(told(one))}" for one in found[:MOST])
    if len(found) > MOST:
        yield from ("", f"{len(found) - MOST} more stand in the JSON document.")


def _comparison(document: Mapping[str, Any]) -> Iterator[str]:
    if document.get("comparison"):
        yield from ("", "## What changed", "")
        yield from (f"- {escaped(line)}" for line in sentences(document["comparison"]))


def _kinds(document: Mapping[str, Any]) -> Iterator[str]:
    if not document["suspects"]:
        return
    yield from ("", "## What is wrong", "")
    yield from table(("suspects", "severity", "number", "what it means", "what to do"), (
        (about.title, about.severity, str(len(places)), about.meaning, about.suggestion)
        for about, places in ((kind_of(kind, document), places) for kind, places in kinds_of(document).items())
    ))  # fmt: skip


def _suspects(document: Mapping[str, Any]) -> Iterator[str]:
    if not document["suspects"]:
        return
    yield from ("", "## Suspects", "")
    yield from table(("image", "kind", "severity", "why", "with", "left out"), (
        (one["sample"], one["kind"], one["severity"], one["reason"], ", ".join(one["related"][:3]) or "-",
         "yes" if one["exclude"] else "no")
        for one in document["suspects"][:MOST]
    ))  # fmt: skip
    more = len(document["suspects"]) - MOST
    if more > 0:
        yield from ("", f"{more} more stand in the JSON document.")


def _advice(document: Mapping[str, Any]) -> Iterator[str]:
    if document.get("advice"):
        yield from ("", "## For the choice of a pipeline", "")
        yield from (
            f"- **{escaped(one['title'])}** ({one['severity']}). {escaped(one['reason'])}" for one in document["advice"]
        )


def _features(document: Mapping[str, Any]) -> Iterator[str]:
    for part, title in (("images", "Pictures"), ("masks", "Masks")):
        known = [one for one in document[part]["features"] if one["all"]]
        if known:
            yield from ("", f"## {title}", "")
            yield from table(("feature", "n", *(name.replace("p50", "median") for name in FIGURES)), (
                (one["title"], str(one["all"]["n"]), *(value(one["all"][name], one["unit"]) for name in FIGURES))
                for one in known
            ))  # fmt: skip


def _splits(document: Mapping[str, Any]) -> Iterator[str]:
    rows = [row for row in document["splits"] if row["p"] is not None and row["p"] < 0.05]
    if document["splits"]:
        yield from ("", "## Splits", "")
        yield from table(("feature", "splits", "distance", "p, corrected"), (
            (row["feature"], f"{row['a']} and {row['b']}", f"{row['distance']:.3f}", chance(row["p"])) for row in rows
        )) if rows else ("No feature differs between splits by more than chance explains.",)  # fmt: skip


def table(columns: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    """A table of texts, in which no mark of Markdown is read as such."""
    yield _line(columns)
    yield f"| {' | '.join(['---'] * len(columns))} |"
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"
