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

from benchmarks.records import Configuration, RunManifest
from benchmarks.rows import TUNED, Row, knew, was_tuned_here
from benchmarks.runner import Report

COLUMNS = ("pipeline", "mIoU", "95 %", "bound.", "miss", "p50 ms", "img/s", "MB", "weights", "on")
LABEL_WIDTH = 19
MARK = "†"
"""Beside the quality of a row whose preset was tuned on these images."""

MOST_CLASSES = 30
MOST_TELLING = 3
"""Background and two classes: with one class the table says nothing that IoU does not."""

DROPPED_FIRST = ("on", "bound.", "MB", "weights", "miss", "img/s", "95 %")
"""What a narrow terminal does without, in this order: a number is shown whole or not at all."""


def print_leaderboard(console: Console, manifest: RunManifest, rows: Sequence[Row]) -> None:
    """Print as many columns as fit, then what has to be said about them; below some 30 characters lines wrap."""
    columns = list(COLUMNS)
    for name in (*DROPPED_FIRST, None):
        table = leaderboard_table(manifest, rows, columns)
        needed = console.measure(table, options=console.options.update(width=10_000)).minimum
        if needed <= console.width or name is None:
            break
        columns.remove(name)
    console.print(table, width=max(needed, console.width), crop=False, overflow="ignore", no_wrap=True)
    classes = class_table(rows)
    if classes:
        console.print(classes)
    hidden = [name for name in COLUMNS if name not in columns]
    console.print(_caption(manifest, rows) + (f"\nnot shown for width: {', '.join(hidden)}" if hidden else ""))


def leaderboard_table(manifest: RunManifest, rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> Table:
    """Rows that ran, best mIoU first and after them those that knew the answer, then those that did not run."""
    dataset = manifest.dataset
    title = f"{escape(dataset.name)}: {dataset.n} images in {dataset.n_groups} groups ({dataset.format})"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    longest = max(len(row.label) for row in rows)
    for name in columns:
        if name == "pipeline":
            table.add_column(name, min_width=min(longest, LABEL_WIDTH), overflow="fold")
        else:
            table.add_column(name, justify="left" if name in ("weights", "on") else "right", no_wrap=True)
    for row in sorted(rows, key=lambda row: (row.status != "ok", row.miou is None, knew(row), -(row.miou or 0.0))):
        blank = (escape(row.label), row.status, *[""] * (len(COLUMNS) - 2))
        cells = dict(zip(COLUMNS, _cells(row) if row.status == "ok" else blank, strict=True))
        table.add_row(*(cells[name] for name in columns))
    return table


def _cells(row: Row) -> tuple[str, ...]:
    latency, memory = row.latency_ms or {}, row.peak_memory_mb or {}
    rate = row.throughput_ips
    return (
        escape(row.label),
        _number(row.miou, ".3f") + MARK * was_tuned_here(row),
        "-".join(f"{end:.3f}".removeprefix("0") for end in row.miou_ci) if row.miou_ci else "-",
        _number(row.boundary_iou, ".3f"),
        _number(row.miss_rate, ".1%"),
        _number(latency.get("p50"), ".1f"),
        _number(rate.value if rate else None, ".1f"),
        _number(memory.get("host"), ".0f"),
        ", ".join(w.licence for w in row.weights) or "none",
        row.device,
    )


def class_table(rows: Sequence[Row]) -> Table | None:
    """IoU of each class by pipeline, or None where no pipeline knows classes or there is only one."""
    judged = [row for row in rows if row.classes]
    names = [name for row in judged[:1] for name in row.classes or {}]
    if len(names) < MOST_TELLING:
        return None
    table = Table(title="IoU by class, all images together", title_justify="left", box=SIMPLE_HEAD)
    for name in ("class", "images", *(row.label for row in judged)):
        table.add_column(escape(name), justify="left" if name == "class" else "right", no_wrap=True)
    for name in names[:MOST_CLASSES]:
        found = [(row.classes or {})[name] for row in judged]
        table.add_row(escape(name), str(found[0]["recall"].n), *(_number(kinds["iou"].value, ".3f") for kinds in found))
    if len(names) > MOST_CLASSES:
        table.caption = f"{len(names) - MOST_CLASSES} more with --json"
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _caption(manifest: RunManifest, rows: Sequence[Row]) -> str:
    lines = [f"{escape(row.label)}: {escape(row.reason)}" for row in rows if row.reason]
    lines += [f"{escape(row.label)}: {row.weights[0].repo} stands in for {row.substitute_for}"
              for row in rows if row.substitute_for and row.weights]  # fmt: skip
    lines += [
        f"{escape(row.label)}: {row.errors} of {row.n} images failed and count as 0" for row in rows if row.errors
    ]
    lines += [_of_flag(flag, manifest, rows) for flag in sorted({flag for row in rows for flag in row.flags})]
    lines += [f"{left_out} on the list of --exclude"] if (left_out := said_excluded(manifest.dataset.exclude)) else []
    lines.append("bound. = boundary IoU, miss = no overlap at all, MB = peak of the process; more with --json")
    lines += _own_cost(rows)
    environment = manifest.environment
    lines.append(f"{environment.get('gpu') or environment['cpu']}, {environment['cores']} cores; run {manifest.run_id}")
    return "\n".join(lines)


def said_excluded(exclude: Sequence[str]) -> str:
    """How many images were left out by a list; nothing where there is none."""
    return f"{len(exclude)} image{'s' * (len(exclude) != 1)} left out" if exclude else ""


def _own_cost(rows: Sequence[Row]) -> list[str]:
    """What measuring costs, where it is known."""
    shares = [row.clock_ms / p50 for row in rows if row.clock_ms and (p50 := (row.latency_ms or {}).get("p50"))]
    parents = [row.parent_cpu_share for row in rows if row.parent_cpu_share is not None]
    if not shares or not parents:
        return []
    return [f"measuring: clocks {max(shares):.2%} of a call at most, parent process {max(parents):.2%} of a core"]


def _of_flag(flag: str, manifest: RunManifest, rows: Sequence[Row]) -> str:
    """What a flag means, and of which rows it is said unless of all; one of a pipeline's own stands for itself."""
    name, _, value = flag.partition(":")
    said = FLAGS[name].format(groups=manifest.dataset.n_groups, value=value) if name in FLAGS else escape(flag)
    ran = [row for row in rows if row.status == "ok"]
    raised = [escape(row.label) for row in rows if flag in row.flags]
    said = f"{MARK} {said}" if name == TUNED else said
    return said if len(raised) == len(ran) else f"{', '.join(raised)}: {said}"


FLAGS = {
    "few_groups": "few groups ({groups}): read the interval as rough",
    "no_masks": "the dataset has no masks: time is measured, quality is not",
    "limited": "a part of the dataset, by --limit",
    "timed_in_part": "--budget-s ended the timing before every image was timed",
    "few_windows": "the throughput is of fewer than six windows: it has no interval",
    "batch_failed": "a batch failed with {value}: the throughput is of smaller ones alone",
    "fewer_batches": "not every batch size of the throughput could be tried",
    "not_saturated": "the throughput still rose where the budget or the memory for larger batches ended",
    "not_interleaved": "timed alone, or with some of the others only: drift of the machine may have hit it otherwise",
    "unstable": "the last three windows differ by more than 10 %: read the times as rough",
    "disturbed": "others used the machine while it was timed, in more windows than could be repeated",
    "timed_while_scored": "too few calls were made for their time alone: those of the scored pass count too",
    "soft_maps_capped": "soft maps are not kept of every image: --soft-maps-mb has no more room",
    "resumed": "resumed: times are of the last process alone",
    "oom_backoff": "memory ended: {value} at once at most",
    "engine": "engine: {value}",
    "random": "the architecture of {value} stands for the family",
    "batch_fixed": "its file takes batches of {value} alone",
    "text_unknown": "a text has letters or signs that the network's vocabulary lacks",
    "text_truncated": "a text is longer than the network reads, and was cut",
    "caption_chunks": "more labels than one caption holds: {value} passes of the detector",
    "compiled": "compiled by torch",
    "non_commercial": "the weights may not be used commercially",
    "licence_unclear": "whether the weights may be used commercially is not clear: read their licence",
    "random_boxes": "a detector with random weights fills max_candidates: real pictures have fewer boxes to decode",
    "random_weights": "random weights: speed and memory are real, quality is not measured",
    TUNED: "its preset was tuned on {value} of these images: the quality is not that of new images",
    "preset_prompt": "asked for {value}, as its preset says; others for what the dataset says",
    "oracle_prompts": "points and boxes are taken from the target masks: what one would click who knows the answer",
}


WAITS = {"ready": "scored, waits for its turn", "window": "timed in turns"}


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
            self.progress.advance(task, event.get("n", 1))
        elif event["event"] in ("ready", "window"):
            self.progress.update(task, description=f"{escape(configuration.label)}: {WAITS[event['event']]}")
        elif event["event"] == "finished":
            self.progress.remove_task(task)


@contextmanager
def progress(console: Console, total: int) -> Iterator[Report]:
    """A live display with the time that is left, cleared at the end; nothing where nobody watches."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield _Bars(bars, total)
