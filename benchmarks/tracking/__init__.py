"""A finished run for Weights & Biases: one run of theirs a configuration, and one with the leaderboard, in one group.

W&B compares runs: with one each, configurations are sorted, filtered and plotted there by their parameters and figures,
and their tables of pictures are joined by id. Nothing is imported, sent or written before it is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

from pydantic import Field, ValidationError

from benchmarks.datasets import Dataset
from benchmarks.leaderboard import is_random
from benchmarks.records import Configuration, Record, RunManifest
from benchmarks.rows import Row, commercial
from benchmarks.store import RunStore, write_whole
from benchmarks.tracking import client, pictures
from benchmarks.tracking.client import Say
from benchmarks.tracking.scrubbed import last_part, scrubbed, utf8
from pipelines.errors import UnavailableError

LEADERBOARD = "leaderboard"
COLUMNS = ("configuration", "status", "reason", "mIoU", "mIoU low", "mIoU high", "boundary IoU", "dice", "miss rate",
           "errors", "p50 ms", "p50 low", "p50 high", "p95 ms", "images/s", "batch", "host MB", "device MB",
           "weights MB", "device", "licences", "commercial", "flags")  # fmt: skip


class Logged(Record):
    """What W&B was given of one row.

    Attributes:
        id: of their run.
        row: hash of what was logged; another row under the same label is logged again.
        folder: where their files lie.
        offline: whether they are still to be sent.
    """

    id: str
    row: str
    folder: str
    offline: bool


class Marker(Record):
    """What was logged of a run, so that nothing is logged twice: ``wandb.json`` in its folder."""

    schema_version: int = 1
    runs: dict[str, Logged] = Field(default_factory=dict)


def track(store: RunStore, rows: Sequence[Row], samples: Dataset, say: Say) -> UnavailableError | None:
    """Log what was not logged before, after everything is measured.

    With no key for W&B, or with ``WANDB_MODE=offline``, their files are written into the folder of the run, and nothing
    goes to the network.

    Args:
        store: of the finished run.
        rows: of the run.
        samples: of the run, for the pictures.
        say: told in sentences what was done.

    Returns:
        What kept W&B from taking it, or None.
    """
    manifest = store.manifest()
    marker, wanted = _marker(store), _wanted(manifest, rows)
    if all(key in marker.runs and marker.runs[key].row == row for key, row in wanted.items()):
        say("Weights & Biases was given this run before; --fresh makes a new one")
        return None
    return client.attempted(store.folder, partial(_log, store, manifest, rows, samples, say))


def _marker(store: RunStore) -> Marker:
    try:
        return Marker.model_validate_json((store.folder / "wandb.json").read_bytes())
    except (FileNotFoundError, ValidationError):  # nothing was logged, or it cannot be told what
        return Marker()


def _wanted(manifest: RunManifest, rows: Sequence[Row]) -> dict[str, str]:
    """Key of each of their runs → hash of what it tells."""
    ids = {one.label: one.id for one in manifest.configurations}
    each = {ids[row.label]: _hash([row]) for row in rows if row.status == "ok"}
    return {**each, LEADERBOARD: _hash(rows)}


def _hash(rows: Sequence[Row]) -> str:
    return hashlib.sha256("\n".join(row.model_dump_json() for row in rows).encode()).hexdigest()


def _log(store: RunStore, manifest: RunManifest, rows: Sequence[Row], samples: Dataset, say: Say) -> None:
    import wandb

    mode = client.mode_of(wandb, say)
    if mode == "disabled":
        say("WANDB_MODE=disabled: nothing is logged")
        return
    wanted, configurations = _wanted(manifest, rows), {one.label: one for one in manifest.configurations}
    try:
        for row in rows:
            one = configurations[row.label]
            if one.id in wanted and _stale(store, one.id, wanted[one.id]):
                with client.begun(
                    wandb, store.folder, manifest.run_id, row.label, "configuration", mode, _config(manifest, one)
                ) as run:
                    _log_row(wandb, run, store, manifest, one, row, samples, say)
                _mark(store, one.id, wanted[one.id], run, mode)
        if _stale(store, LEADERBOARD, wanted[LEADERBOARD]):
            with client.begun(
                wandb, store.folder, manifest.run_id, LEADERBOARD, LEADERBOARD, mode, _config(manifest, None)
            ) as run:
                run.log({LEADERBOARD: _leaderboard(wandb, rows)})
            _mark(store, LEADERBOARD, wanted[LEADERBOARD], run, mode)
    finally:
        wandb.teardown()
    _say_where(store, wanted, say)


def _stale(store: RunStore, key: str, row: str) -> bool:
    known = _marker(store).runs.get(key)
    return known is None or known.row != row


def _mark(store: RunStore, key: str, row: str, run: Any, mode: str) -> None:
    """Note what was logged; after each of their runs, so that what a failure left out is all that is done again."""
    folder = str(run.settings.sync_dir)
    logged = Logged(id=run.id, row=row, folder=folder, offline=mode == "offline")
    marker = Marker(runs={**_marker(store).runs, key: logged})
    write_whole(store.folder / "wandb.json", marker.model_dump_json(indent=1))


def _config(manifest: RunManifest, configuration: Configuration | None) -> dict[str, Any]:
    """The manifest without what names this machine's folders; with a configuration, what is its own on top."""
    about = manifest.model_dump(mode="json", exclude={"configurations"})
    about["dataset"]["spec"] = last_part(manifest.dataset.spec)
    own = configuration.model_dump(mode="json", exclude={"asked", "unavailable"}) if configuration else {}
    if configuration and configuration.weights_from:
        own["weights_from"] = last_part(configuration.weights_from)
    labels = {} if configuration else {"configurations": [one.label for one in manifest.configurations]}
    found: dict[str, Any] = scrubbed({**own, **labels, "run": about})
    return found


def _log_row(wandb: Any, run: Any, store: RunStore, manifest: RunManifest, configuration: Configuration, row: Row,
             samples: Dataset, say: Say) -> None:  # fmt: skip
    run.summary.update(summary(row))
    if is_random(configuration):
        say(f"{row.label}: no pictures, since its weights are random")
        return
    columns = ["id", "IoU", "image", "group", "split", "error"]
    table = wandb.Table(columns=columns)
    for one in pictures.pictures(store, manifest, configuration, samples):
        image = wandb.Image(one.image, caption=utf8(one.id), masks=one.masks(), file_type="jpg")
        table.add_data(utf8(one.id), one.iou, image, utf8(one.group), one.split, scrubbed(one.error))
    shown, side = len(table.data), pictures.LONGEST_SIDE
    run.log({"images": table})
    run.summary.update({"images_shown": shown, "images_of": len(samples), "images_longest_side": side})
    say(f"{row.label}: {shown} of {len(samples)} pictures with truth and prediction, {side} pixels at most")


def summary(row: Row) -> dict[str, Any]:
    """The figures of a row by the names of ``--json``, with the metrics' intervals beside their values."""
    kept = row.model_dump(mode="json", exclude={"params", "metrics", "classes", "label", "weights"})
    values = {name: found.value for name, found in row.metrics.items()}
    ends = {name: list(found.ci) if found.ci else None for name, found in row.metrics.items()}
    classes = {name: {kind: found.value for kind, found in kinds.items()}
               for name, kinds in (row.classes or {}).items()}  # fmt: skip
    licences = [f"{one.repo}: {one.licence}" for one in row.weights]
    found: dict[str, Any] = scrubbed({**kept, "metrics": values, "metrics_ci": ends, "classes": classes or None,
                                      "licences": licences})  # fmt: skip
    return found


def _leaderboard(wandb: Any, rows: Sequence[Row]) -> Any:
    return wandb.Table(columns=list(COLUMNS), data=[cells(row) for row in rows])


def cells(row: Row) -> list[Any]:
    """A row of the leaderboard's table; None where something is not known."""
    latency, median = row.latency_ms or {}, (row.latency_ci or {}).get("p50") or (None, None)
    memory, rate = row.peak_memory_mb or {}, row.throughput_ips
    return [
        utf8(row.label), row.status, scrubbed(row.reason), row.miou, *(row.miou_ci or (None, None)),
        row.boundary_iou, row.dice, row.miss_rate, row.errors, latency.get("p50"), *median, latency.get("p95"),
        rate.value if rate else None, rate.batch_size if rate else None, memory.get("host"), memory.get("device"),
        row.size_mb, row.device, ", ".join(one.licence for one in row.weights),
        commercial(row), ", ".join(row.flags),
    ]  # fmt: skip


def _say_where(store: RunStore, wanted: Mapping[str, str], say: Say) -> None:
    logged = [one for key, one in _marker(store).runs.items() if key in wanted]
    offline = sorted({str(Path(one.folder).parent) for one in logged if one.offline})
    for folder in offline:
        say(f"Weights & Biases: written to {folder}; send it with: wandb sync {quote(folder)}/offline-run-*")
    if not offline:
        say(f"Weights & Biases: logged as {', '.join(one.id for one in logged)}")
