"""The leaderboard and the progress of a run on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.records import Configuration, Row, RunManifest
from benchmarks.runner import Report

COLUMNS = ("pipeline", "mIoU", "95 %", "bound.", "miss", "p50 ms", "img/s", "MB", "weights", "on")


def leaderboard_table(manifest: RunManifest, rows: Sequence[Row]) -> Table:
    """Rows that ran, best mIoU first, then those that did not, each with its reason."""
    dataset = manifest.dataset
    title = f"{escape(dataset.name)}: {dataset.n} images in {dataset.n_groups} groups ({dataset.format})"
    table = Table(title=title, caption=_caption(manifest, rows), caption_justify="left", title_justify="left",
                  box=SIMPLE_HEAD, padding=(0, 1, 0, 0))  # fmt: skip
    for index, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if 0 < index < 8 else "left", no_wrap=index > 0, overflow="fold")
    for row in sorted(rows, key=lambda row: (row.status != "ok", -(row.miou or 0.0))):
        table.add_row(
            *(_cells(row) if row.status == "ok" else (escape(row.label), row.status, *[""] * (len(COLUMNS) - 2)))
        )
    return table


def _cells(row: Row) -> tuple[str, ...]:
    latency, memory = row.latency_ms or {}, row.peak_memory_mb or {}
    rate = row.throughput_ips
    return (
        escape(row.label),
        _number(row.miou, ".3f"),
        "-".join(f"{end:.3f}".removeprefix("0") for end in row.miou_ci) if row.miou_ci else "-",
        _number(row.boundary_iou, ".3f"),
        _number(row.miss_rate, ".1%"),
        _number(latency.get("p50"), ".1f"),
        _number(rate.value if rate else None, ".1f"),
        _number(memory.get("host"), ".0f"),
        ", ".join(w.licence for w in row.weights) or "none",
        row.device,
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _caption(manifest: RunManifest, rows: Sequence[Row]) -> str:
    lines = [f"{escape(row.label)}: {escape(row.reason)}" for row in rows if row.reason]
    lines += [
        f"{escape(row.label)}: {row.errors} of {row.n} images failed and count as 0" for row in rows if row.errors
    ]
    flags = sorted({flag for row in rows for flag in row.flags})
    lines += [FLAGS[flag].format(groups=manifest.dataset.n_groups) for flag in flags]
    lines.append("bound. = boundary IoU, miss = no overlap at all, MB = peak of the process; more with --json")
    environment = manifest.environment
    lines.append(f"{environment.get('gpu') or environment['cpu']}, {environment['cores']} cores; run {manifest.run_id}")
    return "\n".join(lines)


FLAGS = {
    "few_groups": "few groups ({groups}): the interval is wide for a reason, and is itself uncertain",
    "no_masks": "the dataset has no masks: time is measured, quality is not",
    "limited": "a part of the dataset, by --limit",
    "timed_in_part": "--budget-s ended the timing before every image was timed",
    "resumed": "resumed: times are of the last process alone",
}


class _Bars:
    """One bar a configuration that is running."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total = progress, total
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, configuration: Configuration, event: dict[str, Any]) -> None:
        if configuration.id not in self.tasks:
            self.tasks[configuration.id] = self.progress.add_task(escape(configuration.label), total=self.total)
        task = self.tasks[configuration.id]
        if event["event"] == "start":
            self.progress.update(task, completed=event["done"])
        elif event["event"] == "sample":
            self.progress.advance(task)
        elif event["event"] == "timing":
            self.progress.update(task, description=f"{escape(configuration.label)}: throughput")
        elif event["event"] == "finished":
            self.progress.remove_task(task)


@contextmanager
def progress(console: Console, total: int) -> Iterator[Report]:
    """A live display with the time that is left, cleared at the end; nothing where nobody watches."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield _Bars(bars, total)
