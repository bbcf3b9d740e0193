"""The search: seeds, jobs, what is finished stays finished, and the time that it is given."""

from __future__ import annotations

import json
from pathlib import Path
from time import monotonic
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from benchmarks.tune import document
from benchmarks.tune.crew import Crew
from benchmarks.tune.outcome import Outcome, search
from benchmarks.tune.search import Search
from benchmarks.tune.trial import Trying
from tests.benchmarks import tuning


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tuning.installed(monkeypatch, tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tuning.discs(tmp_path / "d", 7)


class Killed(BaseException):
    """Ends a search as a signal does, with nothing said to anyone."""


def told(outcome: Outcome) -> dict[str, Any]:
    return tuning.told(json.dumps(document.document(outcome, None, Path())))


def finished(finder: Search) -> list[list[Any]]:
    done = (TrialState.COMPLETE, TrialState.PRUNED)
    return [[(one.params, one.values) for one in finder.study(v, f).trials if one.state in done]
            for v, f in finder.task.studies()]  # fmt: skip


@pytest.mark.parametrize(("pipeline", "jobs"), [("boxes", 2), ("smooth", 3)])
def test_the_number_of_jobs_changes_no_figure(tmp_path: Path, data: Path, pipeline: str, jobs: int) -> None:
    one, more = (told(tuning.tuned(tmp_path / str(n), data, pipeline, jobs=n, trials=14, folds=2)) for n in (1, jobs))
    assert one["trials"] == 14
    assert more == one


def test_one_seed_is_one_search(tmp_path: Path, data: Path) -> None:
    first, second, other = (
        tuning.tuned(tmp_path / str(index), data, "smooth", trials=12, folds=3, seed=seed)
        for index, seed in enumerate((5, 5, 6))
    )
    assert told(first) == told(second)
    assert first.task.fold != other.task.fold
    assert [one.params_whole for one in first.candidates] != [one.params_whole for one in other.candidates]


def test_more_trials_go_on_from_those_that_are_there(tmp_path: Path, data: Path) -> None:
    few = tuning.tuned(tmp_path / "one", data, "smooth", trials=6, folds=2)
    more = tuning.tuned(tmp_path / "one", data, "smooth", trials=14, folds=2)
    whole = tuning.tuned(tmp_path / "two", data, "smooth", trials=14, folds=2)
    assert len(few.candidates) == 6
    assert told(more) == told(whole)
    again = tuning.tuned(tmp_path / "one", data, "smooth", trials=14, folds=2)
    assert told(again) == told(whole)
    assert len(tuning.tuned(tmp_path / "one", data, "smooth", trials=3, folds=2).candidates) == 14


@pytest.mark.parametrize("moment", ["judging the first", "judging", "before it is told", "before it is signed"])
def test_killed_at_any_moment_it_ends_as_if_it_had_not_been(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    task = tuning.task_of(data, "smooth", trials=10, folds=2)
    with Crew(task, 1) as crew:
        whole = tuning.finder(task, crew, tmp_path / "whole")
        expected = told(search(whole))
        with monkeypatch.context() as patch, pytest.raises(Killed):
            _kill(patch, moment)
            search(tuning.finder(task, crew, tmp_path / "killed"))
        monkeypatch.setattr("benchmarks.tune.runners._began", lambda process: "another process")
        monkeypatch.setattr("benchmarks.tune.runners.UNSIGNED_S", 0.3)
        resumed = tuning.finder(task, crew, tmp_path / "killed")
        found = told(search(resumed))
    assert [[one[1:] for one in study] for study in finished(resumed)] == [
        [one[1:] for one in s] for s in finished(whole)
    ]
    assert finished(resumed) == finished(whole)
    assert {k: v for k, v in found.items() if k != "best"} == {k: v for k, v in expected.items() if k != "best"}
    assert found["best"]["params"] == expected["best"]["params"]
    assert found["best"]["cv_value"] == expected["best"]["cv_value"]


def _kill(patch: pytest.MonkeyPatch, moment: str) -> None:
    """Let the search end at a moment, without what it does when it is stopped in good order."""
    calls = iter(range(1000))
    after = 0 if moment == "judging the first" else 3

    def raising(name: Any, key: str | None = None) -> Any:
        def call(self: Any, *given: Any, **named: Any) -> Any:
            if (key is None or key in map(str, given)) and next(calls) == after:
                raise Killed
            return name(self, *given, **named)

        return call

    tell = optuna.study.Study.tell
    patch.setattr(optuna.study.Study, "tell", lambda self, number, values=None, **named: (
        None if named.get("state") == TrialState.FAIL else tell(self, number, values, **named)))  # fmt: skip
    if moment.startswith("judging"):
        patch.setattr(Trying, "judged", raising(Trying.judged))
    elif moment == "before it is told":
        patch.setattr(optuna.trial.Trial, "set_user_attr", raising(optuna.trial.Trial.set_user_attr, "result"))
    else:
        patch.setattr(optuna.trial.Trial, "set_user_attr", raising(optuna.trial.Trial.set_user_attr, "runner"))


def test_no_trial_begins_when_the_time_is_up(tmp_path: Path, data: Path) -> None:
    task = tuning.task_of(data, "smooth", trials=10_000, folds=3)
    with Crew(task, 1) as crew:
        start = monotonic()
        outcome = search(tuning.finder(task, crew, tmp_path / "out", start + 1.2))
        assert monotonic() - start < 5
        assert {one.fold for one in outcome.candidates} == {0, 1, 2}  # each study has its share of the time
        assert outcome.judged.cv_value is not None
        nothing = search(tuning.finder(task, crew, tmp_path / "none", start))
    said = told(nothing)
    assert said["trials"] == 0
    assert said["start"]["kept"] and said["best"]["value"] == said["best"]["cv_value"] == said["start"]["value"]


def test_the_first_trial_is_where_the_search_begins_and_dear_fields_move_seldom(tmp_path: Path, data: Path) -> None:
    outcome = tuning.tuned(tmp_path / "out", data, "smooth", trials=24, folds=0, fields=("gain", "erode", "threshold"))
    first = min(outcome.candidates, key=lambda one: one.number)
    assert (first.params_whole["gain"], first.params_whole["erode"]) == (1.0, 0)
    gains = [one.params_whole["gain"] for one in outcome.candidates]
    assert 2 <= len(set(gains)) <= 2 + 24 // 4
    looks = (tmp_path / "notes").read_text().count("look")
    assert looks <= 1 + 7 + (len(set(gains)) - 1) * 8  # a pass for each, and the first picture alone


def test_values_that_do_not_go_together_cost_a_trial_and_no_more(tmp_path: Path, data: Path) -> None:
    fields = ("cut_low", "cut_high")
    outcome = tuning.tuned(tmp_path / "out", data, "classical:work_size=64", trials=6, folds=0, fields=fields, span=1.0)
    assert 1 <= len(outcome.candidates) <= 6
