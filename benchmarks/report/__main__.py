"""The report of a run, as a page and as files, with no model. ``python -m benchmarks.report RUN...``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.command import application, console, emit, main

if TYPE_CHECKING:
    from benchmarks.report.contents import Report

app = application()


@app.command()
def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Folders of runs, or of several, of which the newest is taken.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Write here instead of into the run; of several runs, a folder each.", show_default=False),
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="Which files: html, md, csv, json, comma between.")] = "html",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> int:
    """Write report.html, one page that needs no network and no script, and the same as Markdown, CSV or JSON.

    Pictures are read again from the dataset; where it is gone or has changed, the page has none and says so.
    """
    from benchmarks.report.contents import report as report_of
    from benchmarks.report.written import folders, formats, write
    from benchmarks.run_folder import find_run, newest_note

    wanted = formats(format_)
    screen, done = console(quiet=quiet, to_stderr=as_json), []
    named = [(run, find_run(run)) for run in runs]
    places = folders([run for _, run in named], out)
    for note in filter(None, (newest_note(*one) for one in named)):
        screen.print(note, markup=False, soft_wrap=True)
    reports = [(report_of(run, pictures="html" in wanted), folder) for run, folder in places]
    for found, folder in reports:  # none is written before all could be read
        files = write(found, folder, wanted)
        done.append(_about(found, files))
        screen.print(found.answer.headline, markup=False, soft_wrap=True)
        for path in files:
            screen.print(f"  {path}", markup=False, soft_wrap=True)
    if as_json:
        emit({"schema_version": 1, "reports": done})
    return 0


def _about(found: Report, files: list[Path]) -> dict[str, Any]:
    answer = found.answer
    return {"run_id": found.facts.manifest.run_id, "headline": answer.headline, "leader": answer.leader,
            "files": [str(path) for path in files], "images_shown": len(found.gallery.cards or {}),
            "note": found.gallery.note}  # fmt: skip


if __name__ == "__main__":
    main(app)
