"""Who still works on a trial: processes of this machine, of others, and those that come back after they were given up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import sleep
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from benchmarks.tune import runners
from benchmarks.tune.crew import Crew
from benchmarks.tune.outcome import search
from benchmarks.tune.runners import Watch, is_unsigned, working
from benchmarks.tune.storage import open_storage
from tests.benchmarks import tuning


@pytest.fixture
def study(tmp_path: Path) -> optuna.study.Study:
    return optuna.create_study(storage=open_storage(None, tmp_path), study_name="s")


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def running(**attributes: Any) -> FrozenTrial:
    return optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs=attributes)


def signed(process: int, machine: str | None = None) -> str:
    return f"{machine or runners.machine()}:{process}:{runners._began(process)}"


def test_the_dead_of_this_machine_are_known_from_the_living(other: subprocess.Popen[bytes]) -> None:
    watch, alive = Watch(), running(runner=signed(other.pid))
    assert not watch.is_dead("s", alive)
    assert not watch.is_dead("s", running(runner=runners.runner()))
    assert watch.is_dead("s", running(runner=f"{runners.machine()}:{other.pid}:1"))  # its number was given anew
    os.kill(other.pid, signal.SIGKILL)
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and its parent has not asked for it
    assert watch.is_dead("s", alive)


def test_a_container_of_the_same_name_is_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    runners.machine.cache_clear()
    monkeypatch.setattr("socket.gethostname", lambda: "bench")
    monkeypatch.setattr(os, "readlink", lambda path: "pid:[4026530001]")
    one = runners.machine()
    runners.machine.cache_clear()
    monkeypatch.setattr(os, "readlink", lambda path: "pid:[4026530002]")
    assert runners.machine() != one
    assert one.startswith("bench/") and one.endswith("/4026530001")
    runners.machine.cache_clear()


def test_another_machine_is_given_up_when_its_signs_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(runners, "monotonic", lambda: clock[0])
    watch, name = Watch(), "elsewhere:7:1"

    def dead(sign: int | None) -> bool:
        return watch.is_dead("s", running(runner=name, **({} if sign is None else {"sign": sign})))

    assert not dead(None)
    clock[0] += runners.SILENT_S - 1
    assert not dead(None)
    assert not dead(1)  # a sign: the time begins anew
    clock[0] += runners.SILENT_S - 1
    assert not dead(1)
    clock[0] += 2
    assert dead(1)
    assert not Watch().is_dead("s", running(runner=name, sign=1))  # who has just come cannot know


def test_a_trial_with_no_name_to_it_is_waited_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock of who waits: whoever began it may have another time of day."""
    clock, watch, begun = [0.0], Watch(), running()
    monkeypatch.setattr(runners, "monotonic", lambda: clock[0])
    assert begun.datetime_start is not None
    begun.datetime_start -= timedelta(hours=9)
    assert is_unsigned(begun) and not watch.is_dead("s", begun)
    clock[0] += runners.UNSIGNED_S + 1
    assert watch.is_dead("s", begun)
    assert not is_unsigned(optuna.trial.create_trial(state=TrialState.COMPLETE, value=1.0))


def test_a_process_that_was_stopped_is_given_up_like_one_that_gives_no_sign(
    other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, watch, trial = [0.0], Watch(), running(runner=signed(other.pid))
    monkeypatch.setattr(runners, "monotonic", lambda: clock[0])
    other.send_signal(signal.SIGSTOP)
    while runners._state(other.pid) not in runners.STOPPED:
        sleep(0.01)
    assert not watch.is_dead("s", trial)
    clock[0] += runners.SILENT_S + 1
    assert watch.is_dead("s", trial)
    other.send_signal(signal.SIGCONT)
    while runners._state(other.pid) in runners.STOPPED:
        sleep(0.01)
    assert not watch.is_dead("s", trial)


def test_a_trial_that_was_taken_away_before_it_was_signed_is_not_worked_on(study: optuna.study.Study) -> None:
    trial = study.ask()
    study.tell(trial.number, state=TrialState.FAIL)  # by another process
    with working(study, trial) as mine:
        assert not mine
    assert "runner" not in study.trials[0].user_attrs


def test_work_that_takes_long_gives_signs_of_life(study: optuna.study.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "SIGN_S", 0.02)
    with working(study, study.ask()):
        sleep(0.2)
    signs = study.trials[0].user_attrs["sign"]
    assert signs >= 2
    assert study.trials[0].user_attrs["runner"] == runners.runner()
    sleep(0.1)
    assert study.trials[0].user_attrs["sign"] <= signs + 1  # at most the one that was being written


def test_work_that_ends_early_is_told(study: optuna.study.Study) -> None:
    with pytest.raises(KeyboardInterrupt), working(study, study.ask()):
        raise KeyboardInterrupt
    assert study.trials[0].state == TrialState.FAIL


def test_who_was_taken_for_dead_and_comes_back_changes_nothing(study: optuna.study.Study) -> None:
    trial = study.ask()
    with working(study, trial):
        study.tell(trial.number, state=TrialState.FAIL)  # by another process
        trial.set_user_attr("result", "mine")
        raise AssertionError("it may not be written")
    assert study.trials[0].state == TrialState.FAIL
    assert "result" not in study.trials[0].user_attrs


def test_trials_of_a_machine_that_died_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that is started again: nothing of its name or processes is as it was."""
    tuning.installed(monkeypatch, tmp_path)
    monkeypatch.setattr(runners, "SILENT_S", 0.3)
    task = tuning.task_of(tuning.discs(tmp_path / "d", 7), "smooth", trials=8, folds=2, fields=("threshold",))
    with Crew(task, 1) as crew:
        finder = tuning.finder(task, crew, tmp_path / "shared")
        lost = finder.study(0, 1)
        trial = lost.ask()
        trial.set_user_attr("runner", "elsewhere:7:1")
        trial.set_user_attr("aim", "start")
        found = search(finder)
    assert [one.state for one in lost.trials].count(TrialState.FAIL) == 1
    assert len(found.candidates) == 8
    for fold in (0, 1):
        assert sorted(one.aim for one in found.candidates if one.fold == fold) == ["drawn", "drawn", "exact", "start"]
