"""What to ship among the rows of a run, how sure, and what would change it. ``python -m benchmarks.recommend RUN``."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.command import application, console, emit, main

if TYPE_CHECKING:
    from benchmarks.recommend.advice import Recommendation, RunnerUp

app = application()


class Device(StrEnum):
    """Values of ``--device``."""

    cpu = "cpu"
    cuda = "cuda"


@app.command()
def recommend(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or of runs, of which the newest is taken.")],
    max_latency_ms: Annotated[float | None, typer.Option(help="Of the median image.", show_default=False)] = None,
    max_memory_mb: Annotated[
        float | None, typer.Option(help="Of the process on a CPU, of the device on one.", show_default=False)
    ] = None,
    min_throughput: Annotated[float | None, typer.Option(help="Images a second.", show_default=False)] = None,
    min_miou: Annotated[float | None, typer.Option(help="Between 0 and 1.", show_default=False)] = None,
    commercial: Annotated[bool, typer.Option("--commercial", help="Only licences that clearly allow it.")] = False,
    device: Annotated[Device | None, typer.Option(help="Only what ran on it.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> int:
    """Say which pipeline of a finished run to ship, why, how sure that is, and what would change the answer.

    The best mIoU wins, or what is cheaper among those that the images do not tell apart from it and whose own mIoU is
    lower by 0.02 at most.
    """
    from benchmarks.recommend.choice import Limits
    from benchmarks.recommend.of_run import document, recommendation
    from benchmarks.run_folder import find_run, newest_note, rows_of
    from benchmarks.store import RunStore

    limits = Limits(
        latency_ms=_positive(max_latency_ms, "--max-latency-ms"),
        memory_mb=_positive(max_memory_mb, "--max-memory-mb"),
        throughput_ips=_positive(min_throughput, "--min-throughput"),
        miou=_share(min_miou, "--min-miou"),
        commercial=commercial,
        device=device.value if device else None,
    )
    folder = find_run(run)
    store, note = RunStore(folder), newest_note(run, folder)
    manifest = store.manifest()
    found = recommendation(store, manifest, rows_of(folder), limits)
    if as_json:
        emit(document(manifest, limits, found))
    else:
        about = f"run {folder.name} of {manifest.dataset.name}, {manifest.dataset.n} images"
        _print(found, f"{note}. {about}" if note else about)
    return int(found.choice is None)


def _positive(value: float | None, option: str) -> float | None:
    from pipelines.errors import UsageError

    if value is not None and not (value > 0 and math.isfinite(value)):
        raise UsageError(f"{option} cannot be {value:g}.", "Give a number above 0.")
    return value


def _share(value: float | None, option: str) -> float | None:
    from pipelines.errors import UsageError

    if value is not None and not 0 <= value <= 1:
        raise UsageError(f"{option} cannot be {value:g}.", "Give a number from 0 to 1, such as 0.8.")
    return value


def _print(found: Recommendation, about: str) -> None:
    from rich.padding import Padding
    from rich.text import Text

    screen = console()
    screen.print(Text(_visible(about), "dim"))
    if found.choice:
        screen.print(Text(_visible(f"Ship {found.choice}."), "bold"))
    screen.print(Text(_visible(found.why)))
    for title, lines in (
        (f"How sure: {found.sure.level}", found.sure.words),
        ("What would change the answer", found.would_change),
        ("Runners-up", [_runner_up(one) for one in found.runners_up]),
        ("Left out", [f"{one.label}: {one.reason}" for one in found.excluded]),
    ):
        if lines:
            screen.print(Text(f"\n{title}", "bold"))
        for line in lines:
            screen.print(Padding(Text(_visible(line)), (0, 0, 0, 2)))


def _visible(text: str) -> str:
    """Names may hold what moves the cursor or turns the direction of writing: that is shown instead of done."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _runner_up(one: RunnerUp) -> str:
    from benchmarks.recommend.choice import number

    parts = [] if one.miou is None else [f"mIoU {one.miou:.3f} ({one.miou_difference:+.3f}{_tie(one)})"]
    parts += [] if one.latency_ms is None else [f"{number(one.latency_ms)} ms"]
    parts += [] if one.memory_mb is None else [f"{number(one.memory_mb)} MB"]
    return f"{one.label}: {', '.join([*parts, *one.licences])}"


def _tie(one: RunnerUp) -> str:
    from benchmarks.recommend.choice import NEAR

    far = abs(one.miou_difference or 0.0) > NEAR
    return (", cannot be told apart with so few groups" if far else ", a tie") * one.tied


if __name__ == "__main__":
    main(app)
