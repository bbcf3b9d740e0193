"""A run from its manifest to its rows: one process a configuration, watched without burning a core."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import leaderboard
from benchmarks.datasets import Dataset
from benchmarks.records import Configuration, RunManifest
from benchmarks.rows import Row
from benchmarks.selection import check_decodes
from benchmarks.store import Lock, RunStore, check_space, write_whole
from pipelines.errors import DatasetError, ImageError, ResourceError, RunLockedError, WorkbenchError

Report = Callable[[Configuration, dict[str, Any]], None]
FATAL: tuple[type[WorkbenchError], ...] = (DatasetError, ImageError, ResourceError, RunLockedError)
"""Errors that are not one pipeline's own: they end the run, and what is recorded stays."""


def execute(store: RunStore, manifest: RunManifest, dataset: Dataset, report: Report) -> list[Row]:
    """Do whatever of a run is not done yet.

    Args:
        store: the folder of the run.
        manifest: what the run is; written first.
        dataset: its samples, all of them decoded once where the run is new.
        report: told each event of a worker.

    Returns:
        One row a configuration, in the order of the command.

    Raises:
        RunLockedError: another process writes this run.
        DatasetError: a picture or a mask cannot be read.
        ResourceError: the disk is full.
    """
    store.folder.mkdir(parents=True, exist_ok=True)
    check_space(store.folder)
    with Lock(store.folder / "lock"):
        if store.manifest_path.is_file():
            manifest = manifest.model_copy(update={"created": store.manifest().created})
        else:
            check_decodes(dataset)
        write_whole(store.manifest_path, manifest.model_dump_json(indent=1))
        rows = [_row(store, manifest, configuration, report) for configuration in manifest.configurations]
        write_whole(store.folder / "summary.json", json.dumps(leaderboard.document(manifest, rows), indent=1))
    return rows


def _row(store: RunStore, manifest: RunManifest, configuration: Configuration, report: Report) -> Row:
    reason = None
    if configuration.unavailable is None and store.timing(configuration.id) is None:
        configuration, reason = _run_worker(store, configuration, report)
    report(configuration, {"event": "finished"})
    return leaderboard.row(manifest, configuration, store.records(configuration.id),
                           store.timing(configuration.id), reason)  # fmt: skip


def _run_worker(store: RunStore, configuration: Configuration, report: Report) -> tuple[Configuration, str | None]:
    """Start a worker and listen until it ends.

    Returns:
        The configuration, marked unavailable where it could not be loaded, and why the worker failed, or None.
    """
    log = store.folder / configuration.id / "worker.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.worker", str(store.folder), configuration.id]
    told: dict[str, Any] = {}
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        for event in _events(process):
            told = event if event["event"] == "error" else told
            report(configuration, event)
        code = process.wait()
    return _verdict(configuration, code, told, log)


def _events(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    for line in process.stdout or ():
        yield json.loads(line)


def _verdict(
    configuration: Configuration, code: int, told: dict[str, Any], log: Path
) -> tuple[Configuration, str | None]:
    if code == 0:
        return configuration, None
    if code == 130 or code == -2:
        raise KeyboardInterrupt
    for kind in FATAL:
        if _is(kind, told.get("code")):
            raise kind(told["message"], told["cure"])
    if told.get("code") == "unavailable":
        return configuration.model_copy(update={"unavailable": f"{told['message']} {told['cure']}"}), None
    if told:
        return configuration, f"{told['message']} {told['cure']}"
    return configuration, f"{_ending(code)} {_last_line(log)}"


def _is(kind: type[WorkbenchError], code: str | None) -> bool:
    return code in {kind.code, *(sub.code for sub in kind.__subclasses__())}


def _ending(code: int) -> str:
    return f"Its process was ended by signal {-code}." if code < 0 else f"Its process ended with exit code {code}."


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return f"{lines[-1][:500]} (the whole: {log})" if lines else f"It said nothing (log: {log})."


def exit_code(rows: Sequence[Row], configurations: Sequence[Configuration]) -> int:
    """0, or 1 where a pipeline that was asked for by name has no result, or none has."""
    asked = {configuration.label for configuration in configurations if configuration.asked}
    wanted_failed = any(row.status != "ok" and row.label in asked for row in rows)
    return int(wanted_failed or not any(row.status == "ok" for row in rows))
