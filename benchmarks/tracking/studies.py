"""A finished search for Weights & Biases: one run of theirs with the answer, every trial, and the curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.tracking import client
from benchmarks.tracking.client import Say
from benchmarks.tracking.scrubbed import last_part, scrubbed, utf8
from pipelines.errors import UnavailableError

CONFIG = ("pipeline", "began_with", "objective", "dataset", "searched", "swept", "seed")
KIND = "tune"


def track_study(document: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], folder: Path,
                say: Say) -> UnavailableError | None:  # fmt: skip
    """Log a search once it is done; with no key, or with ``WANDB_MODE=offline``, into its folder.

    Args:
        document: of ``benchmarks.tune --json``.
        trials: one row each, all with the same columns.
        folder: of the study.
        say: told in sentences what was done.

    Returns:
        What kept W&B from taking it, or None.
    """
    return client.attempted(folder, partial(_log, document, trials, folder, say))


def _log(document: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], folder: Path, say: Say) -> None:
    import wandb

    mode = client.mode_of(wandb, say)
    if mode == "disabled":
        say("WANDB_MODE=disabled: nothing is logged")
        return
    name, config = f"tune {document['began_with']}", scrubbed({key: document[key] for key in CONFIG})
    try:
        with client.begun(wandb, folder, last_part(str(folder)), name, KIND, mode, config) as run:
            run.summary.update(scrubbed({key: document[key] for key in ("best", "start", "trials", "importance")}))
            run.log(_tables(wandb, document, trials))
            where = run.settings.sync_dir
    finally:
        wandb.teardown()
    say(f"Weights & Biases: {len(trials)} trials {f'written to {where}' if mode == 'offline' else 'logged'}")


def _tables(wandb: Any, document: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    objective = document["objective"]
    found = {"trials": _table(wandb, trials), "learning curve": _table(wandb, document["learning_curve"]),
             "pareto": _table(wandb, [{**one["params"], **{k: one[k] for k in (objective, "latency_ms")}}
                                      for one in document["pareto"]])}  # fmt: skip
    for curve in document["curves"]:
        points = zip(curve["values"], curve["figures"], strict=True)
        found[f"curve of {curve['field']}"] = _table(wandb, [{curve["field"]: x, objective: y} for x, y in points])
    return {name: table for name, table in found.items() if table is not None}


def _table(wandb: Any, rows: Sequence[Mapping[str, Any]]) -> Any:
    if not rows:
        return None
    data = [[scrubbed(value) for value in row.values()] for row in rows]
    return wandb.Table(columns=[utf8(name) for name in rows[0]], data=data)
