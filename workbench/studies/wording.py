"""What is said of a study, as HTML in which nothing of a dataset is markup: verdict, progress, rows of a benchmark."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from rich.console import Console
from rich.text import Text

from benchmarks.profile.blocking import blocking, told
from benchmarks.profile.page_answer import answer
from benchmarks.profile.page_parts import kind_of, kinds_of
from benchmarks.profile.page_suspects import Gallery
from benchmarks.records import RunManifest
from benchmarks.rows import Row
from benchmarks.table import leaderboard_table, print_leaderboard
from workbench.studies.commands import plain
from workbench.studies.study import Document, Study, suspected

WIDTH = 150
MOST_TICKED = 200
LONGEST = 160
BESIDE = "One benchmark runs at a time; looks of other visitors may run beside it and lengthen its times."
STYLE = Path(__file__).with_name("study.css")
"""Of what is said here; it goes with the tab."""


def _boxed(inner: str) -> str:
    return f'<div class="study">{inner}</div>'


def address(study: Study, file: str, part: str = "") -> str:
    """Where a file of a study is served, as the app's own page asks for it.

    Args:
        study: whose it is.
        file: as `study_files` serves it.
        part: of it, with its ``#``.
    """
    return f"study/{study.number}/{file}{part}"


def summary(study: Study, document: Document) -> str:
    """The answer of the profile as its page gives it; what leads further leads into that page."""
    head = str(answer(document, Gallery({}, {})))
    links = head.replace('<a href="#', f'<a target="_blank" rel="noopener" href="{address(study, "profile.html", "#")}')
    return _boxed(links)


def files(study: Study) -> str:
    """What can be taken home of a profile."""
    page, data = address(study, "profile.html"), address(study, "profile.json")
    return _boxed(
        f'<p><a href="{page}" target="_blank" rel="noopener">Open the whole report in a new tab</a> · '
        f'<a href="{page}?save=1" download>Save the report (HTML)</a> · '
        f'<a href="{data}?save=1" download>Save all figures (JSON)</a></p>'
    )


def viewer(study: Study) -> str:
    """The whole report, in a frame in which nothing runs and from which nothing is asked."""
    return _boxed(f'<iframe sandbox="" referrerpolicy="no-referrer" title="The whole profile of the dataset" '
                  f'src="{address(study, "profile.html")}"></iframe>')  # fmt: skip


def choices(document: Document) -> list[tuple[str, str]]:
    """Suspects to tick: what is read, and the id; no more than a page can hold."""
    kinds = {document["suspects"][places[0]]["kind"]: kind_of(name, document).title
             for name, places in kinds_of(document).items()}  # fmt: skip
    found = []
    for sample, reasons in list(suspected(document).items())[:MOST_TICKED]:
        said = reasons
        for name, title in kinds.items():
            said = said.replace(f"{name}: ", f"{title}: ")
        found.append((_short(f"{sample} — {said}"), sample))
    return found


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def listed(study: Study, document: Document, ticked: int) -> str:
    """What the list to leave out holds."""
    blocked = [one for one in blocking(document) if one["exclude"]]
    beyond = max(0, len(suspected(document)) - MOST_TICKED)
    said = f"{ticked} of {document['n']} images are left out of a benchmark."
    if beyond:
        said += f" {beyond} more suspects are not shown here; those that the report marks are left out too."
    rows = "".join(f"<li>{escape(told(one))}</li>" for one in blocked)
    more = f"<p>Left out too, since no benchmark starts with them:</p><ul>{rows}</ul>" if rows else ""
    link = f'<a href="{address(study, "exclude.txt")}?save=1" download>Save the list to leave out</a>'
    return _boxed(f"<p>{said} {link}</p>{more}")


def profile_state(study: Study | None) -> str:
    """How far the profile is, or how it went, in a sentence and a bar."""
    if study is None:
        return _said("Choose a dataset and press Profile: nothing is judged yet.")
    if study.record.last == "profile" and study.is_busy:
        return _under_way(study, "profile")
    if study.record.last == "profile" and study.record.failed:
        return _said(study.record.failed, "alert")
    if not study.page.is_file():
        return _said("There is no profile: it was called off. Press Profile to begin anew.")
    return _said(f"The profile of “{study.record.name}” is done.")


def run_state(study: Study | None) -> str:
    """How far the benchmark is, or how it went."""
    if study is None or (study.record.wanted is None and not study.page.is_file()):
        return _said("Choose a dataset and profile it first.")
    if study.record.last == "benchmark" and study.is_busy:
        return _under_way(study, "benchmark")
    if study.record.last == "benchmark" and study.record.failed:
        return _said(study.record.failed, "alert")
    if study.record.run is not None:
        return _said("The benchmark is done. Its rows are below, and on the leaderboard as yours.")
    return _said(f"Tick pipelines and press Start: they are tried on “{study.record.name}”.")


def _said(words: str, role: str = "status", bar: str = "") -> str:
    return _boxed(f'<p role="{role}"><strong>{escape(words)}</strong></p>{bar}')


def _under_way(study: Study, what: str) -> str:
    if study.before:
        others = "1 other is" if study.before == 1 else f"{study.before} others are"
        rule = BESIDE if what == "benchmark" else "One is made at a time."
        return _said(f"Your {what} waits: {others} before you. {rule}")
    found = study.progress()
    if found is None:
        return _said(f"The {what} begins …")
    done, of, counted = found
    bar = f'<progress value="{done}" max="{of}" aria-label="Progress of the {what}"></progress>'
    return _said(f"{done} of {of} {counted} …", bar=bar)


def rows_table(manifest: RunManifest, rows: Sequence[Row], folder: Path) -> str:
    """The rows of a run as its command prints them, and below all that it says of them.

    Args:
        manifest: of the run.
        rows: of it.
        folder: of the study.
    """
    made = leaderboard_table(manifest, rows)
    names = "".join(f'<th scope="col">{_plain(str(column.header))}</th>' for column in made.columns)
    cells = zip(*(list(column.cells) for column in made.columns), strict=True)
    lines = "".join(f"<tr>{''.join(f'<td>{_plain(str(cell))}</td>' for cell in line)}</tr>" for line in cells)
    head = f"<caption>{_plain(str(made.title))}</caption><thead><tr>{names}</tr></thead>"
    table = f"<table>{head}<tbody>{lines}</tbody></table>"
    return _boxed(f'<div class="scroll" tabindex="0" role="region" aria-label="Results">{table}</div>'
                  f"{_reasons(rows, folder)}<details><summary>All that the command says of them</summary>"
                  f'<pre tabindex="0">{escape(_printed(manifest, rows))}</pre></details>')  # fmt: skip


def _reasons(rows: Sequence[Row], folder: Path) -> str:
    told = [(row.label, plain(row.reason, folder)) for row in rows if row.reason]
    items = "".join(f"<li>{escape(label)}: {escape(reason)}</li>" for label, reason in told)
    return f"<p>Without a result:</p><ul>{items}</ul>" if items else ""


def _printed(manifest: RunManifest, rows: Sequence[Row]) -> str:
    screen = Console(file=io.StringIO(), width=WIDTH, color_system=None, highlight=False)
    print_leaderboard(screen, manifest, rows)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def _plain(marked: str) -> str:
    """A cell of a terminal's table, as HTML."""
    return escape(Text.from_markup(marked).plain)
