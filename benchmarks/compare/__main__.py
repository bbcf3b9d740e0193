"""Two rows on the same images: what differs, and how sure that is. ``python -m benchmarks.compare RUN:A RUN:B``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.command import application, console, emit, main

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from benchmarks.compare.comparison import Comparison, Measured
    from benchmarks.compare.gates import Gate
    from benchmarks.compare.side import Side

app = application()
EXACT = " *"
"""Beside an exact bound: no resample differs, so that it is none of the intervals that the others are."""


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="RUN:LABEL, or a RUN with one row: what is judged.")],
    b: Annotated[str, typer.Argument(help="The same: what it is held against.")],
    run: Annotated[Path | None, typer.Option(help="A and B are then two of its labels.", show_default=False)] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="A metric, or all; may be repeated. Default: the leaderboard's.", show_default=False),
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(help="METRIC<LIMIT of A less B, or latency_ratio>LIMIT of A over B.", show_default=False),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> int:
    """Compare two rows image by image: differences of A less B with 95 % intervals, and the ratio of their times.

    RUN is the folder of a run, or of runs, of which the newest is taken. A difference counts where both its interval
    excludes that nothing differs and its p-value is at most 0.05; else it is a tie. A gate of --fail-if is violated,
    and the exit code 1, where a difference is beyond the limit and counts: --fail-if "miou<-0.01"
    --fail-if "latency_ratio>1.1".
    """
    from benchmarks.compare import comparison
    from benchmarks.compare.gates import LATENCY_RATIO, judged, parse_gates
    from benchmarks.compare.side import find_side
    from benchmarks.metrics import METRICS

    gates = parse_gates(fail_if or (), METRICS)
    sides = find_side(a, run), find_side(b, run)
    found = comparison.compare(*sides, _metrics(metric or [], gates))
    differences = {name: one.difference for name, one in found.metrics.items()}
    results = judged(gates, {**differences, LATENCY_RATIO: found.latency.difference})
    if as_json:
        emit(comparison.document(*sides, found, results))
    _show(sides, found, results, quiet=quiet, to_stderr=as_json)
    return int(any(result["violated"] for result in results))


def _metrics(asked: Sequence[str], gates: Sequence[Gate]) -> tuple[str, ...]:
    """What is compared: what is asked for, else the leaderboard's; and what a gate judges.

    Raises:
        UnknownNameError: there is no such metric.
    """
    from benchmarks.leaderboard import HEADLINES
    from benchmarks.metrics import METRICS
    from pipelines.errors import UnknownNameError

    for name in asked:
        if name not in METRICS and name != "all":
            raise UnknownNameError("metric", name, [*METRICS, "all"])
    names = tuple(METRICS) if "all" in asked else tuple(asked) or HEADLINES
    return tuple(dict.fromkeys((*names, *(gate.name for gate in gates if gate.name in METRICS))))


def _show(sides: tuple[Side, Side], found: Comparison, results: Sequence[Mapping[str, Any]], *, quiet: bool,
          to_stderr: bool) -> None:  # fmt: skip
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    screen = console(quiet=quiet, to_stderr=to_stderr)
    first, second = (side.configuration.label for side in sides)
    title = f"A = {escape(first)}, B = {escape(second)}: {found.n} images in {found.n_groups} groups"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("", "A", "B", "A - B", "95 %", "p", "A is"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    for name, one in found.metrics.items():
        table.add_row(name, *_cells(one))
    ratio = list(_cells(found.latency))
    table.add_row("latency, A / B", *ratio[:-1], {"better": "faster", "worse": "slower"}.get(ratio[-1], ratio[-1]))
    screen.print(table)
    for line in _lines(found, results):
        screen.print(line, markup=False, soft_wrap=True)


def _cells(one: Measured) -> Iterator[str]:
    gap, sign = one.difference, "" if one.a is None else "+"
    yield from ("-" if value is None else f"{value:.4f}" for value in (one.a, one.b))
    yield "-" if gap.value is None else f"{gap.value:{sign}.4f}"
    yield "-" if gap.ci is None else f"{gap.ci[0]:{sign}.4f} {gap.ci[1]:{sign}.4f}{EXACT * (gap.method == 'exact')}"
    yield "-" if gap.p is None else "<.0001" if gap.p < 1e-4 else f"{gap.p:.4f}"
    yield "-" if gap.value is None else one.verdict


def _lines(found: Comparison, results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if found.n_groups and any(one.difference.few_groups for one in found.metrics.values() if one.difference.n):
        yield f"few groups ({found.n_groups}): read the intervals as rough"
    if any(one.difference.method == "exact" for one in found.metrics.values()):
        yield f"{EXACT.strip()} exact bound, no interval: no group differs otherwise, and so far groups not seen could"
    if found.latency.difference.reason:
        yield f"latency: {found.latency.difference.reason}"
    yield from found.notes
    for result in results:
        word = "VIOLATED" if result["violated"] else "passed"
        yield f"{word}: {result['gate']} ({result['value']:.4f}: {result['why']})"


if __name__ == "__main__":
    main(app)
