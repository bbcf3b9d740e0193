"""Which contests there are, and their rows as a table and as one JSON document."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.environment import environment, versions
from benchmarks.peers.interleave import Contest, Row, measure
from pipelines.errors import UnknownNameError

SCHEMA_VERSION = 1
SUBJECTS = {"metrics": "benchmarks.peers.metrics", "classical": "benchmarks.peers.classical",
            "clipseg": "benchmarks.peers.clipseg", "grounded_sam": "benchmarks.peers.grounded_sam",
            "rmbg": "benchmarks.peers.rmbg"}  # fmt: skip


def contests(only: str | None) -> Iterator[Contest | Row]:
    """Contests that can be held here; for the others the row that says why not."""
    if only is not None and only not in SUBJECTS:
        raise UnknownNameError("subject", only, SUBJECTS)
    for subject, module in SUBJECTS.items():
        if only in (None, subject):
            yield from importlib.import_module(module).contests()


def measured(only: str | None, rounds: int, screen: Console) -> list[Row]:
    """Rows of all contests, each side on one thread."""
    cv2.setNumThreads(1)
    rows = []
    for contest in contests(only):
        screen.print(f"{contest.name} / {contest.peer}", markup=False)
        rows.append(contest if isinstance(contest, Row) else measure(contest, rounds))
    return rows


def document(rows: Sequence[Row]) -> dict[str, Any]:
    """What ``--json`` prints."""
    stamp = environment("cpu")
    stamp["packages"] |= versions(["torchmetrics", "faster-coco-eval"])
    stamp["threads"] = 1
    return {"schema_version": SCHEMA_VERSION, "environment": stamp, "rows": [row.to_json() for row in rows]}


def exit_code(rows: Sequence[Row]) -> int:
    """0 where a peer ran and all outputs are equal. A goal that is missed is shown; a busy machine may be why."""
    held = [row for row in rows if row.status != "unavailable"]
    return 0 if held and all(row.equal_outputs for row in held) else 1


def table(rows: Sequence[Row]) -> Table:
    """One line a contest; the reason of every row that could not run below."""
    notes = [f"{row.name}, {row.peer}: {escape(row.reason)}" for row in rows if row.reason]
    notes.append("ratio = processor time of the peer over ours, one thread each: median of the rounds, 95 % interval")
    found = Table(caption="\n".join(notes), caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("what", "peer", "ours ms", "peer ms", "ratio", "95 %", "goal"):
        text = name in ("what", "peer")
        found.add_column(name, justify="left" if text else "right", no_wrap=not text)
    for row in rows:
        ci = "-" if row.ratio_ci is None else "-".join(_number(end) for end in row.ratio_ci)
        numbers = (_number(value) for value in (row.ours_ms, row.peer_ms, row.ratio))
        found.add_row(row.name, row.peer, *numbers, ci, _verdict(row))
    return found


def _number(value: float | None) -> str:
    """About three digits."""
    if value is None:
        return "-"
    return f"{value:.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"


def _verdict(row: Row) -> str:
    if row.status != "ok":
        return row.status
    return "-" if row.goal is None else f"{row.goal:g} {'met' if row.met else 'missed'}"
