"""Our code against named peers, as ratios with their spread. ``python -m benchmarks.peers``."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.command import application, console, emit, main

app = application()


@app.command()
def peers(
    only: Annotated[
        str | None,
        typer.Option(help="metrics, classical, clipseg, grounded_sam or rmbg. Default: all.", show_default=False),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the ratio is the median of theirs.")] = 15,
    quiet: Annotated[bool, typer.Option("--quiet", help="No table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> int:
    """Run our code and its peers in turn on the same input, compare their outputs, then their times.

    A ratio is the peer's processor time over ours; above 1 ours is faster. Exit code 1: outputs differ, or no peer ran.
    """
    from benchmarks.peers.report import document, exit_code, measured, table

    rows = measured(only, rounds, console(quiet=quiet, to_stderr=True))
    if as_json:
        emit(document(rows))
    console(quiet=quiet, to_stderr=as_json).print(table(rows))
    return exit_code(rows)


if __name__ == "__main__":
    main(app)
