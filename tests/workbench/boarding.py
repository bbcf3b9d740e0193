"""Finished runs for the tests of the leaderboard, with the summary that `benchmarks.run` writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks import leaderboard
from benchmarks.records import WeightsRecord
from benchmarks.report.facts import read
from benchmarks.store import RunStore, write_whole
from tests.benchmarks.reporting import made_dataset, made_run, of

N = 12
FREE = WeightsRecord(repo="maker/free", revision="1" * 40, licence="apache-2.0", commercial=True)
BARRED = WeightsRecord(repo="maker/barred", revision="2" * 40, licence="cc-by-nc-4.0", commercial=False)
NASTY = "${alert(1)}{{value}}<img src=x onerror=alert(2)>"


def finished(folder: Path, data: Path, masks: dict[str, list[np.ndarray | None]], **about: object) -> Path:
    """A run with its summary."""
    created = str(about.pop("created", "2026-11-21T09:00:00+00:00"))
    run = made_run(folder, data, masks, **about)
    store = RunStore(run)
    write_whole(store.manifest_path, store.manifest().model_copy(update={"created": created}).model_dump_json())
    summarised(run)
    return run


def summarised(run: Path) -> None:
    facts = read(run)
    by_label = {one.label: one.row for one in facts.series}
    rows = [by_label[one.label] for one in facts.manifest.configurations]
    write_whole(run / "summary.json", json.dumps(leaderboard.document(facts.manifest, rows)))


def touched(run: Path, **changes: object) -> None:
    """The manifest with other fields."""
    store = RunStore(run)
    write_whole(store.manifest_path, store.manifest().model_copy(update=changes).model_dump_json())
    summarised(run)


def folder_of_runs(root: Path) -> Path:
    """Two runs on one set of images, one on another, one with random weights, and several that are not to be shown."""
    runs = root / "runs"
    data, other = made_dataset(root / "data", N), made_dataset(root / "other", 6)
    half = [*of(N, 0)[:9], None, *of(N, 3)[10:]]
    finished(runs / "aaa111", data, {"good": of(N, 0), "near": of(N, 1), "far": of(N, 5), "half": half},
             settings={"near": {"weights": (FREE,)}, "far": {"weights": (BARRED,)}}, gone={"away": "no weights here"},
             created="2026-11-21T10:00:00+00:00")  # fmt: skip
    finished(runs / "bbb222", data, {"good": of(N, 1), NASTY: of(N, 2)})
    finished(runs / "ccc333", other, {"lone": of(6, 0)})
    random = {"dice": {"weights": (FREE,), "weights_from": "random"}}
    finished(runs / "ddd444", data, {"dice": of(N, 4)}, settings=random, created="2026-11-21T11:00:00+00:00")
    made_run(runs / "eee555", data, {"begun": of(N, 0), "late": of(N, 0)})
    (runs / "eee555" / "01-x" / "timing.json").unlink()
    (runs / "fff666").mkdir()
    (runs / "fff666" / "manifest.json").write_text("{broken")
    return runs
