"""Where the files of a report go, and the report as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

from benchmarks.leaderboard import document
from benchmarks.report.command_line import command_line
from benchmarks.report.contents import Report
from benchmarks.report.markdown import markdown
from benchmarks.report.page import page
from benchmarks.store import write_whole
from pipelines.errors import UnknownNameError, UsageError

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet reads as the start of a formula."""

COLUMNS = ("label", "pipeline", "preset", "status", "reason", "substitute_for", "n", "scored", "errors", "miou")
LATER = ("iou_pooled", "dice", "precision", "recall", "boundary_iou", "miss_rate", "load_s", "first_ms", "size_mb",
         "device", "dtype")  # fmt: skip


def formats(text: str) -> tuple[str, ...]:
    """Read ``html,md,csv,json``.

    Raises:
        UnknownNameError: another format.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in WRITERS:
            raise UnknownNameError("report format", name, WRITERS)
    return names


def folders(runs: Sequence[Path], out: Path | None) -> list[tuple[Path, Path]]:
    """Each run with the folder that its report goes to; a run that is named twice comes once.

    Raises:
        UsageError: two runs would go to one folder.
    """
    distinct = list({run.resolve(): run for run in runs}.values())
    if out is None:
        return [(run, run) for run in distinct]
    if len(distinct) == 1:
        return [(distinct[0], out)]
    names = [run.resolve().name for run in distinct]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"Two runs are called {name}.", "Write their reports one after another, to two folders.")
    return [(run, out / name) for run, name in zip(distinct, names, strict=True)]


def write(report: Report, folder: Path, wanted: Sequence[str]) -> list[Path]:
    """Write the files of some formats, each whole or not at all.

    Args:
        report: what to say.
        folder: made where it is missing.
        wanted: of `WRITERS`.

    Returns:
        The files, in order.
    """
    done = []
    for name in wanted:
        for file, make in WRITERS[name].items():
            write_whole(folder / file, make(report))
            done.append(folder / file)
    return done


def rows_csv(report: Report) -> str:
    """The leaderboard, a line a pipeline, with all metrics and both ends of their intervals."""
    names = sorted({name for row in report.facts.rows for name in row.metrics})
    lines: list[list[Any]] = [
        [
            *COLUMNS,
            "miou_lo",
            "miou_hi",
            *LATER,
            *_TIMES,
            "throughput_ips",
            "batch_size",
            "peak_host_mb",
            "peak_device_mb",
            "licences",
            "commercial",
            "flags",
            *_ends(names),
        ]
    ]
    for row in report.facts.rows:
        latency, peak, rate = row.latency_ms or {}, row.peak_memory_mb or {}, row.throughput_ips
        ends = row.miou_ci or (None, None)
        values = [row.metrics.get(name) for name in names]
        lines.append([
            *(getattr(row, name) for name in COLUMNS), *ends, *(getattr(row, name) for name in LATER),
            *(latency.get(name.removeprefix("latency_").removesuffix("_ms")) for name in _TIMES),
            rate.value if rate else None, rate.batch_size if rate else None, peak.get("host"), peak.get("device"),
            "; ".join(one.licence for one in row.weights), "; ".join(str(one.commercial) for one in row.weights),
            "; ".join(row.flags),
            *(end for v in values for end in ((v.value, *(v.ci or (None, None))) if v else (None,) * 3)),
        ])  # fmt: skip
    return _csv(lines)


_TIMES = ("latency_n", "latency_mean_ms", "latency_p50_ms", "latency_p90_ms", "latency_p95_ms", "latency_p99_ms")


def _ends(names: Sequence[str]) -> list[str]:
    return [f"{name}{end}" for name in names for end in ("", "_lo", "_hi")]


def images_csv(report: Report) -> str:
    """The IoU of every image, a line an image and a column a pipeline; empty where there is none."""
    series = report.facts.series
    groups = {name: group for one in series for name, group in zip(one.ids, one.groups, strict=True)}
    lines: list[list[Any]] = [["image", "group", *(one.label for one in series)]]
    lines += [[name, groups[name], *(one.by_id.get(name) for one in series)] for name in sorted(groups)]
    return _csv(lines)


def _csv(lines: Sequence[Sequence[Any]]) -> str:
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([_cell(value) for value in line] for line in lines)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is quoted; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def rows_json(report: Report) -> str:
    """What ``benchmarks.run --json`` prints, with the answer, the comparisons and the images that were picked."""
    picked = {one.name: [asdict(choice) for choice in one.choices] for one in report.gallery.chapters}
    compared = [asdict(pair) for pair in report.pairs]
    parts = {label: asdict(one) for label, one in report.slices.items()}
    said = {"answer": asdict(report.answer), "pairs": compared, "images": picked, "slices": parts,
            "command": command_line(report.facts.manifest)}  # fmt: skip
    found = {**document(report.facts.manifest, report.facts.rows), **said}
    return json.dumps(found, allow_nan=False, ensure_ascii=True, indent=1) + "\n"


WRITERS: dict[str, dict[str, Callable[[Report], str]]] = {
    "html": {"report.html": page},
    "md": {"report.md": markdown},
    "csv": {"report.csv": rows_csv, "images.csv": images_csv},
    "json": {"report.json": rows_json},
}
"""Format → file → what is in it."""
