"""Thresholds that are swept while tuning: what a loop over decisions finds, and no more images looked at."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.datasets import open_dataset
from benchmarks.metrics import METRICS
from benchmarks.tune.crew import Crew
from benchmarks.tune.task import Task
from pipelines import create
from pipelines.types import Prompt
from tests.benchmarks import tuning


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tuning.installed(monkeypatch, tmp_path)


def judged(name: str, dataset: Path, params: dict[str, Any], metric: str = "miou") -> float | None:
    """A plain loop: look, decide, compare."""
    pipeline, rows = create(name, params=params), []
    for sample in open_dataset(dataset):
        target = sample.target()
        assert target is not None
        (found,) = pipeline.predict([sample.image], [Prompt()])
        rows.append(METRICS[metric].per_image(found.foreground(), target))
    return METRICS[metric].reduce(rows)


def surface(task: Task, **values: Any) -> np.ndarray:
    with Crew(task, 1) as crew:
        setting = task.setting(task.variants[0], values)
        assert crew.sweepable(setting)
        return crew.judge(setting, swept=True).values(task.metric)


@pytest.mark.parametrize("metric", ["miou", "dice_pos", "iou_pooled", "miss_rate", "success@0.75"])
def test_one_threshold_is_as_a_loop_over_decisions_finds_it(tmp_path: Path, metric: str) -> None:
    data = tuning.discs(tmp_path / "d", 3)
    task = tuning.task_of(data, "smooth", folds=0, objective=metric, fields=("threshold",))
    assert task.cut is not None
    found = surface(task)
    for index in range(0, len(task.cut.values), 8):
        value = judged("smooth", data, {"threshold": float(task.cut.values[index])}, metric)
        assert found[0, index] == pytest.approx(value, abs=1e-11)


def test_rank_and_cut_are_as_a_loop_over_decisions_finds_them(tmp_path: Path) -> None:
    data = tuning.discs(tmp_path / "d", 3)
    task = tuning.task_of(data, "boxes", folds=0)
    assert task.cut is not None and task.rank is not None
    assert set(task.swept) == {"box_threshold", "mask_threshold"}
    found, base = surface(task), task.configuration.params
    for rank, cut in product(range(0, len(task.rank.values), 37), range(0, len(task.cut.values), 40)):
        places = {"box_threshold": float(task.rank.values[rank]), "mask_threshold": float(task.cut.values[cut])}
        assert found[rank, cut] == pytest.approx(judged("boxes", data, {**base, **places}), abs=1e-11)


def test_the_floor_is_lowered_to_search_and_raised_in_what_is_kept(tmp_path: Path) -> None:
    data = tuning.discs(tmp_path / "d")
    outcome = tuning.tuned(tmp_path / "out", data, "boxes", trials=16, folds=0)
    assert set((tmp_path / "notes").read_text().split("\n")) == {"floor 0.1", ""}
    assert outcome.judged.chosen is not None
    assert outcome.params["candidate_floor"] == outcome.params["box_threshold"] < 0.5
    assert outcome.judged.start == judged("boxes", data, {})
    assert outcome.judged.value == pytest.approx(judged("boxes", data, dict(outcome.params)), abs=1e-11)
    low = {**outcome.params, "candidate_floor": 0.1}
    kept, judged_with = create("boxes", params=dict(outcome.params)), create("boxes", params=low)
    for sample in open_dataset(data):
        first, second = (p.predict([sample.image], [Prompt()])[0].foreground() for p in (kept, judged_with))
        np.testing.assert_array_equal(first, second)


def test_thresholds_alone_take_as_many_trials_as_are_asked_for(tmp_path: Path) -> None:
    data = tuning.discs(tmp_path / "d")
    outcome = tuning.tuned(tmp_path / "out", data, "smooth", trials=40, folds=2, fields=("threshold",))
    assert len(outcome.candidates) == 40
    assert len({one.params_whole["threshold"] for one in outcome.candidates if one.fold == 0}) > 5
    assert (tmp_path / "notes").read_text().count("look") <= 7  # the first picture by the planning too


def test_a_threshold_beside_other_fields_is_at_its_best_in_every_trial(tmp_path: Path) -> None:
    data = tuning.discs(tmp_path / "d")
    outcome = tuning.tuned(tmp_path / "out", data, "smooth", trials=8, folds=0, fields=("threshold", "gain"))
    task = outcome.task
    assert task.cut is not None
    gains = {one.params_whole["gain"] for one in outcome.candidates}
    assert len(gains) > 2
    for one in outcome.candidates[:3]:
        curve = surface(task, gain=one.params_whole["gain"])[0]
        assert one.whole is not None
        assert one.whole >= np.nanmax(curve) - 0.01 - 1e-9
        assert one.whole == pytest.approx(judged("smooth", data, one.params_whole), abs=1e-11)


def test_what_does_more_than_cut_is_judged_by_decide(tmp_path: Path) -> None:
    data = tuning.discs(tmp_path / "d")
    outcome = tuning.tuned(tmp_path / "out", data, "smooth", trials=12, folds=2, fields=("threshold", "erode"))
    assert {bool(one.params_whole["erode"]) for one in outcome.candidates} == {True, False}
    for one in outcome.candidates[:6]:
        assert one.whole == pytest.approx(judged("smooth", data, one.params_whole), abs=1e-11)


@pytest.mark.parametrize("objective", ["boundary_iou", "miss_rate"])
def test_other_objectives_are_judged_as_a_run_judges_them(tmp_path: Path, objective: str) -> None:
    data = tuning.discs(tmp_path / "d")
    outcome = tuning.tuned(
        tmp_path / "out", data, "smooth", trials=8, folds=2, objective=objective, fields=("threshold", "gain")
    )
    assert bool(outcome.task.swept) == (objective == "miss_rate")
    values = [one.whole for one in outcome.candidates if one.whole is not None]
    assert len(values) == 8
    for one in outcome.candidates[:3]:
        assert one.whole == pytest.approx(judged("smooth", data, one.params_whole, objective), abs=1e-11)


def test_a_rank_alone_is_not_swept_and_still_right(tmp_path: Path) -> None:
    data = tuning.discs(tmp_path / "d")
    outcome = tuning.tuned(tmp_path / "out", data, "boxes", trials=6, folds=0, fields=("box_threshold",))
    for one in outcome.candidates[:4]:
        assert one.whole == pytest.approx(
            judged("boxes", data, {**one.params_whole, "candidate_floor": 0.1}), abs=1e-11
        )
