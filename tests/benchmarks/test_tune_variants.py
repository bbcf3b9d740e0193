"""Wordings and checkpoints: each is asked for or loaded once, and what each gives is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.tune import document
from tests.benchmarks import tuning


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tuning.installed(monkeypatch, tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tuning.discs(tmp_path / "d")


def notes(folder: Path) -> list[str]:
    return (folder / "notes").read_text().splitlines()


def test_each_wording_is_asked_for_and_the_table_is_sorted(tmp_path: Path, data: Path) -> None:
    words = ("green", "blue", "red")
    outcome = tuning.tuned(tmp_path / "out", data, "wordy", trials=12, folds=2, wordings=words, fields=("threshold",))
    asked = {line.split()[-1] for line in notes(tmp_path) if line.startswith("look")}
    assert asked == set(words)
    assert sum("look" in line for line in notes(tmp_path)) <= 3 * 6 + 2  # a pass for each, and the planning's look
    said = json.loads(json.dumps(document.document(outcome, None, tmp_path)))["variants"]
    assert {one["label"] for one in said} == set(words)
    assert [one["value"] for one in said] == sorted((one["value"] for one in said), reverse=True)
    assert outcome.words in {(word,) for word in words}
    assert {one.words for one in outcome.candidates} == {(word,) for word in words}
    assert len(outcome.candidates) == 12


def test_each_checkpoint_is_loaded_once(tmp_path: Path, data: Path) -> None:
    outcome = tuning.tuned(tmp_path / "out", data, "smooth", trials=8, folds=2, fields=("size", "threshold"))
    loads = [line for line in notes(tmp_path) if line.startswith("load")]
    assert loads.count("load large") == 1
    assert loads.count("load small") <= 3  # by the planning, by the search, and for the curve of what was chosen
    assert {one.params_whole["size"] for one in outcome.candidates} == {"small", "large"}
    assert {one.label for one in outcome.variants} == {"size=small", "size=large"}


def test_checkpoints_alone_cost_one_trial_each_and_fold(tmp_path: Path, data: Path) -> None:
    outcome = tuning.tuned(tmp_path / "out", data, "smooth", trials=50, folds=2, fields=("size",))
    assert len(outcome.candidates) == 4
    assert outcome.judged.cv_value is not None
