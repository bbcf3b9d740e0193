"""Room: evidence, terms and masks that do not fit are made or read again, and no figure changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.tune import document, passes, slice, targets
from benchmarks.tune.crew import Crew
from benchmarks.tune.passes import Passes
from benchmarks.tune.task import Setting
from pipelines.types import Evidence
from tests.benchmarks import tuning


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tuning.installed(monkeypatch, tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tuning.discs(tmp_path / "d", 7)


def told(folder: Path, data: Path, pipeline: str) -> dict[str, Any]:
    outcome = tuning.tuned(folder, data, pipeline, trials=10, folds=2)
    return tuning.told(json.dumps(document.document(outcome, None, Path())))


@pytest.mark.parametrize("pipeline", ["smooth", "boxes"])
def test_with_no_room_at_all_every_figure_is_the_same(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, pipeline: str
) -> None:
    whole = told(tmp_path / "whole", data, pipeline)
    for module, name in ((passes, "HELD_MB"), (slice, "KEPT_MB"), (targets, "ROOM_MB")):
        monkeypatch.setattr(module, name, 0)
    assert told(tmp_path / "none", data, pipeline) == whole


def held_bytes(made: Passes) -> int:
    return sum(passes._size(one) for found in made.held.values() for one in found.values())


def test_what_is_held_stays_within_its_room_and_is_not_dropped_for_its_own_kind(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = 32 * 40 * 4
    monkeypatch.setattr(passes, "HELD_MB", (3 * one + 1) / 1e6)
    task = tuning.task_of(data, "smooth", folds=2)
    with Crew(task, 1) as crew:
        made: Passes = crew.members[0].slice.passes  # type: ignore[union-attr]
        dim, bright = (Setting(task.setting(task.variants[0], {"gain": gain}).params) for gain in (0.5, 2.0))
        for expected in (7, 4, 4):  # three of seven stay from the first round on
            before = made.looks
            found = [made.evidence(dim, sample) for sample in made.samples]
            assert made.looks - before == expected
            assert held_bytes(made) == made.held_bytes <= 3 * one
        assert all(isinstance(one, Evidence) for one in found)
        again = made.evidence(bright, made.samples[0])
        assert again is not None and not np.array_equal(again.soft, found[0].soft)  # type: ignore[union-attr]
        assert list(made.held) == [bright.infer_key]  # another setting's evidence gives way
        assert held_bytes(made) == made.held_bytes
