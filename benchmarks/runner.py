"""A run from its manifest to its rows: one process a configuration, which take turns while they are timed."""

from __future__ import annotations

import json
from collections.abc import Sequence

from benchmarks import leaderboard
from benchmarks.datasets import Dataset
from benchmarks.records import Configuration, RunManifest
from benchmarks.ring import Ring
from benchmarks.rows import Row
from benchmarks.selection import check_decodes
from benchmarks.store import Lock, RunStore, check_space, write_whole
from benchmarks.workers import Report as Report
from benchmarks.workers import Verdict

TIMEOUT_S = 600.0


def execute(store: RunStore, manifest: RunManifest, dataset: Dataset, report: Report,
            timeout_s: float = TIMEOUT_S) -> list[Row]:  # fmt: skip
    """Do whatever of a run is not done yet.

    Args:
        store: the folder of the run.
        manifest: what the run is; written first.
        dataset: its samples, all of them decoded once where the run is new.
        report: told each event of a worker.
        timeout_s: a worker that gives no sign of life for so long while it has something to do is ended.

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
        elif dataset.format != "embedded":  # which has just been rendered whole for its hash
            check_decodes(dataset)
        write_whole(store.manifest_path, manifest.model_dump_json(indent=1))
        with Ring(store, manifest, report, timeout_s) as ring:
            verdicts = ring.measure()
        rows = [_row(store, manifest, one, verdicts.get(one.id)) for one in manifest.configurations]
        write_whole(store.folder / "summary.json", json.dumps(leaderboard.document(manifest, rows), indent=1))
    return rows


def _row(store: RunStore, manifest: RunManifest, configuration: Configuration, verdict: Verdict | None) -> Row:
    return leaderboard.row(manifest, verdict.configuration if verdict else configuration,
                           store.records(configuration.id), store.timing(configuration.id),
                           verdict.reason if verdict else None)  # fmt: skip


def exit_code(rows: Sequence[Row], configurations: Sequence[Configuration]) -> int:
    """0, or 1 where a pipeline that was asked for by name has no result, or none has."""
    asked = {configuration.label for configuration in configurations if configuration.asked}
    wanted_failed = any(row.status != "ok" and row.label in asked for row in rows)
    return int(wanted_failed or not any(row.status == "ok" for row in rows))
