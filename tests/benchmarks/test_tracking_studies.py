"""Weights & Biases: what is logged of a finished search, and what happens where it cannot be."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tracking.studies import track_study
from tests.benchmarks.test_tracking import FakeWandb

TRIALS = [{"trial": 0, "miou": 0.5, "threshold": 0.25}, {"trial": 1, "miou": None, "threshold": 0.5}]
POINT = {"n_groups": 4, "value": 0.5, "low": 0.4, "high": 0.6}


def document(**more: Any) -> dict[str, Any]:
    best = {"params": {"threshold": 0.25}, "value": 0.5}
    return {"pipeline": "x", "began_with": "x:t=/home/somebody/secret/file.txt", "objective": "miou", "dataset": {},
            "searched": ["threshold"], "swept": ["threshold"], "seed": 0, "best": best, "start": {"value": 0.4},
            "trials": 2, "importance": {}, "learning_curve": [POINT], "pareto": [],
            "curves": [{"field": "threshold", "values": [0.25, 0.5], "figures": [0.5, None]}], **more}  # fmt: skip


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> FakeWandb:
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)  # type: ignore[arg-type]
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return fake


def test_one_run_of_theirs_holds_the_answer_every_trial_and_the_curves(wandb: FakeWandb, tmp_path: Path) -> None:
    said: list[str] = []
    assert track_study(document(), TRIALS, tmp_path / "tune-1", said.append) is None
    (run,) = wandb.runs
    assert run.finished and wandb.torn_down == 1 and run.about["mode"] == "offline"
    assert run.summary["best"]["params"] == {"threshold": 0.25}
    assert set(run.logged) == {"trials", "learning curve", "curve of threshold"}  # there is no front
    assert run.logged["trials"].data == [[0, 0.5, 0.25], [1, None, 0.5]]
    assert run.logged["curve of threshold"].data == [[0.25, 0.5], [0.5, None]]
    assert "somebody" not in str(run.about["config"])
    assert said[-1].startswith("Weights & Biases: 2 trials written to")


def test_a_front_is_a_table_of_its_own(wandb: FakeWandb, tmp_path: Path) -> None:
    front = [{"params": {"threshold": 0.25}, "miou": 0.5, "latency_ms": 3.0}]
    assert track_study(document(pareto=front), TRIALS, tmp_path, lambda _: None) is None
    assert wandb.runs[0].logged["pareto"].columns == ["threshold", "miou", "latency_ms"]


def test_a_failure_is_returned_and_nothing_is_raised(wandb: FakeWandb, tmp_path: Path) -> None:
    wandb.fails_on = f"tune {document()['began_with']}"
    failure = track_study(document(), TRIALS, tmp_path, lambda _: None)
    assert failure is not None and "the line is dead" in failure.message
    assert wandb.torn_down == 1
